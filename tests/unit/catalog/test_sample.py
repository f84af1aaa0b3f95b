from __future__ import annotations

import builtins
import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kserve_client.catalog.facts import Draft
from kserve_client.catalog.sample import (
    Sample,
    propose,
    read_sample,
    reasons_to_leave_out,
    sample_file,
)
from kserve_client.catalog.sample import columns as sample_columns
from kserve_client.catalog.sample import reading as sample_reading
from kserve_client.catalog.sample.columns import Column, read_column
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.frames import encode
from kserve_client.scoring.sources import count_rows, preview
from kserve_client.signature import Choice, Feature, Signature

IRIS = """\
sepal length,sepal width,petal length,petal width,species
5.1,3.5,1.4,0.2,setosa
4.9,3.0,1.4,0.2,setosa
7.0,3.2,4.7,1.4,versicolor
6.4,3.2,4.5,1.5,versicolor
6.3,3.3,6.0,2.5,virginica
5.8,2.7,5.1,1.9,virginica
"""
PENGUINS = """\
rowid,island,bill_length_mm,flipper_length_mm,sex,year
1,Torgersen,39.1,181,male,2007
2,Torgersen,NA,NA,NA,2007
3,Biscoe,46.1,211,female,2008
4,Biscoe,50.0,230,male,2009
5,Dream,46.5,192,female,2007
6,Dream,50.0,196,male,2008
7,Biscoe,45.4,211,female,2009
"""
GERMAN = """\
Größe;Preis;Stadt;Tag
1,82;1.234,50;Köln;2026-01-02
1,75;99,00;Köln;2026-01-03
1,60;10,00;Bonn;2026-01-03
"""


def sample(text: str | bytes, **options: Any) -> Sample:
    data = text if isinstance(text, bytes) else text.encode()
    return read_sample(io.BytesIO(data), name="sample.csv", **options)


def column(*cells: str) -> Column:
    """The one column `x` of a file, which has another one beside it."""
    return sample("x;z\n" + "".join(f"{cell};a\n" for cell in cells)).column("x")


def proposed(*cells: str, **known: Any) -> dict[str, Any]:
    """The settings of the one column `x`; what is given is known of it."""
    return dict(draft(*cells, **known).features[0])


def draft(*cells: str, **known: Any) -> Draft:
    text = "x;z\n" + "".join(f"{cell};a\n" for cell in cells)
    return propose(sample(text), {"x": known} if known else {}, leave_out=["z"])


def without_reference(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "reference"}


def signature_of(made: Draft) -> Signature:
    return Signature.model_validate({**made.tensors, "features": made.features})


# A whole file


def test_iris_is_four_numbers_in_one_tensor() -> None:
    """All columns but the answer, with round ranges and the median to start from."""
    made = propose(sample(IRIS))
    assert made.tensors == {"layout": "tensor", "datatype": "FP64"}
    found = [[one[k] for k in ("name", "min", "max", "step", "default")] for one in made.features]
    assert found == [
        ["sepal length", 4.5, 7, 0.1, 5.8],
        ["sepal width", 2.7, 3.5, 0.1, 3.2],
        ["petal length", 1, 6, 0.1, 4.5],
        ["petal width", 0, 2.5, 0.1, 1.4],
    ]
    assert [one["kind"] for one in made.features] == ["number"] * 4
    assert made.notes == ("species: left out, it looks like the answer",)
    assert str(made.source) == "sample: sample.csv"


def test_penguins_are_a_mixed_table() -> None:
    """Numbers, categories and gaps: one input per column, and what can't be sent is told."""
    made = propose(sample(PENGUINS))
    assert made.tensors == {"layout": "columns"}
    assert [without_reference(dict(one)) for one in made.features] == [
        {
            "name": "island",
            "kind": "category",
            "default": "Biscoe",
            "choices": ["Biscoe", "Dream", "Torgersen"],
        },
        {
            "name": "bill_length_mm",
            "kind": "number",
            "min": 38,
            "max": 50,
            "step": 0.1,
            "default": 46.1,
            "required": False,
        },
        {
            "name": "flipper_length_mm",
            "kind": "integer",
            "datatype": "FP64",
            "min": 180,
            "max": 230,
            "step": 1,
            "default": 196,
            "required": False,
        },
        {"name": "sex", "kind": "category", "default": "female", "choices": ["female", "male"]},
        {"name": "year", "kind": "integer", "min": 2007, "max": 2009, "step": 1, "default": 2008},
    ]
    assert made.notes[:3] == (
        "rowid: left out, it looks like an id",
        "bill_length_mm: no value in 1 of 7 rows (NA)",
        "flipper_length_mm: no value in 1 of 7 rows (NA)",
    )
    (of_sex,) = made.notes[3:]
    assert of_sex.startswith("sex: no value in 1 of 7 rows (NA); BYTES has no form for that")


