"""The names that deploy/mlflow lets MLflow be called by, tried on a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from scripts.mlflow_server import MLflowServer
from tests import needs
from tests.deploy.objects import NAMES, values_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Named(MLflowServer):
    """A MLflow with the variables of the chart's values."""

    def variables(self) -> dict[str, str]:
        """Return them beside those of every test."""
        values = values_of("mlflow/values.yaml")
        # As the chart joins them, without an Ingress or HTTPRoute of its own.
        allowed = ",".join(values["serverAllowedHosts"])
        extra: dict[str, str] = values["extraEnvVars"]
        return super().variables() | extra | {"MLFLOW_SERVER_ALLOWED_HOSTS": allowed}


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Run it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with Named(needs.mlflow_python(), folder, folder / "mlflow.log") as running:
        yield running


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (f"mlflow.{NAMES['MLFLOW_NAMESPACE']}.svc.cluster.local", 200),
        ("mlflow.mlflow.svc", 200),
        ("mlflow.mlflow", 200),
        ("localhost:5000", 200),
        ("127.0.0.1:5000", 200),  # as `kubectl port-forward` prints it
        ("mlflow.example.org", 403),
    ],
)
def test_who_may_be_asked_for(mlflow: Named, host: str, status: int) -> None:
    """The service's names by which dashboard and notebooks call it; no other one."""
    url = f"{mlflow.url}/api/2.0/mlflow/registered-models/search"
    assert requests.get(url, headers={"Host": host}, timeout=30).status_code == status


def test_probes_need_no_name(mlflow: Named) -> None:
    """A kubelet asks by the pod's address."""
    answer = requests.get(f"{mlflow.url}/health", headers={"Host": "10.1.2.3:5000"}, timeout=30)
    assert answer.status_code == 200
