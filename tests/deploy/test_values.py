"""The values of charts that are not ours, against what was read of those charts.

The charts can't be fetched where this is tested, so nothing is rendered: a value that a chart does not know
is found, one that it takes for something else is not.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.objects import CHART_VALUES, NAMES, values_of

# Read on 2026-11-23. MLflow: values.schema.json of charts/mlflow in community-charts/helm-charts, commit
# 0bc0feadd031. KServe: the placeholders of files/common/configmap-patch.yaml in charts/kserve-resources of
# kserve/kserve, commit 1b1b574423ca, and values.yaml of charts/kserve-runtime-configs, commit 00c14415268a.
READ: dict[str, dict[str, type]] = {
    "mlflow/values.yaml": {
        "extraSecretNamesForEnvFrom": list,
        "extraEnvVars.AWS_DEFAULT_REGION": str,
        # Any variable may stand there.
        "extraEnvVars.MLFLOW_SERVER_ALLOWED_HOSTS": str,
        "artifactRoot.proxiedArtifactStorage": bool,
        "artifactRoot.s3.enabled": bool,
        "artifactRoot.s3.bucket": str,
        "artifactRoot.s3.path": str,
        "artifactRoot.s3.existingSecret.name": str,
        "backendStore.databaseMigration": bool,
        "backendStore.existingDatabaseSecret.name": str,
        "backendStore.postgres.enabled": bool,
        "backendStore.postgres.host": str,
        "backendStore.postgres.port": int,
        "backendStore.postgres.database": str,
    },
    "kserve/values.yaml": {
        "kserve.controller.deploymentMode": str,
        "kserve.controller.gateway.domain": str,
        "kserve.controller.gateway.urlScheme": str,
        "kserve.controller.gateway.ingressGateway.enableGatewayApi": bool,
        "kserve.controller.gateway.ingressGateway.kserveGateway": str,
        "kserve.controller.gateway.ingressGateway.className": str,
        "kserve.storage.s3.endpoint": str,
        "kserve.storage.s3.region": str,
        # Put between quotes by the chart: strings here too, so that nothing turns them into True.
        "kserve.storage.s3.useHttps": str,
        "kserve.storage.s3.verifySSL": str,
        "kserve.storage.s3.useVirtualBucket": str,
        "kserve.storage.s3.useAnonymousCredential": str,
    },
    "kserve/runtimes-values.yaml": {
        "kserve.servingruntime.enabled": bool,
        "kserve.llmisvcConfigs.enabled": bool,
    },
}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Each value that is no mapping, by the names on the way to it."""
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, Any] = {}
    for name, one in value.items():
        found |= leaves(one, f"{path}.{name}".lstrip("."))
    return found


def test_every_foreign_chart_was_read() -> None:
    """Ours is rendered elsewhere."""
    assert sorted(READ) == [name for name in CHART_VALUES if name != "dashboard/values.yaml"]


@pytest.mark.parametrize("name", READ)
def test_the_chart_knows_every_value(name: str) -> None:
    """By name and type."""
    unknown = {
        path: value
        for path, value in leaves(values_of(name)).items()
        if type(value) is not READ[name].get(path)
    }
    assert unknown == {}


def test_mlflow_answers_to_the_names_it_is_called_by() -> None:
    """The dashboard's address of it is one of those that it allows."""
    allowed = values_of("mlflow/values.yaml")["extraEnvVars"]["MLFLOW_SERVER_ALLOWED_HOSTS"]
    content = values_of("dashboard/values.yaml")["models"]["content"]
    host = f"mlflow.{NAMES['MLFLOW_NAMESPACE']}.svc.cluster.local"
    assert f"url: http://{host}\n" in content
    assert host in allowed.split(",")
