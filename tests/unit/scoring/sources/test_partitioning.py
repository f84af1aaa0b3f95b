import gzip
import io
import json
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.sources import Location, Partition, ReadOptions, opened, partitions

MEMORY = ReadOptions(schemes=frozenset({"memory"}))


def read(location: Location, part: Partition | None = None, **options: Any) -> list[Any]:
    """Number, cells and problem of each row."""
    with opened(location, ReadOptions(**options), partition=part) as source:
        return [
            (rows.start + at, tuple(cells.values()), rows.problems.get(at, ""))
            for rows in source.read()
            for at, cells in enumerate(rows.cells.to_pylist())
        ]


def test_parts_of_a_text_begin_where_rows_do() -> None:
    """A part knows its rows, its bytes and its line."""
    data = b'a,b\n1,2\n3,"x\n\ny"\n\n5,6\n7,8\n9,0\n'
    assert partitions(io.BytesIO(data), target_bytes=1) == [
        Partition(0, 1, 4, 8, 2),
        Partition(1, 3, 8, 22, 3),
        Partition(3, 4, 22, 26, 8),
        Partition(4, 5, 26, 30, 9),
    ]
    assert partitions(io.BytesIO(data)) == [Partition(0, 5, 4, 30, 2)]
    assert partitions(io.BytesIO(b"a,b\n")) == []


@settings(max_examples=150, deadline=None)
@given(
    soup=st.text(alphabet='a1,,"\n\n\r é', max_size=80),
    bom=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    target=st.integers(1, 100),
)
def test_parts_together_are_the_whole_text(soup: str, bom: bytes, target: int) -> None:
    """Read part by part, a text gives the same rows with the same numbers and problems."""
    stream = io.BytesIO(bom + b"x,y\n" + soup.encode())
    try:
        whole = read(stream, delimiter=",")
    except InputError:
        return
    parts = partitions(stream, ReadOptions(delimiter=","), target)
    assert [row for part in parts for row in read(stream, part, delimiter=",")] == whole
    assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.integers() | st.text(max_size=5), min_size=1, max_size=20),
    target=st.integers(1, 100),
)
def test_parts_together_are_all_objects(rows: list[Any], target: int) -> None:
    """JSON Lines divide at their line ends."""
    stream = io.BytesIO("\n".join(json.dumps({"a": row}) for row in rows).encode())
    parts = partitions(stream, target_bytes=target)
    assert [row for part in parts for row in read(stream, part)] == read(stream)


def test_parquet_divides_into_row_groups() -> None:
    """Row groups are put together until they are large enough."""
    out = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array(range(10))}), out, row_group_size=4)
    parts = partitions(out, target_bytes=1)
    assert parts == [Partition(0, 4, 0, 1), Partition(4, 8, 1, 2), Partition(8, 10, 2, 3)]
    assert partitions(out) == [Partition(0, 10, 0, 3)]
    assert read(out, parts[2]) == [(8, (8,), ""), (9, (9,), "")]


def test_parts_of_a_url_are_read() -> None:
    """A worker reads only its bytes of a file elsewhere."""
    fsspec.filesystem("memory").pipe("/parts/x.csv", b"a\n1\n2\n3\n")
    url = "memory://parts/x.csv"
    parts = partitions(url, MEMORY, target_bytes=4)
    assert [(part.start, part.stop) for part in parts] == [(0, 2), (2, 3)]
    assert read(url, parts[1], schemes=MEMORY.schemes) == [(2, ("3",), "")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            gzip.compress(b"a\n1\n", mtime=0),
            "a gzip file can't be read in parts; unpack it, or save it as Parquet",
        ),
        (
            "a\n1\n".encode("utf-16"),
            "a file in utf-16-le can't be read in parts; save it as UTF-8 or as Parquet",
        ),
    ],
)
def test_text_that_cannot_be_read_from_the_middle_is_refused(data: bytes, message: str) -> None:
    """What must be read from its start is no work for several."""
    with pytest.raises(InputError) as caught:
        partitions(io.BytesIO(data))
    assert str(caught.value) == message
