"""A model of MLflow's with a datetime among its columns, behind a real MLServer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from kserve_client import InferenceClient, Model, Signature
from kserve_client.catalog.mlflow.schema import schema_of
from scripts.mlserver import MLServer
from scripts.pipeline.serving import RUNTIMES
from tests import needs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROGRAM = Path(__file__).with_name("save_moments.py")
ROWS = pd.DataFrame(
    {
        "when": [datetime(2026, 1, 2), datetime(2026, 1, 30)],  # noqa: DTZ001 - MLflow takes no zone
        "seal": ["abcd", "ab"],
        "word": ["x", "yz"],
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    """Serve it."""
    python, folder = needs.pipeline_python(), tmp_path_factory.mktemp("moments")
    home = folder / "models" / "days"
    home.mkdir(parents=True)
    subprocess.run([python, PROGRAM, home / "model"], check=True, capture_output=True, timeout=120)
    settings = {
        "name": "days",
        "implementation": RUNTIMES["mlflow"],
        "parameters": {"uri": str(home / "model")},
    }
    (home / "model-settings.json").write_text(json.dumps(settings))
    with MLServer(python, folder / "models", folder / "mlserver.log") as running:
        yield running


def test_by_the_metadata_of_the_server(server: MLServer) -> None:
    """It says of each text what it makes of it; what it would read as base64 stays a text."""
    model = Model(InferenceClient(server.url), "days")
    assert [one.content_type for one in model.signature.features] == ["datetime", None, None]
    assert model.predict(ROWS).to_frame()["prediction"].tolist() == [2 + 4 + 1, 30 + 2 + 2]


def test_by_the_signature_of_the_model(server: MLServer) -> None:
    """What MLflow says, as the form has it: a date."""
    columns = [("when", "datetime"), ("seal", "binary"), ("word", "string")]
    schema = schema_of({"inputs": [{"name": name, "type": type_} for name, type_ in columns]})
    signature = Signature.model_validate({**schema.tensors, "features": schema.features})
    model = Model(InferenceClient(server.url), "days", signature=signature)
    request = model.build({"when": "02.01.2026", "seal": "abcd", "word": "x"})
    assert model.infer(request).response.outputs[0].data.ravel().tolist() == [2 + 4 + 1]
