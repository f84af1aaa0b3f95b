import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kserve_client import InputError
from kserve_client.scoring.sources import ReadOptions, count_rows, opened, preview
from tests.unit.scoring.sources.reading import refusal, rows_of, within


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


TABLE = pa.table({"n": pa.array([1, None, 3]), "t": ["x", "", None], "v": [[1.5], [], None]})


def test_rows_keep_the_types_of_the_file() -> None:
    """Numbers, texts, lists and nulls come as they are."""
    cells, problems = rows_of(parquet(TABLE))
    assert cells == [(1, "x", [1.5]), (None, "", []), (3, None, None)]
    assert problems == ["", "", ""]


def test_a_preview_shows_cells_as_text() -> None:
    """The first rows are shown as text, whatever the types."""
    found = preview(io.BytesIO(parquet(TABLE)))
    assert found.columns == ("n", "t", "v")
    assert found.first_rows == (("1", "x", "[1.5]"), ("", "", "[]"), ("3", "", ""))
    assert found.found.format == "parquet"


def test_large_row_group_comes_in_parts() -> None:
    """Memory follows the batches, not the row groups."""
    data = parquet(pa.table({"n": pa.array(range(100_000))}), row_group_size=80_000)
    with opened(io.BytesIO(data)) as source:
        starts = [(rows.start, len(rows)) for rows in source.read()]
    assert starts[:2] == [(0, 32_768), (32_768, 32_768)]
    assert starts[-1][0] + starts[-1][1] == 100_000
    wide = pa.table({"t": [os.urandom(1 << 19).hex() for _ in range(8)]})
    with opened(io.BytesIO(parquet(wide))) as source:
        assert max(len(rows) for rows in source.read()) <= 4
    assert count_rows(io.BytesIO(data)) == 100_000


@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_cut_file_is_refused(keep: float, tmp_path: Path) -> None:
    """A file without its footer is not whole."""
    data = parquet(TABLE)
    assert "the Parquet file can't be read, it may not be whole" in refusal(
        data[: int(len(data) * keep)]
    )


def test_file_that_only_has_the_name_is_refused(tmp_path: Path) -> None:
    """A name is no format."""
    path = tmp_path / "x.parquet"
    path.write_text("a,b\n1,2\n")
    with (
        pytest.raises(InputError, match=r"'x\.parquet' is named like a Parquet file and is none"),
        opened(path),
    ):
        pass


def test_pages_that_are_damaged_are_refused() -> None:
    """A file whose footer is whole and whose pages are not is refused while it is read."""
    data = bytearray(parquet(pa.table({"t": [str(n) for n in range(5000)]}), compression="zstd"))
    data[200:400] = b"x" * 200
    assert "the Parquet file can't be read" in refusal(bytes(data))


def test_file_that_would_fill_memory_is_refused() -> None:
    """A footer that tells of far more bytes than the file has is not followed."""
    data = parquet(
        pa.table({"t": ["x" * 1000 + str(n) for n in range(2000)]}),
        compression="zstd",
        use_dictionary=False,
    )
    assert len(data) < 100_000
    message = refusal(data, limits=within(expansion=20, expansion_free_bytes=1_000_000))
    assert message.startswith("the file grows to more than 20 times its size")
    assert not refusal(data, limits=within(expansion=20, expansion_free_bytes=3_000_000))


def test_few_values_repeated_many_times_are_refused() -> None:
    """A dictionary of one long text does not become a gigabyte of rows."""
    data = parquet(pa.table({"t": pa.array(["x" * 1000] * 20_000)}))
    assert len(data) < 10_000
    message = refusal(data, limits=within(expansion=20, expansion_free_bytes=1_000_000))
    assert message.startswith("the file grows to more than 20 times its size")


def test_other_limits_hold() -> None:
    """Columns with one name, too many columns and rows are refused."""
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a "])
    assert refusal(parquet(twice)) == "more than one column is named 'a'"
    assert "3 columns; at most 2" in refusal(parquet(TABLE), limits=within(columns=2))
    assert "more than 2 rows" in refusal(parquet(TABLE), limits=within(rows=2))
    with pytest.raises(InputError, match="the table has 3 rows; at most 2 are read"):
        count_rows(io.BytesIO(parquet(TABLE)), ReadOptions(limits=within(rows=2)))


def test_pipe_is_refused() -> None:
    """Parquet is read from its end, which a pipe has not yet."""
    read, write = os.pipe()
    os.write(write, parquet(TABLE))
    os.close(write)
    with (
        os.fdopen(read, "rb") as stream,
        pytest.raises(InputError, match="a Parquet file can't be read from a pipe"),
        opened(stream),
    ):
        pass
