"""The probes: each step asks one thing, once, quickly, and judges HTTP by status alone.

A server that is down is a result here, never an exception. Bodies of health answers are not read:
MLServer and Triton send none, KServe sends JSON, the specification shows the wrong one.
"""

from __future__ import annotations

import http.client
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from kserve_client.catalog import Catalog, Description, Entry, Example
from kserve_client.client import InferenceClient, model_path
from kserve_client.endpoint import Endpoint, is_address
from kserve_client.errors import (
    AccessError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InputError,
    InvalidAnswerError,
    KServeClientError,
    NoAnswerInTimeError,
    ServerError,
    TLSError,
)
from kserve_client.health import commands
from kserve_client.health.commands import Route, route_of
from kserve_client.health.ladder import (
    ADDRESS,
    DNS,
    MODEL_READY,
    SERVER_LIVE,
    SERVER_READY,
    TCP,
    TEST_INFERENCE,
    TLS,
    Ladder,
    Rung,
)
from kserve_client.model import Model
from kserve_client.predictions import Prediction, Predictions
from kserve_client.signature import Signature
from kserve_client.tensors import InferRequest
from kserve_client.transport import (
    Answer,
    Transport,
    server_message,
    shown_address,
    tls_context,
    unreached,
)
from kserve_client.wire.json import build_request

LONGEST_WAIT_S = 5.0
CHECKS_AT_ONCE = 16
CLOSE_TO = 1e-3
ADD_AN_EXAMPLE = "add one under examples in the models file"
CORRECT_THEM = "correct the examples in the models file"
_DENIED = frozenset({401, 403, 407})


def check(catalog: Catalog, name: str, *, with_inference: bool = True) -> Ladder:
    """Check one model of the catalog, from the name of its host up to a test inference.

    The test sends the first example of the catalog entry that makes a request; without one that
    step is skipped, and says so. Raises ConfigurationError only for a name that is not in the catalog.
    """
    title = catalog.title(name)
    try:
        probe = _Probe(catalog, name, with_inference=with_inference)
    except ConfigurationError as error:
        nowhere = _nowhere(error)
        return Ladder(name, (nowhere,), datetime.now(UTC), title)
    try:
        rungs = _climb(probe.steps())
    finally:
        probe.close()
    return Ladder(name, tuple(rungs), datetime.now(UTC), title)


def _nowhere(error: ConfigurationError) -> Rung:
    """A model that has no address; its cluster may be why."""
    cause = error.__cause__
    status = cause.status if isinstance(cause, ServerError) else None
    is_unasked = isinstance(cause, ConfigurationError)
    return Rung(ADDRESS, "failed", str(error), None, status=status, is_unasked=is_unasked)


def check_all(
    catalog: Catalog, names: Iterable[str], *, with_inference: bool = True
) -> list[Ladder]:
    """Check several models at the same time; the ladders come in the order of the names."""
    names = list(names)
    for name in names:
        catalog.entry(name)
    with ThreadPoolExecutor(max_workers=max(min(len(names), CHECKS_AT_ONCE), 1)) as pool:
        return list(pool.map(partial(check, catalog, with_inference=with_inference), names))


class _BrokenError(Exception):
    """A step failed; carries what its rung has to say."""

    def __init__(
        self,
        detail: str,
        advice: str = "",
        *,
        status: int | None = None,
        is_denied: bool = False,
        is_unasked: bool = False,
    ) -> None:
        self.detail = detail
        self.advice = advice
        self.status = status
        self.is_denied = is_denied
        self.is_unasked = is_unasked
        super().__init__(detail)


