"""A call as a Python script that needs `requests` alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from kserve_client.snippets.call import Call, is_finite
from kserve_client.snippets.headers import Header, headers_of
from kserve_client.snippets.python_text import Called, path_code, script, written
from kserve_client.wire.json import CONTENT_TYPE

_VERBS = {"GET": "requests.get", "POST": "requests.post"}


def python_requests(call: Call) -> str:
    """Write the call as a script that prints the answer's body and keeps the whole in `response`.

    A large or binary body is read from the file `call.body_file`. Raises ConfigurationError for a
    URL that can't travel.
    """
    verb = _VERBS.get(call.method)
    given = (call.url,) if verb else (call.method, call.url)
    sent = Called(verb or "requests.request", given, _arguments(call))
    lines = [
        *call.file_note,
        *_name_note(call),
        f"response = {written(sent, used=11)}",
        "response.raise_for_status()",
        f"print({'response.content' if call.is_binary else 'response.text'})",
    ]
    return script([sent], lines, "import requests")


def _name_note(call: Call) -> list[str]:
    """A certificate is checked for the host of the URL; `requests` has no setting for another name."""
    name, host = call.endpoint.checked_name, urlsplit(call.endpoint.url).hostname
    if not call.endpoint.is_tls or name == host:
        return []
    return [f"# requests wants a certificate for {host}; curl and kserve_client one for {name}."]


def _arguments(call: Call) -> dict[str, Any]:
    endpoint = call.endpoint
    arguments: dict[str, Any] = {"headers": {h.name: h.in_python for h in _headers(call)}}
    if call.body_file is not None:
        code = path_code(call.body_file)
        arguments["data"] = code.followed_by(".read_bytes()")
    elif call.body:
        arguments |= {"json": call.value} if _is_written_by_requests(call) else {"data": call.body}
    if endpoint.ca_file or not endpoint.verify:
        arguments["verify"] = str(endpoint.ca_file) if endpoint.ca_file else False
    if endpoint.client_cert_file:
        files = (endpoint.client_cert_file, endpoint.client_key_file or endpoint.client_cert_file)
        arguments["cert"] = tuple(map(str, files))
    timeout_s = (_short(endpoint.connect_timeout_s), _short(endpoint.read_timeout_s))
    return arguments | {"timeout": timeout_s}


def _headers(call: Call) -> Iterator[Header]:
    found = headers_of(call)
    if "accept-encoding" not in {header.name.lower() for header in found}:
        # MLServer compresses whenever it may, at eight times the cost of a large answer (measured).
        yield Header("Accept-Encoding", "identity")
    for header in found:
        if header.name.lower() != "content-type" or not _is_written_by_requests(call):
            yield header


def _is_written_by_requests(call: Call) -> bool:
    """Whether `json=` sends this body: it is in the script; `requests` refuses NaN, and null is none."""
    kinds = {value for name, value in call.headers.items() if name.lower() == "content-type"}
    is_inline = call.is_json and call.body_file is None and call.value is not None
    return is_inline and kinds <= {CONTENT_TYPE} and is_finite(call.value)


def _short(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds
