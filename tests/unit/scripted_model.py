"""A V2 model behind `responses`: it names the number it gets, and fails where a test says so.

One feature `x`; 0, 1 and 2 are "zero", "one" and "two". A request that holds 666 is refused.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

import requests
import responses

from kserve_client import Endpoint, InferenceClient, Model, Signature
from kserve_client.transport import Transport

URL = "http://model.test"
INFER_URL = f"{URL}/v2/models/naming/infer"
REFUSED = 666.0
SIGNATURE = {
    "features": [{"name": "x", "kind": "number"}],
    "datatype": "FP64",
    "outputs": [{"name": "predict", "kind": "label", "labels": ["zero", "one", "two"]}],
}
MODELS_FILE = f"""
version: 1
endpoints:
  test: {{url: "{URL}", title: Test server}}
models:
  naming:
    title: Naming
    description: Says a number in words.
    endpoint: test
    signature:
      datatype: FP64
      features: [{{name: x, min: 0, max: 2}}]
      outputs: [{{name: predict, kind: label, labels: [zero, one, two]}}]
    examples:
      - {{name: A one, row: {{x: 1}}, expect: one}}
"""
Reply = tuple[int, dict[str, str], str]
Fault = Callable[[int, list[float]], Reply | Exception | None]


class ScriptedModel:
    """Answers inference requests; `sent` are the rows of each request in order of arrival.

    `fault` may answer a request in the model's place, by its number (from 0) and its rows; an
    exception it returns is raised as if the network had.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self.sent: list[list[float]] = []
        self._fault = fault
        self._lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> Reply:
        """Answer one request."""
        body = json.loads(request.body or b"")
        (tensor,) = body["inputs"]
        rows = tensor["data"]
        assert tensor["shape"] == [len(rows), 1]
        with self._lock:
            self.sent.append(rows)
            number = len(self.sent) - 1
        instead = self._fault(number, rows) if self._fault else None
        if isinstance(instead, Exception):
            raise instead
        return instead or answer(rows)


def answer(rows: list[float]) -> Reply:
    """What the model says when nothing is wrong with the network."""
    if REFUSED in rows:
        return problem(400, "666 is refused")
    return predicted([int(row) for row in rows])


def predicted(classes: list[Any], name: str = "predict") -> Reply:
    """A V2 answer of one INT64 output [rows, 1], as MLServer gives it."""
    output = {"name": name, "shape": [len(classes), 1], "datatype": "INT64", "data": classes}
    return 200, {}, json.dumps({"model_name": "naming", "outputs": [output]})


def problem(status: int, error: str) -> Reply:
    """A refusal in the protocol's form."""
    return status, {}, json.dumps({"error": error})


def serve(mock: responses.RequestsMock, model: ScriptedModel) -> ScriptedModel:
    """Put the model behind its address."""
    mock.add_callback(responses.POST, INFER_URL, callback=model)
    return model


def open_model(*, retries: int = 0) -> Model:
    """The model as a caller opens it, without pauses between retries."""
    endpoint = Endpoint(url=URL)
    client = InferenceClient(endpoint, transport=Transport(endpoint, retries=retries))
    return Model(client, "naming", signature=Signature.model_validate(SIGNATURE))
