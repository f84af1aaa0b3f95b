"""Report: what each check of a model found, the grade of the whole, and the files that mend it."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Verdict = Literal["pass", "warn", "fail", "skipped"]
Grade = Literal["A", "B", "C", "D", "F"]

POINTS: Mapping[Verdict, float] = {"pass": 1.0, "warn": 0.5, "fail": 0.0}
LEAST_SCORES: tuple[tuple[int, Grade], ...] = ((90, "A"), (75, "B"), (60, "C"), (40, "D"))


def status_words(status: int) -> str:
    """A status in digits and words, e.g. 404 Not Found."""
    return f"{status} {http.client.responses.get(status, '')}".strip()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a check and what came back, cut for reading.

    `sent` is the body of the request, `seen` that of the answer. `status` is None where no whole
    answer came; then `problem` says why, and `is_unasked` that it was a setting of ours: nothing was
    sent. No secret is in any of them.
    """

    method: str
    path: str
    sent: str = ""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    elapsed_ms: float | None = None
    problem: str = ""
    is_unasked: bool = False

    @property
    def status_words(self) -> str:
        """The status in digits and words, e.g. 404 Not Found; "" without an answer."""
        return "" if self.status is None else status_words(self.status)


@dataclass(frozen=True, slots=True)
class Fix:
    """How to mend what a check found: what to do, and where there is one, the file to write.

    `language` is that of the file: json, python or yaml.
    """

    what: str
    file_name: str = ""
    content: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One check: its verdict, what was found in a sentence, why it matters, what was asked.

    `is_must`: a model that fails it is not fit for use, however well the rest is.
    """

    key: str
    name: str
    why: str
    is_must: bool
    verdict: Verdict
    finding: str
    asked: tuple[Asked, ...] = ()
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one model of the catalog, in order."""

    model: str
    title: str
    endpoint: str
    server: str
    results: tuple[Result, ...]
    checked_at: datetime
    elapsed_s: float

    def result(self, key: str) -> Result:
        """The result of one check by its key. Raises KeyError."""
        return {result.key: result for result in self.results}[key]

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(result.verdict == verdict for result in self.results)

    @property
    def is_answered(self) -> bool:
        """Whether any HTTP answer came, be it a refusal."""
        return any(asked.status is not None for result in self.results for asked in result.asked)

    @property
    def is_unasked(self) -> bool:
        """Whether a setting of ours let nothing be asked."""
        return any(asked.is_unasked for result in self.results for asked in result.asked)

    @property
    def score(self) -> int | None:
        """0 to 100: a pass counts 1, a warning ½, of all checks that were not skipped.

        None where nothing answered: a server that is off speaks V2 neither well nor badly.
        """
        if not self.is_answered:
            return None
        judged = [POINTS[r.verdict] for r in self.results if r.verdict != "skipped"]
        return round(100 * sum(judged) / len(judged)) if judged else 0

    @property
    def grade(self) -> Grade | None:
        """A from 90, B from 75, C from 60, D from 40, else F; None without any answer.

        Where a must was skipped it is C at best, since half was not looked at; with one failed must
        D at best; with two F.
        """
        score = self.score
        if score is None:
            return None
        musts = [result.verdict for result in self.results if result.is_must]
        if musts.count("fail") > 1:
            return "F"
        best: Grade = "D" if "fail" in musts else "C" if "skipped" in musts else "A"
        return max(_earned(score), best)

    @property
    def worst(self) -> Result | None:
        """What to mend first: a failed must, else a failure, else a warning."""
        order = {"fail": 1, "warn": 2}
        found = [result for result in self.results if result.verdict in order]
        return min(found, key=lambda r: (not self._is_vital(r), order[r.verdict]), default=None)

    def _is_vital(self, result: Result) -> bool:
        return result.is_must and result.verdict == "fail"

    @property
    def verdict(self) -> str:
        """One sentence: how well the model speaks V2, and what to mend first."""
        worst = self.worst
        if not self.is_answered:
            why = next((a.problem for r in self.results for a in r.asked if a.problem), "no answer")
            return f"{self.title} could not be judged: {why.rstrip('. ')}."
        if worst is None:
            return f"{self.title} speaks V2 as it should."
        first = f"{worst.name}: {worst.finding.rstrip('. ')}."
        if self._is_vital(worst):
            return f"{self.title} is not fit for use. {first}"
        if any(result.is_must and result.verdict == "skipped" for result in self.results):
            return f"{self.title} could be judged only in part. {first}"
        if worst.verdict == "warn":
            return f"{self.title} speaks V2 well, with small gaps. {first}"
        return f"{self.title} can be used, but has gaps. {first}"


def _earned(score: int) -> Grade:
    return next((name for least, name in LEAST_SCORES if score >= least), "F")