class _SkippedError(Exception):
    """A step has nothing to ask; its text says why, `advice` what to do where the text does not."""

    def __init__(self, why: str, advice: str = "") -> None:
        self.advice = advice
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a step found when all is well."""

    detail: str
    advice: str = ""
    status: int | None = None
    is_expected: bool | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    command: str
    run: Callable[[], _Found]


def _climb(steps: Iterable[_Step]) -> list[Rung]:
    rungs: list[Rung] = []
    for step in steps:
        if rungs and rungs[-1].state != "ok":
            rungs.append(Rung(step.name, "unreached", "", None, step.command))
            continue
        started = time.perf_counter()
        try:
            rungs.append(_rung(step, started))
        except _SkippedError as why:
            rungs.append(Rung(step.name, "skipped", str(why), None, advice=why.advice))
    return rungs


def _rung(step: _Step, started: float) -> Rung:
    try:
        found = step.run()
    except _BrokenError as broken:
        return Rung(
            step.name,
            "failed",
            broken.detail,
            _elapsed_ms(started),
            step.command,
            broken.advice,
            broken.status,
            broken.is_denied,
            broken.is_unasked,
        )
    return Rung(
        step.name,
        "ok",
        found.detail,
        _elapsed_ms(started),
        step.command,
        found.advice,
        found.status,
        is_expected=found.is_expected,
    )


def _elapsed_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000


class _Probe:
    """The steps to one model, on a connection of their own: a pooled one would prove nothing."""

    def __init__(self, catalog: Catalog, name: str, *, with_inference: bool) -> None:
        self._entry: Entry = catalog.entry(name)
        self._endpoint = catalog.endpoint(name).hastened(LONGEST_WAIT_S)
        self._route: Route = route_of(self._endpoint)
        self._transport = Transport(self._endpoint, retries=0)
        self._is_ready = False
        self._described: Description | None = None
        self._describe = partial(catalog.describe, name)
        self._examples = partial(catalog.examples, name)
        self._model = Model(
            InferenceClient(self._endpoint, transport=self._transport),
            catalog.served_name(name),
            version=self._entry.model_version,
            describe=self._signature,
        )
        self._with_inference = with_inference

    def close(self) -> None:
        self._transport.close()

    def steps(self) -> Iterable[_Step]:
        endpoint, route = self._endpoint, self._route
        wait_s = endpoint.connect_timeout_s
        yield _Step(DNS, commands.lookup(route), partial(_look_up, route, wait_s))
        yield _Step(TCP, commands.connect(route, wait_s), partial(_connect, route, wait_s))
        if endpoint.url.startswith("https:"):
            yield _Step(TLS, commands.handshake(endpoint, route), self._shake_hands)
        yield self._get(SERVER_LIVE, "/v2/health/live")
        yield self._get(SERVER_READY, "/v2/health/ready")
        yield self._get(MODEL_READY, f"{model_path(self._model.name, self._model.version)}/ready")
        if self._with_inference:
            yield from self._test()

    def _get(self, name: str, path: str) -> _Step:
        return _Step(
            name,
            commands.get(self._endpoint, self._route, path),
            partial(self._ask, name, path),
        )

    def _ask(self, name: str, path: str) -> _Found:
        try:
            answer = self._transport.exchange("GET", path, retries=0)
        except KServeClientError as error:
            raise self._silence(error) from None
        asked = f"GET {path}{self._under_host()}"
        if not 200 <= answer.status < 300:
            raise self._refused(name, asked, answer)
        self._is_ready = self._is_ready or name == MODEL_READY
        return _Found(f"{asked} answered {answer.status}", status=answer.status)

    def _under_host(self) -> str:
        return f" for host {self._endpoint.host}" if self._endpoint.host else ""

    def _shake_hands(self) -> _Found:
        if self._route.proxy:
            return self._shake_hands_through_proxy()
        return _handshake(self._endpoint, self._route)

    def _shake_hands_through_proxy(self) -> _Found:
        """The handshake as the client makes it; any HTTP answer at all proves it."""
        try:
            self._transport.exchange("GET", "/v2/health/live", retries=0)
        except KServeClientError as error:
            raise self._silence(error) from None
        return _Found(f"the certificate is trusted, through {self._route}")

    def _silence(self, error: KServeClientError) -> _BrokenError:
        """What it means that no whole answer came, or that nothing could be asked."""
        if isinstance(error, ConfigurationError):
            advice = "correct the settings of this endpoint"
            is_denied = self._lacks_token()
            return _BrokenError(str(error), advice, is_denied=is_denied, is_unasked=True)
        if isinstance(error, AccessError):  # of the provider of the endpoint's tokens
            advice = "correct the client under auth in the models file"
            return _BrokenError(str(error), advice, status=error.status, is_denied=True)
        if isinstance(error, NoAnswerInTimeError):
            wait_s = self._endpoint.read_timeout_s
            return _BrokenError(
                f"{self._route} took the request and did not answer within {wait_s:g} s",
                "the server is overloaded or hangs: look at its log",
            )
        if isinstance(error, ConnectionLostError):
            return _BrokenError(
                f"{self._route} closed the connection before it answered",
                "it may have restarted, or it may not speak "
                f"{urlsplit(self._endpoint.url).scheme}: look at its log",
            )
        has_advice = isinstance(error, TLSError | ConnectError)
        advice = "" if has_advice else "look at the server and its log"
        return _BrokenError(str(error), advice)

    def _lacks_token(self) -> bool:
        try:
            if self._endpoint.auth is not None:
                self._endpoint.auth.check()
        except ConfigurationError:
            return True
        return False

    def _refused(self, name: str, asked: str, answer: Answer) -> _BrokenError:
        detail = f"{asked} answered {_reason(answer.status)}"
        if 300 <= answer.status < 400:  # the page of a redirect may repeat a secret of its target
            target = shown_address(answer.headers.get("location", ""))
            return self._denied(detail, answer.status, target)
        said = server_message(answer)
        detail += f" ({said})" if said else ""
        if answer.status in _DENIED:
            return self._denied(detail, answer.status)
        return _BrokenError(detail, _advice(name, answer.status), status=answer.status)

    def _denied(self, detail: str, status: int, target: str = "") -> _BrokenError:
        if 300 <= status < 400:
            detail += f", a redirect to {target}" if target else ", a redirect"
            advice = "a login page may stand before the endpoint, or its URL needs https"
        elif status == 407:
            advice = "give the proxy's user and password in the proxy variables"
        elif self._endpoint.auth is None:
            advice = "give its endpoint a token, under auth in the models file"
        else:
            advice = "check that the token of its endpoint is still valid and may ask this model"
        return _BrokenError(detail, advice, status=status, is_denied=True)

    def _signature(self, token: str | None) -> Signature | None:
        """What all sources say of a model that answers; of another one what the catalog says."""
        if not self._is_ready:
            own = self._entry.signature
            return own if own and own.features else None
        self._described = self._describe(token=token)
        return self._described.said_signature()

    def _test(self) -> Iterable[_Step]:
        path = f"{model_path(self._model.name, self._model.version)}/infer"
        try:
            example, request = self._built()
        except _SkippedError:
            says_itself = self._entry.signature is None and not self._is_ready
            body = b"@request.json" if says_itself else None
            command = body and commands.post(self._endpoint, self._route, path, body)
            yield _Step(TEST_INFERENCE, command or "", self._infer_first_that_builds)
            return
        body = b"@request.json" if self._is_private else build_request(request)
        command = commands.post(self._endpoint, self._route, path, body)
        yield _Step(TEST_INFERENCE, command, partial(self._infer, example, request))

    @property
    def _is_private(self) -> bool:
        """Whether a row holds values that nobody may see: no command nor error repeats it."""
        return any(feature.sensitive for feature in self._model.signature.features)

    def _signature_problem(self) -> KServeClientError | None:
        try:
            self._model.signature  # noqa: B018 - asks for it, once
        except KServeClientError as error:
            return error
        return None

    def _built(self) -> tuple[Example, InferRequest]:
        problem: KServeClientError | None = None
        signature_problem = self._signature_problem()
        if signature_problem is not None:
            raise _SkippedError(str(signature_problem))
        described = self._described
        for example in self._examples(described) if described else self._entry.examples:
            try:
                request = self._model.build(example.row)
                build_request(request)
            except KServeClientError as error:
                problem = problem or error
                continue
            return example, request
        if problem is None:
            raise _SkippedError("it has no example", ADD_AN_EXAMPLE)
        if not isinstance(problem, InputError):  # something is missing here, not in the examples
            raise _SkippedError(str(problem))
        raise _SkippedError(f"no example makes a request: {problem}", CORRECT_THEM)

    def _infer_first_that_builds(self) -> _Found:
        return self._infer(*self._built())

    def _infer(self, example: Example, request: InferRequest) -> _Found:
        try:
            exchange = self._model.infer(request)
            prediction = Predictions(self._model.signature, exchange.response, 1)[0]
        except AccessError as error:
            raise self._denied(self._refusal(error), error.status, error.location) from None
        except ServerError as error:
            raise _BrokenError(
                self._refusal(error), "compare the signature with the model", status=error.status
            ) from None
        except InvalidAnswerError as error:
            raise _BrokenError(str(error), "check what answers at this URL", status=200) from None
        except KServeClientError as error:
            raise self._silence(error) from None
        return _compared(example, prediction)

    def _refusal(self, error: ServerError) -> str:
        said = "" if self._is_private else error.server_message
        words = f" ({said})" if said else ""
        return f"the test inference was answered {_reason(error.status)}{words}"


def _reason(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}".strip()


def _advice(name: str, status: int) -> str:
    if status in (502, 504) or (status == 503 and name == SERVER_LIVE):
        return "nothing behind this address takes requests yet: wait a moment, then look at it"
    if name == SERVER_LIVE:
        return "check that the URL, and the host where one is set, lead to a V2 server"
    if name == SERVER_READY:
        return "its models may still be loading: wait a moment, then look at its log"
    if status == 404:
        return "check model_name and model_version, or load the model"
    if status == 501:
        return "this server knows no versions: leave model_version away"
    return "the model may still be loading: wait a moment, then look at the server's log"


def _look_up(route: Route, wait_s: float) -> _Found:
    if is_address(route.host):
        return _Found(f"{route.host} is an address, there is no name to look up")
    try:
        addresses = _addresses(route, wait_s)
    except (OSError, UnicodeError) as error:
        found = unreached(error, route.host, str(route))
        raise _BrokenError(found.finding, found.advice) from None
    return _Found(f"{route.host} is {', '.join(addresses)}")


def _addresses(route: Route, wait_s: float) -> list[str]:
    """Look a name up in a thread, since the system's resolver knows no time-out."""
    found: queue.Queue[list[str] | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        result = found.get(timeout=wait_s)
    except queue.Empty:
        raise _BrokenError(
            f"the DNS did not answer within {wait_s:g} s for {route.host}",
            "check the DNS of this machine",
        ) from None
    if isinstance(result, Exception):
        raise result
    return result


def _connect(route: Route, wait_s: float) -> _Found:
    try:
        with socket.create_connection((route.host, route.port), timeout=wait_s):
            return _Found(f"connected to {route}")
    except TimeoutError:
        raise _BrokenError(
            f"{route} did not take a connection within {wait_s:g} s",
            "check that a firewall or network policy lets it through",
        ) from None
    except OSError as error:
        found = unreached(error, route.host, str(route))
        raise _BrokenError(found.finding, found.advice) from None


def _handshake(endpoint: Endpoint, route: Route) -> _Found:
    context = _context(endpoint)
    try:
        with (
            socket.create_connection(
                (route.host, route.port), timeout=endpoint.connect_timeout_s
            ) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.checked_name) as secure,
        ):
            return _Found(_certificate(secure, endpoint))
    except ssl.SSLCertVerificationError as error:
        raise _BrokenError(
            f"the certificate of {route} is not trusted ({error.verify_message})",
            "name its authority with ca_file, or renew the certificate",
        ) from None
    except TimeoutError:
        raise _BrokenError(
            f"{route} did not finish the TLS handshake within {endpoint.connect_timeout_s:g} s",
            "check that the port speaks TLS",
        ) from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise _BrokenError(
            f"{route} does not speak TLS ({str(reason).lower().replace('_', ' ')})",
            "write http:// in its URL if it is a plain port",
        ) from None


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    """The trust that the transport has."""
    try:
        return tls_context(endpoint)
    except ConfigurationError as error:
        advice = "correct ca_file, client_cert_file and client_key_file"
        raise _BrokenError(str(error), advice, is_unasked=True) from None


