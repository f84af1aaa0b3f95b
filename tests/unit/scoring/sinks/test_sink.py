import gzip
import io
import tracemalloc
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client import InputError
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.rows import Scored
from kserve_client.scoring.sinks import WriteOptions, opened
from tests.unit.scoring.sinks.tables import CSV, cut, scored, written

FORMS = [
    WriteOptions(format="csv"),
    WriteOptions(format="csv", compression="gzip"),
    WriteOptions(format="csv", compression="zstd"),
    WriteOptions(format="json-lines"),
    WriteOptions(format="parquet"),
    WriteOptions(format="arrow"),
]
PARQUET = WriteOptions(format="parquet")
OK = scored({"a": ["1"], "b": ["x"]}, {"prediction": [7]})
FAILED = scored({"a": ["2"], "b": ["y"]}, None, errors={0: "no"})
SKIPPED = scored({"a": ["3"], "b": ["z"]}, None, skipped={0: "a duplicate"})


def rows_of(data: bytes, options: WriteOptions) -> int:
    """How many rows a file has."""
    if options.format == "parquet":
        return int(pq.read_table(io.BytesIO(data)).num_rows)
    if options.format == "arrow":
        return int(pa.ipc.open_file(data).read_all().num_rows)
    if options.compression:
        data = pa.CompressedInputStream(pa.BufferReader(data), options.compression).read()
    return data.count(b"\n") - (options.format == "csv")


# Rows that wait


def test_rows_before_the_first_result_come_first() -> None:
    """Rows wait until the result columns are known, and come out in order."""
    assert written([FAILED, SKIPPED, OK, FAILED]) == (
        b"a,b,prediction,state,error\n"
        b"2,y,,failed,no\n"
        b"3,z,,skipped,a duplicate\n"
        b"1,x,7,ok,\n"
        b"2,y,,failed,no\n"
    )


def test_many_rows_wait_outside_of_memory() -> None:
    """A server that refuses everything does not fill the memory."""
    failed = scored({"a": ["x" * 100_000]}, None, errors={0: "no"})
    with opened("/dev/null", WriteOptions(), CSV, ["a"]) as sink:
        sink.write(failed)
        tracemalloc.start()
        for _ in range(100):
            sink.write(failed)
        held, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 2_000_000
    assert sink.rows_written == 101


@pytest.mark.parametrize("options", FORMS)
def test_table_without_any_result_is_a_table(options: WriteOptions) -> None:
    """When all rows failed, each stands there with its error."""
    assert rows_of(written([FAILED, SKIPPED], options), options) == 2


def test_prediction_is_empty_when_all_rows_failed() -> None:
    """Without any answer the column of the prediction is there, and empty."""
    assert written([FAILED]) == b"a,b,prediction,state,error\n2,y,,failed,no\n"


@pytest.mark.parametrize("options", FORMS)
def test_source_without_rows_gives_a_table_without_rows(options: WriteOptions) -> None:
    """A header without rows gives a header without rows."""
    data = written([], options, columns=["a", "b"])
    assert rows_of(data, options) == 0
    if options.format == "parquet":
        assert pq.read_schema(io.BytesIO(data)).names == ["a", "b", "prediction", "state", "error"]


def test_known_result_columns_of_no_rows_are_its_header() -> None:
    """A resumed run knows its result columns before it writes the first row."""
    out = io.BytesIO()
    schema = ResultSchema(("a",), pa.schema([("score", pa.float64())]))
    with opened(out, WriteOptions(), CSV, ["a"], schema=schema):
        pass
    assert out.getvalue() == b"a,score,state,error\n"


# Results that don't fit


def test_results_that_do_not_fit_come_back_as_errors() -> None:
    """Other columns than the first are an error in the file, and in what `write` returns."""
    other = scored({"a": ["9"], "b": ["z"]}, {"label": ["s"]})
    out = io.BytesIO()
    with opened(out, WriteOptions(), CSV, ["a", "b"]) as sink:
        assert sink.write(OK) is OK
        found = sink.write(other)
    problem = "the answer has other columns than the first one: label instead of prediction"
    assert found.errors == {0: problem}
    assert out.getvalue().splitlines()[2] == f"9,z,,failed,{problem}".encode()


@pytest.mark.parametrize("options", FORMS)
def test_lists_are_results_as_well(options: WriteOptions) -> None:
    """A result may be a list in every format."""
    chunk = scored({"a": ["1", "2"]}, {"vector": [[1.5, 2.0], None]}, errors={1: "no"})
    assert rows_of(written([chunk], options), options) == 2


