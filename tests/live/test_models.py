"""Every model of the demo through the catalog, as a notebook would use it."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from kserve_client import Catalog, InferenceClient
from kserve_client.errors import NotFoundError, RowsError, ServerError
from kserve_client.tensors import InferRequest, RequestedOutput, Tensor
from scripts.demo_models import EXAMPLES
from scripts.mlserver import MLServer

DEMO = yaml.safe_load((EXAMPLES / "models.yaml").read_text())["models"]
EXPECTED = [
    pytest.param(name, at, id=f"{name}: {example['name']}")
    for name, entry in DEMO.items()
    for at, example in enumerate(entry["examples"])
]


@pytest.mark.parametrize(("name", "at"), EXPECTED)
def test_each_example_is_answered_as_it_says(catalog: Catalog, name: str, at: int) -> None:
    """Label or number as expected; probabilities that add up to one; a picture of its size."""
    example = catalog.entry(name).examples[at]
    prediction = catalog.model(name).predict(example.row)[0]
    if isinstance(example.expect, str):
        assert prediction.label == example.expect
    elif example.expect is not None:
        assert prediction.value == pytest.approx(example.expect, abs=0.5)
        assert prediction.headline == f"{example.expect:,.0f} g"
    else:
        assert prediction.picture is not None
        assert prediction.picture.shape == (8, 8)
        assert prediction.picture.min() < prediction.picture.max()
    if prediction.probabilities:
        assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
        assert prediction.confidence == max(prediction.probabilities.values())


def test_rows_keep_their_order(catalog: Catalog, demo_folder: Path) -> None:
    """150 irises in one request are answered one by one as they are alone."""
    table = pd.read_csv(demo_folder / "data" / "iris-150.csv")
    names = [feature["name"] for feature in DEMO["iris"]["signature"]["features"]]
    model = catalog.model("iris")
    together = [prediction.label for prediction in model.predict(table[names])]
    assert len(together) == 150
    assert len(set(together)) == 3
    for at in (0, 70, 149):
        assert model.predict(table[names].iloc[[at]])[0].label == together[at]


def test_pictures_go_in_and_come_out(catalog: Catalog, demo_folder: Path) -> None:
    """Every clean sample is read as its digit, though not every noisy one has to be."""
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    rows = [{"image": (demo_folder / "data" / f"{word}.png").read_bytes()} for word in words]
    labels = [prediction.label for prediction in catalog.model("digits").predict(rows)]
    assert labels == [str(digit) for digit in range(10)]


def test_a_cleaned_picture_is_closer_to_the_clean_one(catalog: Catalog, demo_folder: Path) -> None:
    """The denoiser takes specks away: its picture is classified as the digit it shows."""
    noisy = (demo_folder / "data" / "noisy-three.png").read_bytes()
    cleaned = catalog.model("denoise").predict({"image": noisy})[0].picture
    assert cleaned is not None
    # 255 is paper, 0 ink: the model of the digits takes 16 for ink.
    ink = (255 - cleaned.astype(np.float32)) / 255 * 16
    digit = catalog.model("digits").predict({"image": ink.ravel().tolist()})[0]
    assert digit.label == "3"


def test_missing_values_travel(catalog: Catalog) -> None:
    """A penguin of which little is known: null numbers and the word for an unknown sex."""
    model = catalog.model("penguins")
    row = {"island": "Biscoe", "year": 2009}
    request = model.build(row)
    by_name = {tensor.name: tensor.data.ravel().tolist() for tensor in request.inputs}
    assert math.isnan(by_name["bill_length_mm"][0])
    assert by_name["sex"][0] in ("unknown", b"unknown")
    exchange = model.exchange(row)
    assert b"null" in exchange.exchange.request_body
    assert b"NaN" not in exchange.exchange.request_body
    assert exchange.predictions[0].label in ("Adelie", "Chinstrap", "Gentoo")


def test_each_gap_alone_is_answered(catalog: Catalog) -> None:
    """Whichever optional feature is left away, there is an answer."""
    whole = dict(catalog.entry("penguins").examples[0].row)
    optional = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]
    rows = [{name: cell for name, cell in whole.items() if name != gap} for gap in optional]
    model = catalog.model("penguins")
    assert [model.predict(row)[0].label for row in rows] == ["Adelie"] * 5


def test_a_required_gap_is_found_before_anything_is_sent(catalog: Catalog) -> None:
    """The island is needed: the row and the column are named."""
    with pytest.raises(RowsError, match="row 1, island: is missing"):
        catalog.model("penguins").predict([{"year": 2008, "island": None}])


def test_metadata_says_what_the_server_says(catalog: Catalog) -> None:
    """MLServer names itself; only the model whose settings list tensors has some."""
    server = catalog.client("demo").server_metadata()
    assert (server.name, server.version) == ("mlserver", "1.7.1")
    mass = catalog.model("penguin_mass").metadata()
    assert [(t.name, t.datatype, t.shape) for t in mass.inputs] == [
        ("measurements", "FP32", [-1, 3])
    ]
    iris = catalog.model("iris").metadata()
    assert (iris.name, iris.inputs, iris.outputs) == ("iris", [], [])


def test_a_model_can_be_used_by_its_metadata_alone(mlserver: MLServer, tmp_path: Path) -> None:
    """Without a signature in the file the tensors of the metadata are the form."""
    path = tmp_path / "models.yaml"
    path.write_text(
        f"endpoints: {{a: {{url: '{mlserver.url}'}}}}\nmodels: {{penguin_mass: {{endpoint: a}}}}\n"
    )
    model = Catalog.load(path).model("penguin_mass")
    answer = model.predict(np.array([[40.6, 18.8, 193.0]], dtype=np.float32))[0]
    assert answer.raw["predict"].ravel()[0] == pytest.approx(3848, abs=1)


def test_readiness_by_status(catalog: Catalog) -> None:
    """Server, models, and a model that is not there."""
    client = catalog.client("demo")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert all(catalog.model(name).is_ready() for name in catalog)
    assert not client.is_model_ready("nobody")


def test_an_unknown_model_is_404(catalog: Catalog) -> None:
    """Metadata and inference alike; the server's words are kept."""
    client = catalog.client("demo")
    tensor = Tensor.of("x", [[1.0]], datatype="FP32")
    with pytest.raises(NotFoundError) as found:
        client.infer("nobody", [tensor])
    assert found.value.status == 404
    assert "nobody" in found.value.server_message
    with pytest.raises(NotFoundError):
        client.model_metadata("nobody")


