"""Fixes: the file to write or the setting to change, ready to use, for the server at hand.

What each server takes: MLServer 1.7.1 (`ModelSettings`, `Settings`, `mlserver.errors`; proven in
tests/live/test_doctor.py), KServe 0.21.0 (`kserve.Model.get_input_types`, `kserve.errors`; the same).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import yaml

from kserve_client.doctor.case import Case
from kserve_client.doctor.report import Fix
from kserve_client.snippets import json_text
from kserve_client.snippets.python_text import written
from kserve_client.tensors import InferResponse, Tensor

SETTINGS_FILE = "model-settings.json"
CHECKED_RUNTIME = '''\
"""The model's own runtime, with requests that don't fit refused as a 400 that says why."""

import math

import numpy
from mlserver.errors import InferenceError
from mlserver_sklearn import SKLearnModel  # the class under "implementation" in model-settings.json


class CheckedModel(SKLearnModel):
    async def predict(self, payload):
        known = {tensor.name for tensor in self.inputs or ()}
        for tensor in payload.inputs:
            if known and tensor.name not in known:
                raise InferenceError(f"unknown input {tensor.name}")
            count = numpy.array(tensor.data.root, dtype=object).size
            if count != math.prod(tensor.shape):
                raise InferenceError(f"{tensor.name}: {count} values for shape {tensor.shape}")
        try:
            return await super().predict(payload)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise InferenceError(str(error)) from error
'''
CHECKED_MODEL = '''\
"""The model, with requests that don't fit refused as a 400 that says why."""

from kserve.errors import InferenceError, InvalidInput
from sklearnserver import SKLearnModel  # the class of your model


