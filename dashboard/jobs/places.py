"""Where a job is done: in this process, or on the Dask cluster that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.jobs.view import Where
from kserve_client.errors import InputError
from kserve_client.scoring import DaskCluster, ReadOptions
from kserve_client.scoring.job import InputFacts
from kserve_client.scoring.sources import Location, each_partition

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Places:
    """Who is there to do jobs.

    `scheduler` is "" where there is no cluster. `from_mb` is the size of a table, in megabytes of
    1,048,576 bytes, from which on its job goes there.
    """

    scheduler: str
    from_mb: int

    def first(self, table: InputFacts, source: Location, reading: ReadOptions) -> Where:
        """Where a job begins: on the cluster when its table is large and workers can divide it."""
        is_there = self.scheduler and self._is_large(table) and _is_divisible(source, reading)
        return "cluster" if is_there else "here"

    def next(self, before: Where | None) -> Where:
        """Where a job goes on: here when the settings name no scheduler any more, else as before."""
        return before if before and self.scheduler else "here"

    @property
    def cluster(self) -> DaskCluster:
        """The cluster of the settings."""
        return DaskCluster(self.scheduler)

    def _is_large(self, table: InputFacts) -> bool:
        """Whether it has the size; a table whose store does not tell its own has not."""
        size = table.fingerprint.get("size_bytes")
        return isinstance(size, int) and size >= self.from_mb * MEGABYTE


def _is_divisible(source: Location, reading: ReadOptions) -> bool:
    """Whether it can be read in parts: packed text can't, or text in UTF-16, or an Arrow stream."""
    try:
        next(each_partition(source, reading, MEGABYTE), None)
    except InputError:
        return False
    return True
