"""A call as a Python script with this client."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from kserve_client.endpoint import Endpoint
from kserve_client.snippets.call import Call, is_finite
from kserve_client.snippets.headers import auth_code, own_headers
from kserve_client.snippets.infer_request import infer_request
from kserve_client.snippets.python_text import (
    OURS,
    PATH,
    Called,
    Code,
    path_code,
    script,
    written,
)
from kserve_client.wire.binary import HEAD_LENGTH

_MODEL = r"/models/([^/:]+)(?:/versions/([^/:]+))?"
_INFER = re.compile(rf"/v2{_MODEL}/infer")
_REPOSITORY = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")
_V1 = re.compile(r"/v1/models/([^/]+):(predict|explain)")
_READING = (
    (re.compile("/v2"), "server_metadata"),
    (re.compile("/v2/health/live"), "is_server_live"),
    (re.compile("/v2/health/ready"), "is_server_ready"),
    (re.compile("/v2/models/stats"), "model_statistics"),
    (re.compile(rf"/v2{_MODEL}/stats"), "model_statistics"),
    (re.compile(rf"/v2{_MODEL}/ready"), "is_model_ready"),
    (re.compile(rf"/v2{_MODEL}"), "model_metadata"),
)
_SHOW_OUTPUTS = ("for tensor in response.outputs:", "    print(tensor.name, tensor.data)")
_READ_INPUTS = (
    'body = json.loads(Path("request.json").read_bytes())',
    "inputs = [",
    "    Tensor.of(",
    '        tensor["name"],',
    '        tensor["data"],',
    '        datatype=tensor["datatype"],',
    '        shape=tensor["shape"],',
    '        parameters=tensor.get("parameters", {}),',
    "    )",
    '    for tensor in body["inputs"]',
    "]",
)
_IMPORTS_TO_READ = ("import json", PATH, f"{OURS}Tensor")


@dataclass(frozen=True, slots=True)
class _Step:
    """What the script asks the client, the name that keeps the result, and the lines around it."""

    asked: Called
    result: str = "answer"
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ("print(answer)",)
    imports: tuple[str, ...] = ()

    @property
    def reads_body(self) -> bool:
        """Whether the script needs the file with the body."""
        return bool(self.before) or isinstance(self.asked.keywords.get("body"), Code)


def python_client(call: Call) -> str:
    """Write the call as a script with `InferenceClient`, its tensors as literals.

    A request that no method of the client sends goes through its transport as it is. A large body
    is read from the file `call.body_file`.
    """
    step = next(filter(None, (route(call) for route in _ROUTES)), None) or _as_it_is(call)
    opened = _opened(call.endpoint)
    lines = call.file_note if step.reads_body else []
    if isinstance(opened, Called):
        lines = [*lines, f"endpoint = {written(opened, used=11)}"]
    client = Called(
        "InferenceClient", (Code("endpoint") if isinstance(opened, Called) else opened,)
    )
    kept = f"{step.result} = " if step.result else ""
    lines = [
        *lines,
        *step.before,
        f"with {written(client, used=len('with  as client:'))} as client:",
        f"    {kept}{written(step.asked, indent=4, used=len(kept))}",
        *step.after,
    ]
    return script([opened, client, step.asked], lines, *step.imports)


def _opened(endpoint: Endpoint) -> str | Called:
    """The URL alone, or the endpoint with each setting that is not the usual one."""
    settings: dict[str, Any] = {}
    for name, known in type(endpoint).model_fields.items():
        value = getattr(endpoint, name)
        if name in ("url", "title", "auth") or value == known.default:
            continue
        if isinstance(value, Path):
            settings[name] = path_code(str(value))
        elif isinstance(value, str | int | float):
            settings[name] = value
    if endpoint.auth is not None:
        settings["auth"] = auth_code(endpoint.auth)
    return Called("Endpoint", (), {"url": endpoint.url, **settings}) if settings else endpoint.url


def _as_it_is(call: Call) -> _Step:
    keywords: dict[str, Any] = {}
    if call.body_file is not None:
        keywords["body"] = path_code(call.body_file).followed_by(".read_bytes()")
    elif call.body:
        keywords["body"] = call.body
    if headers := {header.name: header.in_python for header in own_headers(call).values()}:
        keywords["headers"] = headers
    asked = Called("client.transport.send", (call.method, call.path), keywords)
    if not _INFER.fullmatch(call.path):
        return _Step(asked, after=("print(answer.body)",))
    read = ("response = read_body(answer.body, answer.headers)", *_SHOW_OUTPUTS)
    return _Step(asked, after=read, imports=("from kserve_client.wire.body import read_body",))


def _further_headers(call: Call) -> dict[str, str | Code]:
    """The headers that a method of the client does not set by itself."""
    usual = {"content-type", HEAD_LENGTH.lower()} | ({"accept"} if call.is_binary else set())
    return {h.name: h.in_python for name, h in own_headers(call).items() if name not in usual}


def _inference(call: Call) -> _Step | None:
    found = _INFER.fullmatch(call.path)
    request = infer_request(call) if found and call.method == "POST" else None
    if found is None or request is None:
        return None
    named, keywords = _named(found)
    if headers := _further_headers(call):
        keywords["headers"] = headers
    if call.is_binary:
        keywords["use_binary"] = True
    if call.body_file == "request.json":
        asked = Called("client.infer", (*named, _whole(request, Code("inputs"))), keywords)
        return _Step(asked, "response", _READ_INPUTS, _SHOW_OUTPUTS, _IMPORTS_TO_READ)
    tensors = [_tensor(tensor) for tensor in request["inputs"]]
    asked = Called("client.infer", (*named, _whole(request, tensors)), keywords)
    return _Step(asked, "response", after=_SHOW_OUTPUTS)


def _reading(call: Call) -> _Step | None:
    if call.method != "GET" or call.body or _further_headers(call):
        return None
    for pattern, name in _READING:
        found = pattern.fullmatch(call.path)
        if found:
            return _Step(Called(f"client.{name}", *_named(found)))
    return None


def _repository(call: Call) -> _Step | None:
    body = call.value if call.body else {}
    if call.method != "POST" or not isinstance(body, dict) or _further_headers(call):
        return None
    if call.path == "/v2/repository/index" and body in ({}, {"ready": True}, {"ready": False}):
        return _Step(Called("client.repository_index", (), body))
    found = _REPOSITORY.fullmatch(call.path)
    if found is None or not body.keys() <= {"parameters"}:
        return None
    given = (_unquoted(found[1]), *body.values())
    return _Step(Called(f"client.{found[2]}_model", given), result="", after=())


def _v1(call: Call) -> _Step | None:
    found = _V1.fullmatch(call.path)
    if not found or call.method != "POST" or _further_headers(call) or call.body_file:
        return None
    body = call.value
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
        return None
    if not is_finite(body):  # the client writes null, in V1
        return None
    more = {key: value for key, value in body.items() if key != "instances"}
    if not all(key.isidentifier() and key not in ("self", "model_name") for key in more):
        return None
    given = (_unquoted(found[1]), body["instances"])
    return _Step(Called(f"client.{found[2]}_v1", given, more))


_ROUTES: tuple[Callable[[Call], _Step | None], ...] = (_inference, _reading, _repository, _v1)


def _named(found: re.Match[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Model name and version of a path, as arguments."""
    names = [_unquoted(part) for part in found.groups() if part is not None]
    return tuple(names[:1]), {"model_version": names[1]} if len(names) > 1 else {}


