"""docs/conformance.md says of each check what the code does."""

import re
from pathlib import Path

from kserve_client.doctor import CHECKS
from kserve_client.doctor.asking import BUDGET_S, LONGEST_WAIT_S, SILENCES
from kserve_client.doctor.report import LEAST_SCORES
from kserve_client.doctor.server_checks import UNKNOWN

PAGE = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_check_has_its_line_in_order() -> None:
    """By name, with its being a must."""
    named = re.findall(r"^\| ([A-Z][^|]+?) \|", section("The checks"), re.MULTILINE)
    assert named == [f"{c.name} (must)" if c.is_must else c.name for c in CHECKS]
    assert f"{len(CHECKS)} checks" in PAGE


def test_the_arithmetic_is_the_one_of_the_code() -> None:
    """The scores of the grades stand on the page."""
    assert LEAST_SCORES == ((90, "A"), (75, "B"), (60, "C"), (40, "D"))
    words = " ".join(section("The grade").split())
    assert "A is from 90, B from 75, C from 60, D from 40, F below" in words


def test_the_bounds_are_those_of_the_code() -> None:
    """How long it waits, and the name that stands in the server's log."""
    assert (LONGEST_WAIT_S, BUDGET_S, SILENCES) == (20, 60, 2)
    words = " ".join(section("What is sent").split())
    assert "waits for 20 seconds at most" in words
    assert "After 60 seconds, or two requests in a row without any answer" in words
    assert UNKNOWN in words