# What is kept


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("b", "a"), b"b,a,prediction,state,error\ny,2,,failed,no\nx,1,7,ok,\n"),
        (("b",), b"b,prediction,state,error\ny,,failed,no\nx,7,ok,\n"),
        ((), b"prediction,state,error\n,failed,no\n7,ok,\n"),
    ],
)
def test_columns_are_kept_as_chosen(columns: tuple[str, ...], expected: bytes) -> None:
    """Only the chosen columns of the source are written, in their order."""
    assert written([FAILED, OK], WriteOptions(columns=columns)) == expected


def test_column_to_keep_must_be_there() -> None:
    """A column that is not there is refused before any row is taken."""
    with pytest.raises(InputError, match="no column 'z' to keep; the table has a, b"):
        written([], WriteOptions(columns=("z",)), columns=["a", "b"])


@pytest.mark.parametrize(
    ("options", "late"),
    [
        (PARQUET, pa.array([2**60], pa.timestamp("s"))),
        (WriteOptions(format="csv"), pa.array([[2**60]], pa.list_(pa.timestamp("s")))),
        (WriteOptions(format="json-lines"), pa.array([[2**30]], pa.list_(pa.date32()))),
    ],
)
def test_a_value_that_cannot_be_written_names_its_column(
    options: WriteOptions, late: pa.Array
) -> None:
    """Parquet counts milliseconds, and Python, which looks into lists, ends with the year 9999."""
    with pytest.raises(InputError, match=r"the column 'late' .* can't be written in this format"):
        written([scored({"a": ["1"], "late": late}, {"prediction": [7]})], options)


@pytest.mark.parametrize("options", FORMS)
def test_types_are_tried_before_anything_is_written(options: WriteOptions) -> None:
    """What was tried leaves nothing in the file; a column that is not kept is not tried."""
    spans = pa.field("span", pa.month_day_nano_interval())
    one = WriteOptions(format=options.format, compression=options.compression, columns=("a",))
    out = io.BytesIO()
    with opened(out, one, CSV, ["span", "a"]) as sink:
        sink.check(pa.schema([spans, ("a", pa.float64())]))
        assert out.getvalue() == b""
        sink.write(scored({"span": pa.nulls(1, spans.type), "a": [1.5]}, {"prediction": [7]}))
    assert out.getvalue() == written([scored({"a": [1.5]}, {"prediction": [7]})], options)


@pytest.mark.parametrize("options", [one for one in FORMS if one.format != "arrow"])
def test_a_type_that_has_no_form_is_told(options: WriteOptions) -> None:
    """Only Arrow's own files hold its intervals."""
    schema = pa.schema([("a", pa.string()), ("span", pa.month_day_nano_interval())])
    with (
        pytest.raises(InputError, match=r"the column 'span' .* can't be written in this format"),
        opened(io.BytesIO(), options, CSV, schema.names) as sink,
    ):
        sink.check(schema)


@pytest.mark.parametrize("options", FORMS)
def test_a_type_that_not_even_arrow_tries_is_told(options: WriteOptions) -> None:
    """Lists of runs, whatever the format; left out, they are in nobody's way."""
    runs = pa.list_(pa.run_end_encoded(pa.int32(), pa.string()))
    schema = pa.schema([("a", pa.string()), ("runs", runs)])
    with (
        pytest.raises(InputError, match=r"the column 'runs' .* can't be written in this format"),
        opened(io.BytesIO(), options, CSV, schema.names) as sink,
    ):
        sink.check(schema)
    kept = WriteOptions(format=options.format, compression=options.compression, columns=("a",))
    with opened(io.BytesIO(), kept, CSV, schema.names) as sink:
        sink.check(schema)


def test_names_do_not_depend_on_what_is_kept() -> None:
    """A name that the source takes stays taken when its column is left out."""
    chunk = scored({"state": ["1"], "b": ["2"]}, {"prediction": [7]})
    assert written([chunk], WriteOptions(columns=("b",))) == (
        b"b,prediction,state_2,error\n2,7,ok,\n"
    )


@pytest.mark.parametrize("options", FORMS)
def test_errors_may_be_all_that_is_written(options: WriteOptions) -> None:
    """Of all rows, those that are not ok, also when there are none."""
    only = WriteOptions(format=options.format, compression=options.compression, only="errors")
    assert rows_of(written([OK, FAILED, OK, SKIPPED], only), only) == 2
    assert rows_of(written([OK], only), only) == 0


