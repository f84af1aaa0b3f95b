"""Every request that a unit test makes the client send is checked against the schema of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, settings

from kserve_client.wire.body import Body, write_body
from tests.unit.conformance.schema import check_body

# A busy machine is no bug; pytest-timeout ends a test that hangs.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
# The check walks through every element; a long body is a short one's like.
CHECKED_BYTES = 20_000


@pytest.fixture(scope="session", autouse=True)
def requests_are_v2() -> Iterator[None]:
    """Check what `write_body` gives to the client, in whichever test it is called."""

    def checked(*request: Any, **options: Any) -> Body:
        body = write_body(*request, **options)
        if len(body.data) <= CHECKED_BYTES:
            check_body(body)
        return body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kserve_client.client.write_body", checked)
        yield


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    """Stand between the client and the network."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
