"""Each check on the ideal server, and on one that does one thing wrong."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from kserve_client.doctor import CHECKS, Report
from kserve_client.doctor.answer_checks import CALLS_TIMED
from tests.unit.doctor.ideal_server import (
    HEAD_LENGTH,
    SERVER,
    IdealServer,
    Reply,
    Request,
    ideal_server,
    refused,
)
from tests.unit.doctor.patients import BARE, COLUMNS, SUMS, examined, told

Instead = Callable[[Request], Reply | None]
Changed = Callable[[Request, Reply], Reply]
NOTHING = "kserve-client-no-such-thing"
HTML = Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
PLAIN_500 = Reply(500, b"Internal Server Error", {"Content-Type": "text/plain"})


@pytest.mark.parametrize("described", [SUMS, BARE])
def test_a_server_that_does_everything_right_gets_an_a(described: str) -> None:
    """Every check passes, with the rows of the catalog and with those its metadata allows."""
    with ideal_server() as server:
        report = examined(server.url, described)
    assert {r.key: r.finding for r in report.results if r.verdict not in ("pass", "skipped")} == {}
    assert [r.key for r in report.results if r.verdict == "skipped"] == ["column-order"]
    assert (report.grade, report.score) == ("A", 100)
    assert report.verdict == "Sums speaks V2 as it should."
    assert report.server == "ideal 1.0"


@pytest.mark.parametrize("described", [COLUMNS, BARE])
def test_columns_that_are_told_by_name_pass_too(described: str) -> None:
    """With one input per column nothing is skipped."""
    with ideal_server() as server:
        report = examined(server.url, described, name="columns")
    assert {r.verdict for r in report.results} == {"pass"}
    assert report.result("column-order").finding == "columns in another order give the same answer"


def at(path: str, reply: Reply, method: str = "GET") -> Instead:
    """Answer one path with this."""
    return lambda request: reply if (request.method, request.path) == (method, path) else None


def metadata(**settings: Any) -> Instead:
    """Answer with other metadata of the model."""
    known = {
        "name": "sums",
        "versions": ["1"],
        "platform": "python",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [
            {"name": "total", "datatype": "FP64", "shape": [-1]},
            {"name": "double", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }
    return at("/v2/models/sums", Reply(body=known | settings))


def infer(reply: Reply, when: Callable[[Request], bool]) -> Instead:
    """Answer an inference with this, when the request is such a one."""
    return lambda request: reply if request.is_infer and when(request) else None


def holds(*words: str) -> Callable[[Request], bool]:
    """Say whether all words stand in the body."""
    return lambda request: all(word.encode() in request.body for word in words)


def lacks_value(request: Request) -> bool:
    """Say whether it is the tensor of two rows that lacks a value."""
    return request.body.count(b"[2, 2]") == 1 and b"30" not in request.body


def answered(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Changed:
    """Change every V2 answer that is JSON."""

    def changed(request: Request, reply: Reply) -> Reply:
        if not request.is_infer or reply.status != 200 or isinstance(reply.body, bytes):
            return reply
        return Reply(reply.status, change(dict(reply.body)), reply.headers)

    return changed


BROKEN: list[tuple[str, Instead, str, str, str]] = [
    ("an error", at("/v2", refused(404)), "server-metadata", "fail", "404"),
    ("a page", at("/v2", HTML), "server-metadata", "fail", "not JSON"),
    ("a list", at("/v2", Reply(body=[])), "server-metadata", "fail", "not a JSON object"),
    ("odd kinds", at("/v2", Reply(body={"name": {}})), "server-metadata", "fail", "other kinds"),
    (
        "no version",
        at("/v2", Reply(body={"name": "ideal", "extensions": []})),
        "server-metadata",
        "warn",
        "does not say its version",
    ),
    (
        "no name",
        at("/v2", Reply(body=SERVER | {"name": ""})),
        "server-metadata",
        "warn",
        "its name",
    ),
    ("not ready", at("/v2/health/ready", refused(503)), "server-health", "fail", "ready 503"),
    ("not live", at("/v2/health/live", refused(500)), "server-health", "fail", "live 500"),
    ("loading", at("/v2/models/sums/ready", refused(400)), "model-ready", "fail", "400"),
    ("no inputs", metadata(inputs=[]), "model-metadata", "fail", "names no inputs"),
    (
        "null",
        metadata(inputs=None, outputs=None),
        "model-metadata",
        "fail",
        "no inputs and no outputs",
    ),
    (
        "an odd datatype",
        metadata(outputs=[{"name": "total", "datatype": "DOUBLE", "shape": [-1]}]),
        "model-metadata",
        "fail",
        "DOUBLE",
    ),
    (
        "no shape",
        metadata(outputs=[{"name": "total", "datatype": "FP64", "shape": []}]),
        "model-metadata",
        "fail",
        "shape []",
    ),
    (
        "no datatype",
        metadata(inputs=[{"name": "x", "shape": [-1, 2]}]),
        "model-metadata",
        "fail",
        "inputs.0.datatype",
    ),
    ("no platform", metadata(platform=""), "model-metadata", "pass", "platform not said"),
    (
        "another output",
        metadata(outputs=[{"name": "output-0", "datatype": "FP64", "shape": [-1]}]),
        "metadata-matches",
        "fail",
        "names the outputs output-0, the answer total, double",
    ),
    (
        "another rank",
        metadata(
            outputs=[
                {"name": "total", "datatype": "FP64", "shape": [-1, 1]},
                {"name": "double", "datatype": "FP64", "shape": [-1, 2]},
            ]
        ),
        "metadata-matches",
        "fail",
        "total has shape [1], [-1, 1] in the metadata",
    ),
    (
        "another datatype",
        metadata(
            outputs=[
                {"name": "total", "datatype": "FP32", "shape": [-1]},
                {"name": "double", "datatype": "FP64", "shape": [-1, 2]},
            ]
        ),
        "metadata-matches",
        "fail",
        "total is FP64, FP32 in the metadata",
    ),
    (
        "another input",
        metadata(inputs=[{"name": "y", "datatype": "FP32", "shape": [-1, 2]}]),
        "metadata-matches",
        "fail",
        "the catalog sends x, the metadata names y",
    ),
    (
        "a narrower input",
        metadata(inputs=[{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]),
        "metadata-matches",
        "fail",
        "x has shape [1, 2], [-1, 3] in the metadata",
    ),
    (
        "no output alone",
        infer(refused(500), holds('"outputs": [{"name": "double"}]')),
        "requested-outputs",
        "fail",
        "asked for double alone it answers 500",
    ),
    (
        "any output",
        infer(Reply(body={"model_name": "sums", "outputs": []}), holds(NOTHING, '"outputs"')),
        "requested-outputs",
        "warn",
        "an output that is not there is answered 200 OK, not refused",
    ),
    (
        "an output as a 500",
        infer(PLAIN_500, holds(NOTHING, '"outputs"')),
        "requested-outputs",
        "warn",
        "500",
    ),
    (
        "order of columns",
        infer(refused(500), lambda r: r.body.find(b'"b"') < r.body.find(b'"a"')),
        "column-order",
        "skipped",
        "one tensor",
    ),
    (
        "any version",
        at(f"/v2/models/sums/versions/{NOTHING}/ready", Reply()),
        "versions",
        "warn",
        "can't exist",
    ),
    (
        "a listed version",
        at("/v2/models/sums/versions/1/ready", refused(501)),
        "versions",
        "fail",
        "lists version 1, which does not answer",
    ),
    ("unlisted versions", metadata(versions=[]), "versions", "warn", "version 1 answers, but"),
    (
        "broken binary",
        infer(refused(500), lambda r: HEAD_LENGTH in r.headers),
        "binary-tensors",
        "fail",
        "its extensions name binary tensors, and answers 500",
    ),
    (
        "an unnamed binary",
        at("/v2", Reply(body=SERVER | {"extensions": []})),
        "binary-tensors",
        "warn",
        "don't name them",
    ),
    (
        "spoilt compression",
        infer(refused(502), lambda r: r.headers.get("accept-encoding") == "gzip"),
        "compression",
        "fail",
        "502",
    ),
    (
        "no gzip in",
        infer(refused(415), lambda r: "content-encoding" in r.headers),
        "compression",
        "pass",
        "415",
    ),
    (
        "any model",
        at(f"/v2/models/{NOTHING}", Reply(body={})),
        "unknown-model",
        "fail",
        "not refused",
    ),
    ("a broken look-up", at(f"/v2/models/{NOTHING}", PLAIN_500), "unknown-model", "fail", "500"),
    (
        "another status",
        at(f"/v2/models/{NOTHING}", refused(400)),
        "unknown-model",
        "warn",
        "404 says it",
    ),
    (
        "a detail",
        at(f"/v2/models/{NOTHING}", Reply(404, {"detail": "no"})),
        "unknown-model",
        "warn",
        '"detail"',
    ),
    (
        "a page for 404",
        at(f"/v2/models/{NOTHING}", Reply(404, b"<html>", {"Content-Type": "text/html"})),
        "unknown-model",
        "warn",
        "without a JSON object",
    ),
    ("a redirect", at(f"/v2/models/{NOTHING}", Reply(302)), "unknown-model", "fail", "302"),
    (
        "FastAPI's detail",
        infer(Reply(422, {"detail": [{"msg": "JSON decode error"}]}), lambda r: len(r.body) < 20),
        "malformed-json",
        "warn",
        '"detail", not under "error"',
    ),
    (
        "malformed taken",
        infer(Reply(body={}), lambda r: len(r.body) < 20),
        "malformed-json",
        "fail",
        "200 OK, not refused",
    ),
    (
        "wrong shape as 500",
        infer(PLAIN_500, lacks_value),
        "wrong-shape",
        "fail",
        "as if the server were broken",
    ),
    (
        "wrong shape taken",
        infer(Reply(body={}), lacks_value),
        "wrong-shape",
        "fail",
        "200 OK, not refused",
    ),
    (
        "any input",
        infer(Reply(body={}), holds(f'"inputs": [{{"name": "{NOTHING}"')),
        "input-names",
        "warn",
        "not refused",
    ),
    ("gaps as 500", infer(PLAIN_500, holds("null")), "missing-numbers", "warn", "500"),
    ("gaps refused", infer(refused(400), holds("null")), "missing-numbers", "pass", "400"),
    (
        "gaps as words",
        infer(
            Reply(
                body={"outputs": [{"name": "t", "datatype": "FP64", "shape": [1], "data": ["nan"]}]}
            ),
            holds("null"),
        ),
        "missing-numbers",
        "fail",
        "holds str",
    ),
    ("an odd route", at(f"/v2/{NOTHING}", PLAIN_500), "unknown-route", "fail", "500"),
    ("every route", at(f"/v2/{NOTHING}", HTML), "unknown-route", "warn", "200"),
    ("HEAD", at("/v2", PLAIN_500, "HEAD"), "unknown-route", "fail", "HEAD /v2 500"),
    (
        "a traceback",
        at(
            f"/v2/models/{NOTHING}",
            Reply(
                404, {"error": 'Traceback (most recent call last):\n  File "/srv/app.py", line 3'}
            ),
        ),
        "no-leak",
        "fail",
        "Traceback (most recent call last)",
    ),
    (
        "a Java stack",
        at(f"/v2/models/{NOTHING}", Reply(404, {"error": "x at org.acme.Serve(Serve.java:12)"})),
        "no-leak",
        "fail",
        "Serve.java:12",
    ),
]


@pytest.mark.parametrize(
    ("instead", "key", "verdict", "words"),
    [pytest.param(*case[1:], id=f"{case[2]}: {case[0]}") for case in BROKEN],
)
def test_one_thing_wrong_is_found(instead: Instead, key: str, verdict: str, words: str) -> None:
    """The check that is about it says so; what is not a pass has a fix."""
    with ideal_server(instead=instead) as server:
        report = examined(server.url)
    assert told(report, key)[0] == verdict
    assert words in told(report, key)[1]
    _tells_all(report)


CHANGED: list[tuple[str, Changed, str, str, str]] = [
    ("no outputs", answered(lambda a: a | {"outputs": []}), "inference", "fail", "no output"),
    (
        "no name",
        answered(lambda a: a | {"model_name": None}),
        "inference",
        "warn",
        "without model_name",
    ),
    (
        "another name",
        answered(lambda a: a | {"model_name": "b"}),
        "inference",
        "warn",
        "'b', not 'sums'",
    ),
    ("no id", answered(lambda a: a | {"id": None}), "request-id", "fail", "id is None"),
    ("an id of its own", answered(lambda a: a | {"id": "7"}), "request-id", "fail", "id is '7'"),
]


@pytest.mark.parametrize(
    ("changed", "key", "verdict", "words"),
    [pytest.param(*case[1:], id=f"{case[2]}: {case[0]}") for case in CHANGED],
)
def test_a_strange_answer_is_found(changed: Changed, key: str, verdict: str, words: str) -> None:
    """The check that is about it says so."""
    with ideal_server(changed=changed) as server:
        report = examined(server.url)
    assert told(report, key)[0] == verdict
    assert words in told(report, key)[1]
    _tells_all(report)


def _tells_all(report: Report) -> None:
    """What is not as it should be has a fix, and shows what was asked."""
    bad = [result for result in report.results if result.verdict in ("warn", "fail")]
    assert [result.key for result in bad if not (result.fix and result.fix.what)] == []
    assert [result.key for result in bad if not result.asked] == []


def rows_of(answer: dict[str, Any], change: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    """Change the rows of both outputs, where there are two."""
    total, *double = answer["outputs"]
    if total["shape"] != [2]:
        return answer
    found = change(total["data"])
    total = total | {"data": found, "shape": [len(found)]}
    return answer | {"outputs": [total, *double]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[::-1], "total of row 1 is [40.0] beside another, [3.0] alone"),
        (lambda rows: rows[:1], "two rows give total of shape [1]"),
        (lambda rows: [sum(rows)] * 2, "total of row 1 is [43.0] beside another, [3.0] alone"),
    ],
)
def test_rows_that_do_not_stay_rows(change: Callable[[list[Any]], list[Any]], words: str) -> None:
    """Swapped, lost and mixed rows fail a must: D at best."""
    with ideal_server(changed=answered(lambda a: rows_of(a, change))) as server:
        report = examined(server.url)
    assert told(report, "rows") == ("fail", words)
    assert report.grade == "D"
    assert "not fit for use" in report.verdict


def test_a_model_that_answers_by_chance_is_no_failure() -> None:
    """The same row gets another answer each time: batches can't be judged."""
    count = iter(range(1000))

    def drift(answer: dict[str, Any]) -> dict[str, Any]:
        total, *others = answer["outputs"]
        moved = [number + next(count) for number in total["data"]]
        return answer | {"outputs": [total | {"data": moved}, *others]}

    with ideal_server(changed=answered(drift)) as server:
        report = examined(server.url)
    assert told(report, "rows")[0] == "warn"


