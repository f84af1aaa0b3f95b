"""InferenceServices: what an object of the Kubernetes API says of a model, and where it answers.

Facts about the object come from KServe's API types (serving.kserve.io/v1beta1, v0.20.0) and from the
reconcilers that fill its status; each is told where it is used. Nothing here talks to a cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from kserve_client.catalog.annotations import read_annotations
from kserve_client.catalog.describing import entry_draft
from kserve_client.catalog.facts import Draft, Source
from kserve_client.catalog.models_file import Entry, Kubernetes
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, InvalidAnswerError, first_problem

DeploymentMode = Literal["Standard", "Knative", "ModelMesh", ""]
State = Literal["ready", "scaled to zero", "starting", "not ready", "stopped", "unknown"]

# RawDeployment and Serverless are what KServe called them before v0.16.
_MODES: dict[str, DeploymentMode] = {
    "Standard": "Standard",
    "RawDeployment": "Standard",
    "Knative": "Knative",
    "Serverless": "Knative",
    "ModelMesh": "ModelMesh",
}
# The fields of a predictor from before `model` (v1beta1 PredictorSpec), still accepted.
_OLD_FRAMEWORKS = (
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)
_MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
_STOP_ANNOTATION = "serving.kserve.io/stop"
_MODEL_NAME_ARGUMENT = "--model_name"
# A condition that says no more than that another one is not true.
_SUMMARIES = ("Ready", "LatestDeploymentReady", "RoutesReady")
_LONGEST_TEXT = 1000
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]+")
_LONGEST_LIST = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the status. `status` is True, False or Unknown, as Kubernetes writes it."""

    type: str
    status: str
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.type, self.reason, self.message)))


@dataclass(frozen=True, slots=True)
class TrafficTarget:
    """The share of the requests that one revision gets. A revision is no version of a model.

    `percent` is None where the status does not say it; `url` reaches this revision alone, where the
    InferenceService has it (tag routing); `is_latest` says whether it moves to newer revisions.
    `is_ready` is None where nobody says it, and `failure` why it is not; `storage_uri`, without its
    credentials, is where its model lies, "" for a revision whose definition is gone.
    """

    revision: str
    percent: int | None = None
    tag: str = ""
    url: str = ""
    is_latest: bool = False
    is_ready: bool | None = None
    failure: str = ""
    storage_uri: str = ""

    def __str__(self) -> str:
        return self.revision if self.percent is None else f"{self.revision} {self.percent} %"


