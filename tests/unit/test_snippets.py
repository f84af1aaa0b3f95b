"""Snippets are run: bash, this client and `requests` send what the call sent and get its answer."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kserve_client import (
    BearerAuth,
    ConfigurationError,
    Endpoint,
    InferenceClient,
    InferRequest,
    InferResponse,
    RequestedOutput,
    Tensor,
    snippets,
)
from kserve_client.client import Exchange, model_path
from kserve_client.snippets import Call
from kserve_client.snippets.headers import SHOWN_HEADERS
from kserve_client.snippets.python_text import word, written
from kserve_client.wire import binary
from kserve_client.wire import json as wire_json
from tests import needs
from tests.unit.certificates import make_certificate
from tests.unit.fault_server import FaultServer, Seen, Wire, fault_server

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-of-nobody"
IRIS = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2]], datatype="FP32")
BODY = (
    b'{"inputs":[{"name":"input-0","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}],'
    b'"outputs":[{"name":"predict"}]}'
)
ANSWER = (
    b'{"model_name":"iris","outputs":'
    b'[{"name":"predict","shape":[1,1],"datatype":"INT64","data":[9007199254740993]}]}'
)
GATEWAY = Endpoint(
    url="https://gateway.example.org/serving",
    title="Gateway",
    host="iris.example.org",
    auth=BearerAuth(env="IRIS_TOKEN"),
    ca_file=Path("/etc/our ca.pem"),
    read_timeout_s=7.5,
)
JSON_HEADERS = {"Content-Type": "application/json"}


def a_call(body: bytes = BODY, *, name: str = "iris", version: str | None = None) -> Call:
    return Call(Endpoint(url="http://h.test"), f"{model_path(name, version)}/infer", body)


# As they read


def test_a_curl_line_as_it_reads() -> None:
    """Address first, then whom to trust, headers with the token's name, and the body."""
    assert snippets.curl(Call(GATEWAY, "/v2/models/iris/infer", BODY, JSON_HEADERS)) == (
        "curl -sS https://gateway.example.org/serving/v2/models/iris/infer \\\n"
        "  --cacert '/etc/our ca.pem' \\\n"
        "  -H 'Host: iris.example.org' \\\n"
        '  -H "Authorization: Bearer $IRIS_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{BODY.decode()}'"
    )


def test_a_script_with_this_client_as_it_reads() -> None:
    """Only what is needed is imported; settings that differ from the usual are named."""
    call = Call(GATEWAY, "/v2/models/iris/versions/v1/infer", BODY, JSON_HEADERS)
    assert snippets.python_client(call).splitlines() == [
        "from pathlib import Path",
        "",
        "from kserve_client import (",
        "    BearerAuth,",
        "    Endpoint,",
        "    InferRequest,",
        "    InferenceClient,",
        "    RequestedOutput,",
        "    Tensor,",
        ")",
        "",
        "endpoint = Endpoint(",
        '    url="https://gateway.example.org/serving",',
        '    host="iris.example.org",',
        '    ca_file=Path("/etc/our ca.pem"),',
        "    read_timeout_s=7.5,",
        '    auth=BearerAuth(env="IRIS_TOKEN"),',
        ")",
        "with InferenceClient(endpoint) as client:",
        "    response = client.infer(",
        '        "iris",',
        "        InferRequest(",
        '            (Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2]], datatype="FP32"),),',
        '            outputs=(RequestedOutput("predict"),),',
        "        ),",
        '        model_version="v1",',
        "    )",
        "for tensor in response.outputs:",
        "    print(tensor.name, tensor.data)",
    ]