def test_outputs_that_the_signature_names_wrongly() -> None:
    """The row is answered without them: the fix takes the outputs as they come, and the rest is checked."""
    wrong = SUMS.replace("{name: b}]}", "{name: b}], outputs: [{name: predict}]}")
    with ideal_server() as server:
        report = examined(server.url, wrong)
    verdict, finding = told(report, "inference")
    assert verdict == "fail"
    assert "it gives total, double" in finding
    fix = report.result("inference").fix
    assert fix is not None
    assert "- name: total\n        requested: false" in fix.content
    assert told(report, "rows")[0] == "pass"


def test_outputs_that_come_only_when_asked_for_match() -> None:
    """The metadata may name more than a plain answer holds, as MLServer's predict_proba."""

    def plain(request: Request, reply: Reply) -> Reply:
        if request.is_infer and reply.status == 200 and not isinstance(reply.body, bytes):
            asked = json.loads(request.body) if HEAD_LENGTH not in request.headers else {}
            if "outputs" not in asked:
                reply.body["outputs"] = reply.body["outputs"][:1]
        return reply

    with ideal_server(changed=plain) as server:
        report = examined(server.url)
    assert told(report, "metadata-matches")[0] == "pass"


def test_columns_told_by_place_fail() -> None:
    """Another order, another answer: nobody would notice. A refusal is a warning only."""

    def by_place(request: Request, reply: Reply) -> Reply:
        if request.is_infer and request.body.find(b'"b"') < request.body.find(b'"a"') != -1:
            reply.body["outputs"][1]["data"] = [4.0, 2.0]
        return reply

    with ideal_server(changed=by_place) as server:
        report = examined(server.url, COLUMNS, name="columns")
    assert told(report, "column-order") == (
        "fail",
        "columns in another order give another answer: double is [4.0, 2.0], not [2.0, 4.0]",
    )
    backwards = infer(refused(500), lambda r: -1 < r.body.find(b'"b"') < r.body.find(b'"a"'))
    with ideal_server(instead=backwards) as server:
        report = examined(server.url, COLUMNS, name="columns")
    assert told(report, "column-order")[0] == "warn"


