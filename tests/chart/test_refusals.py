"""What is refused, and in which words: contradictions by the templates, the rest by the schema."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from tests.chart.engines import CHART, Engines, RefusedError, Values

IMAGE = {"image": {"repository": "registry.example.org/dash"}}
TWO = {**IMAGE, "replicaCount": 2}
ROUTE = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}
STICKY = {**ROUTE, "stickiness": {"type": "traefikService"}}
COOKIES = {"cookieSecret": {"existingSecret": "cookies"}}
PLAIN = "extraEnv {} holds a secret in plain text: put it into a Secret and name that with valueFrom.secretKeyRef"

SECRETS = [
    "API_KEY",
    "RENT_KEY",
    "KEY",
    "SSH_PRIVATE_KEY",
    "apiKey",
    "MY_CREDENTIALS",
    "PGPASS",
    "DB_PASS",
    "MYSQL_PWD",
    "BEARER",
    "REDIS_AUTH",
    "HTTP_AUTHORIZATION",
    "SSL_PASSPHRASE",
    "AWS_CREDS",
    "CLIENT_SECRETS",
    "db_password",
]

# Values, and the whole sentence that a person reads.
CONTRADICTIONS: dict[str, tuple[Values, str]] = {
    "no image": (
        {},
        (
            "image.repository is empty: name the repository you pushed the image to, e.g. "
            "registry.example.org/ml/kserve-client"
        ),
    ),
    "two replicas, no stickiness": (
        {**TWO, **COOKIES},
        (
            "2 replicas need a stickiness, since an upload that reaches another replica than its page "
            "fails (HTTP 400): set stickiness.type to traefikService (Traefik), sessionPersistence "
            "(gateways with the experimental channel, e.g. Envoy Gateway) or external"
        ),
    ),
    "replicas by load, no stickiness": (
        {**IMAGE, **COOKIES, "autoscaling": {"enabled": True}},
        (
            "4 replicas need a stickiness, since an upload that reaches another replica than its page "
            "fails (HTTP 400): set stickiness.type to traefikService (Traefik), sessionPersistence "
            "(gateways with the experimental channel, e.g. Envoy Gateway) or external"
        ),
    ),
    "two replicas, no cookie secret": (
        {**TWO, **STICKY},
        (
            "2 replicas need one cookieSecret.existingSecret for all: kubectl create secret generic "
            "kserve-client-cookies --from-literal=cookie-secret=$(openssl rand -hex 32)"
        ),
    ),
    "two replicas, a volume for one": (
        {**TWO, **STICKY, **COOKIES, "jobs": {"persistence": {"enabled": True}}},
        (
            "2 replicas can't share the volume of the jobs: give jobs.persistence.accessModes "
            "ReadWriteMany, keep them in object storage (jobs.url), or run one replica"
        ),
    ),
    "a stickiness of the route, no route": (
        {**IMAGE, "stickiness": {"type": "sessionPersistence"}},
        (
            "stickiness.type sessionPersistence is a part of the HTTPRoute: set httpRoute.enabled, or "
            "stickiness.type external"
        ),
    ),
    "a cluster that can't read the jobs": (
        {
            **IMAGE,
            "dashboard": {"daskScheduler": "tcp://dask:8786"},
            "jobs": {"persistence": {"enabled": True}},
        },
        (
            "dashboard.daskScheduler needs a place for the jobs that its workers reach as well: set "
            "jobs.url, or jobs.persistence.enabled with jobs.persistence.accessModes [ReadWriteMany]"
        ),
    ),
    "two places for the jobs": (
        {**IMAGE, "jobs": {"url": "s3://dashboards/jobs", "persistence": {"enabled": True}}},
        (
            "jobs.url and jobs.persistence.enabled are both set: are the jobs kept in object "
            "storage, or in a volume?"
        ),
    ),
    "a key in the place of the jobs": (
        {**IMAGE, "jobs": {"url": "s3://user:key@dashboards/jobs"}},
        (
            "jobs.url holds a user or a key: put the access key into a Secret, and name that in "
            "s3.existingSecret"
        ),
    ),
    "fewer at most than at least": (
        {
            **IMAGE,
            **STICKY,
            **COOKIES,
            "autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 3},
        },
        "autoscaling.minReplicas (5) is more than autoscaling.maxReplicas (3)",
    ),
    "a route without a Gateway": (
        {**IMAGE, "httpRoute": {"enabled": True}},
        (
            "httpRoute.enabled needs httpRoute.parentRefs: the Gateway it hangs on, e.g. "
            "[{name: public, namespace: gateways}]"
        ),
    ),
    "two models files": (
        {**IMAGE, "models": {"content": "version: 1", "existingConfigMap": "ours"}},
        "models.content and models.existingConfigMap are both set: which one is the models file?",
    ),
    "a models file that is none": (
        {**IMAGE, "models": {"content": "version: [1"}},
        (
            "models.content is no YAML: error converting YAML to JSON: yaml: line 1: did not find "
            "expected ',' or ']'"
        ),
    ),
    "all namespaces, and some": (
        {**IMAGE, "rbac": {"clusterWide": True, "namespaces": ["flowers"]}},
        "rbac.clusterWide and rbac.namespaces are both set: all namespaces, or these?",
    ),
    "a look into all namespaces without a ClusterRole": (
        {**IMAGE, "models": {"content": "kubernetes: {all_namespaces: true}"}},
        (
            "models.content looks into all namespaces (kubernetes.all_namespaces), which takes a "
            "ClusterRole: set rbac.clusterWide, or name namespaces in kubernetes.namespaces"
        ),
    ),
    "a look into a namespace without a Role": (
        {
            **IMAGE,
            "models": {"content": "kubernetes: {namespaces: [flowers, houses]}"},
            "rbac": {"namespaces": ["flowers"]},
        },
        (
            "models.content looks into namespace houses (kubernetes.namespaces), which "
            "rbac.namespaces leaves out: add it there, or leave rbac.namespaces empty"
        ),
    ),
    "a path of Streamlit's": (
        {**IMAGE, "streamlit": {"server": {"baseUrlPath": "dash"}}},
        "streamlit.server.baseUrlPath is set by the chart: use baseUrlPath",
    ),
    "a port of Streamlit's": (
        {**IMAGE, "streamlit": {"server": {"port": 80}}},
        "streamlit.server.port is set by the chart: use service.port",
    ),
    "two limits of an upload": (
        {**IMAGE, "streamlit": {"server": {"maxUploadSize": 500}}},
        "streamlit.server.maxUploadSize is set by the chart: use dashboard.largestUploadMb",
    ),
    "a cookie secret in plain text": (
        {**IMAGE, "streamlit": {"server": {"cookieSecret": "x"}}},
        "streamlit.server.cookieSecret is set by the chart: use cookieSecret.existingSecret",
    ),
    "open to other origins": (
        {**IMAGE, "streamlit": {"server": {"enableCORS": False}}},
        (
            "streamlit.server.enableCORS=false lets any web page use the dashboard in a visitor's "
            "name; behind a gateway it works as it is, for other origins use "
            "streamlit.server.corsAllowedOrigins"
        ),
    ),
    "no guard against forged requests": (
        {**IMAGE, "streamlit": {"server": {"enableXsrfProtection": False}}},
        (
            "streamlit.server.enableXsrfProtection=false lets any web page use the dashboard in a "
            "visitor's name; behind a gateway it works as it is, for other origins use "
            "streamlit.server.corsAllowedOrigins"
        ),
    ),
    "a token in plain text": (
        {**IMAGE, "extraEnv": [{"name": "GATEWAY_TOKEN", "value": "x"}]},
        PLAIN.format("GATEWAY_TOKEN"),
    ),
    "a key in plain text": (
        {**IMAGE, "extraEnv": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]},
        PLAIN.format("AWS_SECRET_ACCESS_KEY"),
    ),
    "alerts on nothing": (
        {**IMAGE, "prometheusRule": {"enabled": True}},
        (
            "prometheusRule.enabled needs serviceMonitor.enabled: its alerts look at what the "
            "ServiceMonitor collects"
        ),
    ),
    "a picture of nothing": (
        {**IMAGE, "grafanaDashboard": {"enabled": True}},
        (
            "grafanaDashboard.enabled needs serviceMonitor.enabled: it shows what the "
            "ServiceMonitor collects"
        ),
    ),
    "alerts that nobody can put out": (
        {
            **IMAGE,
            "serviceMonitor": {"enabled": True},
            "networkPolicy": {"ingressFrom": [{"podSelector": {}}]},
        },
        (
            "networkPolicy.ingressFrom may keep Prometheus out, and serviceMonitor.enabled would then "
            "report a dashboard that is well as down: say in networkPolicy.monitoringFrom, not in "
            "ingressFrom, where Prometheus runs, e.g. [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
            "monitoring}}}]"
        ),
    ),
    "killed while draining": (
        {**IMAGE, "drainSeconds": 30},
        (
            "terminationGracePeriodSeconds (30) must be longer than drainSeconds (30), or pods are "
            "killed before they can end"
        ),
    ),
}


def refusal(helm: Engines, values: Values) -> str:
    with pytest.raises(RefusedError) as caught:
        helm.render(values)
    return str(caught.value)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_one_sentence(helm: Engines, name: str) -> None:
    """It says what does not fit, and what to do."""
    values, sentence = CONTRADICTIONS[name]
    _, _, said = refusal(helm, values).partition(".yaml:1:4): ")
    assert said == sentence


def test_every_sentence_of_the_templates_has_an_example() -> None:
    """A new refusal can't be added without a test of its words."""
    text = (CHART / "templates" / "_refusals.tpl").read_text()
    said = [sentence for _, sentence in CONTRADICTIONS.values()]
    written = re.findall(r'fail \(?(?:printf )?"((?:[^"\\]|\\.)*)"', text)
    assert len(written) == text.count("{{- fail ") == 22
    for form in written:
        pattern = re.sub(r"%[sd]", ".+", re.escape(form).replace("%d", "%s"))
        assert [one for one in said if re.fullmatch(pattern, one)], form