def test_a_script_with_requests_as_it_reads() -> None:
    """The body as Python values; the answer uncompressed; both time-outs in seconds."""
    call = Call(GATEWAY, "/v2/models/iris/infer", BODY, JSON_HEADERS)
    assert snippets.python_requests(call).splitlines() == [
        "import os",
        "",
        "import requests",
        "",
        "response = requests.post(",
        '    "https://gateway.example.org/serving/v2/models/iris/infer",',
        "    headers={",
        '        "Accept-Encoding": "identity",',
        '        "Host": "iris.example.org",',
        '        "Authorization": "Bearer " + os.environ["IRIS_TOKEN"],',
        "    },",
        "    json={",
        '        "inputs": [',
        "            {",
        '                "name": "input-0",',
        '                "shape": [1, 4],',
        '                "datatype": "FP32",',
        '                "data": [5.1, 3.5, 1.4, 0.2],',
        "            },",
        "        ],",
        '        "outputs": [{"name": "predict"}],',
        "    },",
        '    verify="/etc/our ca.pem",',
        "    timeout=(5, 7.5),",
        ")",
        "response.raise_for_status()",
        "print(response.text)",
    ]


def test_without_settings_a_script_is_three_lines() -> None:
    """The URL alone opens a client."""
    body = b'{"inputs":[{"name":"x","shape":[2],"datatype":"BOOL","data":[true,false]}]}'
    assert snippets.python_client(a_call(body, name="m")).splitlines()[2:4] == [
        'with InferenceClient("http://h.test") as client:',
        '    response = client.infer("m", [Tensor.of("x", [True, False], datatype="BOOL")])',
    ]


def test_json_keeps_lists_of_numbers_on_a_line() -> None:
    """Objects are indented; four numbers don't take four lines."""
    body = json.dumps({"inputs": [{"name": "a", "data": [[1, 2], [3, 4]], "t": ["é"]}], "p": {}})
    assert snippets.json_text(body.encode()).splitlines() == [
        "{",
        '  "inputs": [',
        "    {",
        '      "name": "a",',
        '      "data": [',
        "        [1, 2],",
        "        [3, 4]",
        "      ],",
        '      "t": ["é"]',
        "    }",
        "  ],",
        '  "p": {}',
        "}",
    ]


@pytest.mark.parametrize("text", ["a [ b,\n c ]", "[", "{x: [1,\n2]}"])
def test_json_texts_stay_as_they_are(text: str) -> None:
    """Whatever the layout does, it reads as the same JSON."""
    body = json.dumps({"data": [text, [text, 1.5, None, 2**63], [[], {}, [1]]]})
    assert json.loads(snippets.json_text(body.encode())) == json.loads(body)


@pytest.mark.parametrize(("body", "text"), [(b"", ""), (b"\xffno", "\ufffdno"), (b"{", "{")])
def test_what_is_no_json_is_shown_as_text(body: bytes, text: str) -> None:
    """An HTML page or a cut body does not break the page that shows it."""
    assert snippets.json_text(body) == text


# Run


