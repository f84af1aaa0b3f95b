"""Sensitive values out of what is kept and shown: the row, the request, the error."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kserve_client.client import Exchange
from kserve_client.errors import KServeClientError, ServerError
from kserve_client.signature import Feature, Signature
from kserve_client.snippets.call import parsed

_KEY = secrets.token_bytes(32)
_HEAD_LENGTH = "Inference-Header-Content-Length"
_SIZE = "binary_data_size"
WITHHELD = "its words are withheld, since they may repeat a sensitive value"


def is_sensitive(signature: Signature) -> bool:
    """Whether any feature is."""
    return any(feature.sensitive for feature in signature.features)


def masked_row(signature: Signature, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row that can be compared with another one of its kind, but does not hold what is sensitive."""
    return {
        name: _mark(cell) if signature.feature(name).sensitive and cell is not None else cell
        for name, cell in row.items()
    }


def _mark(cell: Any) -> str:
    """The same for the same cell, as long as this process lives; nobody can count back from it."""
    data = cell if isinstance(cell, bytes) else repr(cell).encode(errors="surrogatepass")
    return f"hidden {hashlib.blake2b(data, key=_KEY, digest_size=16).hexdigest()}"


def masked_error(signature: Signature, error: KServeClientError) -> KServeClientError:
    """An error without the server's own words, which like to repeat what they could not read."""
    if not isinstance(error, ServerError) or not is_sensitive(signature):
        return error
    text = str(error)
    for said in (error.server_message, error.body):
        text = text.replace(said, WITHHELD) if said else text
    kept = {**vars(error), "server_message": "", "body": ""}
    masked = type(error).__new__(type(error), text)
    vars(masked).update(kept)
    return masked


def masked_exchange(signature: Signature, exchange: Exchange) -> Exchange:
    """An exchange whose request has a placeholder for each sensitive value.

    What the server answered stays as it is.
    """
    if not is_sensitive(signature):
        return exchange
    head = parsed(exchange.request_json)
    blobs = exchange.request_body[len(exchange.request_json) :]
    kept = b""
    for tensor in head["inputs"]:
        size = tensor.get("parameters", {}).get(_SIZE, 0)
        blob, blobs = blobs[:size], blobs[size:]
        if not _mask_tensor(signature, tensor):
            kept += blob
    text = json.dumps(head, ensure_ascii=False).encode()
    headers = {
        name: str(len(text)) if name.lower() == _HEAD_LENGTH.lower() else value
        for name, value in exchange.request_headers.items()
    }
    return replace(exchange, request_body=text + kept, request_headers=headers)


def _mask_tensor(signature: Signature, tensor: dict[str, Any]) -> bool:
    """Put placeholders into a tensor of JSON; whether that replaced its bytes."""
    features = _features_of(signature, tensor["name"])
    if not any(feature.sensitive for feature in features):
        return False
    words = [f"<{feature.name}: hidden>" for feature in features]
    if tensor.get("parameters", {}).pop(_SIZE, None) is not None or not features[0].is_scalar:
        tensor["data"] = [word for f, word in zip(features, words, strict=True) if f.sensitive]
        return True
    tensor["data"] = [
        words[at % len(words)] if features[at % len(features)].sensitive else value
        for at, value in enumerate(tensor["data"])
    ]
    return True


def _features_of(signature: Signature, tensor: str) -> tuple[Feature, ...]:
    """The features whose values a tensor of a request holds, in their order."""
    if signature.layout == "tensor":
        return signature.features
    return (signature.feature(tensor),)