# Where, what, and what the schema says.
WRONG: dict[str, tuple[str, Any, str]] = {
    "an unknown key": ("replicas", 2, "additional properties 'replicas' not allowed"),
    "an unknown key further down": (
        "image.tagg",
        "1",
        "at '/image': additional properties 'tagg' not allowed",
    ),
    "a text for a number": ("service.port", "80", "at '/service/port': got string, want integer"),
    "a port that is none": ("service.port", 70000, "at '/service/port': maximum: got 70,000"),
    "a path with a slash before it": (
        "baseUrlPath",
        "/dash",
        "at '/baseUrlPath': '/dash' does not",
    ),
    "a path with a slash behind it": (
        "baseUrlPath",
        "dash/",
        "at '/baseUrlPath': 'dash/' does not",
    ),
    "a path that climbs": ("baseUrlPath", "a/../b", "at '/baseUrlPath': 'a/../b' does not match"),
    "a digest that is none": (
        "image.digest",
        "sha256:1",
        "at '/image/digest': 'sha256:1' does not",
    ),
    "a stickiness that there is not": (
        "stickiness.type",
        "clientIP",
        (
            "at '/stickiness/type': value must be one of 'none', 'sessionPersistence', "
            "'traefikService', 'external'"
        ),
    ),
    "a host that is none": (
        "httpRoute.hostnames",
        ["https://a.example.org"],
        "at '/httpRoute/hostnames/0': 'https://a.example.org' does not match",
    ),
    "a Gateway without a name": (
        "httpRoute.parentRefs",
        [{"namespace": "gateways"}],
        "at '/httpRoute/parentRefs/0': missing property 'name'",
    ),
    "a size that is none": ("tmpSize", "1 GB", "at '/tmpSize': '1 GB' does not match"),
    "a list of texts with spaces, which part them": (
        "streamlit.server",
        {"allowedHosts": ["a b"]},
        "at '/streamlit/server/allowedHosts/0': 'a b' does not match",
    ),
    "a timeout that there is not": (
        "httpRoute.timeouts",
        {"requests": "0s"},
        "invalid propertyName 'requests'",
    ),
    "a mapping within a mapping": (
        "streamlit.server",
        {"trustedUserHeaders": {"X-User": {"to": "name"}}},
        "at '/streamlit/server/trustedUserHeaders/X-User': got object, want string",
    ),
    "an address that is none": (
        "networkPolicy.blockedCidrs",
        ["fd00:ec2::254"],
        "at '/networkPolicy/blockedCidrs/0': 'fd00:ec2::254' does not match",
    ),
    "all addresses, which Kubernetes refuses as an exception": (
        "networkPolicy.blockedCidrs",
        ["::/0"],
        "at '/networkPolicy/blockedCidrs/0': '::/0' does not match",
    ),
    "too quick a look": (
        "dashboard.refreshS",
        0.1,
        "at '/dashboard/refreshS': exclusiveMinimum: got 0.1, want 0.5",
    ),
    "an access mode that there is not": (
        "jobs.persistence.accessModes",
        ["ReadOnlyMany"],
        "at '/jobs/persistence/accessModes/0': value must be one of",
    ),
    "a place for the jobs that is a folder": (
        "jobs.url",
        "/var/lib/kserve-client",
        "at '/jobs/url': '/var/lib/kserve-client' does not match",
    ),
    "a user in the address of the storage": (
        "s3.endpoint",
        "https://user:key@minio.example.org",
        "at '/s3/endpoint': 'https://user:key@minio.example.org' does not match",
    ),
    "all may be away": (
        "podDisruptionBudget.maxUnavailable",
        0,
        "at '/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_refuses(helm: Engines, name: str) -> None:
    """It names the place."""
    path, value, said = WRONG[name]
    assert said in refusal(helm, with_value(IMAGE, path, value))


def with_value(values: Values, path: str, value: Any) -> Values:
    changed: Any = deepcopy(values)
    *above, last = path.split(".")
    place = changed
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return dict(changed)


@pytest.mark.parametrize("engine", ["v3", "v4"])
def test_other_engines_refuse_with_the_same_words(helm: Engines, engine: str) -> None:
    """The sentence, and what the schema says."""
    values, sentence = CONTRADICTIONS["two replicas, no stickiness"]
    with pytest.raises(RefusedError, match=re.escape(sentence)):
        helm.template(values, engine)
    with pytest.raises(RefusedError, match="additional properties 'nope' not allowed"):
        helm.template({**IMAGE, "nope": 1}, engine)


@pytest.mark.parametrize(
    "name",
    SECRETS,
)
def test_a_variable_by_a_name_for_a_secret_is_refused(helm: Engines, name: str) -> None:
    """Whatever word people use for it."""
    said = refusal(helm, {**IMAGE, "extraEnv": [{"name": name, "value": "x"}]})
    assert said.endswith(PLAIN.format(name))


def test_a_secret_that_looks_like_a_path_is_refused(helm: Engines) -> None:
    """Passwords begin with / as well, and so does base64."""
    for name in ("DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "API_TOKEN"):
        said = refusal(helm, {**IMAGE, "extraEnv": [{"name": name, "value": "/bPxRfi/K7MDENG"}]})
        assert said.endswith(PLAIN.format(name))


def test_a_variable_that_names_a_file_is_no_secret(helm: Engines) -> None:
    """Nor are words that only look like one, a path, and a reference."""
    words = ["AWS_REGION", "KEYCLOAK_URL", "AWS_ACCESS_KEY_ID", "PROXY_BYPASS", "COMPASS", "MONKEY"]
    fine = [
        *({"name": name, "value": "x"} for name in words),
        {"name": "GATEWAY_TOKEN_FILE", "value": "/run/token"},
        {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/var/run/google/key.json"},
        {"name": "GATEWAY_TOKEN", "valueFrom": {"secretKeyRef": {"name": "gateway", "key": "t"}}},
    ]
    assert helm.render({**IMAGE, "extraEnv": fine}).container()["env"] == fine
