import io
import os

import pandas as pd
import pyarrow as pa
import pytest

from kserve_client.scoring.sources import Partition, ReadOptions, opened, partitions
from tests.unit.scoring.sources.reading import refusal, rows_of, within

TABLE = pa.table({"n": pa.array([1, None, 3]), "t": ["x", "", None]})
ROWS = [(1, "x"), (None, ""), (3, None)]


def ipc(table: pa.Table, *, is_file: bool, batch_rows: int = 2, codec: str | None = None) -> bytes:
    out = io.BytesIO()
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with new(out, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return out.getvalue()


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize("codec", [None, "zstd"])
def test_file_and_stream_are_read(is_file: bool, codec: str | None) -> None:
    """Both kinds of Arrow data are known by their first bytes and keep their types."""
    assert rows_of(ipc(TABLE, is_file=is_file, codec=codec))[0] == ROWS


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize(
    ("view", "plain"),
    [(pa.string_view(), pa.large_string()), (pa.binary_view(), pa.large_binary())],
    ids=str,
)
def test_views_become_plain_texts_and_bytes(
    view: pa.DataType, plain: pa.DataType, is_file: bool
) -> None:
    """So does Polars write texts, bytes, and its categories as dictionaries of views."""
    words = pa.array(["a", "b"], plain)
    codes = pa.array([1, None, 0], pa.uint32())
    coded = pa.DictionaryArray.from_arrays(codes, words.cast(view))
    data = ipc(pa.table({"c": coded, "v": words.take(codes).cast(view)}), is_file=is_file)
    with opened(io.BytesIO(data)) as source:
        cells = pa.Table.from_batches([chunk.cells for chunk in source.read()])
    assert source.schema.types == cells.schema.types == [pa.dictionary(pa.uint32(), plain), plain]
    assert cells["v"].combine_chunks() == words.take(codes)
    assert cells["c"].combine_chunks().dictionary_decode() == words.take(codes)


def test_stream_comes_through_a_pipe() -> None:
    """A stream can be read once, as it comes."""
    read, write = os.pipe()
    os.write(write, ipc(TABLE, is_file=False))
    os.close(write)
    with os.fdopen(read, "rb") as stream, opened(stream) as source:
        assert sum(len(rows) for rows in source.read()) == 3
        assert source.found.format == "arrow"


def test_large_batch_comes_in_parts() -> None:
    """One batch of many rows is handed on some tens of thousands at a time."""
    data = ipc(pa.table({"n": pa.array(range(70_000))}), is_file=True, batch_rows=70_000)
    with opened(io.BytesIO(data)) as source:
        assert [len(rows) for rows in source.read()] == [32_768, 32_768, 4_464]


@pytest.mark.parametrize("is_file", [True, False])
def test_damaged_data_are_refused(is_file: bool) -> None:
    """What is cut off, or lies about its lengths, is refused and never followed."""
    data = ipc(TABLE, is_file=is_file)
    assert "the Arrow file can't be read" in refusal(data[: len(data) // 2])
    # The offsets of the texts: 0, 1, 1 → 0, 2³⁰, 1.
    lying = data.replace(b"\0\0\0\0\1\0\0\0\1\0\0\0", b"\0\0\0\0\0\0\0\x40\1\0\0\0")
    assert lying != data
    assert "the Arrow file can't be read" in refusal(lying)


def test_types_that_can_not_be_read_are_refused() -> None:
    """Categories of intervals: pandas writes them, and fails to read them."""
    table = pa.Table.from_pandas(pd.DataFrame({"c": pd.cut([1, 2], [0, 1, 2])}))
    assert "the Arrow file can't be read" in refusal(ipc(table, is_file=True))


def test_packed_batches_grow_within_the_limit() -> None:
    """Batches that are packed inside the file may not grow without end either."""
    data = ipc(pa.table({"t": ["x" * 1000] * 5000}), is_file=True, codec="zstd", batch_rows=100)
    limits = within(expansion=2, expansion_free_bytes=1_000_000)
    assert refusal(data, limits=limits).startswith("the file grows to more than 2 times its size")


def test_batches_of_a_file_are_parts() -> None:
    """A file divides where its batches end; a stream does not."""
    stream = io.BytesIO(ipc(TABLE, is_file=True))
    parts = partitions(stream, target_bytes=1)
    assert parts == [Partition(0, 2, 0, 1), Partition(2, 3, 1, 2)]
    with opened(stream, ReadOptions(), partition=parts[1]) as source:
        assert [(rows.start, rows.cells.to_pylist()) for rows in source.read()] == [
            (2, [{"n": 3, "t": None}])
        ]
