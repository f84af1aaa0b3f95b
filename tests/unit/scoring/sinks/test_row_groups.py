import datetime as dt
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kserve_client.scoring.sinks import WriteOptions
from tests.unit.scoring.sinks.tables import cut, scored, written

PARQUET, ARROW = WriteOptions(format="parquet"), WriteOptions(format="arrow")
MOMENT = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def read(data: bytes, options: WriteOptions) -> pa.Table:
    """What Arrow reads from the file."""
    if options.format == "parquet":
        return pq.read_table(io.BytesIO(data))
    return pa.ipc.open_file(data).read_all()


@pytest.mark.parametrize("options", [PARQUET, ARROW])
def test_columns_keep_their_types(options: WriteOptions) -> None:
    """Columns of any type come out as they are; dictionaries as what they stand for."""
    cells: dict[str, Any] = {
        "text": ["007", None],
        "when": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
        "list": [[1.5], []],
        "pair": [{"a": 1}, None],
        "kind": pa.array(["x", "x"]).dictionary_encode(),
    }
    chunk = scored(cells, {"prediction": pa.array([0.5, None], pa.float32())}, errors={1: "no"})
    found = read(written([chunk], options), options)
    assert found.to_pylist() == [
        {
            "text": "007",
            "when": MOMENT,
            "list": [1.5],
            "pair": {"a": 1},
            "kind": "x",
            "prediction": 0.5,
            "state": "ok",
            "error": "",
        },
        {
            "text": None,
            "when": None,
            "list": [],
            "pair": None,
            "kind": "x",
            "prediction": None,
            "state": "failed",
            "error": "no",
        },
    ]
    assert found.schema.field("prediction").type == pa.float32()
    assert found.schema.field("kind").type == pa.string()


@pytest.mark.parametrize("options", [PARQUET, ARROW])
def test_runs_are_written_as_what_they_stand_for(options: WriteOptions) -> None:
    """Parquet has no runs, and those of two batches need not have one form."""
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", "y"]))
    found = read(written([scored({"a": runs}, {"prediction": [1, 2, 3]})], options), options)
    assert found.column("a").to_pylist() == ["x", "x", "y"]
    assert found.schema.field("a").type == pa.string()


def test_groups_have_65536_rows() -> None:
    """Row groups are as large as they are, however large the chunks were."""
    count = 150_000
    whole = scored({"a": ["1"] * count}, {"prediction": [2] * count})
    file = pq.ParquetFile(io.BytesIO(written(cut(whole, [10, 70_000, 70_001, 140_000]), PARQUET)))
    groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert groups == [65_536, 65_536, 18_928]


def test_group_of_long_texts_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group ends with the row that fills 64 MB (here 100 bytes), so that memory stays small."""
    monkeypatch.setattr("kserve_client.scoring.sinks.row_groups.GROUP_BYTES", 100)
    texts = ["x" * 30, "x" * 60, "x" * 30, "", "x" * 200, "x"]
    whole = scored(
        {"a": texts, "b": pa.array([[1], None, [2], [3], [4], [5]], pa.list_(pa.int8()))},
        {"prediction": pa.nulls(6, pa.string())},
    )
    expected = [2, 3, 1]  # 30 + 8 + 60 (+ the two letters of each ok) are 102
    for cuts in ([], [1], [3, 4]):
        file = pq.ParquetFile(io.BytesIO(written(cut(whole, cuts), PARQUET)))
        groups = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        assert groups == expected


def test_file_holds_no_notes_of_its_source() -> None:
    """Notes in a schema, such as pandas' index or paths, are left behind."""
    chunk = scored({"a": ["1"]}, {"prediction": [1]})
    noted = pa.schema([pa.field("a", pa.string(), metadata={"path": "x"})], {"pandas": "{}"})
    cells = pa.RecordBatch.from_arrays(chunk.rows.cells.columns, schema=noted)
    object.__setattr__(chunk.rows, "cells", cells)
    file = pq.ParquetFile(io.BytesIO(written([chunk], PARQUET)))
    assert list(file.metadata.metadata or {}) == [b"ARROW:schema"]
    assert (file.schema_arrow.metadata, file.schema_arrow.field("a").metadata) == (None, None)


@pytest.mark.parametrize("options", [PARQUET, ARROW])
def test_million_characters_in_a_cell_are_a_cell(options: WriteOptions) -> None:
    """A cell of a million characters comes out as it went in."""
    chunk = scored({"a": ["x" * 1_000_000]}, {"prediction": [1]})
    found = read(written([chunk], options), options)
    assert found.column("a").to_pylist() == ["x" * 1_000_000]