def test_file_of_errors_says_what_failed() -> None:
    """The rows that are not ok keep their cells and their reason."""
    mixed = scored({"a": ["1", "2"]}, {"prediction": pa.array([7, None])}, errors={1: "500: no"})
    assert written([mixed], WriteOptions(only="errors")) == (
        b"a,prediction,state,error\n2,,failed,500: no\n"
    )


# Tables of a job


def test_tables_are_written_as_they_are() -> None:
    """The table of a job's part gives the bytes that its rows give."""
    schema = ResultSchema.of(OK)
    options = WriteOptions(columns=("b",))
    out = io.BytesIO()
    with opened(out, options, CSV, ["a", "b"]) as sink:
        for chunk in (FAILED, OK):
            sink.write_table(table(chunk, schema))
    assert out.getvalue() == written([FAILED, OK], options)
    assert sink.rows_written == 2


# The same bytes, whatever the chunks


@st.composite
def tables(draw: Any) -> Scored:
    """Some rows of several types, some of them failed, with results of several types."""
    count = draw(st.integers(1, 30))

    def values(cells: st.SearchStrategy[Any]) -> list[Any]:
        found: list[Any] = draw(st.lists(cells, min_size=count, max_size=count))
        return found

    states = values(st.sampled_from(["ok", "ok", "failed", "skipped"]))
    is_ok = [state == "ok" for state in states]

    def answers(cells: st.SearchStrategy[Any], kind: pa.DataType) -> pa.Array:
        found = zip(values(cells), is_ok, strict=True)
        return pa.array([value if ok else None for value, ok in found], kind)

    texts = st.text('a"\n\r,=é\\', max_size=5)
    return scored(
        {
            "a": pa.array(values(texts), pa.string()),
            "b": pa.array(values(st.none() | texts), pa.string()),
            "n": pa.array(values(st.none() | st.floats()), pa.float64()),
            "k": pa.array(values(st.sampled_from("xyz"))).dictionary_encode(),
            "l": pa.array(values(st.none() | st.lists(st.integers(0, 9), max_size=3)), LIST),
        },
        {
            "prediction": answers(texts, pa.string()),
            "score": answers(st.none() | st.floats(width=32), pa.float32()),
            "is": answers(st.none() | st.booleans(), pa.bool_()),
        },
        {at: f"no, {at % 3}" for at, state in enumerate(states) if state == "failed"},
        {at: "dropped" for at, state in enumerate(states) if state == "skipped"},
    )


LIST = pa.list_(pa.int64())
SCORED = tables()


@pytest.mark.parametrize("options", FORMS)
@settings(max_examples=50)
@given(whole=SCORED, cuts=st.lists(st.integers(1, 29), max_size=6))
def test_chunks_leave_no_trace(options: WriteOptions, whole: Scored, cuts: list[int]) -> None:
    """The bytes of a table depend on its rows, and not on how they were cut."""
    chunks = cut(whole, [at for at in cuts if at < len(whole)])
    assert written(chunks, options) == written(cut(whole, []), options)


@pytest.mark.parametrize("options", FORMS[-2:])
@settings(max_examples=50)
@given(whole=SCORED, cuts=st.lists(st.integers(1, 29), max_size=6), size=st.integers(1, 9))
def test_groups_leave_no_trace_of_chunks(
    options: WriteOptions, whole: Scored, cuts: list[int], size: int
) -> None:
    """Groups of rows that are cut from several chunks are the same groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kserve_client.scoring.sinks.row_groups.GROUP_ROWS", size)
        chunks = cut(whole, [at for at in cuts if at < len(whole)])
        data = written(chunks, options)
        assert data == written(cut(whole, []), options)
    assert rows_of(data, options) == len(whole)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_text_is_cut_into_blocks(compression: Any) -> None:
    """Megabytes of compressed text do not depend on the chunks either, and read back whole."""
    count = 150_000
    texts = [f"{at * 7919 % 1_000_003} row" for at in range(count)]
    whole = scored({"a": texts}, {"prediction": range(count)})
    options = WriteOptions(compression=compression)
    data = written(cut(whole, range(0, count, 7001)), options)
    assert data == written([whole], options)
    plain = pa.CompressedInputStream(pa.BufferReader(data), compression).read()
    assert plain == written([whole])
    assert len(plain) > 3 << 20


def test_gzip_holds_no_time_and_no_name() -> None:
    """The header of a gzip file says nothing of the run."""
    data = written([OK], WriteOptions(compression="gzip"))
    assert data[:9] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00" + data[8:9]
    assert gzip.decompress(data) == written([OK])