@contextlib.contextmanager
def surroundings(folder: Path, **variables: str) -> Iterator[None]:
    """A folder and an environment for a snippet, without proxies and settings of this person."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name in os.environ.keys() - kept.keys():
            patch.delenv(name)
        for name, value in {"HOME": str(folder), **variables}.items():
            patch.setenv(name, value)
        yield


def run_curl(call: Call) -> bytes:
    """Give the line to bash; return what curl printed or wrote."""
    needs.require(shutil.which("curl"), "there is no curl on the PATH")
    ran = subprocess.run(
        ["bash", "-c", snippets.curl(call)], capture_output=True, check=False, timeout=30
    )
    assert ran.returncode == 0, ran.stderr
    return Path("answer.bin").read_bytes() if call.is_binary else ran.stdout


def run_script(text: str) -> dict[str, Any]:
    """Run a script; return its names and what it printed."""
    printed = io.StringIO()
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(text, "snippet", "exec"), names)
    return names | {"printed": printed.getvalue()}


def always(body: bytes = ANSWER, **headers: str) -> Callable[[Wire], None]:
    """Give every connection the same answer to each of its requests."""

    def play(wire: Wire) -> None:
        while wire.read() is not None:
            head = f"HTTP/1.1 200 X\r\nContent-Length: {len(body)}\r\n"
            more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            wire.write(f"{head}{more}\r\n".encode() + body)

    return play


def sent(call: Call, server: FaultServer) -> tuple[Seen, Seen, Seen]:
    """Run all three snippets; return the requests of curl, this client and `requests`."""
    if call.body_file:
        Path(call.body_file).write_bytes(call.body)
    assert run_curl(call) == ANSWER
    ours = run_script(snippets.python_client(call))
    theirs = run_script(snippets.python_requests(call))
    assert ours["response"].output("predict").data.tolist() == [[9007199254740993]]
    assert ours["printed"] == "predict [[9007199254740993]]\n"
    assert theirs["response"].content == ANSWER
    assert "9007199254740993" in theirs["printed"]
    # Before NaN or a large tensor, this client asks what kind of server it is.
    by_curl, by_client, by_requests = [s for s in server.seen if s.target != "/v2"]
    return by_curl, by_client, by_requests


def same(body: bytes, other: bytes) -> bool:
    """Whether two JSON bodies say the same; NaN is NaN."""
    return repr(json.loads(body)) == repr(json.loads(other))


HOSTILE = [
    "it's",
    'a "quoted" name',
    "$(touch pwned) `touch pwned` $HOME",
    "back\\slash\\n",
    "two\nlines\ttab",
    "Übergröße – 😀",
    "-d @/etc/passwd",
    "@request.json",
    "a;b&c|d>e<f*g?h[i]{j}",
    "!history !!",
    "%41%2F",
    "\u202eright to left\u202c",
    "nothing \x00 at all",
    "'''\"\"\"\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_texts_arrive_whole(text: str, tmp_path: Path) -> None:
    """Model, version, tensor, cell and parameter of that name, from bash and Python alike."""
    tensor = Tensor.of(text, [[text]], datatype="BYTES", parameters={text: text})
    request = InferRequest((tensor,), (RequestedOutput("predict", {text: True}),), id=text)
    body = wire_json.build_request(request)
    path = f"{model_path(text, text)}/infer"
    with surroundings(tmp_path), fault_server(always()) as server:
        call = Call(Endpoint(url=server.url), path, body, JSON_HEADERS)
        by_curl, by_client, by_requests = sent(call, server)
    assert by_curl.body == by_client.body == body
    assert same(by_requests.body, body)
    # `requests` normalises quotes; either form names the same model.
    assert {s.method for s in server.seen} == {"POST"}
    assert len({s.target for s in server.seen}) == 1
    assert not (tmp_path / "pwned").exists()


REQUESTS = {
    "missing": InferRequest((Tensor.of("x", [[math.nan], [1.5]], datatype="FP32"),)),
    "exact": InferRequest(
        (
            Tensor.of("a", [2**53 + 1, -(2**63)], datatype="INT64"),
            Tensor.of("b", [2**64 - 1], datatype="UINT64"),
            Tensor.of("c", [0.1, 1e-45, 3.4028235e38], datatype="FP32"),
            Tensor.of("d", [0.1, 5e-324], datatype="FP64"),
        )
    ),
    "all parts": InferRequest(
        (Tensor.of("t", [["a", "b"]], datatype="BYTES", parameters={"content_type": "str"}),),
        (RequestedOutput("predict"), RequestedOutput("more", {"classification": 3})),
        id="7",
        parameters={"content_type": "pd", "deep": 1.5, "on": False},
    ),
    "empty": InferRequest((Tensor.of("x", [], datatype="FP32", shape=[0, 4]),)),
    "one number": InferRequest((Tensor.of("x", 5, datatype="INT8", shape=[]),)),
    "a cube": InferRequest((Tensor.of("x", np.arange(24, dtype="i4").reshape(2, 3, 4)),)),
    "a long row": InferRequest((Tensor.of("x", np.linspace(0, 1, 784)[None], datatype="FP32"),)),
    "large": InferRequest(
        (Tensor.of("x", np.random.default_rng(7).random((1, 20_000)), datatype="FP64"),),
        (RequestedOutput("predict"),),
        parameters={"content_type": "np"},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_snippet_sends_what_was_sent(name: str, tmp_path: Path) -> None:
    """Shapes, missing values, exact integers and parameters: the bytes of the client, again."""
    body = wire_json.build_request(REQUESTS[name])
    with surroundings(tmp_path), fault_server(always()) as server:
        call = Call(Endpoint(url=server.url), "/v2/models/iris/infer", body, JSON_HEADERS)
        by_curl, by_client, by_requests = sent(call, server)
    assert by_curl.body == by_client.body == body
    assert same(by_requests.body, body)
    for seen in (by_curl, by_client, by_requests):
        assert seen.headers["content-type"] == "application/json"
    # MLServer compresses for whoever lets it.
    assert "accept-encoding" not in by_curl.headers
    assert by_requests.headers["accept-encoding"] == "identity"


def test_a_large_body_is_named_as_a_file() -> None:
    """No shell takes it as an argument; a comment says where it is."""
    data = b",".join([b"0.5"] * 30_000)
    body = b'{"inputs":[{"name":"x","shape":[30000],"datatype":"FP32","data":[' + data + b"]}]}"
    call = a_call(body)
    assert call.body_file == "request.json"
    for text in map(str.strip, (snippets.curl(call), snippets.python_client(call))):
        assert "# request.json holds the body, 120,068 bytes: save it beside this." in text
        assert len(text) < 1000
    assert "-d @request.json" in snippets.curl(call)
    assert 'data=Path("request.json").read_bytes()' in snippets.python_requests(call)


def test_a_body_that_is_not_large_stands_in_the_snippet() -> None:
    """Up to 100,000 bytes there is no file."""
    padded = BODY + b" " * (100_000 - len(BODY))
    assert a_call(padded).body_file is None
    assert a_call(padded + b" ").body_file == "request.json"


def test_bare_nan_and_infinity_travel_on(tmp_path: Path) -> None:
    """As Triton reads them: curl and `requests` send the tokens, which are no JSON."""
    body = b'{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[NaN,Infinity,1.5]}]}'
    with surroundings(tmp_path), fault_server(always()) as server:
        endpoint = Endpoint(url=server.url, server="triton")
        call = Call(endpoint, "/v2/models/iris/infer", body, JSON_HEADERS)
        assert run_curl(call) == ANSWER
        assert run_script(snippets.python_requests(call))["response"].content == ANSWER
    assert [s.body for s in server.seen] == [body, body]
    script = snippets.python_client(call)
    assert '[float("nan"), float("inf"), 1.5]' in script
    assert 'server="triton"' in script


def test_a_binary_request_travels_binary(tmp_path: Path) -> None:
    """Its bytes come from a file for curl and `requests`; this client packs the same ones again."""
    tensors = (
        Tensor.of("a", np.array([[0.1, np.nan, -np.inf]], dtype="f4")),
        Tensor.of("b", np.array([0.1, 2.0], dtype="f2")),
        Tensor.of("c", np.array(["é", b"\xff"], dtype=object), datatype="BYTES"),
    )
    request = InferRequest(tensors, (RequestedOutput("predict"),), parameters={"p": 1})
    body, head_bytes = binary.build_request(request)
    headers = {
        "Content-Type": "application/octet-stream",
        "Accept": "*/*",
        "Inference-Header-Content-Length": str(head_bytes),
    }
    with surroundings(tmp_path), fault_server(always()) as server:
        call = Call(Endpoint(url=server.url), "/v2/models/iris/infer", body, headers)
        assert call.body_file == "request.bin"
        Path("request.bin").write_bytes(body)
        assert run_curl(call) == ANSWER
        assert run_script(snippets.python_requests(call))["response"].content == ANSWER
        ours = run_script(snippets.python_client(call))
    assert ours["response"].output("predict").data.tolist() == [[9007199254740993]]
    inferences = [s for s in server.seen if s.target != "/v2"]
    assert [s.body for s in inferences] == [body, body, body]
    for seen in inferences:
        assert seen.headers["content-type"] == "application/octet-stream"
        assert seen.headers["inference-header-content-length"] == str(head_bytes)
    script = snippets.python_client(call)
    assert 'Tensor.of("b", [0.1, 2.0], datatype="FP16")' in script
    assert "use_binary=True" in script


def test_a_large_binary_request_goes_as_it_is(tmp_path: Path) -> None:
    """This client too reads it from the file, and reads the answer whatever its form."""
    request = InferRequest((Tensor.of("x", np.zeros((1, 30_000), dtype="f4")),))
    body, head_bytes = binary.build_request(request)
    headers = {binary.HEAD_LENGTH: str(head_bytes), "Content-Type": "application/octet-stream"}
    with surroundings(tmp_path), fault_server(always()) as server:
        Path("request.bin").write_bytes(body)
        call = Call(Endpoint(url=server.url), "/v2/models/iris/infer", body, headers)
        ours = run_script(snippets.python_client(call))
    assert ours["response"].output("predict").data.tolist() == [[9007199254740993]]
    assert server.seen[0].body == body
    assert server.seen[0].headers["inference-header-content-length"] == str(head_bytes)


STRANGE = [
    b'{"inputs":[]}',
    b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1]}]}',
    b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP99","data":[1]}]}',
    b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":[null]}]}',
    b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"id":7}',
    b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"more":1}',
    b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}',
    b'{"inputs":7}',
    b"[1, 2]",
    b"null",
    b"'no' $json\n",
]


@pytest.mark.parametrize("body", STRANGE)
def test_a_request_the_client_would_refuse_goes_as_it_is(body: bytes, tmp_path: Path) -> None:
    """What somebody wants to show to the makers of a server is not mended on the way."""
    with surroundings(tmp_path), fault_server(always()) as server:
        call = Call(Endpoint(url=server.url), "/v2/models/iris/infer", body, JSON_HEADERS)
        if call.body_file:
            Path(call.body_file).write_bytes(body)
        run_script(snippets.python_client(call))
        run_script(snippets.python_requests(call))
        run_curl(call)
    assert server.seen[0].body == server.seen[2].body == body
    assert server.seen[1].body == body or same(server.seen[1].body, body)


OTHER_CALLS: list[tuple[str, str, bytes, bytes, str]] = [
    ("GET", "/v2", b"", b"{}", "client.server_metadata()"),
    ("GET", "/v2/health/live", b"", b"", "client.is_server_live()"),
    ("GET", "/v2/health/ready", b"", b"", "client.is_server_ready()"),
    ("GET", "/v2/models/a%2Fb", b"", b"{}", 'client.model_metadata("a/b")'),
    (
        "GET",
        "/v2/models/m/versions/1/ready",
        b"",
        b"",
        'client.is_model_ready("m", model_version="1")',
    ),
    ("GET", "/v2/models/stats", b"", b'{"model_stats":[]}', "client.model_statistics()"),
    ("GET", "/v2/models/m/stats", b"", b'{"model_stats":[]}', 'client.model_statistics("m")'),
    ("POST", "/v2/repository/index", b"{}", b"[]", "client.repository_index()"),
    (
        "POST",
        "/v2/repository/index",
        b'{"ready":true}',
        b"[]",
        "client.repository_index(ready=True)",
    ),
    ("POST", "/v2/repository/models/m/load", b"{}", b"", 'client.load_model("m")'),
    (
        "POST",
        "/v2/repository/models/m/unload",
        b'{"parameters":{"unload_dependents":true}}',
        b"",
        'client.unload_model("m", {"unload_dependents": True})',
    ),
    (
        "POST",
        "/v1/models/m:predict",
        b'{"instances":[[1.5,2.0]]}',
        b'{"predictions":[1]}',
        'client.predict_v1("m", [[1.5, 2.0]])',
    ),
    (
        "POST",
        "/v1/models/m:explain",
        b'{"signature_name":"s","instances":[1]}',
        b"{}",
        'client.explain_v1("m", [1], signature_name="s")',
    ),
    ("GET", "/metrics", b"", b"up 1\n", 'client.transport.send("GET", "/metrics")'),
    ("POST", "/v2/logging", b"", b"{}", 'client.transport.send("POST", "/v2/logging")'),
    ("DELETE", "/x", b"", b"", 'client.transport.send("DELETE", "/x")'),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "reply", "code"),
    OTHER_CALLS,
    ids=[f"{call[0]} {call[1]} {call[2].decode()}" for call in OTHER_CALLS],
)
def test_every_other_call_has_its_method(
    method: str, path: str, body: bytes, reply: bytes, code: str, tmp_path: Path
) -> None:
    """The client's own method where there is one, its transport elsewhere; curl and `requests` too."""
    with surroundings(tmp_path), fault_server(always(reply)) as server:
        call = Call(Endpoint(url=server.url), path, body, method=method)
        assert code in snippets.python_client(call)
        run_script(snippets.python_client(call))
        assert run_curl(call) == reply
        assert run_script(snippets.python_requests(call))["response"].content == reply
    assert {(s.method, s.target) for s in server.seen} == {(method, path)}
    assert all(json.loads(s.body) == json.loads(body) if body else not s.body for s in server.seen)