def test_an_unknown_version_is_404(catalog: Catalog) -> None:
    """A model without versions has no version v9."""
    client = catalog.client("demo")
    assert not client.is_model_ready("iris", "v9")
    with pytest.raises(NotFoundError):
        client.model_metadata("iris", "v9")


def test_only_the_outputs_that_are_asked_for_come(mlserver: MLServer) -> None:
    """The guide's own row; one named output is the only one in the answer."""
    with InferenceClient(mlserver.url) as client:
        tensor = Tensor.of("input-0", [[4.0, 3.9, 2.3, 0.6]], datatype="FP32")
        both = client.infer("iris", [tensor])
        request = InferRequest((tensor,), (RequestedOutput("predict_proba"),))
        one = client.infer("iris", request)
    assert [t.name for t in both.outputs] == ["predict"]
    assert [t.name for t in one.outputs] == ["predict_proba"]
    assert one.outputs[0].data.shape == (1, 3)


def test_a_call_after_a_500_succeeds(mlserver: MLServer) -> None:
    """MLServer closes the connection silently after a 500: twenty times the next call is good.

    Seen on MLServer 1.7.1 with uvicorn; a pooled connection fails without a replay.
    """
    bad = Tensor.of("input-0", [[1.0, 2.0]], datatype="FP32")
    good = Tensor.of("input-0", [[5.1, 3.5, 1.4, 0.2]], datatype="FP32")
    with InferenceClient(mlserver.url) as client:
        for _ in range(20):
            with pytest.raises(ServerError) as refused:
                client.infer("iris", [bad])
            assert refused.value.status == 500
            assert client.infer("iris", [good]).outputs[0].data.ravel().tolist() == [0]
