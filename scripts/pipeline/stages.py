"""The stages of the road: each is timed, and a failure names its stage and what to do."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.problem import ScriptError

# With less of it, a stage that fails has probably found the disk full.
ENOUGH_BYTES = 50_000_000


class StageError(ScriptError):
    """A stage failed; says which, why, and what to do."""

    def __init__(self, stage: str, problem: str, advice: str) -> None:
        super().__init__(f"Stage {stage}: {problem.rstrip('. ')}.\nWhat to do: {advice}")
        self.stage = stage


@dataclass
class Stages:
    """The stages so far, each with its seconds and what it found; `folder` is where they write."""

    folder: Path
    began: float = field(default_factory=time.monotonic)
    is_quiet: bool = False

    @contextlib.contextmanager
    def stage(self, name: str, advice: str) -> Iterator[list[str]]:
        """Time a stage and print it at its end, with what the block put into the list.

        Raises StageError for a ScriptError or an OSError of the block.
        """
        found: list[str] = []
        start = time.monotonic()
        try:
            yield found
        except (ScriptError, OSError) as error:
            raise StageError(name, str(error), self._space() + advice) from error
        self._tell(name, time.monotonic() - start, ", ".join(found))

    def _space(self) -> str:
        """What to do first where the disk is full: programs say that in many ways, or not at all."""
        free = shutil.disk_usage(self.folder).free
        if free >= ENOUGH_BYTES:
            return ""
        return f"make room, {self.folder} has {free / 1e6:.0f} MB left on its disk; else "

    def _tell(self, name: str, seconds: float, found: str) -> None:
        if not self.is_quiet:
            print(f"{name:20} {seconds:5.1f} s  {found}", flush=True)

    @property
    def total_s(self) -> float:
        """Seconds since the first stage began."""
        return time.monotonic() - self.began