# Secrets and settings


@pytest.mark.parametrize(
    ("auth", "shell"),
    [
        ({"env": "IRIS_TOKEN"}, '"Authorization: Bearer $IRIS_TOKEN"'),
        ({"env": "iris.token"}, '"Authorization: Bearer $(printenv iris.token)"'),
        ({"file": "token"}, '"Authorization: Bearer $(cat token)"'),
        ({"file": "the tok'en $(x)"}, "\"Authorization: Bearer $(cat 'the tok'\"'\"'en $(x)')\""),
        ({"value": SECRET}, '"Authorization: Bearer $TOKEN"'),
    ],
)
def test_a_token_is_named_and_found(auth: dict[str, str], shell: str, tmp_path: Path) -> None:
    """From its variable or file, wherever that is; a value given in code is asked for as TOKEN."""
    if "file" in auth:
        (tmp_path / auth["file"]).write_text(f"{SECRET}\n")
    variables = {auth.get("env", "TOKEN"): SECRET}
    with surroundings(tmp_path, **variables), fault_server(always()) as server:
        endpoint = Endpoint(url=server.url, auth=BearerAuth.model_validate(auth))
        call = Call(endpoint, "/v2/models/iris/infer", BODY, JSON_HEADERS)
        assert f"-H {shell} " in snippets.curl(call)
        sent(call, server)
    assert [s.headers["authorization"] for s in server.seen] == [f"Bearer {SECRET}"] * 3
    assert SECRET not in snippets.curl(call) + snippets.python_client(call)
    assert SECRET not in snippets.python_requests(call) + repr(call)