@dataclass(frozen=True, slots=True)
class InferenceService:
    """One InferenceService. A text that it does not say is "", a number None.

    `url` is the address from outside (status.url), `internal_url` that from within the cluster.
    `model_format` is the framework, such as sklearn; `storage_uri` has lost its credentials.
    `may_sleep` says that it scales to zero when nobody asks it for a while.
    `canary_percent` is what is wanted for the newest revision, `traffic` what is so. `form` is what
    its annotations say of the model.
    """

    namespace: str
    name: str
    url: str = ""
    internal_url: str = ""
    conditions: tuple[Condition, ...] = ()
    protocol: str = ""
    runtime: str = ""
    model_format: str = ""
    storage_uri: str = ""
    deployment_mode: DeploymentMode = ""
    traffic: tuple[TrafficTarget, ...] = ()
    canary_percent: int | None = None
    latest_ready_revision: str = ""
    latest_created_revision: str = ""
    previous_revision: str = ""
    has_transformer: bool = False
    has_explainer: bool = False
    created: datetime | None = None
    is_stopped: bool = False
    is_scaled_to_zero: bool = False
    may_sleep: bool = False
    failure: str = ""
    form: Entry = field(default_factory=Entry)
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

    @property
    def entry(self) -> Entry:
        """What it says of its model, as an entry of a models file."""
        return self.form.model_copy(update={"inference_service": self.key})

    @property
    def mlflow(self) -> str | None:
        """Its MLflow model, where an annotation names it."""
        return self.form.mlflow

    @property
    def served_name(self) -> str:
        """The model's name on its server: that of the InferenceService, where nothing says another."""
        return self.form.model_name or self.name

    @property
    def is_ready(self) -> bool:
        """Whether KServe says it can answer; true also when scaled to zero."""
        return self._status_of("Ready") == "True"

    @property
    def state(self) -> State:
        """How it is, in one word or three."""
        if self.is_stopped:
            return "stopped"
        if self.is_ready:
            return "scaled to zero" if self.is_scaled_to_zero else "ready"
        statuses = {"False": "not ready", "Unknown": "starting"}
        return statuses.get(self._status_of("Ready"), "unknown")  # type: ignore[return-value]

    @property
    def readiness(self) -> str:
        """How it is and why, in a sentence."""
        if self.state == "scaled to zero":
            return "scaled to zero: the next request wakes it and takes longer"
        if self.state == "stopped":
            return f"stopped by the annotation {_STOP_ANNOTATION}"
        if self.state == "unknown":
            return "unknown: KServe has not written a status yet"
        return ". ".join(part.rstrip(".") for part in (self.state, *self._reasons()))

    def draft(self) -> Draft:
        """What it says of its model."""
        draft = entry_draft(self.form, Source("Kubernetes", f"InferenceService {self.key}"))
        return replace(draft, about={**draft.about, **self._about()}, notes=self.notes)

    def endpoint(self, settings: Kubernetes) -> Endpoint:
        """Where to send requests: the address that the settings want, and their way in.

        Raises ConfigurationError when it has no such address yet, or settings that do not fit it.
        """
        url = self.internal_url if settings.address == "internal" else self.url
        if not url:
            raise ConfigurationError(
                f"InferenceService {self.key} has no {settings.address} address yet; it is "
                f"{self.readiness}"
            )
        where = _by_gateway(url, settings.gateway) if settings.gateway else {"url": url}
        try:
            return Endpoint.model_validate({**settings.endpoint, **where, "title": self.key})
        except ValidationError as error:
            problem = first_problem(error)
            raise ConfigurationError(
                f"kubernetes.endpoint of the models file does not fit {where['url']}, the address "
                f"of InferenceService {self.key}: {problem}"
            ) from None

    def _about(self) -> dict[str, str]:
        seen = {
            "framework": self.model_format,
            "runtime": self.runtime,
            "protocol": self.protocol,
            "storage_uri": self.storage_uri,
            "deployment_mode": self.deployment_mode,
            "traffic": ", ".join(map(str, self.traffic)),
            "readiness": self.readiness,
        }
        return {name: value for name, value in seen.items() if value}

    def _status_of(self, condition: str) -> str:
        return next((c.status for c in self.conditions if c.type == condition), "")

    def _reasons(self) -> Iterator[str]:
        """The conditions that are false, or else unknown, and the failure to load the model."""
        if self.state == "ready":
            return
        status = "False" if self.state == "not ready" else "Unknown"
        found = [c for c in self.conditions if c.status == status and (c.reason or c.message)]
        causes = [c for c in found if c.type not in _SUMMARIES] or found
        yield from dict.fromkeys(map(str, causes))
        if self.failure:
            yield self.failure


def read_inference_service(value: Any) -> InferenceService:
    """Read an object of the API. What makes no sense in it is left out, with a note where it matters.

    Raises InvalidAnswerError when it is no InferenceService with a name and a namespace.
    """
    found = _Part(value)
    metadata = found.part("metadata")
    namespace, name = metadata.text("namespace"), metadata.text("name")
    if not namespace or not name:
        raise InvalidAnswerError("the Kubernetes API gave an object without name or namespace")
    spec, status = found.part("spec"), found.part("status")
    annotations = metadata.part("annotations")
    ours = read_annotations(annotations.values, f"InferenceService {namespace}/{name}")
    predictor = _predictor(spec.part("predictor"))
    url, internal, notes = _addresses(spec, status, namespace, name)
    component = status.part("components").part("predictor")
    return InferenceService(
        namespace=namespace,
        name=name,
        url=url,
        internal_url=internal,
        conditions=tuple(_conditions(status)),
        protocol=predictor.protocol,
        runtime=_runtime(status) or predictor.runtime,
        model_format=predictor.model_format,
        storage_uri=_without_credentials(predictor.storage_uri),
        deployment_mode=_deployment_mode(status, annotations),
        traffic=tuple(_traffic(spec, status)),
        canary_percent=spec.part("predictor").number("canaryTrafficPercent"),
        latest_ready_revision=component.text("latestReadyRevision"),
        latest_created_revision=component.text("latestCreatedRevision"),
        previous_revision=component.text("previousRolledoutRevision"),
        has_transformer=bool(spec.part("transformer").values),
        has_explainer=bool(spec.part("explainer").values),
        created=_time(metadata.text("creationTimestamp")),
        is_stopped=annotations.text(_STOP_ANNOTATION).lower() == "true",
        is_scaled_to_zero=_is_scaled_to_zero(spec, status),
        may_sleep=_may_sleep(spec),
        failure=_failure(status),
        form=_form(ours.settings, predictor.model_name),
        notes=(*ours.notes, *notes, *_protocol_note(predictor.protocol)),
    )


