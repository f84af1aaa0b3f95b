import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kserve_client import Catalog, ConfigurationError
from kserve_client.catalog.models_file import parse_models_file
from kserve_client.health import Ladder, check, check_all
from tests.needs import require
from tests.unit.certificates import Certificate, make_certificate

LIVE, READY = "/v2/health/live", "/v2/health/ready"
MODEL, INFER = "/v2/models/naming/ready", "/v2/models/naming/infer"
NAMES = ["DNS", "TCP", "Server live", "Server ready", "Model ready", "Test inference"]
Replies = dict[str, tuple[int, dict[str, str], bytes]]


def v2(classes: list[int]) -> bytes:
    """An answer of the model."""
    output = {
        "name": "predict",
        "shape": [len(classes), 1],
        "datatype": "INT64",
        "data": classes,
    }
    return json.dumps({"outputs": [output]}).encode()


def well(**others: tuple[int, dict[str, str], bytes]) -> Replies:
    """The replies of a server that is well, some of them replaced."""
    empty: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    names = {"live": LIVE, "ready": READY, "model": MODEL, "infer": INFER}
    replies: Replies = {LIVE: empty, READY: empty, MODEL: empty, INFER: (200, {}, v2([1]))}
    return {**replies, **{names[name]: reply for name, reply in others.items()}}


