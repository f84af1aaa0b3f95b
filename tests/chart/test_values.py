"""What each value does, and that the table of the README, the schema and the settings know them all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit import config

from dashboard.settings import Settings
from scripts import chart_values
from tests.chart.engines import CHART, ROOT, Engines, Object, Rendered, Values

IMAGE = {"image": {"repository": "registry.example.org/dash"}}
# Settings that the chart sets by itself: the rest are values below `dashboard`, by the same names.
OWN_SETTINGS = {"models", "jobs_folder"}
SHARED_JOBS = {"jobs": {"persistence": {"enabled": True, "accessModes": ["ReadWriteMany"]}}}


def test_the_table_is_the_one_of_the_values() -> None:
    """`python -m scripts.chart_values` was run."""
    assert chart_values.run(["--check"]) == 0


def leaves(content: Any, above: str = "") -> list[str]:
    """The paths of all values: a mapping whose keys have comments of their own is no value itself."""
    if isinstance(content, dict) and content and above not in WHOLE:
        return [
            path
            for name, inner in content.items()
            for path in leaves(inner, f"{above}.{name}".strip("."))
        ]
    return [above]


# Mappings that are set as a whole.
WHOLE = {"resources", "podSecurityContext", "securityContext", "grafanaDashboard.labels"}


def test_every_value_says_what_it_means() -> None:
    """A comment above it, which becomes its line of the table."""
    text = (CHART / "values.yaml").read_text()
    documented = [one.path for one in chart_values.values(text)]
    own_name = {"nameOverride"}  # the heading of the file stands above it, too
    assert set(documented) | own_name == set(leaves(yaml.safe_load(text)))
    assert len(documented) == len(set(documented))
    assert all(one.meaning.endswith(".") for one in chart_values.values(text))


def schema_leaves(schema: Any, above: str = "") -> list[str]:
    if schema.get("properties") and above not in WHOLE:
        return [
            path
            for name, inner in schema["properties"].items()
            for path in schema_leaves(inner, f"{above}.{name}".strip("."))
        ]
    return [above]


def test_the_schema_knows_the_same_values() -> None:
    """No key that the schema refuses, none that it takes and nobody reads."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    ours = set(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    # Helm hands `global` to every chart.
    assert set(schema_leaves(schema)) - {"global"} == ours


def test_every_value_is_read() -> None:
    """A value that no template reads would be accepted and thrown away."""
    texts = [path.read_text() for path in (CHART / "templates").rglob("*.*")]
    joined = "\n".join(texts)
    for path in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        if path.startswith("dashboard."):
            continue  # read all together; the tests below see each
        assert path.rpartition(".")[2] in joined, path


def test_every_setting_of_the_dashboard_has_a_value(helm: Engines) -> None:
    """By the name it has there, and none is set that the dashboard does not read."""
    given = yaml.safe_load((CHART / "values.yaml").read_text())["dashboard"]
    values = {**given, "badge": "a", "sources": "b", "largestRows": 7, "daskScheduler": "tcp://d:1"}
    content = {"dashboard": values, "models": {"content": "version: 1"}, **SHARED_JOBS}
    found = helm.render({**IMAGE, **content}).settings()
    names = {name.removeprefix("KSERVE_CLIENT_").lower() for name in found if name[0] == "K"}
    assert names == set(Settings.model_fields)
    assert set(Settings.model_fields) - OWN_SETTINGS == {snake(name) for name in given}