def _form(settings: Mapping[str, Any], model_name: str) -> Entry:
    """The settings of the annotations; each was checked by itself."""
    written = {**({"model_name": model_name} if model_name else {}), **settings}
    return Entry.model_construct(_fields_set=set(written), **written)


class _Part:
    """A mapping of an object that may hold anything: asked for one kind, it gives that or nothing."""

    def __init__(self, value: Any) -> None:
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}

    def part(self, name: str) -> _Part:
        return _Part(self.values.get(name))

    def parts(self, name: str) -> list[_Part]:
        found = self.values.get(name)
        return [_Part(one) for one in found[:_LONGEST_LIST]] if isinstance(found, list) else []

    def text(self, name: str) -> str:
        found = self.values.get(name)
        return found[:_LONGEST_TEXT].strip() if isinstance(found, str) else ""

    def texts(self, name: str) -> list[str]:
        found = self.values.get(name)
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []

    def number(self, name: str) -> int | None:
        found = self.values.get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) else None


@dataclass(frozen=True, slots=True)
class _Predictor:
    model_format: str = ""
    protocol: str = ""
    runtime: str = ""
    storage_uri: str = ""
    model_name: str = ""


def _predictor(spec: _Part) -> _Predictor:
    """Read `model`, else one of the older fields that name the framework, else own containers."""
    model, framework = spec.part("model"), _Part(spec.part("model").values.get("modelFormat"))
    model_format = " ".join(filter(None, (framework.text("name"), framework.text("version"))))
    if not model.values:
        model_format = next((name for name in _OLD_FRAMEWORKS if spec.part(name).values), "")
        model = spec.part(model_format)
    if not model.values:
        return _custom(spec)
    return _Predictor(
        model_format=model_format,
        protocol=model.text("protocolVersion"),
        runtime=model.text("runtime"),
        storage_uri=model.text("storageUri") or _storage_path(model.part("storage"), spec),
        model_name=_model_name(model.texts("args")),
    )


def _custom(spec: _Part) -> _Predictor:
    """Containers of one's own say by environment what `model` has settings for (v1beta1 CustomPredictor)."""
    container = next(iter(spec.parts("containers")), _Part(None))
    environment = {one.text("name"): one.text("value") for one in container.parts("env")}
    return _Predictor(
        protocol=environment.get("PROTOCOL", ""),
        storage_uri=environment.get("STORAGE_URI", ""),
        model_name=_model_name(container.texts("args")),
    )


def _storage_path(storage: _Part, spec: _Part) -> str:
    uris = [_without_credentials(one.text("uri")) for one in spec.parts("storageUris")]
    return storage.text("path") or ", ".join(filter(None, uris))


def _model_name(args: list[str]) -> str:
    """The name on the server, where an argument of KServe's own servers sets another one."""
    for at, argument in enumerate(args):
        name, equals, value = argument.partition("=")
        if name == _MODEL_NAME_ARGUMENT:
            value = value if equals else "".join(args[at + 1 : at + 2])
            return "" if "{{" in value else value  # a template of the runtime, not a name
    return ""


def _runtime(status: _Part) -> str:
    return status.text("servingRuntimeName") or status.text("clusterServingRuntimeName")


def _deployment_mode(status: _Part, annotations: _Part) -> DeploymentMode:
    """The status wins over the annotation (KServe's GetDeploymentMode)."""
    said = status.text("deploymentMode") or annotations.text(_MODE_ANNOTATION)
    return _MODES.get(said, "")


def _conditions(status: _Part) -> Iterator[Condition]:
    for one in status.parts("conditions"):
        if one.text("type"):
            message = _told(one.text("message"))
            yield Condition(one.text("type"), one.text("status"), one.text("reason"), message)


def _traffic(spec: _Part, status: _Part) -> Iterator[TrafficTarget]:
    """The split among Knative revisions, or (v0.20) among the canaries of a Standard deployment."""
    yield from _revisions(spec, status)
    canaries = status.parts("canaryStatuses")
    rest = 100 - sum(one.number("trafficPercent") or 0 for one in canaries)
    if canaries and 0 <= rest <= 100:
        said = {"True": True, "False": False}
        ready = next((c.status for c in _conditions(status) if c.type == "PredictorReady"), "")
        storage_uri = _storage_uri(spec.part("predictor"))
        yield TrafficTarget("stable", rest, is_ready=said.get(ready), storage_uri=storage_uri)
    defined = dict(_canaries(spec))
    for one in canaries:
        name, is_ready = one.text("name"), one.values.get("ready")
        yield TrafficTarget(
            name,
            one.number("trafficPercent"),
            is_latest=True,
            is_ready=is_ready if isinstance(is_ready, bool) else None,
            failure="" if is_ready is True else _failure(one),
            storage_uri=defined.get(name, ""),
        )