@pytest.mark.parametrize(
    ("name", "value", "variable", "arrives"),
    [
        ("Authorization", f"Bearer {SECRET}", "TOKEN", f"Bearer {SECRET}"),
        ("authorization", f"Basic {SECRET}", "TOKEN", f"Basic {SECRET}"),
        ("Authorization", SECRET, "TOKEN", SECRET),
        ("Authorization", f"{SECRET} {SECRET}", "TOKEN", SECRET),
        ("Cookie", f"session={SECRET}", "COOKIE", SECRET),
        ("X-API-Key", SECRET, "X_API_KEY", SECRET),
        ("1$(x)`y`", SECRET, "HEADER_1_X_Y", SECRET),
    ],
)
def test_a_header_of_one_call_may_be_a_secret(
    name: str, value: str, variable: str, arrives: str, tmp_path: Path
) -> None:
    """Its value is a variable, unless the header is known to hold none; it beats the endpoint's."""
    name = name.replace("(", "").replace(")", "")  # no header has brackets
    with surroundings(tmp_path, **{variable: SECRET}), fault_server(always()) as server:
        endpoint = Endpoint(url=server.url, auth=BearerAuth(env="OTHER_TOKEN"))
        if name.lower() != "authorization":
            endpoint = Endpoint(url=server.url)
        call = Call(endpoint, "/v2/models/iris/infer", BODY, {**JSON_HEADERS, name: value})
        texts = snippets.curl(call), snippets.python_client(call), snippets.python_requests(call)
        assert not any(SECRET in text for text in texts)
        assert run_curl(call) == ANSWER
        run_script(texts[2])
    assert [s.headers[name.lower()] for s in server.seen] == [arrives] * 2