def test_a_reference_says_how_values_lie() -> None:
    """Quantiles that occur and 20 bins of a number, rows by value of a category."""
    island, bill, *_ = propose(sample(PENGUINS)).features
    assert island["reference"] == {"rows": 7, "counts": {"Biscoe": 3, "Torgersen": 2, "Dream": 2}}
    assert bill["reference"] == {
        "rows": 6,
        "missing": 1,
        "quantiles": (39.1, 39.1, 45.4, 46.1, 50, 50, 50),
        "histogram": (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 2),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_german_file(encoding: str) -> None:
    """Semicolons, decimal commas, points between thousands, and what Excel makes of an umlaut."""
    read = sample(GERMAN.encode(encoding))
    words = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with BOM", "cp1252": "Windows-1252"}[encoding]
    assert read.form == f"CSV, semicolon, {words}, decimal commas"
    size, price, town, day = propose(read).features
    assert (size["name"], size["min"], size["max"], size["default"]) == ("Größe", 1.6, 1.85, 1.75)
    assert (price["min"], price["max"], price["step"]) == (0, 1400, 1)
    assert town == {"name": "Stadt", "kind": "text"}
    assert day == {"name": "Tag", "kind": "date", "default": "2026-01-03"}


def test_english_thousands_in_quotes() -> None:
    """A comma that parts groups of three digits, in a file whose cells are parted by commas."""
    price = sample('a,price\nx,"1,234.5"\ny,"12,000"\n').column("price")
    assert price.numbers is not None
    assert price.numbers.quantiles[0] == 1234.5
    assert price.numbers.quantiles[-1] == 12000


def test_both_signs_in_one_table() -> None:
    """Exported by two programs: a cell with a comma is no number, and thousands are not guessed."""
    read = sample("a;b\n1,5;2.5\n2,5;3.25\n")
    assert [column.family for column in read.columns] == ["text", "number"]
    with pytest.raises(InputError, match=r"c: '1\.234' may be 1\.234 or 1234"):
        sample("a;b;c\n1,5;2.5;1.234\n2,5;3.25;9.999\n")


def test_points_part_thousands_in_a_file_of_commas() -> None:
    """As tables to score are read; beside "0.5" in the same column nothing is read as 1.2."""
    rows = "80;1.350;1.350\n" * 1_000 + "80;1.350;0.5\n"
    read = sample(f"a;b;c\n60,5;1.200;1.200\n{rows}")
    numbers = [c.numbers.quantiles[0] if c.numbers else None for c in read.columns]
    assert numbers == [60.5, 1200, 1200]
    assert (read.column("c").family, read.column("c").stray) == ("text", "0.5")


def test_points_that_may_part_thousands_are_not_learned_by_a_guess() -> None:
    """A column that could be read in two ways is refused, unless commas part the cells."""
    with pytest.raises(InputError) as caught:
        sample("a;price\nx;1.200\ny;1.350\n")
    assert str(caught.value) == (
        "price: '1.200' may be 1.2 or 1200; save the table without points between thousands, or, "
        "where they are decimal points, with commas between the cells"
    )
    for text in ("a,price\nx,1.200\n", "a;price\nx;1.200\ny;12.34\n"):
        column = sample(text).column("price")
        assert column.numbers is not None
        assert column.numbers.quantiles[0] == 1.2
    assert sample("a;price\nx;1.200\ny;new\n").column("price").family == "text"


def test_a_gzipped_file_and_a_path(tmp_path: Path) -> None:
    """A file is known by its first bytes, not by its name."""
    file = tmp_path / "iris.data"
    file.write_bytes(gzip.compress(IRIS.encode()))
    assert read_sample(file, name="iris").columns == sample(IRIS).columns


def test_a_stream_that_was_read_or_cannot_be_rewound() -> None:
    """An upload is read from its start; a pipe as it comes."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    stream = io.BytesIO(IRIS.encode())
    stream.read()
    assert read_sample(stream, name="iris").rows == 6
    assert read_sample(Pipe(IRIS.encode()), name="iris").rows == 6


NOT_READ: list[tuple[bytes, str]] = [
    (b"", "the file is empty"),
    (b"\n\n", "the file is empty"),
    (b"a,b\n", "the file has a header, but no rows"),
    (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the header 2"),
    (b"a,b\n1,2\n1\n", "line 3 has 1 cells, the header 2"),
    (b"a,a\n1,2\n", "more than one column is named 'a'"),
    (b"a,b,\n1,2,\n", "column 3 has no name in the header"),
    (b",\n1,2\n", "the first line names no column"),
    (b"5.1,3.5\n4.9,3.0\n", "the first line holds numbers"),
    (b"a b c\n1 2 3\n4 5 6\n", "only one column, and its cells seem to be parted by blanks"),
    (b"a:b\n1:2\n4:5\n", "seem to be parted by a colon"),
    (b'a,b\n1,"2\n', "a quote is opened in this row and never closed"),
    (b"a,b\n1,\x81\xff\n", "neither UTF-8 nor Windows-1252"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "bytes that are no text"),
    (b"a,b\n1,\0\n", "line 2 holds bytes that are no text"),
    (b"PK\x03\x04....", "a zip file or an Excel workbook"),
    ("a,b\n1,2\n".encode("utf-16"), "the file is UTF-16"),
    (b"\x1f\x8b\x08\x00junk", "gzipped, but damaged"),
    (gzip.compress(IRIS.encode())[:-12], "gzipped, but damaged"),
    (b"PAR1junkPAR1", "the Parquet file can't be read"),
    ((",".join(f"c{i}" for i in range(2001)) + "\n").encode(), "2,001 columns; at most 2,000"),
]


@pytest.mark.parametrize(("data", "why"), NOT_READ, ids=[why[:30] for _, why in NOT_READ])
def test_what_is_no_sample(data: bytes, why: str) -> None:
    """The message says what is wrong, and in which line where there is one."""
    with pytest.raises(InputError) as caught:
        sample(data)
    assert why in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Nor is a folder a file."""
    with pytest.raises(InputError, match="there is no file iris"):
        read_sample(tmp_path / "iris.csv", name="iris")
    with pytest.raises(InputError, match="can't be read"):
        read_sample(tmp_path, name="folder")


def test_a_file_of_the_models_file_lies_beside_it(tmp_path: Path) -> None:
    """Below its folder, and nowhere else."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "iris.csv").write_text(IRIS)
    assert sample_file(tmp_path, "data/iris.csv").rows == 6
    for outside in ("../iris.csv", "/etc/passwd"):
        with pytest.raises(InputError, match="must lie below the folder"):
            sample_file(tmp_path / "data", outside)


def test_one_column_of_words_is_fine() -> None:
    """A blank in each cell does not make it a table."""
    assert sample("review text\nvery good\nso bad\n").columns[0].name == "review text"


def test_a_frame_without_names_has_numbers_for_them() -> None:
    """A DataFrame is written with 0, 1, 2 and an index without a name."""
    read = sample(",0,1\n0,5.1,3.5\n1,4.9,3.0\n")
    assert [c.name for c in read.columns] == ["Unnamed: 0", "0", "1"]
    assert reasons_to_leave_out(read) == {"Unnamed: 0": "it looks like an id"}
    assert sample("0,1\n5.1,3.5\n").rows == 1


# Large files


def test_rows_are_spread_through_a_large_file() -> None:
    """Every second row goes when there are too many, so that the end of the file counts as well."""
    text = "x,y\n" + "".join(f"{i},a\n" for i in range(1000))
    read = sample(text, limit_rows=300)
    assert read.note == "one row in 4 was looked at, 250 of 1,000"
    numbers = read.column("x").numbers
    assert numbers is not None
    assert (numbers.least, numbers.median, numbers.greatest) == (0, 496, 996)
    assert propose(read).notes[0] == read.note


@pytest.mark.parametrize("limit", [1, 2, 7, 5000])
def test_never_more_rows_than_allowed(limit: int) -> None:
    """From one row to all of them."""
    read = sample("x,y\n" + "1,2\n" * 4321, limit_rows=limit)
    assert 0 < read.rows <= limit
    assert bool(read.note) == (limit < 4321)


def test_a_large_file_has_a_ragged_row_at_its_end() -> None:
    """Rows that are not kept are looked at all the same."""
    with pytest.raises(InputError, match="line 1002 has 1 cells"):
        sample("x,y\n" + "1,2\n" * 1000 + "1\n", limit_rows=10)


def test_cells_of_a_million_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are texts, and rows are thinned out before they fill the memory."""
    monkeypatch.setattr(sample_reading, "MOST_CHARACTERS", 5_000_000)
    read = sample("x,y\n" + f"{'long ' * 200_000},1\n" * 8)
    x = read.column("x")
    assert (x.longest, x.distinct, x.rows) == (1_000_000, 1, 4)
    assert read.note == "one row in 2 was looked at, 4 of 8"
    assert without_reference(dict(propose(read).features[0])) == {"name": "x", "kind": "text"}


def test_a_very_large_file_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small gzip may hold a terabyte."""
    monkeypatch.setattr(sample_reading, "MOST_BYTES", 1000)
    read = sample(gzip.compress(b"x,y\n" + b"1,2\n" * 100_000))
    assert read.rows == 249
    assert "of its first 1e-06 GB" in read.note


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up before it fills the memory."""
    monkeypatch.setattr(sample_reading, "LONGEST_LINE_BYTES", 100)
    with pytest.raises(InputError, match="line 2 is longer than 100 bytes"):
        sample(b"x,y\n" + b"1" * 1000)


@pytest.mark.parametrize(
    "cells", [["1.5", "2", "", "NA"], ["1", "2", "-"], ["01", "2"], ["1e3", "x"]]
)
def test_the_short_way_finds_the_same(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Long columns of numbers are read all at once."""
    many = cells * 500
    short = read_column("x", many)
    monkeypatch.setattr(sample_columns, "ROWS_WORTH_A_SHORT_WAY", 10_000)
    assert short == read_column("x", many)


# Columns: what a guess is made of


@pytest.mark.parametrize(
    ("cells", "settings"),
    [
        (["1", "2", "9"], {"kind": "integer", "min": 1, "max": 9, "step": 1, "default": 2}),
        (["1.0", "2.0", "9.0"], {"kind": "integer", "min": 1, "max": 9, "step": 1, "default": 2}),
        (["0.5", "2", "9"], {"kind": "number", "min": 0, "max": 9, "step": 0.1, "default": 2}),
        (["1e3", "2e3"], {"kind": "integer", "min": 1000, "max": 2000, "step": 1, "default": 1000}),
        (["0", "1", "1"], {"kind": "boolean", "default": True}),
        (["0.0", "1.0", "0.0"], {"kind": "boolean", "default": False}),
        (["-0.0", "1"], {"kind": "integer", "min": 0, "max": 1, "step": 1, "default": 0}),
        (["a", "b", "a", "b"], {"kind": "category", "choices": ["a", "b"], "default": "a"}),
        (["a", "b", "b", "b"], {"kind": "category", "choices": ["b", "a"], "default": "b"}),
        (["a", "b", "c"], {"kind": "text"}),
        (["yes", "no"] * 2, {"kind": "category", "choices": ["no", "yes"], "default": "no"}),
        (["007", "042"] * 2, {"kind": "category", "choices": ["007", "042"], "default": "007"}),
        (
            ["60+", "18-29", "9-17", "30-59"] * 2,
            {
                "kind": "category",
                "choices": ["9-17", "18-29", "30-59", "60+"],
                "default": "9-17",
            },
        ),
        (["2026-11-22", "2026-11-24 00:00:00"], {"kind": "date", "default": "2026-11-22"}),
        (["2026-02-30"], {"kind": "text"}),
    ],
    ids=str,
)
def test_kinds_are_guessed(cells: list[str], settings: dict[str, Any]) -> None:
    """Numbers have a range, few texts that repeat are a category; a code with zeros is a text."""
    made = without_reference(proposed(*cells))
    made.pop("datatype", None)
    assert made == {"name": "x", **settings}


def test_true_and_false_travel_as_booleans_zero_and_one_as_integers() -> None:
    """As pandas has them in memory when a model is trained; in one tensor they have its datatype."""
    read = sample("a;b;c\ntrue;0;x\nFALSE;1;x\nTrue;1;x\n")
    truth, flag, _ = propose(read).features
    assert truth["kind"] == flag["kind"] == "boolean"
    assert (truth.get("datatype"), flag.get("datatype")) == (None, "INT64")
    assert truth["reference"] == flag["reference"] == {"rows": 3, "counts": {"true": 2, "false": 1}}
    assert "datatype" not in propose(read, leave_out=["a", "c"]).features[0]


@pytest.mark.parametrize("word", ["", "NA", "N/A", "nan", "None", "null", "?", "-", "--", "#N/A"])
def test_words_for_missing_numbers(word: str) -> None:
    """They make a number optional, not a text."""
    made = proposed("1.5", word, "2.5")
    assert (made["kind"], made["required"]) == ("number", False)
    assert made["reference"]["missing"] == 1


def test_a_question_mark_is_a_text_among_texts() -> None:
    """What is a gap between numbers may be a value between words; an empty cell never is."""
    made = proposed("a", "?", "a", "?", "", "-", "-")
    assert made["choices"] == ["-", "?", "a"]
    assert made["reference"]["missing"] == 1


def test_a_text_that_is_no_number() -> None:
    """One wrong cell makes a column a text, and is told."""
    made = draft("1", "2", "three", "4", "5")
    assert made.features[0]["kind"] == "text"
    assert made.notes == ("x: no number in 1 of 5 rows, e.g. 'three'",)


@pytest.mark.parametrize("cell", ["22.11.2026", "11/22/2026", "2026-11-22 13:05", "2026/11/02"])
def test_other_dates_are_texts(cell: str) -> None:
    """The kind date would send them written otherwise than the model knows them."""
    made = draft(cell)
    assert made.features[0]["kind"] == "text"
    assert made.notes == ("x: taken as text; the kind date sends dates such as 2026-11-22",)


def test_infinity_has_no_range() -> None:
    """What lies beyond all bounds is told and left out of them; so is what overflows."""
    made = draft("1.5", "inf", "-Infinity", "1e999", "2.5")
    assert (made.features[0]["min"], made.features[0]["max"]) == (1.5, 2.5)
    assert made.features[0]["reference"]["rows"] == 2
    assert made.notes == ("x: infinite in 3 of 5 rows; its range is made of the others",)


@pytest.mark.parametrize(
    ("cell", "low", "high", "step"),
    [
        ("5", 4, 6, 1),
        ("0.3", 0.2, 0.4, 0.1),
        ("-5", -6, -4, 1),
        ("0", 0, 1, 1),
        ("2500", 1400, 3600, 1),
    ],
)
def test_one_value_has_room_around_it(cell: str, low: float, high: float, step: float) -> None:
    """A slider needs two ends."""
    made = draft(cell, cell)
    (one,) = made.features
    assert (one["min"], one["max"], one["step"]) == (low, high, step)
    assert one["default"] == float(cell)
    assert made.notes == ("x: all rows have the same value",)


def test_huge_numbers() -> None:
    """The range holds them, as far as floats go, and the histogram does not overflow."""
    made = proposed("-1.7e308", "1.7e308", "5")
    assert made["reference"]["histogram"] == (1, *[0] * 9, 1, *[0] * 8, 1)
    assert "min" not in made
    made = proposed("1e300", "3e300")
    assert (made["min"], made["max"]) == (1e300, 3e300)
    tiny = proposed("5e-324", "1e-323")
    assert tiny["min"] <= 5e-324
    assert tiny["max"] >= 1e-323


def test_integers_stay_exact() -> None:
    """Beyond 2^53 there is no slider, and no float on the way; beyond 2^63 only UINT64 holds them."""
    made = proposed("9007199254740993", "9007199254740995", "9007199254740995")
    assert (made["kind"], made["default"]) == ("integer", 9007199254740995)
    assert "min" not in made
    assert "datatype" not in made
    assert proposed("18446744073709551615", "3")["datatype"] == "UINT64"
    assert proposed("18446744073709551616", "3")["kind"] == "text"
    assert propose(sample("a,b\n9007199254740993,1\n")).tensors == {"layout": "columns"}


def test_a_column_without_values() -> None:
    """Nothing can be learned from it."""
    made = draft("", "NA", "")
    assert made.features == ()
    assert "x: left out, it has no values" in made.notes
    assert draft("", "", kind="number").notes == ("x: it holds no number",)


@pytest.mark.parametrize(
    ("name", "cells", "is_id"),
    [
        ("customer_id", ["7", "3", "9"], True),
        ("customerId", ["a", "b", "c"], True),
        ("ID", ["7", "3", "9"], True),
        ("customer_id", ["7", "7", "9"], False),
        ("paid", ["7", "3", "9"], False),
        ("n", [str(i) for i in range(1, 31)], True),
        ("n", [str(2 * i) for i in range(30)], False),
        ("n", [f"K{i:03}" for i in range(30)], True),
        ("n", [f"word number {i}" for i in range(30)], False),
        ("x_id", ["1.5", "2.5", "3.5"], False),
    ],
)
def test_what_looks_like_an_id(name: str, cells: list[str], is_id: bool) -> None:
    """Each row has its own, and the name says so, or it counts up from the left, or is a code."""
    read = sample(f"{name};other\n" + "".join(f"{cell};a\n" for cell in cells))
    assert (name in reasons_to_leave_out(read)) is is_id
    assert (name in {one["name"] for one in propose(read).features}) is not is_id


def test_a_count_in_the_middle_is_a_feature() -> None:
    """Rows are numbered in the first column."""
    assert not sample("a,n\n" + "".join(f"x,{i}\n" for i in range(30))).column("n").is_id


def test_columns_that_are_taken_or_left_out_on_purpose() -> None:
    """A person knows better than a guess; a name that is not there is told."""
    made = propose(sample(IRIS), leave_out=["petal width", "colour"], take=["species"])
    names = [one["name"] for one in made.features]
    assert names == ["sepal length", "sepal width", "petal length", "species"]
    assert made.notes == ("colour: to be left out, but there is no such column",)


# What is known already


def test_a_known_kind_is_kept() -> None:
    """A guess never overrules what somebody said."""
    cases: list[tuple[list[str], dict[str, Any], dict[str, Any]]] = [
        (["1", "2", "3"], {"kind": "number"}, {"min": 1, "max": 3, "step": 1, "default": 2}),
        (["0", "1", "1"], {"kind": "integer"}, {"min": 0, "max": 1, "step": 1, "default": 1}),
        (["a", "b", "a", "b"], {"kind": "text"}, {}),
        (["yes", "no", "yes"], {"kind": "boolean"}, {"default": True}),
        (["1", "0", "2"], {"kind": "category"}, {"choices": ["0", "1", "2"], "default": "0"}),
        (["22.11.2026"], {"kind": "date"}, {}),
        (["1", "2"], {"kind": "tensor", "shape": [2]}, {}),
    ]
    for cells, known, said in cases:
        assert without_reference(proposed(*cells, **known)) == {"name": "x", **said}


def test_a_known_datatype_bounds_the_guess() -> None:
    """Where only the wire is known, e.g. of V2 metadata, the values tell the rest."""
    assert proposed("0", "1", datatype="INT64")["kind"] == "boolean"
    assert proposed("0", "1", datatype="FP32")["kind"] == "boolean"
    assert proposed("1", "2", datatype="FP32")["kind"] == "integer"
    assert proposed("1", "2", "1", "2", datatype="BYTES")["choices"] == ["1", "2"]
    assert proposed("a", "b", "a", "b", datatype="BYTES")["kind"] == "category"
    assert proposed("a", "b", "a", "b", datatype="FP32")["kind"] == "number"
    assert proposed("1.5", "2", datatype="INT64")["kind"] == "integer"
    assert "datatype" not in proposed("1", "2", datatype="INT32")


def test_known_choices_keep_their_labels_and_get_company() -> None:
    """Files may hold the value or the label; new values come after the known, of the same type."""
    known = [{"value": 0, "label": "female"}, Choice(value=1, label="male"), 2]
    made = draft("male", "1", "0.0", "7", kind="category", choices=known, datatype="INT64")
    assert made.features[0]["choices"] == [
        {"value": 0, "label": "female"},
        {"value": 1, "label": "male"},
        2,
        7,
    ]
    assert made.features[0]["reference"]["counts"] == {"1": 2, "0": 1, "7": 1}
    assert made.features[0]["default"] == 1
    assert made.notes == ("x: new values: '7'",)


def test_nothing_is_said_of_choices_that_are_all_known() -> None:
    """Only what the sample adds."""
    made = proposed("a", "b", kind="category", choices=["b", "a"], datatype="BYTES")
    assert "choices" not in made
    assert made["default"] == "b"


def test_none_and_na_may_be_choices() -> None:
    """NA is a country; but only who knows can tell it from a gap."""
    known = {"kind": "category", "choices": ["NA", "DE"]}
    assert proposed("NA", "DE", "NA", **known)["reference"]["counts"] == {"NA": 2, "DE": 1}


def test_too_many_new_values() -> None:
    """A category of hundreds is no category."""
    cells = [f"w{i}" for i in range(80)]
    made = draft(*cells, kind="category", choices=["w0"], datatype="BYTES")
    assert len(made.features[0]["choices"]) == 50
    assert "x: left out of the choices: 30 values, e.g. 'w50'" in made.notes


def test_a_gap_that_can_be_sent() -> None:
    """Optional where the wire has a form for it, or somebody said what to send."""
    assert "required" not in proposed("1", "", kind="integer", datatype="INT64")
    assert proposed("1", "", kind="integer", datatype="INT64", missing=-1)["required"] is False
    assert proposed("1", "", kind="integer", datatype="FP32")["required"] is False
    assert "required" not in proposed("1", "", kind="number", required=True)
    assert proposed("a", "", "a", kind="category", choices=["a"], missing="u")["required"] is False


def test_no_value_of_a_sensitive_feature_is_shown() -> None:
    """A range and choices say little of one person; a default or the least value does."""
    made = draft("1200.5", "2300", "x", kind="number", sensitive=True)
    assert made.features[0] == {"name": "x", "min": 1200, "max": 2400, "step": 1}
    assert made.notes == ()


def test_what_does_not_fit_what_is_known_is_left_out() -> None:
    """A proposal never breaks a feature that was valid."""
    made = draft("0.5", "2.5", kind="integer", datatype="INT64", min=0, max=5)
    assert without_reference(dict(made.features[0])) == {"name": "x"}
    assert made.notes == ("x: not all numbers are whole",)


def test_columns_find_their_features() -> None:
    """By the name, else without regard to case, blanks and underscores; in the model's order."""
    known = {
        "petal_width": {"kind": "number"},
        "Sepal Length": {"kind": "number"},
        "colour": {"kind": "text"},
    }
    made = propose(sample(IRIS), known)
    assert [one["name"] for one in made.features] == ["petal_width", "Sepal Length"]
    assert made.tensors == {}
    assert made.notes == (
        "species: left out, it looks like the answer",
        "sepal width: left out, it is no feature of the model",
        "petal length: left out, it is no feature of the model",
        "colour: the sample has no such column",
    )


def test_a_name_that_may_mean_two_columns_means_none() -> None:
    """No guess between them."""
    made = propose(sample("a_b,A B,z\n1,2,3\n"), {"ab": {"kind": "number"}})
    assert made.features == ()
    assert "ab: the sample has no such column" in made.notes


def test_numbered_features_take_columns_as_they_come() -> None:
    """V2 metadata knows one tensor [-1, 4]; the sample knows the names of its columns."""
    known = {f"input-0[{i}]": {"kind": "number", "datatype": "FP32"} for i in range(4)}
    made = propose(sample(IRIS), known)
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    assert [one["name"] for one in made.features] == names
    assert all("kind" not in one and "datatype" not in one for one in made.features)
    assert propose(sample(PENGUINS), known).features == ()


# Parquet


def test_parquet_has_types_of_its_own() -> None:
    """Numbers keep their size, texts stay texts, categories their order; lists are left out."""
    frame = pd.DataFrame(
        {
            "small": pd.array([1, 2, None], dtype="Int32"),
            "half": pd.Series([0.5, math.nan, 2.5], dtype="float32"),
            "code": ["1", "2", "2"],
            "size": pd.Categorical(["L", "S", "S"], categories=["S", "M", "L"], ordered=True),
            "is_new": [True, False, True],
            "day": pd.to_datetime(["2026-11-22", "2026-11-23", "2026-11-24"]),
            "large": [2**53 + 1, 2**53 + 3, 5],
            "list": [[1], [2], [3]],
        }
    )
    made = propose(read_sample(parquet(frame), name="p"))
    found = {one["name"]: without_reference(dict(one)) for one in made.features}
    assert found["small"]["datatype"] == "FP64"
    assert found["half"] | {"step": 0} == {
        "name": "half",
        "kind": "number",
        "datatype": "FP32",
        "min": 0.4,
        "max": 2.6,
        "step": 0,
        "default": 0.5,
        "required": False,
    }
    assert found["code"] == {"name": "code", "kind": "text"}
    assert found["size"]["choices"] == ["S", "M", "L"]
    assert found["size"]["default"] == "S"
    assert found["is_new"] == {"name": "is_new", "kind": "boolean", "default": True}
    assert found["day"] == {"name": "day", "kind": "date", "default": "2026-11-23"}
    assert found["large"]["default"] == 2**53 + 1
    assert any(note.startswith("list: left out, of type list<") for note in made.notes)


def parquet(frame: pd.DataFrame, **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    frame.to_parquet(out, **options)
    return out


def test_all_columns_of_one_wire_are_one_tensor() -> None:
    """A model that was trained on float32 gets float32."""
    frame = pd.DataFrame({"a": [0.5, 1.5], "b": [1.25, 2.5]}, dtype="float32")
    made = propose(read_sample(parquet(frame), name="p"))
    assert made.tensors == {"layout": "tensor", "datatype": "FP32"}
    assert all("datatype" not in one for one in made.features)


def test_rows_are_spread_through_a_large_parquet_file() -> None:
    """The first of each row group, so that the end counts as well."""
    frame = pd.DataFrame({"x": range(1000), "y": 0.5})
    read = read_sample(parquet(frame, row_group_size=100), name="p", limit_rows=50)
    assert read.rows == 50
    assert read.note == "50 of 1,000 rows were looked at, the first of 10 row groups"
    numbers = read.column("x").numbers
    assert numbers is not None
    assert numbers.greatest == 904


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(index=range(3)), "no columns|names no|can't be read|no name"),
    ],
)
def test_an_empty_parquet_file(frame: pd.DataFrame, why: str) -> None:
    """There is nothing to learn."""
    with pytest.raises(InputError, match=why):
        read_sample(parquet(frame, index=False), name="p")