class _Server(http.server.ThreadingHTTPServer):
    replies: Replies
    seen: list[tuple[str, str, dict[str, str]]]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers))
        self.rfile.read(int(headers.get("content-length", 0)))
        status, extra, body = self.server.replies.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in {**extra, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def serving(replies: Replies, certificate: Certificate | None = None) -> Iterator[_Server]:
    """A real server on loopback."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.replies, server.seen = replies, []
    if certificate:
        server.socket = certificate.server_context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mute() -> Iterator[int]:
    """The port of a socket that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    """A port nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here goes through a proxy of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# The eight bytes that every PNG begins with: nobody gets to read on here.
DOT = "data:image/png;base64,iVBORw0KGgo="
EXAMPLES = "[{name: A one, row: {x: 1}, expect: one}]"


def catalog(
    url: str,
    *,
    settings: str = "",
    model: str = "",
    examples: str = EXAMPLES,
    feature: str = "{name: x, min: 0, max: 2}",
) -> Catalog:
    """A catalog of one model at this URL."""
    text = f"""
version: 1
endpoints:
  test: {{url: "{url}"{settings}}}
models:
  naming:
    title: Naming
    endpoint: test{model}
    signature:
      features: [{feature}]
      outputs: [{{name: predict, kind: label, labels: [zero, one, two]}}]
    examples: {examples}
"""
    return Catalog(parse_models_file(text, source="models.yaml", folder=Path()))


def checked(server: _Server, *, with_inference: bool = True, **options: Any) -> Ladder:
    """The ladder to a model on this server."""
    found = catalog(f"http://127.0.0.1:{server.server_port}", **options)
    return check(found, "naming", with_inference=with_inference)


def states(ladder: Ladder) -> list[str]:
    """The state of each rung."""
    return [rung.state for rung in ladder.rungs]


def test_model_that_is_well_climbs_every_rung() -> None:
    """Each step is well, in order, and timed; the verdict says that the model answers."""
    with serving(well()) as server:
        ladder = checked(server)
    assert [rung.name for rung in ladder.rungs] == NAMES
    assert states(ladder) == ["ok"] * 6
    assert (ladder.state, ladder.is_ready, ladder.broken) == ("ready", True, None)
    assert ladder.verdict == "Naming answers."
    assert ladder.rungs[-1].detail == "the example 'A one' gave one, as expected"
    assert all(rung.elapsed_ms is not None and rung.elapsed_ms >= 0 for rung in ladder.rungs)
    assert ladder.latency_ms == ladder.rungs[4].elapsed_ms
    assert ladder.checked_at.utcoffset() is not None


def test_each_thing_is_asked_once() -> None:
    """A check sends one request per step and no retries."""
    with serving(well(ready=(503, {}, b""))) as server:
        checked(server)
        assert [path for _, path, _ in server.seen] == [LIVE, READY]


def test_body_of_a_health_answer_does_not_count() -> None:
    """A server that writes {"ready": false}, or no JSON at all, is ready: the status counts."""
    with serving(well(ready=(200, {}, b'{"ready": false}'), model=(200, {}, b"<p>"))) as server:
        assert checked(server).is_ready


def test_closed_port_breaks_tcp() -> None:
    """Nothing listening is said in words, with the command that shows it; the rest is unreached."""
    port = closed_port()
    ladder = check(catalog(f"http://127.0.0.1:{port}"), "naming")
    assert states(ladder) == ["ok", "failed", *["unreached"] * 4]
    assert ladder.state == "down"
    assert ladder.broken == ladder.rungs[1]
    assert ladder.rungs[1].command == f"nc -vz -w 5 127.0.0.1 {port}"
    assert ladder.verdict == (
        f"Naming is down: nothing listens on 127.0.0.1:{port}; "
        "start the server, or correct its URL."
    )
    assert ladder.latency_ms is None
    assert not ladder.is_answered


def test_unknown_name_breaks_dns() -> None:
    """A name that no DNS knows is the first rung; .invalid is reserved for that (RFC 2606)."""
    ladder = check(catalog("http://no-such-host.invalid:8080"), "naming")
    assert states(ladder) == ["failed", *["unreached"] * 5]
    assert ladder.state == "down"
    assert ladder.rungs[0].detail.startswith("the name no-such-host.invalid is not known")
    assert ladder.rungs[0].command == "getent ahosts no-such-host.invalid"


def test_name_that_is_no_name_is_a_result_too() -> None:
    """A label longer than a name may have is not known either."""
    ladder = check(catalog(f"http://{'a' * 70}.test"), "naming")
    assert states(ladder)[0] == "failed"


def test_slow_server_is_given_up_quickly() -> None:
    """The endpoint's own time-out counts when it is shorter than five seconds."""
    with mute() as port:
        settings = ", read_timeout_s: 0.2"
        ladder = check(catalog(f"http://127.0.0.1:{port}", settings=settings), "naming")
    assert states(ladder)[:3] == ["ok", "ok", "failed"]
    assert ladder.state == "down"
    assert ladder.rungs[2].detail == (
        f"127.0.0.1:{port} took the request and did not answer within 0.2 s"
    )


def test_time_outs_are_never_longer_than_five_seconds() -> None:
    """A patient endpoint does not make a check patient."""
    from kserve_client.endpoint import Endpoint
    from kserve_client.health.probes import LONGEST_WAIT_S

    patient = Endpoint(url="http://a", connect_timeout_s=2, read_timeout_s=300)
    short = patient.hastened(LONGEST_WAIT_S)
    assert (short.connect_timeout_s, short.read_timeout_s, short.deadline_s) == (2, 5, 5)


@pytest.mark.parametrize(
    ("replies", "rung", "state", "words"),
    [
        (well(live=(404, {}, b"")), "Server live", "down", "lead to a V2 server"),
        (well(live=(500, {}, b"")), "Server live", "down", "lead to a V2 server"),
        (well(live=(503, {}, b"")), "Server live", "not ready", "503 Service Unavailable"),
        (well(ready=(503, {}, b"")), "Server ready", "not ready", "models may still be loading"),
        (well(ready=(400, {}, b"")), "Server ready", "not ready", "400 Bad Request"),
        (
            well(model=(404, {}, b'{"error": "Model naming not found"}')),
            "Model ready",
            "not ready",
            "404 Not Found (Model naming not found); check model_name",
        ),
        (well(model=(503, {}, b"")), "Model ready", "not ready", "may still be loading"),
        (well(model=(501, {}, b"")), "Model ready", "not ready", "leave model_version away"),
        (
            well(infer=(500, {}, b'{"error": "wrong width"}')),
            "Test inference",
            "not ready",
            "500 Internal Server Error (wrong width); compare the signature with the model",
        ),
        (well(infer=(200, {}, b"<html>")), "Test inference", "not ready", "the answer is not V2"),
        (well(infer=(200, {}, v2([1, 1]))), "Test inference", "not ready", "2 rows for the 1"),
    ],
)
def test_status_decides_the_rung_the_state_and_the_advice(
    replies: Replies, rung: str, state: str, words: str
) -> None:
    """What a server refuses breaks that rung and none before it, with what to do about it."""
    with serving(replies) as server:
        ladder = checked(server)
    assert ladder.broken is not None
    assert ladder.broken.name == rung
    assert ladder.state == state
    assert ladder.is_answered
    assert words in ladder.verdict
    assert set(states(ladder)[NAMES.index(rung) + 1 :]) <= {"unreached"}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((401, {}, b""), "401 Unauthorized; give its endpoint a token"),
        ((403, {}, b"RBAC: access denied"), "403 Forbidden (RBAC: access denied)"),
        (
            (302, {"Location": "https://login.test/auth?state=s3cret"}, b"see s3cret"),
            "a redirect to https://login.test/auth; a login page may stand before the endpoint",
        ),
    ],
)
@pytest.mark.parametrize("step", ["live", "ready", "model", "infer"])
def test_refusal_to_let_us_in_is_no_access(
    step: str, reply: tuple[int, dict[str, str], bytes], words: str
) -> None:
    """401, 403 and a redirect mean no access, at whichever rung they come; no query is repeated."""
    with serving(well(**{step: reply})) as server:
        ladder = checked(server)
    assert ladder.state == "no access"
    assert not ladder.is_ready
    assert ladder.verdict.startswith("No access to Naming: ")
    assert "s3cret" not in repr(ladder)
    assert words in ladder.verdict