@given(
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1).filter(
        lambda name: name not in SHOWN_HEADERS
    ),
    st.text("0123456789", min_size=12),
)
def test_no_header_gives_a_value_away(name: str, value: str) -> None:
    """Whatever it is called."""
    call = Call(GATEWAY, "/v2/models/iris/infer", BODY, {name: value})
    assert value not in snippets.curl(call)
    assert value not in snippets.python_client(call)
    assert value not in snippets.python_requests(call)


def test_headers_without_secrets_are_shown() -> None:
    """A trace is to be found again."""
    call = Call(GATEWAY, "/v2/models/iris/infer", BODY, {"traceparent": "00-1-2-01", "accept": ""})
    assert "-H 'traceparent: 00-1-2-01'" in snippets.curl(call)
    assert "-H 'accept;'" in snippets.curl(call)
    assert '"traceparent": "00-1-2-01"' in snippets.python_requests(call)
    assert '"traceparent": "00-1-2-01"' in snippets.python_client(call)


def test_a_title_is_no_code() -> None:
    """What people call an endpoint stands in no snippet."""
    endpoint = Endpoint(url="http://h.test", title="x\nimport os")
    call = Call(endpoint, "/v2/models/iris/infer", BODY)
    assert "import os" not in snippets.curl(call) + snippets.python_client(call)


