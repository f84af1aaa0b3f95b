"""The step for other engines: a batch of rows in, the same rows with their results out."""

from __future__ import annotations

import pickle

import pandas as pd
import pyarrow as pa
import pytest
import responses

from kserve_client import (
    ConfigurationError,
    ConnectError,
    InferenceClient,
    InputError,
    Model,
    Signature,
)
from kserve_client.scoring import BatchScorer, ScoreOptions, score_batch
from tests.unit.polars_frame import PolarsFrame
from tests.unit.scripted_model import (
    SIGNATURE,
    URL,
    Reply,
    ScriptedModel,
    open_model,
    predicted,
    serve,
)

OPTIONS = ScoreOptions(chunk_rows=2, concurrency=2, patience_s=0.3)
BATCH = pa.RecordBatch.from_pydict({"id": [7, 8, 9], "x": [0.0, 666.0, 2.0]})


@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        pa.Table.from_batches([BATCH[:1], BATCH[1:]]),
        BATCH.to_pandas(),
        PolarsFrame(pa.Table.from_batches([BATCH])),
    ],
    ids=["record batch", "table", "data frame", "Polars"],
)
def test_rows_come_back_with_what_became_of_them(
    model: ScriptedModel, batch: pa.RecordBatch | pa.Table | pd.DataFrame
) -> None:
    """In order, the refused one with the server's words, the others with their results."""
    found = score_batch(open_model(), batch, OPTIONS)
    assert isinstance(found, pa.RecordBatch)
    assert found.to_pydict() == {
        "id": [7, 8, 9],
        "x": [0.0, 666.0, 2.0],
        "prediction": ["zero", None, "two"],
        "state": ["ok", "failed", "ok"],
        "error": ["", "400: 666 is refused", ""],
    }


def test_what_is_no_batch_is_told() -> None:
    """Before anything is asked."""
    with pytest.raises(
        InputError, match="a batch is a DataFrame or a table of Arrow's, not a list"
    ):
        score_batch(open_model(), [{"x": 1.0}])


def test_it_works_in_another_process(model: ScriptedModel) -> None:
    """What is unpickled asks the same model, and tells no secret of its own."""
    scorer = BatchScorer(open_model(), OPTIONS, token="secret-of-a-call")
    there = pickle.loads(pickle.dumps(scorer))
    assert there(BATCH)["prediction"].to_pylist() == ["zero", None, "two"]
    assert "secret-of-a-call" not in repr(there)


def test_a_secret_given_in_code_stays(model: ScriptedModel) -> None:
    """It is refused to be pickled, with what to do; in this process it works."""
    client = InferenceClient(URL, token="secret-in-code")
    scorer = BatchScorer(
        Model(client, "naming", signature=Signature.model_validate(SIGNATURE)), OPTIONS
    )
    assert scorer(BATCH[:1])["prediction"].to_pylist() == ["zero"]
    with pytest.raises(ConfigurationError, match="does not go into a pickle") as raised:
        pickle.dumps(scorer)
    assert "secret-in-code" not in str(raised.value)


def test_columns_are_fixed_by_a_sample(model: ScriptedModel) -> None:
    """Then the schema is known before the first batch, and a batch without results has it too."""
    scorer = pickle.loads(pickle.dumps(BatchScorer(open_model(), OPTIONS).fixed_by(BATCH[:1])))
    schema = scorer.schema(BATCH.schema)
    assert schema.names == ["id", "x", "prediction", "state", "error"]
    batches = list(scorer.each([BATCH[1:2], BATCH[:0], BATCH[2:]]))
    assert [batch.schema.equals(schema) for batch in batches] == [True, True, True]
    assert [batch.num_rows for batch in batches] == [1, 0, 1]


def test_an_answer_under_other_columns_is_an_error(mock: responses.RequestsMock) -> None:
    """Of its rows, once the columns are fixed."""
    names = iter(["predict", "other"])

    def answers(_: int, rows: list[float]) -> Reply:
        return predicted([0] * len(rows), next(names))

    serve(mock, ScriptedModel(answers))
    client = InferenceClient(URL)
    unnamed = Signature.model_validate({**SIGNATURE, "outputs": []})
    scorer = BatchScorer(Model(client, "naming", signature=unnamed), OPTIONS).fixed_by(BATCH[:1])
    found = scorer(BATCH[2:])
    assert found["state"].to_pylist() == ["failed"]
    assert "instead of" in found["error"][0].as_py()


def test_columns_need_a_row_with_results(model: ScriptedModel) -> None:
    """A sample that is refused says nothing of them, and without one there is no schema."""
    scorer = BatchScorer(open_model(), OPTIONS)
    with pytest.raises(InputError, match="no row of the sample"):
        scorer.fixed_by(BATCH[1:2])
    with pytest.raises(InputError, match="fixed_by"):
        scorer.schema(BATCH.schema)


def test_a_silent_model_is_no_error_of_rows(mock: responses.RequestsMock) -> None:
    """The batch as a whole fails, so that its engine tries it again."""
    with pytest.raises(ConnectError):
        score_batch(open_model(), BATCH, OPTIONS)


def test_a_column_that_is_missing(model: ScriptedModel) -> None:
    """Is named before anything is sent."""
    with pytest.raises(InputError, match="x"):
        score_batch(open_model(), pa.RecordBatch.from_pydict({"y": [1.0]}), OPTIONS)
    assert model.sent == []
