"""InferenceClient: the calls of the Open Inference Protocol (V2) against one endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar, Unpack
from urllib.parse import quote

import numpy as np
import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from requests.structures import CaseInsensitiveDict

from kserve_client.auth import BearerAuth
from kserve_client.endpoint import Endpoint
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    InputError,
    InvalidAnswerError,
    NoAnswerError,
    ServerError,
    first_problem,
)
from kserve_client.events import OnEvent
from kserve_client.servers import PROFILES, ServerProfile, profile_of
from kserve_client.tensors import InferRequest, InferResponse, Parameter, Tensor
from kserve_client.transport import Answer, Options, Transport
from kserve_client.wire.body import depends_on_server, head_of, read_body, write_body
from kserve_client.wire.json import CONTENT_TYPE, invalid, parse_object, parse_value


def _or_empty(kind: type[Any]) -> BeforeValidator:
    """KServe 0.21.0 sends null for lists and objects it has nothing to say of."""
    return BeforeValidator(lambda value: kind() if value is None else value)


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Texts = Annotated[list[str], _or_empty(list)]
Text = Annotated[str, _or_empty(str)]


class ServerMetadata(BaseModel):
    """The answer of `GET v2`. `extensions` is what the server admits to; it may do more."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: Text = ""
    version: Text = ""
    extensions: Texts = Field(default_factory=list)