def test_host_and_authority_are_used(tmp_path: Path) -> None:
    """Over TLS with its own authority, through a gateway that routes by name."""
    made = make_certificate(tmp_path, host="IP:127.0.0.1,DNS:iris.example.org")
    tls = made.server_context()
    with surroundings(tmp_path), fault_server(always(), tls=tls) as server:
        endpoint = Endpoint(url=server.url, host="iris.example.org", ca_file=made.certificate)
        sent(Call(endpoint, "/v2/models/iris/infer", BODY, JSON_HEADERS), server)
    assert [s.headers["host"] for s in server.seen] == ["iris.example.org"] * 3


@pytest.mark.parametrize(
    ("url", "travels"),
    [
        ("http://[::1]:8080", "http://[::1]:8080/v2"),
        ("http://h.test/a{b}[1]", "http://h.test/a%7Bb%7D%5B1%5D/v2"),
        ("http://bücher.test/é", "http://xn--bcher-kva.test/%C3%A9/v2"),
    ],
)
def test_a_url_is_written_as_it_travels(url: str, travels: str) -> None:
    """Or curl would find a pattern in it."""
    line = snippets.curl(Call(Endpoint(url=url), "/v2", method="GET"))
    assert shlex.split(line) == ["curl", "-sS", travels]


def test_a_url_that_cannot_travel_is_said() -> None:
    """A label of a host name has at most 63 letters."""
    with pytest.raises(ConfigurationError, match=r"h\.test|label|URL"):
        snippets.curl(Call(Endpoint(url=f"http://{'ü' * 70}.h.test"), "/v2", method="GET"))


