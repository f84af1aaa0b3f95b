from __future__ import annotations

import copy
import pickle
import re

import pytest

from kserve_client import errors
from kserve_client.errors import (
    AccessError,
    CatalogError,
    ConnectError,
    InvalidAnswerError,
    KServeClientError,
    NoSuchOutputError,
    RowIssue,
    RowsError,
    ServerError,
)

EVERY_KIND = [
    CatalogError("is required", source="models.yaml", line=4, field="models.iris.endpoint"),
    RowsError([RowIssue(0, "age", "is missing")]),
    ConnectError("no connection", attempts=3),
    ServerError("500", status=500, server_message="no", body="no", attempts=2),
    InvalidAnswerError("not V2", body="<html>"),
    NoSuchOutputError("no output 'y'"),
]


def test_the_tree_is_the_one_of_the_docstring() -> None:
    """Every error class is drawn, and nothing else is."""
    drawn = set(re.findall(r"\w+Error", (errors.__doc__ or "").split("A message says")[0]))
    kinds = {name for name in vars(errors) if name.endswith("Error")}
    assert drawn == kinds


def test_one_except_catches_all() -> None:
    """Everything raised on purpose has one root."""
    kinds = [kind for name, kind in vars(errors).items() if name.endswith("Error")]
    assert all(issubclass(kind, KServeClientError) for kind in kinds)


@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: type(error).__name__)
def test_errors_travel_between_processes(error: KServeClientError) -> None:
    """Pickled or copied, an error keeps its class, its words and its numbers."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


def test_a_catalog_error_names_file_line_and_field() -> None:
    """All three stand in the message, in that order."""
    assert str(EVERY_KIND[0]) == "models.yaml, line 4: models.iris.endpoint: is required"


def test_a_catalog_error_without_a_place() -> None:
    """What is not known is left away."""
    assert str(CatalogError("it is empty", source="m.yaml")) == "m.yaml: it is empty"


def test_rows_count_from_one_for_people() -> None:
    """The first row is row 1 in words, and 0 in code."""
    assert str(RowIssue(0, "age", "is missing")) == "row 1, age: is missing"
    assert str(RowIssue(4, None, "has 3 cells, not 4")) == "row 5: has 3 cells, not 4"
    assert str(RowIssue(7, "age", "is missing", 215)) == "row 8 (index 215), age: is missing"


def test_a_long_list_of_rows_is_cut() -> None:
    """Five issues are told, all are kept."""
    error = RowsError(RowIssue(row, "a", "is missing") for row in range(7))
    assert len(error.issues) == 7
    assert str(error).endswith("row 5, a: is missing; and 2 more")


def test_bodies_are_cut() -> None:
    """An error keeps 500 characters of an answer."""
    assert len(ServerError("no", status=500, body="x" * 501).body) == 500
    assert len(InvalidAnswerError("no", body="x" * 501).body) == 500


def test_a_refusal_of_access_knows_no_target_unless_redirected() -> None:
    """A plain 401 points nowhere."""
    assert AccessError("401", status=401).location == ""
