from datetime import UTC, datetime

import pytest

from kserve_client.doctor import Asked, Report, Result, Verdict

ANSWERED = Asked("GET", "/v2", status=200)
SILENT = Asked("GET", "/v2", problem="no connection to http://x")


def result(
    verdict: Verdict, *, key: str = "a", must: bool = False, asked: Asked = ANSWERED
) -> Result:
    return Result(key, key.title(), "Because.", must, verdict, f"found {key}.", (asked,))


def report(*results: Result) -> Report:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Report("m", "Model", "http://x", "", tuple(results), now, 1.0)


def of(passes: int, warns: int, fails: int, skips: int = 0) -> Report:
    counts: list[tuple[Verdict, int]] = [
        ("pass", passes),
        ("warn", warns),
        ("fail", fails),
        ("skipped", skips),
    ]
    return report(*[result(verdict) for verdict, count in counts for _ in range(count)])


@pytest.mark.parametrize(
    ("counts", "score", "grade"),
    [
        ((10, 0, 0, 0), 100, "A"),
        ((10, 0, 0, 9), 100, "A"),
        ((9, 0, 1, 0), 90, "A"),
        ((8, 1, 1, 0), 85, "B"),
        ((5, 5, 0, 0), 75, "B"),
        ((7, 0, 3, 0), 70, "C"),
        ((6, 0, 4, 0), 60, "C"),
        ((5, 0, 5, 0), 50, "D"),
        ((0, 8, 2, 0), 40, "D"),
        ((3, 1, 6, 0), 35, "F"),
        ((0, 0, 5, 0), 0, "F"),
    ],
)
def test_a_warning_is_half_a_pass(
    counts: tuple[int, int, int, int], score: int, grade: str
) -> None:
    """The score is passes and half the warnings, of all that were judged; the grade follows."""
    assert (of(*counts).score, of(*counts).grade) == (score, grade)


def test_a_failed_must_caps_the_grade() -> None:
    """One: D at best, however well the rest is; two: F."""
    well = [result("pass")] * 20
    assert report(*well, result("fail", must=True)).grade == "D"
    assert report(*well, result("fail", must=True), result("fail", must=True)).grade == "F"
    assert report(result("fail", must=True), result("fail")).grade == "F"


def test_a_skipped_must_caps_the_grade() -> None:
    """C at best: half was not looked at."""
    well = [result("pass")] * 20
    assert report(*well, result("skipped", must=True)).grade == "C"
    assert report(*well, result("warn", must=True)).grade == "A"


def test_without_any_answer_there_is_no_grade() -> None:
    """Nothing can be said for it; the sentence says why."""
    silent = report(result("fail", asked=SILENT), result("skipped"))
    unanswered = report(result("fail", asked=SILENT))
    assert (unanswered.grade, unanswered.score, unanswered.is_answered) == (None, None, False)
    assert silent.is_answered  # the skipped one of this test asked something
    assert unanswered.verdict == "Model could not be judged: no connection to http://x."


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([result("pass")], "Model speaks V2 as it should."),
        (
            [result("warn", key="b"), result("pass")],
            "Model speaks V2 well, with small gaps. B: found b.",
        ),
        (
            [result("warn", key="b"), result("fail", key="c")],
            "Model can be used, but has gaps. C: found c.",
        ),
        (
            [result("fail", key="b"), result("skipped", must=True)],
            "Model could be judged only in part. B: found b.",
        ),
        (
            [result("fail", key="b"), result("fail", key="c", must=True)],
            "Model is not fit for use. C: found c.",
        ),
    ],
)
def test_the_verdict_names_what_to_mend_first(results: list[Result], verdict: str) -> None:
    """A failed must comes first, then a failure, then a warning."""
    assert report(*results).verdict == verdict


def test_results_are_found_by_key() -> None:
    """A key that is not there is a KeyError."""
    assert report(result("warn", key="b")).result("b").verdict == "warn"
    with pytest.raises(KeyError):
        report().result("b")