def _revisions(spec: _Part, status: _Part) -> Iterator[TrafficTarget]:
    """Knative's revisions. The definition is that of the newest one that was created."""
    component = status.part("components").part("predictor")
    newest, ready = component.text("latestCreatedRevision"), component.text("latestReadyRevision")
    for one in component.parts("traffic"):
        revision = one.text("revisionName")
        is_newest = bool(revision) and revision == newest
        yield TrafficTarget(
            revision=revision,
            percent=one.number("percent"),
            tag=one.text("tag"),
            url=_web_address(one.text("url")),
            is_latest=one.values.get("latestRevision") is True,
            is_ready=revision == ready if is_newest else None,
            storage_uri=_storage_uri(spec.part("predictor")) if is_newest else "",
        )


def _canaries(spec: _Part) -> Iterator[tuple[str, str]]:
    """The storage of each canary by its name; one without a name is told by its place."""
    for place, one in enumerate(spec.parts("canary")):
        predictor = one.part("predictor")
        yield predictor.text("name") or f"canary-{place}", _storage_uri(predictor)


def _storage_uri(predictor: _Part) -> str:
    return _without_credentials(_predictor(predictor).storage_uri)


def _is_scaled_to_zero(spec: _Part, status: _Part) -> bool:
    """Allowed to (minReplicas 0), and no copy of the model was ready when KServe last looked.

    KServe counts the ready pods into modelStatus.copies.totalCopies and leaves a zero out of it.
    """
    copies = status.part("modelStatus").part("copies")
    return _may_sleep(spec) and bool(copies.values) and not copies.number("totalCopies")


def _may_sleep(spec: _Part) -> bool:
    """Whether it may scale to zero: minReplicas 0, as KServe's own default is 1."""
    return spec.part("predictor").number("minReplicas") == 0


def _failure(status: _Part) -> str:
    last = status.part("modelStatus").part("lastFailureInfo")
    return ": ".join(filter(None, (last.text("reason"), _told(last.text("message")))))


def _told(message: str) -> str:
    """A message; the addresses in it, such as that of a storage, without their credentials."""
    return _ADDRESS.sub(lambda found: _without_credentials(found[0]), message)


def _protocol_note(protocol: str) -> tuple[str, ...]:
    if not protocol.startswith("grpc"):
        return ()
    return (f"its protocol is {protocol}; this client asks by REST, so it may get no answer",)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


# Addresses


def _addresses(
    spec: _Part, status: _Part, namespace: str, name: str
) -> tuple[str, str, tuple[str, ...]]:
    """The address from outside, that from within, and notes on what was refused."""
    said = status.text("url")
    url = _web_address(said)
    note = f"status.url of InferenceService {namespace}/{name} is no http address and was left out"
    return (
        url,
        _internal_address(spec, status, namespace, name),
        (note,) if said and not url else (),
    )


def _internal_address(spec: _Part, status: _Part, namespace: str, name: str) -> str:
    """status.address.url, else that of the first component, else the one KServe gives its Service.

    Seen in KServe's reconcilers (v0.20): the Service is NAME-predictor, or NAME-transformer where
    there is one, on port 80, in both deployment modes. A Service without an address of its own
    (serviceClusterIPNone) needs the port of the container, which status.address.url has since v0.17.
    """
    component = "transformer" if spec.part("transformer").values else "predictor"
    for part in (status, status.part("components").part(component)):
        if address := _web_address(part.part("address").text("url")):
            return address
    return f"http://{name}-{component}.{namespace}.svc.cluster.local"


def _web_address(text: str) -> str:
    """An http address without credentials and without the path of a model; "" for anything else.

    Before v0.10 the status had the path of the model in its addresses.
    """
    if not text.isprintable() or " " in text:
        return ""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError for a port that is no port
    except ValueError:
        return ""
    is_web = parts.scheme in ("http", "https") and parts.hostname
    if not is_web or "@" in parts.netloc or parts.query or parts.fragment:
        return ""
    path = parts.path.split("/v1/models/")[0].split("/v2/models/")[0].rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v2')}"


def _by_gateway(url: str, gateway: str) -> dict[str, str]:
    """The same path at the gateway, and the name that it routes by."""
    parts = urlsplit(url)
    return {"url": gateway.rstrip("/") + parts.path, "host": parts.netloc}


def _without_credentials(uri: str) -> str:
    """A storage URI without user, password and query: a signed address has its key in the query."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