class CheckedModel(SKLearnModel):
    INPUTS = {inputs}

    async def predict(self, payload, headers=None, response_headers=None):
        for tensor in getattr(payload, "inputs", ()):
            if tensor.name not in self.INPUTS:
                raise InvalidInput(f"unknown input {{tensor.name}}")
        try:
            found = super().predict(payload, headers, response_headers)
            return await found if hasattr(found, "__await__") else found
        except (InferenceError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(str(error)) from error
'''

DESCRIBE_FIRST = Fix(
    "Describe the model's features under signature in the models file and run this again: the fix is "
    "written from an answer of the model."
)
# Read: `_sync_metadata` of its runtime, 1.7.1.
MLFLOW_INSISTS = "MLServer's MLflow runtime writes its metadata over that of model-settings.json."


def metadata_fix(case: Case) -> Fix | None:
    """The file that makes the model say what it takes and gives; None when that is not known."""
    tensors = _tensors(case)
    if tensors is None:
        return None
    if case.profile.name == "mlserver":
        return _model_settings(case, tensors)
    if case.profile.name == "kserve":
        return _type_methods(tensors)
    return Fix(
        f"GET {case.path} should answer this: write it where your server takes its metadata from.",
        "metadata.json",
        _json({"name": case.model.name, "versions": [], "platform": "", **tensors}),
        "json",
    )


def _model_settings(case: Case, tensors: dict[str, Any]) -> Fix:
    known = case.metadata
    version = case.first.model_version if case.first else None
    versions = list(known.versions) if known and known.versions else [version] if version else []
    block = {"name": case.model.name, **({"versions": versions} if versions else {}), **tensors}
    return Fix(
        "Put these fields into the model-settings.json of the model, beside implementation and "
        "parameters, and load the model again.",
        SETTINGS_FILE,
        _json(block),
        "json",
    )


def _type_methods(tensors: dict[str, Any]) -> Fix:
    methods = [
        f"    async def get_{part.removesuffix('s')}_types(self):\n"
        f"        return {written(tensors[part], indent=8, used=7)}\n"
        for part in ("inputs", "outputs")
    ]
    return Fix(
        "Add these methods to the class of the model, which derives from kserve.Model. KServe's own "
        "sklearnserver has no setting for it: derive a class from its SKLearnModel and serve that.",
        "model_types.py",
        "\n".join(["# Methods of the class that derives from kserve.Model.\n", *methods]),
        "python",
    )


def _tensors(case: Case) -> dict[str, Any] | None:
    """`inputs` from what the client sends, `outputs` from what came back; a length that varies is -1."""
    if case.first is None:
        return None
    inputs = [_described(tensor) for tensor in case.rows.first.inputs]
    return {"inputs": inputs, "outputs": [_described(tensor) for tensor in case.first.outputs]}


def _described(tensor: Tensor) -> dict[str, Any]:
    shape = [-1, *tensor.shape[1:]] if tensor.shape else []
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": shape}


def mismatch_fix(case: Case) -> Fix | None:
    """Metadata that tells the truth; where the runtime insists on its own, a catalog that does."""
    if case.metadata and case.profile.name == "mlserver" and case.metadata.parameters:
        # It sets the model's content_type from the signature in the same step.
        fix = unnamed_outputs_fix(case, case.answered)
        return replace(fix, what=f"{MLFLOW_INSISTS} {fix.what}")
    return metadata_fix(case)


def checked_fix(case: Case) -> Fix | None:
    """The code that refuses what does not fit, for servers whose models let it fall through."""
    if case.profile.name == "mlserver":
        return Fix(
            "No setting of MLServer does this. Write this file beside model-settings.json and set "
            '"implementation": "checked_runtime.CheckedModel" in it.',
            "checked_runtime.py",
            CHECKED_RUNTIME,
            "python",
        )
    if case.profile.name == "kserve":
        names = written([tensor.name for tensor in case.rows.first.inputs], indent=4, used=9)
        return Fix(
            "No setting of KServe's servers does this. Serve a class of your own instead.",
            "checked_model.py",
            CHECKED_MODEL.format(inputs=names),
            "python",
        )
    return Fix('Answer it with status 400 and {"error": "<why>"}, in the code of the server.')


def no_debug_fix(case: Case) -> Fix:
    """Errors without the server's own paths and code."""
    if case.profile.name == "mlserver":
        return Fix(
            "Write this into the settings.json of the server (it is true when left out), or set "
            "MLSERVER_DEBUG=false, and start the server again.",
            "settings.json",
            _json({"debug": False}),
            "json",
        )
    return Fix("Turn debugging off in the server, and answer errors with one sentence.")


def example_fix(case: Case) -> Fix:
    """A row of the models file, to be filled in with what the model really takes."""
    hidden = {feature.name for feature in case.signature.features if feature.sensitive}
    cells = case.rows.cells.items()
    row = {name: "…" if name in hidden else _plain(cell) for name, cell in cells}
    example = {"name": "An example", "row": row}
    return Fix(
        "The row was made up from the signature. Give the model a row that it takes.",
        "models.yaml",
        _model_yaml(case, {"examples": [example]}),
        "yaml",
    )


def _plain(cell: Any) -> Any:
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def unnamed_outputs_fix(case: Case, response: InferResponse) -> Fix:
    """Outputs that are taken as they come, in the models file."""
    outputs = [{"name": tensor.name, "requested": False} for tensor in response.outputs]
    return Fix(
        "Let the models file take the outputs as they come, and ask for none by name.",
        "models.yaml",
        _model_yaml(case, {"signature": {"outputs": outputs}}),
        "yaml",
    )


def version_fix(case: Case, versions: Sequence[str]) -> Fix:
    """The metadata lists the versions that answer."""
    if case.profile.name == "mlserver":
        return Fix(
            "Put this field into the model-settings.json of the model and load it again.",
            SETTINGS_FILE,
            _json({"versions": list(versions)}),
            "json",
        )
    return Fix(f"Let GET {case.path} list the versions that answer.")


def server_kind_fix(case: Case, kind: str) -> Fix:
    """The models file says what kind of server it is."""
    return Fix(
        f"Say in the models file what the server does, so that the client need not guess: {kind}.",
        "models.yaml",
        _endpoint_yaml(case, {"server": kind}),
        "yaml",
    )


def compress_fix(case: Case) -> Fix:
    """Requests travel as they are."""
    return Fix(
        "Send this model's requests as they are.",
        "models.yaml",
        _endpoint_yaml(case, {"compress": False}),
        "yaml",
    )


def timeout_fix(case: Case, slow_ms: float) -> Fix:
    """A time-out of four times the slowest answer, in whole tens of seconds."""
    enough_s = math.ceil(slow_ms * 4 / 10_000) * 10
    return Fix(
        "Give the endpoint more time, or the model more processors.",
        "models.yaml",
        _endpoint_yaml(case, {"read_timeout_s": enough_s}),
        "yaml",
    )


def _endpoint_yaml(case: Case, settings: dict[str, Any]) -> str:
    """Of a model that the cluster names, the key of an endpoint is one to choose."""
    return _yaml({"endpoints": {case.entry.endpoint or "ENDPOINT": settings}})


def _model_yaml(case: Case, settings: dict[str, Any]) -> str:
    return _yaml({"models": {case.name: settings}})


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _json(value: Any) -> str:
    return json_text(json.dumps(value, ensure_ascii=False).encode()) + "\n"
