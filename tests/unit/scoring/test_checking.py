"""What is found in a table before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kserve_client.errors import InputError
from kserve_client.frames import encode
from kserve_client.scoring.cells import cells_of
from kserve_client.scoring.checking import BLOCKS_READ, Example, Finding, Findings, Offer, check
from kserve_client.scoring.mapping import Mapping, Origin
from kserve_client.scoring.rows import Rows
from kserve_client.scoring.treatment import Treatment
from kserve_client.signature import Signature

SIGNATURE = Signature.model_validate(
    {
        "layout": "columns",
        "features": [
            {"name": "x", "min": 0, "max": 10, "unit": "cm"},
            {"name": "n", "kind": "integer", "required": False, "missing": -1},
            {"name": "island", "kind": "category", "choices": ["Biscoe", "Dream"]},
        ],
    }
)
SEND = Offer("send", "send as they are")
REFUSED = Offer("send", "keep these rows: they come back with their error")
DROP = Offer("drop", "leave these rows out")
FILL = Offer("fix", "fill in a value")


def only(**settings: Any) -> Signature:
    feature = {"name": "a", **settings}
    return Signature.model_validate({"layout": "columns", "features": [feature]})


def batches(size: int, problems: dict[int, str] | None = None, **columns: Any) -> Iterator[Rows]:
    whole = pa.RecordBatch.from_pydict(columns)
    rows = Rows(0, whole, problems or {})
    for at in range(0, len(rows), size):
        yield rows.slice(at, min(size, len(rows) - at))


def found(signature: Signature, decimal: Any = ".", **columns: Any) -> Findings:
    mapping = Mapping.by_name(signature, list(columns))
    return check(signature, mapping, batches(2, **columns), decimal)


def test_a_row_in_several_troubles_counts_once() -> None:
    """Rows that can't be sent and rows with a number out of range are counted, not their cells."""
    columns = {
        "x": ["abc", "1", "", "99", "1", "-1"],
        "n": ["1.5", "1.5", "1", "", "1", "1"],
        "island": ["Mars", "Dream", "Dream", "Dream", "Dream", "Dream"],
    }
    assert (found(SIGNATURE, **columns).refused, found(SIGNATURE, **columns).outside) == (3, 2)
    mapping = Mapping.by_name(SIGNATURE, list(columns))
    ragged = check(SIGNATURE, mapping, batches(2, {0: "has 4 cells", 4: "has 4 cells"}, **columns))
    assert (ragged.refused, ragged.outside) == (4, 2)


def test_a_clean_table() -> None:
    """There is nothing to say."""
    findings = found(SIGNATURE, x=["1", "2"], n=["1", "2"], island=["Dream", "Biscoe"])
    assert findings == Findings(2)
    assert findings.sentences == ()


def test_every_trouble_with_its_rows() -> None:
    """Counts, the first rows, and what can be done; in the order of the features."""
    findings = found(
        SIGNATURE,
        x=["1", "", "abc", "11", "2"],
        n=["1", "", "3", "1.5", "x"],
        island=["Dream", "dream", "Gough", "Dream", "Dream"],
    )
    assert findings.items == (
        Finding("x", "missing", 1, "have no value", True, (Example(1),), (REFUSED, DROP, FILL), 1),
        Finding("x", "wrong", 1, "hold no number", True, (Example(2, "abc"),), (REFUSED, DROP), 0),
        Finding(
            "x",
            "range",
            1,
            "are outside 0 to 10 cm",
            False,
            (Example(3, "11"),),
            (SEND, DROP, Offer("fix", "take the nearer end of 0 to 10 cm")),
            1,
        ),
        Finding("n", "missing", 1, "have no value", False, (Example(1),), (SEND, DROP, FILL), 1),
        Finding(
            "n",
            "wrong",
            2,
            "hold no whole number that fits",
            True,
            (Example(3, "1.5"), Example(4, "x")),
            (REFUSED, DROP),
            0,
        ),
        Finding(
            "island",
            "wrong",
            2,
            "are not one of Biscoe, Dream",
            True,
            (Example(1, "dream"), Example(2, "Gough")),
            (
                REFUSED,
                DROP,
                Offer("fix", "take the choice of the same letters (mends 1 of 2)"),
            ),
            1,
        ),
    )
    assert findings.sentences[1:3] == (
        "x: 1 of 5 rows hold no number (row 3 ('abc'))",
        "x: 1 of 5 rows are outside 0 to 10 cm (row 4 ('11'))",
    )


def test_five_examples_are_enough() -> None:
    """All are counted, the first five named, long cells cut."""
    finding = found(only(), a=["x" * 50] * 7).items[0]
    assert finding.rows == 7
    assert finding.examples == tuple(Example(row, "x" * 39 + "…") for row in range(5))
    assert finding.where.endswith(", …")


def test_a_sensitive_value_is_not_seen() -> None:
    """The rows are named, not what is in them."""
    finding = found(only(sensitive=True, max=5), a=["hunter2", "7"])
    assert [item.examples for item in finding.items] == [(Example(0),), (Example(1),)]
    assert "hunter2" not in repr(finding)


