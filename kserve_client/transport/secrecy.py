"""Our own secrets in a server's words: some servers repeat what they were sent, and nobody shall read it there."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote, quote_plus

from requests.structures import CaseInsensitiveDict

from kserve_client.errors import KServeClientError
from kserve_client.transport.answer import Answer

HIDDEN = "[secret]"
# What is shorter hides nothing, and would be found in words that are none.
SHORTEST_CHARACTERS = 4
# There is no list of all headers that hold a secret; most say so in their name.
_SECRET_HEADER = re.compile(r"auth|cookie|key|token|secret|password|session", re.IGNORECASE)


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets in the headers of a request, the longest first."""
    found = {
        secret
        for name, value in headers.items()
        if _SECRET_HEADER.search(name)
        for secret in _secrets_in(name.lower(), value)
        if len(secret) >= SHORTEST_CHARACTERS
    }
    return tuple(sorted(found, key=len, reverse=True))


def _secrets_in(name: str, value: str) -> Iterator[str]:
    """Token, user and password together and the password alone, the cookies' values, or all of it."""
    if name == "cookie":
        yield from (pair.partition("=")[2].strip() for pair in value.split(";"))
        return
    scheme, _, credentials = value.partition(" ")
    yield credentials.strip() or value
    if scheme.lower() == "basic":
        try:
            words = base64.b64decode(credentials).decode()
        except ValueError:
            return
        yield from (words, words.partition(":")[2])


def without(secrets: Iterable[str], text: str) -> str:
    """A text with none of the secrets in it, however they are written, nor the start of one at its cut end."""
    for secret in secrets:
        for form in _forms(secret):
            text = _ended(text.replace(form, HIDDEN), form)
    return text


def _forms(secret: str) -> Iterable[str]:
    """As it is, and as JSON, URLs, forms and HTML write it."""
    import html

    in_json = json.dumps(secret)[1:-1]
    # Some writers of JSON escape what HTML or forms would take for their own.
    careful = re.sub(r"[+<>&'`]", lambda found: f"\\u{ord(found[0]):04x}", in_json)
    in_urls = (quote(secret, safe=""), quote(secret), quote_plus(secret))
    in_small = [re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), url) for url in in_urls]
    capitals = re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: found[0].upper(), careful)
    jsons = (in_json, in_json.replace("/", "\\/"), careful, capitals)
    return dict.fromkeys((secret, *jsons, *in_urls, *in_small, html.escape(secret)))


def _ended(text: str, form: str) -> str:
    """Excerpts are cut, maybe in the middle of a secret."""
    for length in range(len(form) - 1, SHORTEST_CHARACTERS - 1, -1):
        if text.endswith(form[:length]):
            return text[:-length] + HIDDEN
    return text


def without_in_answer(secrets: tuple[str, ...], answer: Answer) -> Answer:
    """A refusal as it may be told. The bytes of any other answer are the caller's, and stay as they are."""
    if not secrets:
        return answer
    body = answer.body
    for form in (form for secret in secrets for form in _forms(secret)):
        body = body.replace(form.encode(), HIDDEN.encode())
    headers = CaseInsensitiveDict(
        {name: without(secrets, value) for name, value in answer.headers.items()}
    )
    return replace(answer, body=body, headers=headers)


def hide(secrets: tuple[str, ...], error: KServeClientError) -> None:
    """Take the secrets out of an error: its message, and every text it keeps."""
    for name, value in {"args": error.args, **vars(error)}.items():
        setattr(error, name, _told(secrets, value))


def _told(secrets: tuple[str, ...], value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_told(secrets, part) for part in value)
    return without(secrets, value) if isinstance(value, str) else value
