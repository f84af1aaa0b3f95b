from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import needs
from tests.chart.engines import Engines, engines


@pytest.fixture(scope="session")
def helm() -> Iterator[Engines]:
    """Run Helm, Kubernetes' schemas and the rules in CEL, as for the chart."""
    with engines(needs.chart_python()) as running:
        yield running
