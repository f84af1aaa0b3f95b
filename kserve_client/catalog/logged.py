"""What MLflow said of models, remembered: asked by who needs it, or beside those who only look."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kserve_client.catalog.facts import Draft
from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError, KServeClientError, NoAnswerError
from kserve_client.transport.forks import begin_anew_in_children

if TYPE_CHECKING:
    from kserve_client.catalog.mlflow import ModelVersion, Registry

LONGEST_ASK_S = 3.0
REMEMBERED_S = 60.0
# However slow MLflow is: of ten seconds, one at most is spent on looks that nobody waits for.
PAUSE_PER_LOOK = 9.0


class Logged:
    """The models of one MLflow server, by reference. May be shared between threads.

    It is asked with the credentials of `endpoint` alone, never with those of a person: what it says
    may be shown to all. Without an endpoint it knows nothing.
    """

    def __init__(self, endpoint: Endpoint | None) -> None:
        self.endpoint = endpoint
        self._registry: Registry | None = None
        self._drafts: dict[str, tuple[float, Draft]] = {}
        self._tried: dict[str, float] = {}
        self._pause_s = REMEMBERED_S
        self.begin_anew()
        begin_anew_in_children(self)

    def begin_anew(self) -> None:
        """Forget, in a forked child, the look and the lock of the parent's threads."""
        self._is_looking = False
        self._lock = threading.Lock()

    def describe(self, reference: str) -> Draft:
        """What MLflow says of a reference, at most a minute old.

        Raises what `Registry.describe` raises, and ConfigurationError without an endpoint.
        """
        with self._lock:
            said_at, draft = self._drafts.get(reference, (0.0, None))
        if draft is not None and time.monotonic() - said_at <= REMEMBERED_S:
            return draft
        try:
            draft = self._asked().describe(reference)
        except ConfigurationError:  # there is no such model any more
            with self._lock:
                self._drafts.pop(reference, None)
            raise
        with self._lock:
            self._drafts[reference] = time.monotonic(), draft
        return draft

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """The versions of a registered model, asked anew. Raises as `describe` does."""
        return self._asked().versions(name)

    def known(self, reference: str | None) -> Draft | None:
        """What was last said of a reference, however old; nobody is asked."""
        with self._lock:
            return self._drafts.get(reference or "", (0.0, None))[1]

    def look(self, references: Iterable[str]) -> None:
        """Ask about those of which nothing is known, or nothing of late. Returns at once.

        All others are forgotten. What can't be learned is tried again after the same pause.
        """
        wanted = dict.fromkeys(references)
        with self._lock:
            if self._is_looking or self.endpoint is None:
                return
            self._drafts = {one: said for one, said in self._drafts.items() if one in wanted}
            self._tried = {one: at for one, at in self._tried.items() if one in wanted}
            due = [one for one in wanted if self._is_due(one)]
            self._is_looking = bool(due)
        if due:
            self._begin(due)

    def _begin(self, due: list[str]) -> None:
        try:
            threading.Thread(target=self._look, args=(due,), name="look", daemon=True).start()
        except RuntimeError:  # a pod may have no thread left
            self._is_looking = False
            raise

    def _is_due(self, reference: str) -> bool:
        at = self._tried.get(reference)
        return at is None or time.monotonic() - at > self._pause_s

    def _look(self, due: list[str]) -> None:
        began = time.monotonic()
        try:
            for reference in due:
                if not self._is_answered(reference):
                    break
        finally:
            ended = time.monotonic()
            with self._lock:
                self._tried |= dict.fromkeys(due, ended)
                self._pause_s = max(REMEMBERED_S, PAUSE_PER_LOOK * (ended - began))
                self._is_looking = False

    def _is_answered(self, reference: str) -> bool:
        """Whether MLflow answered, be it that it knows no such model."""
        try:
            self.describe(reference)
        except NoAnswerError:
            return False
        except KServeClientError:
            return True
        return True

    def _asked(self) -> Registry:
        from kserve_client.catalog.mlflow import Registry

        if self.endpoint is None:
            raise ConfigurationError("the models file names no MLflow server under mlflow")
        with self._lock:
            self._registry = self._registry or Registry(self.endpoint.hastened(LONGEST_ASK_S))
            return self._registry