def test_decimal_commas_can_be_read() -> None:
    """The fix is offered where a comma can only be a decimal one."""
    item = found(only(), a=["1,5", "2,25", "3"]).items[0]
    assert (item.rows, item.mendable) == (2, 2)
    assert item.offers[-1] == Offer("fix", "read 5,1 as 5.1")


def test_thousands_are_not_taken_for_decimals() -> None:
    """What reads 1,234 may be a thousand and more: then no fix is offered."""
    item = found(only(), a=["1,234", "12,000", "3"]).items[0]
    assert item.offers == (REFUSED, DROP)
    assert found(only(), a=["1,234", "12,00"]).items[0].mendable == 2


def test_a_file_with_decimal_commas() -> None:
    """Its numbers are read; a point beside them is not."""
    findings = found(only(max=5), ",", a=["1,5", "1.5", "7,5"])
    assert [(item.trouble, item.words, item.examples) for item in findings.items] == [
        ("wrong", "hold no number with a decimal comma", (Example(1, "1.5"),)),
        ("range", "are outside up to 5", (Example(2, "7,5"),)),
    ]


def test_rows_that_do_not_fit_under_the_header() -> None:
    """They are counted apart, and in nothing else."""
    signature = only()
    rows = batches(2, {1: "line 3 has 1 cell, the header has 2"}, a=["1", "", "x"])
    findings = check(signature, Mapping.by_name(signature, ["a"]), rows)
    assert findings.ragged == 1
    assert [(item.trouble, item.rows) for item in findings.items] == [("wrong", 1)]
    assert findings.sentences == (
        "a: 1 of 3 rows hold no number (row 3 ('x'))",
        "1 of 3 rows don't fit under the header (row 2: line 3 has 1 cell, the header has 2)",
    )


def test_rows_and_keys_that_occur_again() -> None:
    """Whole rows, and the cells of the key column."""
    signature = only()
    mapping = Mapping.by_name(signature, ["a"])
    rows = batches(2, a=["1", "1", "2"], id=["7", "7", "7"])
    findings = check(signature, mapping, rows, key="id")
    assert findings.sentences == (
        "1 row is the same as an earlier row (row 2 as row 1)",
        "2 rows are the same in 'id' as an earlier row (row 2 as row 1, row 3 as row 1)",
    )


def test_a_key_that_is_not_there() -> None:
    """It is said, not passed over."""
    signature = only()
    mapping = Mapping.by_name(signature, ["a"])
    with pytest.raises(InputError, match="no \\(one\\) column 'id'"):
        check(signature, mapping, batches(2, a=["1"]), key="id")


def test_constants_and_conversions() -> None:
    """A range is that of the feature, after the conversion; a constant is not counted."""
    mapping = Mapping(
        origins={
            "x": Origin(column="inches", factor=2.5),
            "island": Origin(constant="Dream"),
        }
    )
    findings = check(SIGNATURE, mapping, batches(2, inches=["4", "5", "six"]))
    assert [(item.feature, item.trouble, item.examples) for item in findings.items] == [
        ("x", "wrong", (Example(2, "six"),)),
        ("x", "range", (Example(1, "12.5"),)),
    ]


def test_of_tensors_the_first_are_read() -> None:
    """Decoding a million pictures would take hours: it says how many were read."""
    signature = only(kind="tensor", shape=[2])
    findings = found(signature, a=["[1]"] * (BLOCKS_READ + 1))
    assert findings.items[0].rows == BLOCKS_READ
    assert "a: the first 1,000 cells were read" in findings.sentences


texts = st.sampled_from(
    ["1", "2.5", " 3", "", "NA", "abc", "1,5", "11", "-1", "Dream", "dream", "9" * 30, "1e999"]
)


@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(st.tuples(texts, texts, texts), max_size=12),
    size=st.integers(1, 5),
    drop=st.booleans(),
)
def test_what_is_refused_is_what_is_found(
    cells: list[tuple[str, str, str]], size: int, *, drop: bool
) -> None:
    """Findings that are refused are the issues of `encode`; once they are left out there are none."""
    columns = {name: [row[at] for row in cells] for at, name in enumerate(("x", "n", "island"))}
    mapping = Mapping.by_name(SIGNATURE, list(columns))
    arrays = {name: pa.array(column, pa.string()) for name, column in columns.items()}
    findings = check(SIGNATURE, mapping, batches(size, **arrays))
    table = {name: cells_of(arrays[name], SIGNATURE.feature(name)) for name in ("x", "n", "island")}
    issues = encode(SIGNATURE, table).issues
    for name in columns:
        refused = sum(i.rows for i in findings.items if i.feature == name and i.is_refused)
        assert refused == len([issue for issue in issues if issue.column == name])
    if drop:
        actions: Any = {i.feature: {"missing": "drop", "wrong": "drop"} for i in findings.items}
        treatment = Treatment.of(SIGNATURE, actions)
        out = {
            at
            for name, array in arrays.items()
            for at in treatment.apply(SIGNATURE.feature(name), array)[1]
        }
        assert out >= {issue.row for issue in issues}
