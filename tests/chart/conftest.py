from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import needs
from tests.chart.engines import EXAMPLES, Engines, Rendered, engines, values_of


@pytest.fixture(scope="session")
def helm() -> Iterator[Engines]:
    """Run the engines."""
    with engines(needs.chart_python()) as running:
        yield running


@pytest.fixture(scope="session")
def examples(helm: Engines) -> dict[str, Rendered]:
    """Return every example of charts/kserve-client/ci as Helm renders it."""
    return {name: helm.render(values_of(name)) for name in EXAMPLES}