def test_missing_token_is_no_access(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token we don't have is a result, not an exception."""
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with serving(well()) as server:
        ladder = checked(server, settings=", auth: {type: bearer, env: NO_SUCH_TOKEN}")
    assert ladder.state == "no access"
    assert ladder.rungs[2].detail == "no bearer token in environment variable NO_SUCH_TOKEN"


def test_token_and_host_are_sent_and_the_commands_name_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check asks as the client asks; the commands hold the token's name, not the token."""
    monkeypatch.setenv("NAMING_TOKEN", "s3cret")
    settings = ", host: naming.example.org, auth: {type: bearer, env: NAMING_TOKEN}"
    with serving(well()) as server:
        ladder = checked(server, settings=settings)
        url = f"http://127.0.0.1:{server.server_port}"
        sent = server.seen
    assert {headers["host"] for _, _, headers in sent} == {"naming.example.org"}
    assert {headers["authorization"] for _, _, headers in sent} == {"Bearer s3cret"}
    assert ladder.rungs[2].detail == f"GET {LIVE} for host naming.example.org answered 200"
    assert ladder.rungs[2].command == (
        "curl -sS -i -m 5 -H 'Host: naming.example.org' "
        f'-H "Authorization: Bearer $NAMING_TOKEN" {url}{LIVE}'
    )
    assert "s3cret" not in repr(ladder)


def test_command_of_a_token_file_reads_the_file(tmp_path: Path) -> None:
    """A token in a file is read by the command, too."""
    token = tmp_path / "a token"
    token.write_text("s3cret")
    with serving(well()) as server:
        ladder = checked(server, settings=f', auth: {{type: bearer, file: "{token}"}}')
    assert f"\"Authorization: Bearer $(cat '{token}')\"" in ladder.rungs[2].command
    assert "s3cret" not in repr(ladder)


def test_command_of_the_test_inference_sends_its_body() -> None:
    """The last command can be pasted into a shell and does what the test did."""
    with serving(well()) as server:
        ladder = checked(server)
        command = ladder.rungs[-1].command
        curl = require(shutil.which("curl"), "there is no curl on the PATH")
        said = subprocess.run(
            ["sh", "-c", command.replace("curl", curl, 1)], capture_output=True, check=True
        )
    assert v2([1]) in said.stdout
    assert server.seen[-1][0] == "POST"
    assert server.seen[-1][2]["content-type"] == "application/json"


def test_a_ladder_repeats_no_sensitive_value() -> None:
    """Its commands and verdicts are shown to whoever looks at the page."""
    echo: Replies = {INFER: (400, {}, b'{"error": "cannot read 98701"}')}
    text = """
endpoints: {test: {url: "http://127.0.0.1:PORT"}}
models:
  naming:
    endpoint: test
    signature: {features: [{name: x, sensitive: true}]}
    examples: [{name: A one, row: {x: 98701}}]
"""
    for replies in (well(), well() | echo):
        with serving(replies) as server:
            filled = text.replace("PORT", str(server.server_port))
            models = Catalog(parse_models_file(filled, source="models.yaml", folder=Path()))
            ladder = check(models, "naming")
        assert any(method == "POST" for method, *_ in server.seen)
        assert "98701" not in repr(ladder)
        assert ladder.rungs[-1].command.endswith("-d @request.json")


def test_unexpected_answer_is_no_failure_but_is_said() -> None:
    """A model that gives another answer than its example expects still answers."""
    with serving(well(infer=(200, {}, v2([2])))) as server:
        ladder = checked(server)
    assert ladder.is_ready
    assert ladder.verdict == (
        "Naming answers, but the example 'A one' gave two where one was expected; "
        "compare the model with the catalog."
    )


@pytest.mark.parametrize(
    ("expect", "answer", "is_expected"), [("3848", 3848.4, True), ("3848", 3890.0, False)]
)
def test_expected_number_is_compared_as_it_is_shown(
    expect: str, answer: float, is_expected: bool
) -> None:
    """A value is as expected when it rounds to it."""
    from kserve_client.catalog import Example
    from kserve_client.health.probes import _is_expected
    from kserve_client.predictions import Prediction

    example = Example(name="a", row={}, expect=float(expect))
    assert example.expect is not None
    assert _is_expected(example.expect, Prediction(value=answer, decimals=0)) is is_expected


@pytest.mark.parametrize(
    ("examples", "reason", "advice"),
    [
        ("[]", "it has no example; ", "add one under examples"),
        (
            "[{name: Bad, row: {x: no number}}]",
            "no example makes a request: row 1, x: ",
            "correct the examples",
        ),
    ],
)
def test_without_a_usable_example_there_is_no_test_inference(
    examples: str, reason: str, advice: str
) -> None:
    """Nothing to send is no failure, but the verdict does not say that the model answers."""
    with serving(well()) as server:
        ladder = checked(server, examples=examples)
    assert [rung.name for rung in ladder.rungs] == NAMES
    assert (ladder.rungs[-1].state, ladder.rungs[-1].elapsed_ms) == ("skipped", None)
    assert ladder.is_ready
    assert (ladder.state, ladder.state_words) == ("ready", "ready, not tested")
    assert not ladder.is_tested
    assert ladder.verdict.startswith(f"Naming is ready, not tested: {reason}")
    assert advice in ladder.verdict


def test_without_pillow_a_picture_model_is_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing on this machine comes first; the examples are not to blame."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with serving(well()) as server:
        ladder = checked(
            server,
            examples=f"[{{name: Dot, row: {{x: '{DOT}'}}}}]",
            feature="{name: x, kind: image, image: {width: 1, height: 1}}",
        )
    assert ladder.verdict == (
        "Naming is ready, not tested: pictures need Pillow: pip install Pillow."
    )
    assert (ladder.is_ready, ladder.is_tested) == (True, False)


def test_a_test_that_nobody_wanted_is_not_missed() -> None:
    """Without the test inference the state is as short as it was."""
    with serving(well()) as server:
        ladder = checked(server, with_inference=False)
    assert (ladder.state_words, ladder.is_tested) == ("ready", False)
    with serving(well()) as server:
        ladder = checked(server)
    assert (ladder.state_words, ladder.is_tested) == ("ready", True)


def test_first_example_that_builds_is_sent() -> None:
    """An example that makes no request is passed over."""
    examples = "[{name: Bad, row: {x: no number}}, {name: Good, row: {x: 1}}]"
    with serving(well()) as server:
        ladder = checked(server, examples=examples)
    assert ladder.rungs[-1].detail == "the example 'Good' gave one"


def test_test_inference_can_be_left_out() -> None:
    """A quick look sends no inference."""
    with serving(well()) as server:
        found = catalog(f"http://127.0.0.1:{server.server_port}")
        ladder = check(found, "naming", with_inference=False)
        assert INFER not in [path for _, path, _ in server.seen]
    assert [rung.name for rung in ladder.rungs] == NAMES[:-1]


def test_model_without_a_signature_is_asked_for_it_before_the_test() -> None:
    """The features then come from the model's metadata, and only once the model is ready."""
    metadata = {"name": "naming", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}]}
    replies = {**well(), "/v2/models/naming": (200, {}, json.dumps(metadata).encode())}
    text = """
version: 1
endpoints: {{test: {{url: "{url}"}}}}
models: {{naming: {{endpoint: test, examples: [{{name: A one, row: {{x: 1}}}}]}}}}
"""
    with serving(replies) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        found = parse_models_file(text.format(url=url), source="m", folder=Path())
        ladder = check(Catalog(found), "naming")
    assert ladder.rungs[-1].detail == "the example 'A one' gave predict [1]"


