"""Ladder: what was found at each step on the way to a model, and the verdict that follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RungState = Literal["ok", "failed", "unreached", "skipped"]
LadderState = Literal["ready", "not ready", "no access", "down"]

ADDRESS = "Address"
DNS = "DNS"
TCP = "TCP"
TLS = "TLS"
SERVER_LIVE = "Server live"
SERVER_READY = "Server ready"
MODEL_READY = "Model ready"
TEST_INFERENCE = "Test inference"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step. `detail` says in plain words what was found, "" when the step was not reached.

    A "skipped" step had nothing to ask; its detail says why.

    `elapsed_ms` is the time the step took, None when it was not reached. `command` is a shell
    command that shows the same from outside; secrets stand in it as names such as $TOKEN. `advice`
    says what to do. `status` is the HTTP status, None where no whole answer came. `is_denied`
    means: an answer came, and it was that we may not ask. `is_unasked` means that nothing could be
    asked, for a setting of ours. `is_expected` says whether the test inference gave what its example
    expects, None where nothing was compared.
    """

    name: str
    state: RungState
    detail: str
    elapsed_ms: float | None
    command: str = ""
    advice: str = ""
    status: int | None = None
    is_denied: bool = False
    is_unasked: bool = False
    is_expected: bool | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps to one model of the catalog, in order. After a failed one the rest is unreached."""

    model: str
    rungs: tuple[Rung, ...]
    checked_at: datetime
    title: str = ""

    @property
    def broken(self) -> Rung | None:
        """The step that failed."""
        return next((rung for rung in self.rungs if rung.state == "failed"), None)

    @property
    def is_ready(self) -> bool:
        """Whether every step is well."""
        return self.broken is None

    @property
    def is_answered(self) -> bool:
        """Whether any HTTP answer came, be it a refusal."""
        return any(rung.status is not None for rung in self.rungs)

    @property
    def state(self) -> LadderState:
        """The state in words; "no access" is 401, 403, a redirect, or a token we don't have."""
        broken = self.broken
        if broken is None:
            return "ready"
        if broken.is_denied:
            return "no access"
        if broken.name in (ADDRESS, TEST_INFERENCE) or broken.status == 503:
            return "not ready"
        is_silent = broken.status is None
        return "down" if is_silent or broken.name == SERVER_LIVE else "not ready"

    @property
    def state_words(self) -> str:
        """The state for people: a ready model that had nothing to be tested with is not tested.

        A test that nobody asked for is not missed.
        """
        return f"{self.state}, not tested" if self.is_ready and self._untested else self.state

    @property
    def is_tested(self) -> bool:
        """Whether the model answered a test inference."""
        return any(r.name == TEST_INFERENCE and r.state == "ok" for r in self.rungs)

    @property
    def is_expected(self) -> bool | None:
        """Whether the test inference gave what its example expects; None where nobody can say."""
        return next((r.is_expected for r in self.rungs if r.name == TEST_INFERENCE), None)

    @property
    def _untested(self) -> Rung | None:
        return next((rung for rung in self.rungs if rung.state == "skipped"), None)

    @property
    def latency_ms(self) -> float | None:
        """The time the model took to say that it is ready; None when it did not."""
        found = next((rung for rung in self.rungs if rung.name == MODEL_READY), None)
        return found.elapsed_ms if found and found.state == "ok" else None

    @property
    def verdict(self) -> str:
        """One sentence: what is broken, what it means, what to do; or that the model answers."""
        name = self.title or self.model
        broken = self.broken
        if broken is not None:
            means = f"No access to {name}" if broken.is_denied else f"{name} is {self.state}"
            return _sentence(f"{means}: {broken.detail}", broken.advice)
        surprising = next((r for r in self.rungs if r.advice and r.state == "ok"), None)
        if surprising is not None:
            return _sentence(f"{name} answers, but {surprising.detail}", surprising.advice)
        untested = self._untested
        if untested is not None:
            return _sentence(f"{name} is ready, not tested: {untested.detail}", untested.advice)
        if self.rungs and self.rungs[-1].name == TEST_INFERENCE:
            return f"{name} answers."
        return f"{name} is ready."


def _sentence(finding: str, advice: str) -> str:
    finding = finding.rstrip(". ")
    return f"{finding}; {advice}." if advice else f"{finding}."