def test_parquet_needs_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client alone does without; the message says what to install."""
    real = builtins.__import__

    def without_pyarrow(name: str, *args: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args)

    data = parquet(pd.DataFrame({"a": [1]}))
    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(ConfigurationError, match="pip install pyarrow"):
        read_sample(data, name="p")
    assert sample(IRIS).rows == 6


# What holds for any file


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(lambda data: b"PAR1" + data, st.binary(max_size=60)),
        st.builds(lambda data: b"\x1f\x8b\x08" + data, st.binary(max_size=60)),
        st.builds(gzip.compress, st.binary(max_size=200)),
        st.text(alphabet="ab01,;\t|\n\r\"'. -+eE?NAé", max_size=200).map(str.encode),
    )
)
@example(b"x\n\n\n")
@example(b"0\n1e309\n")
@example(b"\r\x01")
def test_any_bytes_are_a_sample_or_an_input_error(data: bytes) -> None:
    """Nothing else comes out of a file that somebody uploads."""
    try:
        made = propose(sample(data))
    except InputError:
        return
    json.dumps([dict(one) for one in made.features], allow_nan=False)


CELLS = st.one_of(
    st.sampled_from(["", "NA", "?", "-", "none", "0", "1", "true", "False", "inf", "1e999", "007"]),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-5, 5).map(str),
    st.floats().map(str),
    st.floats(-10, 10).map(lambda value: f"{value:.1f}"),
    st.dates().map(str),
    st.sampled_from(["a", "b", " a", "b ", "A", "ä", "\U0001f600", "x" * 101, "12.5 kg"]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5),
)


def csv_of(columns: list[list[str]]) -> bytes:
    names = [f"c{at}" for at in range(len(columns))]
    return pd.DataFrame(dict(zip(names, columns, strict=True))).to_csv(index=False).encode()


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=2, max_size=4))
    return [[draw(st.sampled_from(kind)) for _ in range(rows)] for kind in kinds]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_what_is_proposed_takes_the_rows_of_the_sample(columns: list[list[str]]) -> None:
    """Every proposed feature is valid, and the values it was made from can be sent."""
    data = csv_of(columns)
    names = [f"c{at}" for at in range(len(columns))]
    read = sample(data)
    made = propose(read, take=names)
    for one in made.features:
        Feature.model_validate(one)
    if not made.features:
        return
    signature = signature_of(made)
    table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    encoded = encode(signature, {name: [*table[name]] for name in names})
    for issue in encoded.issues:
        assert issue.column is not None
        column = read.column(issue.column)
        cell = str(table[issue.column][issue.row]).strip()
        is_gap = cell in column.gaps or cell == ""
        assert is_gap or column.infinite or column.strays, (issue, cell)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(CELLS, min_size=1, max_size=12),
    st.sampled_from(["number", "integer", "category", "boolean", "date", "text", "tensor", None]),
    st.sampled_from([None, "FP32", "INT64", "BYTES", "BOOL", "UINT8"]),
    st.booleans(),
)
def test_a_proposal_never_breaks_a_known_feature(
    cells: list[str], kind: str | None, datatype: str | None, is_required: bool
) -> None:
    """What is known and valid is still valid with what the sample adds."""
    known: dict[str, Any] = {"required": is_required}
    known |= {} if kind is None else {"kind": kind}
    known |= {} if datatype is None else {"datatype": datatype}
    known |= {"choices": [0, 1]} if kind == "category" else {}
    known |= {"shape": [2]} if kind == "tensor" else {}
    try:
        Feature.model_validate({"name": "c0", **known})
    except ValueError:
        return
    made = propose(sample(csv_of([cells, ["z"] * len(cells)])), {"c0": known})
    Feature.model_validate({**known, **made.features[0]})


def test_the_sample_and_the_batch_read_one_file_alike() -> None:
    """Both find the same columns, rows and delimiter."""
    table = preview(io.BytesIO(PENGUINS.encode()))
    count = count_rows(io.BytesIO(PENGUINS.encode()))
    read = sample(PENGUINS)
    assert [c.name for c in read.columns] == list(table.columns)
    assert (read.rows, read.form) == (count, f"CSV, {table.delimiter_name}, UTF-8")
