"""Examining servers that are down, slow, strange, or don't let us in: results, never exceptions."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from kserve_client import ConfigurationError
from kserve_client.doctor import Report, asking, examine
from tests.unit.doctor.ideal_server import Reply, Request, ideal_server, refused
from tests.unit.doctor.patients import BARE, COLUMNS, SUMS, catalog_of, examined, told
from tests.unit.fault_server import Wire, fault_server

JSON = {"Content-Type": "application/json"}


def only(report: Report, verdict: str) -> set[str]:
    return {result.key for result in report.results if result.verdict == verdict}


def test_a_dead_server_is_a_report() -> None:
    """Two failures, the rest skipped with the reason, and no grade."""
    report = examined("http://127.0.0.1:1")
    assert only(report, "fail") == {"server-metadata", "server-health"}
    assert {r.finding for r in report.results if r.verdict == "skipped"} == {
        "the server does not answer"
    }
    assert (report.grade, report.score, report.is_answered) == (None, None, False)
    assert report.verdict.startswith("Sums could not be judged: nothing listens on 127.0.0.1:1;")


def test_a_hanging_server_costs_two_time_outs() -> None:
    """Then nothing more is asked."""

    def hang(wire: Wire) -> None:
        wire.read()
        time.sleep(60)

    with fault_server(hang) as server:
        report = examined(server.url, read_timeout_s=1)
    assert len(server.seen) == 2
    assert report.grade is None


def test_a_server_that_hangs_after_a_while_is_left_alone() -> None:
    """Inference hangs: two time-outs, and what was found before stays."""

    def hang(request: Request) -> Reply | None:
        if request.is_infer:
            time.sleep(60)
        return None

    with ideal_server(instead=hang) as server:
        report = examined(server.url, read_timeout_s=2)
    assert told(report, "inference")[0] == "fail"
    assert told(report, "server-metadata")[0] == "pass"
    assert report.elapsed_s < 20
    assert len([request for request in server.seen if request.is_infer]) <= 3


def test_the_whole_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is used up the checks that are left are skipped and say so."""
    monkeypatch.setattr(asking, "BUDGET_S", 0.2)

    def slow(request: Request, reply: Reply) -> Reply:
        time.sleep(0.1)
        return reply

    with ideal_server(changed=slow) as server:
        report = examined(server.url)
    skipped = [r for r in report.results if r.verdict == "skipped"]
    assert "the 0 s for all checks were used up" in {r.finding for r in skipped}
    assert len(server.seen) < 6


def test_one_lost_answer_fails_one_check() -> None:
    """The next one is asked as if nothing had been."""

    def late(request: Request) -> Reply | None:
        if (request.method, request.path) == ("GET", "/v2"):
            time.sleep(60)
        return None

    with ideal_server(instead=late) as server:
        report = examined(server.url, read_timeout_s=2)
    assert only(report, "fail") == {"server-metadata"}
    assert "within 2 s" in told(report, "server-metadata")[1]


def test_a_page_for_everything_is_no_v2_server() -> None:
    """It says yes to all, and fails wherever an answer is read."""
    page = Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    with ideal_server(instead=lambda _: page) as server:
        report = examined(server.url)
    assert report.grade == "F"
    assert "not fit for use" in report.verdict
    assert {"server-metadata", "model-metadata", "inference", "unknown-model"} <= only(
        report, "fail"
    )


@pytest.mark.parametrize("status", [401, 403, 302])
def test_who_is_not_let_in_asks_no_more(status: int) -> None:
    """The rest is skipped: every check would say the same."""
    with ideal_server(instead=lambda _: Reply(status)) as server:
        report = examined(server.url)
    assert told(report, "inference") == ("skipped", f"the endpoint does not let us in ({status})")
    assert report.grade == "F"
    assert len(server.seen) == 4


def test_a_token_that_is_not_there_is_a_report() -> None:
    """The settings allow no request: said once."""
    report = examined("http://127.0.0.1:1", auth="{env: NO_SUCH_VARIABLE_ANYWHERE}")
    assert told(report, "server-metadata")[0] == "fail"
    assert told(report, "server-health") == (
        "skipped",
        "the settings of the endpoint allow no request",
    )
    assert "NO_SUCH_VARIABLE_ANYWHERE" in report.verdict