def test_an_exchange_becomes_a_call() -> None:
    """What an inference kept is enough to write it down."""
    response = InferResponse(())
    exchange = Exchange(
        path="/v2/models/iris/infer",
        request_headers=JSON_HEADERS,
        request_body=BODY,
        response_headers={},
        response_body=ANSWER,
        response=response,
        elapsed_ms=1.0,
        attempts=1,
    )
    call = Call.of(GATEWAY, exchange)
    assert call == Call(GATEWAY, "/v2/models/iris/infer", BODY, JSON_HEADERS)


# Properties


@given(st.text(), st.text(min_size=1))
def test_bash_reads_the_body_back(text: str, name: str) -> None:
    """Whatever stands in it, the words of the line are the URL and the body."""
    try:
        body = json.dumps({"inputs": text, "name": name}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    words = shlex.split(snippets.curl(a_call(body)))
    assert words[words.index("-d") + 1].encode() == body


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text(),
    lambda part: st.lists(part, max_size=40) | st.dictionaries(st.text(), part, max_size=5),
    max_leaves=60,
)


@given(_JSON)
def test_python_reads_a_literal_back(value: Any) -> None:
    """Laid out on lines of 88 signs, it is the same value."""
    assert ast.literal_eval(written(value)) == value


@given(st.floats())
def test_every_float_has_a_literal(value: float) -> None:
    """NaN and infinity too."""
    read = eval(word(value), {"float": float})
    assert read == value or (math.isnan(read) and math.isnan(value))


TENSORS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1).map(
        lambda data: Tensor.of("i", data, datatype="INT64")
    ),
    st.lists(st.floats(width=32, allow_infinity=False), min_size=1).map(
        lambda data: Tensor.of("f", data, datatype="FP32")
    ),
    st.lists(st.text(st.characters(codec="utf-8"))).map(
        lambda data: Tensor.of("t", data, datatype="BYTES", shape=[len(data)])
    ),
    st.lists(st.booleans(), min_size=4, max_size=4).map(
        lambda data: Tensor.of("b", data, datatype="BOOL", shape=[2, 2])
    ),
)


@given(TENSORS)
def test_a_tensor_comes_back_from_its_literal(tensor: Tensor) -> None:
    """The request that the script would build is the one it was made from, to the byte."""
    body = wire_json.build_request(InferRequest((tensor,)))
    script = snippets.python_client(a_call(body))
    (_, block, *_) = ast.parse(script).body
    assert isinstance(block, ast.With)
    assignment = block.body[0]
    assert isinstance(assignment, ast.Assign)
    assert isinstance(assignment.value, ast.Call)
    tensors = eval(ast.unparse(assignment.value.args[1]), {"Tensor": Tensor})
    assert wire_json.build_request(InferRequest(tuple(tensors))) == body


# The page about them


def blocks(text: str) -> list[tuple[str, str]]:
    return [(kind, code) for kind, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)]


def test_the_page_shows_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each script of docs/snippets.md prints the blocks that follow it."""
    monkeypatch.setattr(InferenceClient, "exchange", _recorded_exchange)
    found = blocks((ROOT / "docs" / "snippets.md").read_text())
    names: dict[str, Any] = {}
    printed = ""
    for kind, code in found:
        if "snippets" in code and kind == "python":
            assert printed.strip() == ""
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, names)
            printed = out.getvalue()
        else:
            assert printed.startswith(code), (printed, code)
            printed = printed[len(code) :].lstrip("\n")
    assert names
    assert printed.strip() == ""


def _recorded_exchange(client: InferenceClient, name: str, request: Any) -> Exchange:
    """The answer of an iris model, without a server."""
    body = wire_json.build_request(InferRequest(tuple(request)))
    headers: Mapping[str, str] = JSON_HEADERS
    path = f"{model_path(name)}/infer"
    return Exchange(path, headers, body, {}, ANSWER, wire_json.parse_response(ANSWER), 1.0, 1)
