import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.scoring.sources.reading import refusal

TABLE = pa.table({"number": [1, None, 3] * 20, "text": ["x", "", None] * 20, "list": [[1.5]] * 60})


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", store_schema=False)
    return out.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    return out.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    return out.getvalue()


KINDS = [parquet, arrow_file, arrow_stream]
WHOLE = [kind(TABLE) for kind in KINDS]


@settings(max_examples=200, deadline=None)
@given(
    whole=st.sampled_from(WHOLE),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    ),
)
def test_damage_anywhere_is_refused_or_does_no_harm(
    whole: bytes, changes: list[tuple[float, int]]
) -> None:
    """Bytes that were changed give rows or an InputError, never another error or a crash."""
    data = bytearray(whole)
    for place, value in changes:
        data[8 + int(place * (len(data) - 8))] = value
    refusal(bytes(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damaged", ["text", "cellx"])
def test_text_that_is_not_utf_8_is_refused(kind: Callable[[pa.Table], bytes], damaged: str) -> None:
    """Names and cells are promised to be UTF-8; when they are not, the file is damaged."""
    data = kind(pa.table({"text": ["cellx"], "n": [1]}))
    assert damaged.encode() in data
    broken = data.replace(damaged.encode(), b"\xff" + damaged[1:].encode())
    assert "file can't be read, it may not be whole" in refusal(broken)