def test_an_echoed_token_is_not_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may repeat what it was sent, in refusals and in answers."""
    monkeypatch.setenv("THE_TOKEN", "tok-very-secret-1")

    def echo(request: Request, reply: Reply) -> Reply:
        said = request.headers.get("authorization", "")
        if isinstance(reply.body, dict):
            reply.body["said"] = said
        return reply

    with ideal_server(changed=echo) as server:
        report = examined(server.url, auth="{env: THE_TOKEN}")
    assert server.seen[0].headers["authorization"] == "Bearer tok-very-secret-1"
    assert "said" in report.results[0].asked[0].seen
    assert "tok-very-secret-1" not in repr(report)


def test_bytes_that_a_terminal_would_obey_are_not_shown() -> None:
    """Control characters of a server stay out of what people read."""
    nasty = Reply(404, b'{"error": "x"}\x1b[2J\x00', JSON)
    with ideal_server(instead=lambda r: nasty if "such" in r.path else None) as server:
        report = examined(server.url)
    assert "\x1b" not in repr(report.result("unknown-model").asked[0].seen)


def test_long_bodies_are_cut() -> None:
    """What was sent and seen is for reading."""
    long = Reply(404, {"error": "x" * 5000})
    with ideal_server(instead=lambda r: long if "such" in r.path else None) as server:
        (asked,) = examined(server.url).result("unknown-model").asked
    assert asked.seen.endswith("… (5,013 characters)")
    assert len(asked.seen) < 900


def test_without_a_signature_the_rest_is_checked() -> None:
    """Checks that need rows are skipped with the reason; C at best."""
    empty = {"name": "sums", "versions": ["1"], "inputs": [], "outputs": []}
    bare = Reply(body=empty)
    with ideal_server(instead=lambda r: bare if r.path == "/v2/models/sums" else None) as server:
        report = examined(server.url, BARE)
    assert told(report, "rows") == (
        "skipped",
        "nobody says what goes in: neither the catalog nor the model",
    )
    assert told(report, "malformed-json")[0] == "pass"
    assert only(report, "fail") == {"model-metadata"}
    assert report.grade == "C"
    fix = report.result("model-metadata").fix
    assert fix is not None
    assert fix.what.startswith("Describe the model's features")


def test_a_made_up_row_that_is_refused_is_no_failure() -> None:
    """The model may be well: a warning, the server's reason, and an example to fill in."""
    no = refused(500, "unknown category")
    with ideal_server(instead=lambda r: no if r.is_infer else None) as server:
        report = examined(server.url, COLUMNS.partition("    examples")[0], name="columns")
    verdict, finding = told(report, "inference")
    assert verdict == "warn"
    assert finding.endswith("500 Internal Server Error (unknown category)")
    fix = report.result("inference").fix
    assert fix is not None
    assert fix.content == (
        "models:\n  columns:\n    examples:\n    - name: An example\n"
        "      row:\n        a: 0.0\n        b: 0.0\n"
    )
    assert report.grade == "C"


def test_an_example_that_is_refused_is_a_failure() -> None:
    """The catalog says that it fits."""
    with ideal_server(instead=lambda r: refused(500) if r.is_infer else None) as server:
        report = examined(server.url)
    assert told(report, "inference")[0] == "fail"
    assert told(report, "rows") == ("skipped", "the model answered no row")
    assert report.grade == "D"


def test_a_version_of_the_catalog_is_the_one_that_is_asked() -> None:
    """All but the check of versions goes to its path."""
    with ideal_server() as server:
        report = examined(server.url, f"    model_version: '1'\n{SUMS}")
    assert report.grade == "A"
    inferred = {request.path for request in server.seen if request.is_infer}
    assert inferred == {"/v2/models/sums/versions/1/infer"}


def test_a_model_that_is_not_in_the_catalog() -> None:
    """Only that is an error."""
    with pytest.raises(ConfigurationError, match="no model 'other'"):
        examine(catalog_of("http://127.0.0.1:1"), "other")


def test_a_certificate_that_is_not_there_is_a_report(tmp_path: Path) -> None:
    """Wrong settings are a finding."""
    report = examined("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    assert "ca_file" in told(report, "server-metadata")[1]


ODD: list[bytes] = [
    b"",
    b"[]",
    b"null",
    b"1",
    b"{}",
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b'{"outputs": 1}',
    b'{"outputs": [{}]}',
    b'{"outputs": []}',
    b'{"outputs": [{"name": "total", "datatype": "FP64", "shape": [], "data": [1]}]}',
    b'{"outputs": [{"name": "total", "datatype": "FP64", "shape": [0], "data": []}], "id": []}',
    b'{"outputs": [{"name": "total", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}',
    b'{"name": 1, "versions": [1, null], "inputs": {}, "outputs": 7}',
    (
        b'{"name": "x", "versions": ["..", "a b/c?d#e", ""], "inputs": '
        b'[{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], "outputs": '
        b'[{"name": "total", "datatype": "FP64", "shape": [-1]}]}'
    ),
    b'{"name": "x", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 99999999, 99999]}]}',
    b'{"name": "x", "inputs": [{"name": "x", "datatype": "BF16", "shape": [-1, 3]}]}',
]
HEADERS: list[dict[str, str]] = [
    JSON,
    {},
    {"Content-Encoding": "gzip"},
    {"Inference-Header-Content-Length": "7"},
    {"Inference-Header-Content-Length": "x"},
]


@pytest.mark.parametrize("seed", range(25))
def test_nothing_that_a_server_says_is_an_exception(seed: int) -> None:
    """Every second answer is an odd one; each check still has a verdict."""
    chance = random.Random(seed)

    def odd(_: Request) -> Reply | None:
        if chance.random() < 0.5:
            return None
        status = chance.choice([200, 200, 200, 204, 302, 400, 404, 500, 599])
        return Reply(status, chance.choice(ODD), chance.choice(HEADERS))

    described: Any = chance.choice([SUMS, BARE])
    with ideal_server(instead=odd) as server:
        report = examined(server.url, described, read_timeout_s=2)
    assert len(report.results) == 21
    assert report.verdict


SENSITIVE = """
    signature:
      layout: columns
      features: [{name: a, sensitive: true, default: 77301}, {name: b}]
    examples: [{name: Small, row: {a: 98701, b: 2}}]
"""


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_report_repeats_no_sensitive_value(is_refused: bool) -> None:
    """It is kept for an hour, and shown to whoever looks at the model."""

    def echo(request: Request) -> Reply | None:
        if not request.is_infer or not is_refused:
            return None
        return refused(400, f"cannot read {request.body.decode(errors='replace')}")

    with ideal_server(instead=echo) as server:
        report = examined(server.url, SENSITIVE)
    sent = b" ".join(request.body for request in server.seen)
    assert b"98701" in sent
    assert "98701" not in repr(report)
    assert "77301" not in repr(report)
    assert asking.WITHHELD in {one.sent for one in report.result("inference").asked}