def _certificate(secure: ssl.SSLSocket, endpoint: Endpoint) -> str:
    if not endpoint.verify:
        return f"the certificate is not checked (verify: false), {secure.version()}"
    until = str((secure.getpeercert() or {}).get("notAfter", ""))
    words = f"the certificate is trusted, {secure.version()}"
    if not until:
        return words
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)
    return f"{words}, valid until {ends:%Y-%m-%d} ({(ends - datetime.now(UTC)).days} d)"


def _compared(example: Example, prediction: Prediction) -> _Found:
    gave = f"the example {example.name!r} gave {prediction.headline}"
    if example.expect is None:
        return _Found(gave, status=200)
    if _is_expected(example.expect, prediction):
        return _Found(f"{gave}, as expected", status=200, is_expected=True)
    return _Found(
        f"{gave} where {example.expect} was expected",
        "compare the model with the catalog",
        status=200,
        is_expected=False,
    )


def _is_expected(expected: str | float, prediction: Prediction) -> bool:
    if prediction.value is None:
        return str(expected) in (prediction.label, prediction.text)
    try:
        number = float(expected)
    except ValueError:
        return False
    rounding = 0.0 if prediction.decimals is None else 0.5 * 10.0**-prediction.decimals
    return math.isclose(prediction.value, number, rel_tol=CLOSE_TO, abs_tol=rounding)
