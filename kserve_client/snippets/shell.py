"""A call as a command for bash."""

from __future__ import annotations

from shlex import quote
from urllib.parse import urlsplit

from kserve_client.auth import BasicAuth, Place
from kserve_client.endpoint import Endpoint
from kserve_client.snippets.call import Call
from kserve_client.snippets.headers import Header, headers_of, proof_of, secret_in

ANSWER_FILE = "answer.bin"


def curl(call: Call) -> str:
    """Write the call as a curl command.

    A large or binary body is read from the file `call.body_file`, and a comment says so; the answer
    to a binary one goes to answer.bin. Raises ConfigurationError for a URL that can't travel.
    """
    url, *way = way_to(call.endpoint, call.url)
    words = [f"curl -sS {url}", *way]
    if call.method != ("POST" if call.body else "GET"):
        words.append(f"-X {quote(call.method)}")
    words += options_of(call)
    if call.body:
        words.append(_body(call))
    if call.is_binary:
        words.append(f"-o {ANSWER_FILE}")
    return "\n".join([*call.file_note, " \\\n  ".join(words)])


def options_of(call: Call) -> list[str]:
    """What the settings of the endpoint and the headers of the call become. Secrets stand there by their places."""
    return [*_tls(call.endpoint), *(_header(call, header) for header in headers_of(call))]


def _header(call: Call, header: Header) -> str:
    """User and password go as an option, so that nobody has to encode them."""
    auth = call.endpoint.auth
    if isinstance(auth, BasicAuth) and header == proof_of(auth):
        user = quote(auth.user) if auth.user else _read(auth.user_place, "NAME")
        return f"-u {user}:{_read(auth.place, 'PASSWORD')}"
    return f"-H {header.in_shell}"


def _read(place: Place, otherwise: str) -> str:
    return f'"{secret_in(place, otherwise).in_shell}"'


def way_to(endpoint: Endpoint, url: str) -> list[str]:
    """The URL; where TLS means another name than its host, with that name, led to the same address."""
    parts, name = urlsplit(url), endpoint.checked_name
    if not endpoint.is_tls or name == parts.hostname:
        return [quote(url)]
    port, host = parts.port or 443, parts.hostname or ""
    address = f"[{host}]" if ":" in host else host
    words = [quote(url.replace(f"//{parts.netloc}", f"//{name}:{port}", 1))]
    words.append(f"--connect-to {quote(f'{name}:{port}:{address}:{port}')}")
    return words if endpoint.host else [*words, f"-H {quote(f'Host: {parts.netloc}')}"]


def _tls(endpoint: Endpoint) -> list[str]:
    files = {
        "--cacert": endpoint.ca_file,
        "--cert": endpoint.client_cert_file,
        "--key": endpoint.client_key_file,
    }
    words = [f"{option} {quote(str(file))}" for option, file in files.items() if file]
    return words if endpoint.verify else [*words, "-k"]


def _body(call: Call) -> str:
    if call.body_file is None:
        return f"-d {quote(call.body.decode())}"
    # From a file, -d leaves out line breaks; between the words of JSON they mean nothing.
    return f"-d @{call.body_file}" if call.is_json else f"--data-binary @{call.body_file}"