def test_versions_are_part_of_the_path() -> None:
    """A catalog entry with a version checks that version."""
    path = "/v2/models/naming/versions/v2/ready"
    with serving({**well(), path: (200, {}, b"")}) as server:
        ladder = checked(server, model="\n    model_version: v2", examples="[]")
    assert ladder.is_ready
    assert ladder.rungs[4].detail == f"GET {path} answered 200"


def test_proxy_is_what_is_looked_up_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the first hop is the proxy, and its password stays out of sight."""
    with serving({}) as server:
        inside = {f"http://model.test{path}": reply for path, reply in well().items()}
        server.replies = inside
        proxy = f"http://user:s3cret@127.0.0.1:{server.server_port}"
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        ladder = check(catalog("http://model.test"), "naming")
    assert ladder.is_ready
    assert ladder.rungs[1].detail == f"connected to the proxy 127.0.0.1:{server.server_port}"
    assert f"-x http://127.0.0.1:{server.server_port} " in ladder.rungs[2].command
    assert "s3cret" not in repr(ladder)


def test_check_all_keeps_the_order_of_the_names() -> None:
    """Several models are checked at once, and come back as they were asked."""
    with serving(well()) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        text = f"""
version: 1
endpoints: {{up: {{url: "{url}"}}, down: {{url: "http://127.0.0.1:{closed_port()}"}}}}
models:
  naming: {{endpoint: up}}
  gone: {{endpoint: down}}
  other: {{endpoint: up, model_name: naming}}
"""
        found = Catalog(parse_models_file(text, source="m", folder=Path()))
        ladders = check_all(found, ["other", "gone", "naming"])
    assert [ladder.model for ladder in ladders] == ["other", "gone", "naming"]
    assert [ladder.state for ladder in ladders] == ["ready", "down", "ready"]
    assert check_all(found, []) == []


def test_unknown_model_is_the_callers_mistake() -> None:
    """Only a name that is not in the catalog raises."""
    with pytest.raises(ConfigurationError, match="no model 'nope'"):
        check_all(catalog("http://127.0.0.1:1"), ["nope"])


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    """A certificate for this address, and one for another name."""
    require(shutil.which("openssl"), "there is no openssl on the PATH")
    hosts = {"good": "IP:127.0.0.1", "other": "DNS:other.test"}
    return {
        name: make_certificate(tmp_path_factory.mktemp(name), host=host)
        for name, host in hosts.items()
    }


def tls_ladder(served: Certificate | None, ca_file: Path | None) -> Ladder:
    """The ladder to a https endpoint."""
    with serving(well(), served) as server:
        settings = f', ca_file: "{ca_file}"' if ca_file else ""
        url = f"https://127.0.0.1:{server.server_port}"
        return check(catalog(url, settings=settings), "naming")


def test_trusted_certificate_is_a_rung_of_its_own(certificates: dict[str, Certificate]) -> None:
    """A https endpoint has a TLS rung, which says until when the certificate is valid."""
    ladder = tls_ladder(certificates["good"], certificates["good"].certificate)
    assert [rung.name for rung in ladder.rungs] == ["DNS", "TCP", "TLS", *NAMES[2:]]
    assert ladder.is_ready
    assert "valid until 20" in ladder.rungs[2].detail
    assert "(1 d)" in ladder.rungs[2].detail
    assert ladder.rungs[2].command.startswith("openssl s_client -connect 127.0.0.1:")


@pytest.mark.parametrize(
    ("served", "trusted", "words"),
    [("good", None, "self-signed certificate"), ("other", "other", "IP address mismatch")],
)
def test_certificate_that_is_not_trusted_breaks_tls(
    certificates: dict[str, Certificate], served: str, trusted: str | None, words: str
) -> None:
    """An unknown authority or another name is said in OpenSSL's words."""
    authority = certificates[trusted].certificate if trusted else None
    ladder = tls_ladder(certificates[served], authority)
    assert states(ladder)[:4] == ["ok", "ok", "failed", "unreached"]
    assert ladder.state == "down"
    assert "is not trusted" in ladder.rungs[2].detail
    assert words in ladder.rungs[2].detail.replace("self signed", "self-signed")


def test_plain_port_does_not_speak_tls() -> None:
    """TLS to a plain port is told from a bad certificate."""
    ladder = tls_ladder(None, None)
    assert states(ladder)[2] == "failed"
    assert "does not speak TLS" in ladder.verdict
    assert "write http:// in its URL" in ladder.verdict


def test_tls_port_asked_in_plain_closes_the_connection(
    certificates: dict[str, Certificate],
) -> None:
    """Plain HTTP to a TLS port ends at Server live, with the scheme named."""
    with serving(well(), certificates["good"]) as server:
        ladder = checked(server)
    assert ladder.broken is not None
    assert ladder.broken.name == "Server live"
    assert ladder.state == "down"


def test_missing_authorities_file_is_a_result() -> None:
    """A ca_file that is not there breaks the TLS rung and nothing else."""
    ladder = tls_ladder(None, Path("/no/such/ca.pem"))
    assert states(ladder)[2] == "failed"
    assert "/no/such/ca.pem can't be read" in ladder.verdict


def test_mute_port_breaks_tls_in_time() -> None:
    """A port that takes connections and never shakes hands is given up."""
    with mute() as port:
        settings = ", connect_timeout_s: 0.2"
        ladder = check(catalog(f"https://127.0.0.1:{port}", settings=settings), "naming")
    assert states(ladder)[2] == "failed"
    assert "did not finish the TLS handshake within 0.2 s" in ladder.rungs[2].detail