def _unquoted(segment: str) -> str:
    return unquote(segment, errors="surrogatepass")


def _whole(request: Mapping[str, Any], tensors: list[Called] | Code) -> Any:
    """The tensors alone, or an InferRequest when there is more to say."""
    keywords: dict[str, Any] = {}
    if request.get("outputs"):
        keywords["outputs"] = tuple(_asked_output(output) for output in request["outputs"])
    keywords |= {key: request[key] for key in ("id", "parameters") if request.get(key)}
    if not keywords:
        return tensors
    inputs = Code("tuple(inputs)") if isinstance(tensors, Code) else tuple(tensors)
    return Called("InferRequest", (inputs,), keywords)


def _asked_output(output: Mapping[str, Any]) -> Called:
    parameters = {"parameters": output["parameters"]} if output.get("parameters") else {}
    return Called("RequestedOutput", (output["name"],), parameters)


def _tensor(tensor: Mapping[str, Any]) -> Called:
    """Flat data become nested lists, which say the shape, where they can."""
    shape, data = tensor["shape"], tensor["data"]
    keywords: dict[str, Any] = {"datatype": tensor["datatype"]}
    if shape and 0 not in shape and not isinstance(data[0], list):
        data = _nested(data, shape)
    else:
        keywords["shape"] = shape
    if tensor.get("parameters"):
        keywords["parameters"] = dict(tensor["parameters"])
    return Called("Tensor.of", (tensor["name"], data), keywords)


def _nested(flat: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    if len(shape) == 1:
        return list(flat)
    size = len(flat) // shape[0]
    return [_nested(flat[at : at + size], shape[1:]) for at in range(0, len(flat), size)]
