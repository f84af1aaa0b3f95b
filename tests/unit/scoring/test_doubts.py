"""Numbers that nobody can read for sure."""

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kserve_client.scoring.doubts import Doubt, DoubtError, Doubts
from kserve_client.scoring.mapping import Mapping, Origin
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.sources import Found, ReadOptions, opened
from kserve_client.signature import Signature

SEMICOLONS = Found("csv", delimiter=";")
LIKELY_COMMAS = Found("csv", delimiter=";", decimal=",", is_decimal_shown=False)
SIGNATURE = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {"name": "rent"},
            {"name": "rooms", "kind": "integer"},
            {"name": "pin", "sensitive": True, "required": False},
            {"name": "town", "kind": "text"},
        ],
    }
)


def rows(start: int = 0, **columns: list[str | None]) -> Rows:
    count = max(map(len, columns.values()))
    cells = {name: columns.get(name, ["1"] * count) for name in ("rent", "rooms", "pin", "town")}
    return Rows(start, pa.RecordBatch.from_pydict(cells))


def doubts(found: Found = SEMICOLONS, reading: ReadOptions | None = None) -> Doubts:
    names = ["rent", "rooms", "pin", "town"]
    mapping = Mapping.by_name(SIGNATURE, names)
    return Doubts(SIGNATURE, mapping, names, found, reading or ReadOptions())


@pytest.mark.parametrize(
    ("found", "reading", "is_asked"),
    [
        (SEMICOLONS, ReadOptions(), True),
        (Found("csv", delimiter="\t"), ReadOptions(), True),
        (Found("csv", delimiter=","), ReadOptions(), False),
        (Found("csv", delimiter=";", decimal=","), ReadOptions(), False),
        (LIKELY_COMMAS, ReadOptions(), True),
        (LIKELY_COMMAS, ReadOptions(decimal=","), False),
        (Found("json-lines"), ReadOptions(), False),
        (SEMICOLONS, ReadOptions(decimal="."), False),
    ],
)
def test_only_where_the_sign_is_not_known(
    found: Found, reading: ReadOptions, is_asked: bool
) -> None:
    """A comma between the cells, a decimal comma, another format or a word of a person settle it."""
    assert (doubts(found, reading).find(rows(rent=["1.200"])) is not None) == is_asked


def test_the_first_cell_is_named_with_its_row() -> None:
    """Rows count through the whole table."""
    found = doubts().find(rows(40, rent=["60", None, " 1.200 ", "1.350"]))
    assert found == Doubt("rent", "1.200", 42)
    assert found.readings == ("1.2", "1200")
    assert found.words.startswith(
        "rent: a number such as '1.200' (first in row 43) may be 1.2 or 1200, and nothing"
    )
    assert doubts().find(rows(rooms=["1.000"])) == Doubt("rooms", "1.000", 0)


def test_a_sensitive_cell_is_not_shown() -> None:
    """An example stands in its place."""
    assert doubts().find(rows(pin=["4.711"])) == Doubt("pin", "1.200", 0)


def test_texts_are_no_numbers() -> None:
    """A column that feeds a text, or nothing, may look like anything."""
    assert doubts().find(rows(town=["1.200"])) is None
    mapping = Mapping(origins={"rent": Origin(column="rent")})
    alone = Doubts(SIGNATURE, mapping, ["rent", "rooms", "pin", "town"], SEMICOLONS, ReadOptions())
    assert alone.find(rows(rooms=["1.200"])) is None


def test_a_number_that_surely_has_a_decimal_point_settles_the_table() -> None:
    """Whichever column the model reads it from, and for the rows after it as well."""
    watch = doubts()
    assert watch.find(rows(rent=["1.200", "1.300"], pin=["1.200", "0.500"])) is None
    assert watch.find(rows(rent=["1.200"], rooms=["1.000"])) is None


def test_where_both_signs_are_seen_a_point_settles_its_own_column() -> None:
    """One of the two is another table's way to write: the others are asked about."""
    watch = doubts()
    assert watch.find(rows(rent=["1.200", "0.500"], pin=["60,5", "7"])) is None
    assert watch.find(rows(rent=["1.200"])) is None
    assert watch.find(rows(rooms=["1.200"])) == Doubt("rooms", "1.200", 0)


def test_where_a_comma_was_only_likely_one_that_is_sure_settles_the_table() -> None:
    """1,234 and 1.200 say nothing; after a 60,5 nobody has to."""
    watch = doubts(LIKELY_COMMAS)
    assert watch.find(rows(rent=["1,234", "900"])) is None
    assert watch.find(rows(rent=["1.200"])) == Doubt("rent", "1.200", 0)
    assert watch.find(rows(rent=["1.200"], rooms=["60,5"])) is None
    assert not watch.are_possible


def test_a_text_settles_nothing() -> None:
    """What the model does not read as a number is no number."""
    found = doubts().find(rows(rent=["1.200"], town=["0.5"]))
    assert found == Doubt("rent", "1.200", 0)


def test_a_doubt_travels_between_processes() -> None:
    """A worker's error is read where the run is."""
    again = pickle.loads(pickle.dumps(DoubtError(Doubt("rent", "1.200", 42))))
    assert again.doubt == Doubt("rent", "1.200", 42)
    assert str(again) == (
        "rent: a number such as '1.200' (first in row 43) may be 1.2 or 1200, and nothing in the "
        "column shows which; say how the table writes decimals: --decimal . or --decimal , (in "
        "Python ReadOptions(decimal=…))"
    )


def test_a_comma_that_may_part_thousands_leaves_the_points_in_doubt(tmp_path: Path) -> None:
    """Sixty rows of 1,234 are read with a decimal comma; a 1.200 after them is not guessed."""
    table = tmp_path / "rents.csv"
    table.write_text("rent;rooms;pin;town\n" + "1,234;1;1;B\n" * 60 + "1.200;1;1;B\n")
    with opened(table, ReadOptions()) as source:
        assert source.found.decimal == ","
        watch = doubts(source.found)
        with pytest.raises(DoubtError, match=r"'1\.200' \(first in row 61\)"):
            list(watch.none_in(source.read()))


def test_rows_after_the_first_ones_are_looked_at() -> None:
    """A table that is sorted has its thousands at the end: nothing of that batch is given out."""
    batches: Any = iter([rows(rent=["900"]), rows(1, rent=["1.200"])])
    given = doubts().none_in(batches)
    assert next(given).start == 0
    with pytest.raises(DoubtError, match=r"rent: a number such as '1\.200' \(first in row 2\)"):
        next(given)