def snake(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()


def test_the_usual_values_are_those_of_the_dashboard(examples: dict[str, Rendered]) -> None:
    """Who installs the chart gets what who starts it by hand gets, where a pod has room for it."""
    given = examples["minimal"].settings()
    for name, field in Settings.model_fields.items():
        if name not in {*OWN_SETTINGS, "largest_upload_mb"}:
            usual = "" if field.default is None else field.default
            text = given.get(f"KSERVE_CLIENT_{name.upper()}", "")
            assert type(usual)(text) == usual, name


def test_the_largest_upload_fits_into_a_pod(examples: dict[str, Rendered]) -> None:
    """Seen on 1.67.0: 500 MB take 1,020 MB of memory for a moment, beside the 200 that it starts with."""
    release = examples["minimal"]
    largest_mb = int(release.settings()["KSERVE_CLIENT_LARGEST_UPLOAD_MB"])
    assert release.container()["resources"]["limits"]["memory"] == "1Gi"
    assert 200 + 2 * largest_mb <= 1024
    volumes = release.one("Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}} in volumes


def test_the_chart_is_made_for_this_version() -> None:
    """The image's tag is the version of the package."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_options_of_streamlit_become_its_variables(helm: Engines) -> None:
    """Every option there is gets the name that Streamlit reads."""
    config.get_config_options()
    templates = config._config_options_template
    wanted = {name: option.env_var for name, option in templates.items()}
    for name in ("baseUrlPath", "port", "cookieSecret", "maxUploadSize"):
        del wanted[f"server.{name}"]  # the chart sets them itself
    tree: dict[str, Any] = {}
    for name in wanted:
        place = tree
        *sections, last = name.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = "x"
    assert len(wanted) > 300
    found = helm.render({**IMAGE, "streamlit": tree}).settings()
    assert {found[variable] for variable in wanted.values()} == {"x"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(500, "500"), (2_000_000, "2000000"), (0.5, "0.5"), (True, "true")],
)
def test_options_of_streamlit_keep_their_values(helm: Engines, value: object, text: str) -> None:
    """Helm's large numbers are not written 2e+06."""
    found = helm.render({**IMAGE, "streamlit": {"server": {"maxMessageSize": value}}}).settings()
    assert found["STREAMLIT_SERVER_MAX_MESSAGE_SIZE"] == text


# Streamlit as `streamlit run` starts it: the command's variables, then what its own parts make of them.
READS = """
import json
import sys
from google.protobuf.json_format import MessageToDict
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime.app_session import _populate_theme_msg
from streamlit.web import bootstrap, cli

given = cli.main_run.make_context("run", ["app.py"], auto_envvar_prefix="STREAMLIT_RUN").params
bootstrap.load_config_options(flag_options=given)
theme = CustomThemeConfig()
_populate_theme_msg(theme)
_populate_theme_msg(theme.light, "theme.light")
options = {name: config.get_option(name) for name in sys.argv[1:]}
print(json.dumps({"options": options, "theme": MessageToDict(theme)}))
"""


def test_lists_and_mappings_reach_streamlit(helm: Engines, tmp_path: Path) -> None:
    """As they are written in the values, whichever way Streamlit wants each of them."""
    server = {
        "trustedUserHeaders": {"X-Forwarded-Email": "email", "X-Forwarded-User": "name"},
        "corsAllowedOrigins": ["https://a.example.org", "https://b.example.org"],
    }
    light = {"chartCategoricalColors": ["#0B6E4F", "#000000"], "primaryColor": "#0B6E4F"}
    theme = {
        "headingFontSizes": ["2rem", "1.5rem"],
        "headingFontWeights": [700, 600, 600, 600, 600, 600],
        "fontFaces": [{"family": "Open Sans", "url": "app/static/open-sans.woff2"}],
        "light": light,
    }
    found = helm.render({**IMAGE, "streamlit": {"server": server, "theme": theme}}).settings()
    variables = {name: text for name, text in found.items() if name.startswith("STREAMLIT_")}
    names = [f"server.{name}" for name in server]
    read = json.loads(
        subprocess.run(
            [sys.executable, "-c", READS, *names],
            env=os.environ | variables,
            cwd=tmp_path,  # a config.toml of ours would fill in what is missing
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    assert read["options"] == {f"server.{name}": value for name, value in server.items()}
    assert read["theme"] == theme


def test_the_sub_path_goes_everywhere(examples: dict[str, Rendered], helm: Engines) -> None:
    """Server, probes, route, redirect, cookie, metrics and the test pod agree on it."""
    release = examples["sub-path-traefik"]
    assert release.settings()["STREAMLIT_SERVER_BASE_URL_PATH"] == "ml/dash"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert release.container()[probe]["httpGet"] == {
            "path": "/ml/dash/_stcore/health",
            "port": "http",
        }
    slash, metrics, page = release.one("HTTPRoute")["spec"]["rules"]
    assert slash["matches"] == [{"path": {"type": "Exact", "value": "/ml/dash"}}]
    assert replaced(slash) == "/ml/dash/"
    assert metrics["matches"] == [{"path": {"type": "Exact", "value": "/ml/dash/_stcore/metrics"}}]
    assert replaced(metrics) == "/ml/dash/"
    assert page["matches"] == [{"path": {"type": "PathPrefix", "value": "/ml/dash"}}]
    (service,) = release.one("TraefikService")["spec"]["weighted"]["services"]
    assert service["sticky"]["cookie"] == {
        "name": "kserve-client-replica",
        "httpOnly": True,
        "secure": False,
        "sameSite": "lax",
        "path": "/ml/dash",
    }
    assert release.one("Pod")["spec"]["containers"][0]["args"] == [
        "check",
        "http://dash-kserve-client:80/ml/dash",
    ]
    watched = helm.render({**IMAGE, "baseUrlPath": "x", "serviceMonitor": {"enabled": True}})
    assert watched.one("ServiceMonitor")["spec"]["endpoints"][0]["path"] == "/x/_stcore/metrics"


def replaced(rule: Object) -> str:
    (one,) = rule["filters"]
    assert one["requestRedirect"]["statusCode"] == 302  # a browser would remember 301 for ever
    return str(one["requestRedirect"]["path"]["replaceFullPath"])


def test_without_a_sub_path_the_whole_host_is_the_dashboards(examples: dict[str, Rendered]) -> None:
    """Probes and route begin at the root, and there is nothing to redirect but the metrics."""
    release = examples["session-persistence"]
    assert release.settings()["STREAMLIT_SERVER_BASE_URL_PATH"] == ""
    assert release.container()["livenessProbe"]["httpGet"]["path"] == "/_stcore/health"
    metrics, page = release.one("HTTPRoute")["spec"]["rules"]
    assert replaced(metrics) == "/"
    assert page["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert page["sessionPersistence"] == {
        "type": "Cookie",
        "sessionName": "dash",
        "cookieConfig": {"lifetimeType": "Session"},
    }


def test_a_role_where_the_models_file_looks(examples: dict[str, Rendered]) -> None:
    """And nowhere else: the namespaces are those of the models file."""
    release = examples["sub-path-traefik"]
    for kind in ("Role", "RoleBinding"):
        assert [one["metadata"]["namespace"] for one in release.all(kind)] == ["flowers", "houses"]
    assert [one["rules"] for one in release.all("Role")] == [RULES, RULES]
    assert release.all("ClusterRole") == []
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is True


RULES = [
    {
        "apiGroups": ["serving.kserve.io"],
        "resources": ["inferenceservices"],
        "verbs": ["get", "list", "watch"],
    }
]


def test_two_releases_may_look_into_one_namespace(helm: Engines) -> None:
    """Their Roles there have different names, since Helm takes over no object of another release."""
    rbac = {**IMAGE, "rbac": {"namespaces": ["flowers"]}}
    one, other = (helm.render(rbac, name=name).one("Role") for name in ("dash", "dash-next"))
    assert one["metadata"]["name"] == "dashboards-dash-kserve-client"
    assert other["metadata"]["name"] == "dashboards-dash-next-kserve-client"


def test_no_token_for_who_asks_nothing(examples: dict[str, Rendered]) -> None:
    """Without discovery there is no Role, and the pods get no token of the cluster."""
    release = examples["minimal"]
    assert [*release.all("Role"), *release.all("ClusterRole")] == []
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert release.one("ServiceAccount")["automountServiceAccountToken"] is False


def test_a_kubeconfig_needs_no_role(helm: Engines) -> None:
    """Another cluster is asked with another account."""
    content = "kubernetes: {namespaces: [flowers], kubeconfig: /etc/kubeconfig}"
    release = helm.render({**IMAGE, "models": {"content": content}})
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False


def test_the_models_file_stays_as_it_is_written(helm: Engines) -> None:
    """Comments, words that YAML 1.1 takes for truth values, long numbers: nothing reads and writes it."""
    content = "version: 1  # ours\nmodels:\n  a: {labels: [no, yes], id: 12345678901234567890}\n"
    release = helm.render({**IMAGE, "models": {"content": content}})
    (stored,) = (
        one for one in release.all("ConfigMap") if one["metadata"]["name"].endswith("-models")
    )
    assert stored["data"] == {"models.yaml": content}
    assert release.settings()["KSERVE_CLIENT_MODELS"] == "/etc/kserve-client/models.yaml"


def test_a_change_of_the_models_file_restarts_nothing(helm: Engines) -> None:
    """A change of a setting does."""
    assert template(helm, {"models": {"content": "version: 1"}}) == template(
        helm, {"models": {"content": "version: 1\nmodels: {}"}}
    )
    assert template(helm, {"dashboard": {"badge": "a"}}) != template(
        helm, {"dashboard": {"badge": "b"}}
    )


def template(helm: Engines, values: Values) -> Any:
    return helm.render({**IMAGE, **values}).one("Deployment")["spec"]["template"]


def test_a_volume_for_one_pod_is_never_held_by_two(examples: dict[str, Rendered]) -> None:
    """The old pod goes before the new one comes; with a volume for many it is the other way round."""
    assert strategy(examples["one-with-volume"]) == {"type": "Recreate"}
    rolling = {"maxUnavailable": 0, "maxSurge": 1}
    for name in ("minimal", "hardly-anything"):
        assert strategy(examples[name]) == {"type": "RollingUpdate", "rollingUpdate": rolling}


def strategy(release: Rendered) -> Any:
    return release.one("Deployment")["spec"]["strategy"]


def test_the_jobs_have_a_place(examples: dict[str, Rendered]) -> None:
    """A claim of ours, one of theirs, or scratch space."""
    places = {
        "one-with-volume": {"persistentVolumeClaim": {"claimName": "dash-kserve-client-jobs"}},
        "hardly-anything": {"persistentVolumeClaim": {"claimName": "shared-jobs"}},
        "minimal": {"emptyDir": {"sizeLimit": "4Gi"}},
    }
    for name, place in places.items():
        release = examples[name]
        volumes = release.one("Deployment")["spec"]["template"]["spec"]["volumes"]
        (found,) = (one for one in volumes if one["name"] == "jobs")
        assert found == {"name": "jobs", **place}
        assert release.settings()["KSERVE_CLIENT_JOBS_FOLDER"] == "/var/lib/kserve-client/jobs"
    claim = examples["one-with-volume"].one("PersistentVolumeClaim")
    assert claim["spec"]["resources"] == {"requests": {"storage": "50Gi"}}
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert examples["hardly-anything"].all("PersistentVolumeClaim") == []


def test_the_jobs_may_lie_in_object_storage(examples: dict[str, Rendered]) -> None:
    """No volume, no waiting for one at a roll-out; the disk of the pod is for tables on their way."""
    release = examples["object-storage"]
    settings = release.settings()
    assert settings["KSERVE_CLIENT_JOBS_FOLDER"] == "s3://dashboards/jobs"
    assert settings["AWS_ENDPOINT_URL_S3"] == "https://minio.example.org:9000"
    assert settings["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert release.all("PersistentVolumeClaim") == []
    assert strategy(release)["type"] == "RollingUpdate"
    (scratch,) = (
        one["mountPath"] for one in release.container()["volumeMounts"] if one["name"] == "jobs"
    )
    assert settings["TMPDIR"] == scratch
    volumes = release.one("Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "jobs", "emptyDir": {"sizeLimit": "20Gi"}} in volumes


def test_the_access_key_is_named_and_never_held(examples: dict[str, Rendered]) -> None:
    """By the keys that the Secret has; no object of the release holds a part of it."""
    found = {one["name"]: one["valueFrom"] for one in examples["object-storage"].container()["env"]}
    for variable, key in (("AWS_ACCESS_KEY_ID", "user"), ("AWS_SECRET_ACCESS_KEY", "password")):
        assert found[variable] == {"secretKeyRef": {"name": "dashboard-s3", "key": key}}


def test_without_an_access_key_the_account_is_who_asks(helm: Engines) -> None:
    """A cloud adds what it takes to pods of an account with its annotation; nothing of ours is in the way."""
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/dashboard"}
    values = {**IMAGE, "jobs": {"url": "s3://jobs"}, "serviceAccount": {"annotations": role}}
    release = helm.render(values)
    assert release.one("ServiceAccount")["metadata"]["annotations"] == role
    assert [name for name in release.settings() if name.startswith("AWS_")] == []
    assert "env" not in release.container()
    assert "as whom" not in release.notes
    assert "as whom, is empty" in helm.render({**IMAGE, "jobs": {"url": "s3://jobs"}}).notes


def test_clouds_credentials_are_out_of_reach(examples: dict[str, Rendered]) -> None:
    """A model's address can't be that of the metadata service, wherever else it may be."""
    dns, anywhere = examples["minimal"].one("NetworkPolicy")["spec"]["egress"]
    assert {one["port"] for one in dns["ports"]} == {53}
    assert anywhere["to"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::254/128", "fd20:ce::254/128"]}},
    ]
    for one in anywhere["to"]:  # else Kubernetes refuses the policy
        whole = ip_network(one["ipBlock"]["cidr"])
        assert all(ip_network(hole).subnet_of(whole) for hole in one["ipBlock"]["except"])  # type: ignore[arg-type]


def test_what_is_closed_may_be_of_one_kind(helm: Engines) -> None:
    """Addresses of IPv6 alone, or none at all: then there is no `except`."""
    for blocked, holes in ((["fd00::/8"], [None, ["fd00::/8"]]), ([], [None, None])):
        release = helm.render({**IMAGE, "networkPolicy": {"blockedCidrs": blocked}})
        anywhere = release.one("NetworkPolicy")["spec"]["egress"][1]["to"]
        assert [one["ipBlock"].get("except") for one in anywhere] == holes


def test_only_the_named_ways_stay_open(examples: dict[str, Rendered]) -> None:
    """With egress rules and sources of one's own, nothing else passes but Prometheus, DNS and `helm test`."""
    spec = examples["session-persistence"].one("NetworkPolicy")["spec"]
    assert len(spec["egress"]) == 3
    (ingress,) = spec["ingress"]
    *peers, test = ingress["from"]
    assert peers == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in ("gateways", "monitoring")
    ]
    assert test["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"


def test_the_budget_is_only_for_several(examples: dict[str, Rendered]) -> None:
    """One replica with a budget would keep its node from being drained for ever."""
    assert examples["minimal"].all("PodDisruptionBudget") == []
    assert examples["sub-path-traefik"].one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_replicas_are_the_autoscalers(examples: dict[str, Rendered]) -> None:
    """Where it decides, the Deployment says no number that each upgrade would set again."""
    release = examples["session-persistence"]
    assert "replicas" not in release.one("Deployment")["spec"]
    scaler = release.one("HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
    assert scaler["scaleTargetRef"]["name"] == "dash-kserve-client"


def test_cookies_are_signed_with_one_key(examples: dict[str, Rendered]) -> None:
    """By reference, never by value."""
    assert examples["sub-path-traefik"].container()["env"] == [
        {
            "name": "STREAMLIT_SERVER_COOKIE_SECRET",
            "valueFrom": {"secretKeyRef": {"name": "dashboard-cookies", "key": "cookie-secret"}},
        }
    ]


def test_alerts_and_pictures_look_at_metrics_that_there_are(examples: dict[str, Rendered]) -> None:
    """Names as Streamlit 1.67 exposes them; tests/chart/test_gateway.py asks a running one."""
    release = examples["session-persistence"]
    rules = json.dumps(release.one("PrometheusRule")["spec"])
    (picture,) = (
        one["data"]
        for one in release.all("ConfigMap")
        if one["metadata"]["name"].endswith("-grafana")
    )
    (text,) = picture.values()
    panels = json.loads(text)["panels"]
    assert [one["title"] for one in panels] == [
        "Replicas that answer",
        "Open sessions",
        "Sessions per minute by event",
        "Mean length of a session (s)",
    ]
    for found in (rules, text):
        assert 'namespace=\\"dashboards\\",service=\\"dash-kserve-client\\"' in found
    assert "RELEASE_" not in text


def test_the_notes_say_how_to_get_there(examples: dict[str, Rendered]) -> None:
    """The address, what is lost with a pod, and what to try."""
    notes = examples["sub-path-traefik"].notes
    assert "answers below /ml/dash of models.example.org" in notes
    assert "system:serviceaccount:dashboards:dash-kserve-client" in notes
    assert "a browser comes back on another one" in notes.replace("the browser", "a browser")
    assert "port-forward service/dash-kserve-client 8501:80" in examples["minimal"].notes
    assert "--set-file models.content=models.yaml" in examples["minimal"].notes
    assert "experimental channel" in examples["session-persistence"].notes
    assert "bind get, list and watch" in examples["hardly-anything"].notes


def test_the_notes_say_who_comes_in(helm: Engines, examples: dict[str, Rendered]) -> None:
    """Behind a login the network has to be closed as well, and Prometheus stays in."""
    only = "Only networkPolicy.ingressFrom and, for Prometheus, networkPolicy.monitoringFrom may come in."
    assert only in examples["session-persistence"].notes
    assert "may come in" not in examples["minimal"].notes
    open_door = "Whoever reaches the pods past the proxy can claim any name"
    assert open_door in examples["sub-path-traefik"].notes
    behind = {**IMAGE, "streamlit": {"server": {"trustedUserHeaders": {"X-User": "name"}}}}
    closed: Values = {"networkPolicy": {"ingressFrom": [{"podSelector": {}}]}}
    notes = helm.render({**behind, **closed}).notes
    assert "names (streamlit.server.trustedUserHeaders)." in notes
    assert open_door not in notes
    assert "trustedUserHeaders" not in examples["minimal"].notes


def test_the_notes_say_what_object_storage_means(
    helm: Engines, examples: dict[str, Rendered]
) -> None:
    """Who goes on with a job and when, what the key has to allow, and which image it takes."""
    notes = examples["object-storage"].notes
    assert "Batch jobs live in s3://dashboards/jobs: all replicas see the same ones." in notes
    assert "taken up by another one after 120 s of silence" in notes
    assert "may read, write, list and delete below s3://dashboards/jobs" in notes
    assert "one of its rules has to lead to the storage.\n" in notes
    assert 'extras s3 and dask: EXTRAS="kubernetes s3 dask" ./scripts/image.sh' in notes
    assert "the same access to s3://dashboards/jobs" in notes
    only_tables = helm.render({**IMAGE, "dashboard": {"sources": "s3://tables/"}}).notes
    assert 'extra s3: EXTRAS="kubernetes s3" ./scripts/image.sh' in only_tables
    assert "EXTRAS" not in examples["one-with-volume"].notes


def test_the_notes_say_what_the_workers_of_a_cluster_need(
    helm: Engines, examples: dict[str, Rendered]
) -> None:
    """From which size on jobs go where, and by which path and user their files are read."""
    notes = helm.render(
        {**IMAGE, **SHARED_JOBS, "dashboard": {"daskScheduler": "tcp://dask:8786"}}
    ).notes
    assert "tables of 100 MB and more go to the Dask cluster at tcp://dask:8786" in notes
    assert "mounted at /var/lib/kserve-client/jobs, user and group of these pods (10001)" in notes
    assert "Dask" not in examples["hardly-anything"].notes