def test_a_server_that_is_known_to_speak_binary() -> None:
    """KServe does not name the extension: that is known, and no warning."""
    kserve = {"name": "kserve", "version": "0.21.0", "extensions": ["model_repository_extension"]}
    with ideal_server(instead=at("/v2", Reply(body=kserve))) as server:
        assert told(examined(server.url), "binary-tensors")[0] == "pass"


def test_an_answer_that_is_other_in_binary() -> None:
    """Numbers must not depend on how they travel."""

    def spoilt(request: Request, reply: Reply) -> Reply:
        if HEAD_LENGTH in request.headers:
            reply.body["outputs"][0]["data"] = [99.0]
        return reply

    with ideal_server(changed=spoilt) as server:
        verdict, finding = told(examined(server.url), "binary-tensors")
    assert verdict == "fail"
    assert "total is [99.0], not [3.0]" in finding


def test_gzip_that_is_set_and_refused() -> None:
    """Where the catalog says compress, a server that takes none is a failure."""
    no_gzip = infer(refused(400), lambda r: "content-encoding" in r.headers)
    with ideal_server(instead=no_gzip) as server:
        report = examined(server.url, compress="true")
    assert told(report, "compression")[0] == "fail"
    fix = report.result("compression").fix
    assert fix is not None
    assert fix.content == "endpoints:\n  test:\n    compress: false\n"