class TensorMetadata(BaseModel):
    """One input or output of a model. A length of -1 in `shape` varies."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    datatype: str
    shape: list[int]
    parameters: Annotated[dict[str, Any], _or_empty(dict)] = Field(default_factory=dict)


class ModelMetadata(BaseModel):
    """The answer of `GET v2/models/M`. Often empty: seen on the sklearn runtimes."""

    model_config = ConfigDict(
        frozen=True, extra="allow", protected_namespaces=(), coerce_numbers_to_str=True
    )

    name: Text = ""
    versions: Texts = Field(default_factory=list)
    platform: Text = ""
    inputs: Annotated[list[TensorMetadata], _or_empty(list)] = Field(default_factory=list)
    outputs: Annotated[list[TensorMetadata], _or_empty(list)] = Field(default_factory=list)
    parameters: Annotated[dict[str, Any], _or_empty(dict)] = Field(default_factory=dict)


class RepositoryModel(BaseModel):
    """One model of a repository. `state` is e.g. READY or UNAVAILABLE, "" where the server does not say."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    version: Text = ""
    state: Text = ""
    reason: Text = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One inference as it went over the wire, for people who want to see it.

    `elapsed_ms` is the time of the last attempt, measured here.
    """

    path: str
    request_headers: Mapping[str, str]
    request_body: bytes
    response_headers: Mapping[str, str]
    response_body: bytes
    response: InferResponse
    elapsed_ms: float
    attempts: int

    def __repr__(self) -> str:
        sent, came = len(self.request_body), len(self.response_body)
        return (
            f"Exchange(POST {self.path}: {sent:,} bytes sent, {came:,} bytes came in "
            f"{self.elapsed_ms:.0f} ms, {self.response!r})"
        )

    @property
    def request_json(self) -> bytes:
        """The request as JSON; the head of it when it travelled binary."""
        return head_of(self.request_body, self.request_headers)

    @property
    def response_json(self) -> bytes:
        """The answer as JSON; the head of it when it came binary."""
        return head_of(self.response_body, CaseInsensitiveDict(self.response_headers))


class InferenceClient:
    """Calls one endpoint; may be shared between threads.

    `endpoint` is an Endpoint or a base URL such as `http://localhost:8080`; `token` a bearer token
    for the latter. Every method that asks the server takes a `token` too: a bearer token for this call
    alone, instead of the endpoint's auth, kept nowhere. Each raises NoAnswerError when no whole answer
    came, ServerError when the server said no, InvalidAnswerError when the answer is not V2. `on_event` is
    called with a CallEvent after each call, in its thread; a `transport` of your own has its own.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        token: str | None = None,
        transport: Transport | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        if isinstance(endpoint, str):
            endpoint = _endpoint(endpoint, token)
        elif token is not None:
            endpoint = endpoint.model_copy(
                update={"auth": BearerAuth.model_validate({"value": token})}
            )
        self.endpoint = endpoint
        self.transport = transport or Transport(endpoint, on_event=on_event)
        self._profile = None if endpoint.server == "auto" else PROFILES[endpoint.server]

    def __repr__(self) -> str:
        return f"InferenceClient({self.endpoint.name})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self.transport.close()

    @property
    def profile(self) -> ServerProfile:
        """What is known of the server: named by the endpoint, or by the server itself when first asked.

        A server that does not say its name is the generic one; one that does not answer is asked again.
        """
        return self._asked_profile(None)

    def _asked_profile(self, token: str | None) -> ServerProfile:
        if self._profile is None:
            try:
                self._profile = profile_of(self.server_metadata(token=token).name)
            except NoAnswerError:
                return PROFILES["generic"]
            except (ServerError, InvalidAnswerError) as error:
                if token is not None and isinstance(error, AccessError):
                    return PROFILES["generic"]  # another person may be let in
                self._profile = PROFILES["generic"]
        return self._profile

    def is_server_live(self, *, token: str | None = None) -> bool:
        """Whether the server process answers (`GET v2/health/live`), by status alone."""
        return self._is_ok("/v2/health/live", token)

    def is_server_ready(self, *, token: str | None = None) -> bool:
        """Whether the server takes requests (`GET v2/health/ready`), by status alone."""
        return self._is_ok("/v2/health/ready", token)

    def is_model_ready(
        self, model_name: str, model_version: str | None = None, *, token: str | None = None
    ) -> bool:
        """Whether a model takes requests, by status alone; an unknown model is not ready."""
        return self._is_ok(f"{model_path(model_name, model_version)}/ready", token)

    def server_metadata(self, *, token: str | None = None) -> ServerMetadata:
        """Name, version and extensions of the server (`GET v2`)."""
        # Not "/v2/": MLServer and KServe redirect that.
        return self._ask("GET", "/v2", _reader_of(ServerMetadata), token=token)[1]

    def model_metadata(
        self, model_name: str, model_version: str | None = None, *, token: str | None = None
    ) -> ModelMetadata:
        """Inputs, outputs and versions of a model (`GET v2/models/M`)."""
        path = model_path(model_name, model_version)
        return self._ask("GET", path, _reader_of(ModelMetadata), token=token)[1]

    def infer(
        self,
        model_name: str,
        request: InferRequest | Iterable[Tensor],
        *,
        model_version: str | None = None,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float | None = None,
        use_binary: bool | None = None,
        token: str | None = None,
    ) -> InferResponse:
        """Run one inference (`POST v2/models/M/infer`) and return its outputs.

        `use_binary` says whether tensors travel binary; None leaves it to what the server is known to speak
        and to what pays. Arrays of a binary answer are read-only views of its bytes.
        """
        return self.exchange(
            model_name,
            request,
            model_version=model_version,
            headers=headers,
            read_timeout_s=read_timeout_s,
            use_binary=use_binary,
            token=token,
        ).response

    def exchange(
        self,
        model_name: str,
        request: InferRequest | Iterable[Tensor],
        *,
        model_version: str | None = None,
        headers: Mapping[str, str] | None = None,
        read_timeout_s: float | None = None,
        use_binary: bool | None = None,
        token: str | None = None,
        retries: int | None = None,
    ) -> Exchange:
        """Run one inference and return it with the bytes that travelled and the time it took.

        `retries` replaces those of the transport: how often it may be sent again after 429, 502, 503
        and 504. Raises InvalidAnswerError, too, when the answer has another `id` than the request.
        """
        if not isinstance(request, InferRequest):
            request = InferRequest(tuple(request))
        matters = self.endpoint.compress or depends_on_server(request, use_binary=use_binary)
        profile = self._asked_profile(token) if matters else self._profile or PROFILES["generic"]
        body = write_body(request, profile, use_binary=use_binary)
        path = f"{model_path(model_name, model_version)}/infer"
        sent = {**body.headers, **(headers or {})}
        answer, response = self._ask(
            "POST",
            path,
            lambda answer: _answer_to(request, read_body(answer.body, answer.headers)),
            body=body.data,
            headers=sent,
            read_timeout_s=read_timeout_s,
            token=token,
            retries=retries,
            compress=self.endpoint.compress and profile.has_request_gzip,
        )
        return Exchange(
            path,
            body.headers,
            body.data,
            answer.headers,
            answer.body,
            response,
            answer.elapsed_ms,
            answer.attempts,
        )

    def repository_index(
        self, *, ready: bool = False, token: str | None = None
    ) -> list[RepositoryModel]:
        """The models of the server's repository; `ready` leaves out those that take no requests.

        `POST v2/repository/index`, with `GET v2/models` for servers without it (KServe 0.21.0), which
        names the models alone.
        """
        found = self._indexed(ready, token)
        if found is not None:
            return found
        listed = self._ask("GET", "/v2/models", _listed_models, token=token)[1]
        # One question each: the list says nothing of them.
        return [m for m in listed if self.is_model_ready(m.name, token=token)] if ready else listed

    def _indexed(self, ready: bool, token: str | None) -> list[RepositoryModel] | None:
        """The index; None for a server that has none."""
        if self._profile is not None and not self._profile.has_index:
            return None
        # MLServer wants a JSON body, Triton takes one.
        body = b'{"ready":true}' if ready else b"{}"
        try:
            return self._post("/v2/repository/index", body, _repository_models, token=token)
        except ServerError as error:
            if error.status not in (404, 405, 501):
                raise
            return None

    def load_model(
        self,
        model_name: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        token: str | None = None,
    ) -> None:
        """Load a model into the server, or load it again (`POST v2/repository/models/M/load`)."""
        self._repository(model_name, "load", parameters, token)

    def unload_model(
        self,
        model_name: str,
        parameters: Mapping[str, Parameter] | None = None,
        *,
        token: str | None = None,
    ) -> None:
        """Take a model out of the server (`POST v2/repository/models/M/unload`).

        KServe's sklearnserver with one model can't load it again after that (seen on 0.21.0).
        """
        self._repository(model_name, "unload", parameters, token)

    def _repository(
        self,
        model_name: str,
        verb: str,
        parameters: Mapping[str, Parameter] | None,
        token: str | None,
    ) -> None:
        path = f"/v2/repository{model_path(model_name).removeprefix('/v2')}/{verb}"
        body = orjson.dumps({"parameters": dict(parameters)} if parameters else {})
        self._post(path, body, lambda _: None, token=token)

    def model_statistics(
        self,
        model_name: str | None = None,
        model_version: str | None = None,
        *,
        token: str | None = None,
    ) -> list[dict[str, Any]]:
        """What the server counted per model and version (`GET v2/models[/M]/stats`, Triton).

        Servers without the extension answer 404: NotFoundError.
        """
        path = "/v2/models/stats"
        if model_name is not None:
            path = f"{model_path(model_name, model_version)}/stats"
        return self._ask("GET", path, _statistics, token=token)[1]

    def predict_v1(
        self, model_name: str, instances: Iterable[Any], *, token: str | None = None, **more: Any
    ) -> list[Any]:
        """Ask a model that speaks V1 (`POST v1/models/M:predict`) and return its predictions.

        `instances` are the rows as JSON values; `more` goes beside them, e.g. `signature_name`.
        """
        return self._v1(model_name, "predict", instances, more, _v1_predictions, token)

    def explain_v1(
        self, model_name: str, instances: Iterable[Any], *, token: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Ask the explainer of a model (`POST v1/models/M:explain`) and return its answer as it is."""
        return self._v1(model_name, "explain", instances, more, _object, token)

    def _v1(
        self,
        model_name: str,
        verb: str,
        instances: Iterable[Any],
        more: Mapping[str, Any],
        parse: Callable[[Answer], T],
        token: str | None,
    ) -> T:
        path = f"/v1{model_path(model_name).removeprefix('/v2')}:{verb}"
        rows = instances if isinstance(instances, np.ndarray) else list(instances)
        try:
            body = orjson.dumps({**more, "instances": rows}, option=orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError as error:
            raise InputError(f"the instances have no form in JSON: {error}") from None
        return self._post(path, body, parse, token=token)

    def _post(
        self, path: str, body: bytes, parse: Callable[[Answer], T], *, token: str | None
    ) -> T:
        """Send JSON; the answer, parsed."""
        headers = {"Content-Type": CONTENT_TYPE}
        return self._ask("POST", path, parse, body=body, headers=headers, token=token)[1]

    def _ask(
        self, method: str, path: str, parse: Callable[[Answer], T], **options: Unpack[Options]
    ) -> tuple[Answer, T]:
        """Send a request and parse its answer; what can't be parsed is named after the request.

        Every call of a client goes this way.
        """

        def read(answer: Answer) -> T:
            try:
                return parse(answer)
            except InvalidAnswerError as error:
                what = f"{method} {path} on {self.endpoint.name}: {error}"
                raise InvalidAnswerError(what, body=error.body) from None

        return self.transport.ask(method, path, read, **options)

    def _is_ok(self, path: str, token: str | None) -> bool:
        """Not-ready statuses differ (400, 404, 503); only a missing right to ask is an error."""
        try:
            self._ask("GET", path, lambda _: None, retries=0, token=token)
        except AccessError:
            raise
        except ServerError:
            return False
        return True


def _answer_to(request: InferRequest, response: InferResponse) -> InferResponse:
    """The answer, if it is one to this request: servers repeat the id, where they give one at all."""
    if request.id is not None and response.id not in (None, "", request.id):
        # Without the ids: they are random, and results shall be the same in each run.
        raise InvalidAnswerError("the answer has another id than the request: it is not its answer")
    return response


def model_path(model_name: str, model_version: str | None = None) -> str:
    """The path of a model, e.g. `/v2/models/iris/versions/v1`. Names are quoted.

    Raises ConfigurationError for a name that can't stand in a path.
    """
    path = f"/v2/models/{_segment(model_name)}"
    return path if model_version is None else f"{path}/versions/{_segment(model_version)}"


def _segment(name: str) -> str:
    """Empty, "." and ".." would name another path, however they are quoted (RFC 3986, 5.2.4)."""
    if name in ("", ".", ".."):
        raise ConfigurationError(f"{name!r} can't be the name or version of a model")
    return quote(name, safe="", errors="surrogatepass")


def _endpoint(url: str, token: str | None) -> Endpoint:
    auth = None if token is None else {"value": token}
    try:
        return Endpoint.model_validate({"url": url, "auth": auth})
    except ValidationError as error:
        problem = first_problem(error)
        raise ConfigurationError(f"the URL of the endpoint is wrong: {problem}") from None


def _object(answer: Answer) -> dict[str, Any]:
    return parse_object(answer.body)


def _v1_predictions(answer: Answer) -> list[Any]:
    return _list_in(answer, "predictions")


def _statistics(answer: Answer) -> list[dict[str, Any]]:
    return _list_in(answer, "model_stats")


def _listed_models(answer: Answer) -> list[RepositoryModel]:
    return [RepositoryModel(name=str(name)) for name in _list_in(answer, "models")]


def _repository_models(answer: Answer) -> list[RepositoryModel]:
    values = parse_value(answer.body)
    if not isinstance(values, list):
        invalid("it is no list", answer.body)
    return [_checked(RepositoryModel, value, answer.body) for value in values]


def _list_in(answer: Answer, name: str) -> list[Any]:
    found = parse_object(answer.body).get(name)
    if not isinstance(found, list):
        body = answer.body[:2000].decode(errors="replace")
        raise InvalidAnswerError(f"the answer has no list of {name}", body=body)
    return found


def _reader_of(kind: type[M]) -> Callable[[Answer], M]:
    return lambda answer: _checked(kind, parse_object(answer.body), answer.body)


def _checked(kind: type[M], value: Any, body: bytes) -> M:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        invalid(f"{where}: {first['msg']}", body)
