"""The values of charts that are not ours, against what was read of those charts.

The charts can't be fetched where this is tested, so nothing is rendered: a value that a chart does not know
is found, one that it takes for something else is not.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.objects import CHART_VALUES, NAMES, object_of, values_of

# Read on 2026-11-23. MLflow: values.schema.json of charts/mlflow in community-charts/helm-charts, commit
# 0bc0feadd031, and values.yaml of 1.12.0, commit 06de449c0b38. KServe: the placeholders of
# files/common/configmap-patch.yaml in charts/kserve-resources of kserve/kserve, commit 1b1b574423ca, and values.yaml
# of charts/kserve-runtime-configs, commit 00c14415268a. JupyterHub: the values of its chart 4.1.0.
READ: dict[str, dict[str, type]] = {
    "mlflow/values.yaml": {
        "extraSecretNamesForEnvFrom": list,
        "extraEnvVars.AWS_DEFAULT_REGION": str,
        "serverAllowedHosts": list,
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
        "kserve.servingruntime.mlserver.tag": str,
        "kserve.llmisvcConfigs.enabled": bool,
    },
    "jupyterhub/values.yaml": {
        "proxy.service.type": str,
        # Any variable may stand there.
        "singleuser.extraEnv.MLFLOW_TRACKING_URI": str,
        "singleuser.networkPolicy.egress": list,
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


MLFLOW = f"mlflow.{NAMES['MLFLOW_NAMESPACE']}.svc.cluster.local"


def test_mlflow_answers_to_the_names_it_is_called_by() -> None:
    """The address of it that dashboard and notebooks have is one of those that it allows."""
    values = values_of("mlflow/values.yaml")
    assert MLFLOW in values["serverAllowedHosts"]
    # The chart's own list would be lost.
    assert "MLFLOW_SERVER_ALLOWED_HOSTS" not in values["extraEnvVars"]
    content = values_of("dashboard/values.yaml")["models"]["content"]
    assert f"url: http://{MLFLOW}\n" in content
    environment = values_of("jupyterhub/values.yaml")["singleuser"]["extraEnv"]
    assert environment == {"MLFLOW_TRACKING_URI": f"http://{MLFLOW}"}


def test_notebooks_may_call_mlflow() -> None:
    """The policy of users' pods lets them out to MLflow's namespace, on the port of its pod."""
    (rule,) = values_of("jupyterhub/values.yaml")["singleuser"]["networkPolicy"]["egress"]
    (to,) = rule["to"]
    assert to["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": NAMES["MLFLOW_NAMESPACE"]
    }
    assert rule["ports"] == [{"port": 5000, "protocol": "TCP"}]


def test_nothing_without_a_login_is_published() -> None:
    """The dashboard's route and the hub's load balancer are off until somebody asks who is there."""
    assert values_of("dashboard/values.yaml")["httpRoute"]["enabled"] is False
    assert values_of("jupyterhub/values.yaml")["proxy"]["service"]["type"] == "ClusterIP"


def test_mlflow_finds_its_database() -> None:
    """By the names of names.env; user and password come from a secret."""
    store = values_of("mlflow/values.yaml")["backendStore"]
    assert store["existingDatabaseSecret"] == {"name": NAMES["DATABASE_SECRET"]}
    assert store["postgres"] == {
        "enabled": True,
        "host": NAMES["DATABASE_HOST"],
        "port": int(NAMES["DATABASE_PORT"]),
        "database": NAMES["DATABASE_NAME"],
    }


def test_one_version_of_mlserver() -> None:
    """KServe's runtime and the one of one's own run the same image."""
    tag = values_of("kserve/runtimes-values.yaml")["kserve"]["servingruntime"]["mlserver"]["tag"]
    runtime = object_of("variants/serving-runtime-mlflow.yaml", "ServingRuntime")
    (container,) = runtime["spec"]["containers"]
    assert container["image"] == f"docker.io/seldonio/mlserver:{tag}"
    assert tag == NAMES["MLSERVER_VERSION"]