def test_an_answer_close_to_the_time_out() -> None:
    """More than 30 % of the time-out is a warning, with a time-out to write down."""
    numbers = itertools.count()

    def slow(request: Request, reply: Reply) -> Reply:
        if request.is_infer and next(numbers) % CALLS_TIMED == 0:
            time.sleep(1.3)
        return reply

    with ideal_server(changed=slow) as server:
        report = examined(server.url, read_timeout_s=4)
    verdict, finding = told(report, "answer-time")
    assert verdict == "warn"
    assert "the time-out is 4 s" in finding
    fix = report.result("answer-time").fix
    assert fix is not None
    assert fix.content == "endpoints:\n  test:\n    read_timeout_s: 10\n"


def test_triton_gets_bare_nan() -> None:
    """It refuses null and reads NaN."""
    triton = {"name": "triton", "version": "2.51.0", "extensions": ["binary_tensor_data"]}
    with ideal_server(instead=at("/v2", Reply(body=triton))) as server:
        report = examined(server.url)
    (asked,) = report.result("missing-numbers").asked
    assert "[NaN, 2.0]" in asked.sent


def test_checks_have_names_of_their_own() -> None:
    """Keys and names are unique; four checks are musts."""
    assert len({check.key for check in CHECKS}) == len({check.name for check in CHECKS}) == 21
    musts = [check.key for check in CHECKS if check.is_must]
    assert musts == ["server-health", "model-ready", "inference", "rows"]


def test_what_is_asked_is_small_and_only_reads() -> None:
    """Some thirty requests, none that loads, unloads or writes."""
    with ideal_server() as server:
        examined(server.url)
        seen = list(server.seen)
    _only_reads(server)
    assert len(seen) < 40
    assert all(len(request.body) < 1000 for request in seen)


def _only_reads(server: IdealServer) -> None:
    posted = {request.path for request in server.seen if request.method == "POST"}
    assert posted == {"/v2/models/sums/infer"}
    assert {request.method for request in server.seen} == {"GET", "HEAD", "POST"}
