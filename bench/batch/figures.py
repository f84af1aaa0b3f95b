"""What the benchmark of whole tables asks for."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT = "replay limit"
COMMAND = "kserve-client score"
WITH_JOB = "kserve-client score --job"
LIBRARY = "kserve_client as a library"
REQUESTS = "requests.post(json=...)"
TRITON_HTTP = "tritonclient, HTTP"
TRITON_GRPC = "tritonclient, gRPC"
INFER = "mlserver infer"
OWN = (COMMAND, WITH_JOB, LIBRARY)
AT_ONCE = (1, 4, 16, 64)
WORKERS = (1, 2, 4)


@dataclass(frozen=True)
class Wanted:
    """A value of a run, which is to be at most `most`, at least `least`, or over `over`."""

    key: str
    title: str
    most: float | None = None
    least: float | None = None
    over: float | None = None
    unit: str = ""

    def holds(self, value: float) -> bool:
        """Whether a measured value is good enough."""
        if self.most is not None and value > self.most:
            return False
        if self.over is not None and value <= self.over:
            return False
        return self.least is None or value >= self.least

    @property
    def limit(self) -> str:
        """The limit in signs, e.g. `>= 0.5`."""
        bounds = (("<=", self.most), (">=", self.least), (">", self.over))
        shown = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        return f"{shown} {self.unit}".rstrip()


WANTED = (
    Wanted("to_limit", f"rows/s: {LIBRARY} / {LIMIT}", least=0.5),
    Wanted("to_infer", f"rows/s: {COMMAND} / {INFER}", least=100),
    Wanted("to_requests", f"rows/s: {COMMAND} / {REQUESTS}", least=5),
    Wanted("to_triton", f"rows/s: {LIBRARY} / tritonclient in its best mode", over=1),
    Wanted("memory_growth", "peak memory: ten times the rows / the rows", most=1.2),
    Wanted("memory_mib", "peak memory: ten times the rows", most=500, unit="MiB"),
    *(
        Wanted(f"at_once_{count}", f"{count} requests of 200 ms at once: part of linear", least=0.9)
        for count in AT_ONCE[1:]
    ),
    *(
        Wanted(f"workers_{count}", f"{count} Dask workers: part of linear", least=0.8)
        for count in WORKERS[1:]
    ),
    Wanted("with_faults", "rows/s: 1 % of requests answered with 503 / none", least=0.85),
    Wanted("same_with_faults", "results with faults that are byte for byte the same", least=1),
)


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    `rows` of the table our side and the limit get, `peer_rows` the others, `infer_rows` the slowest of them, and
    `memory_rows` those whose memory is compared. `turns` is how many requests one after the other each of
    AT_ONCE makes, `worker_turns` each of the workers; one request of `fault_every` is answered with
    503. `modes` is how many ways to run tritonclient are tried, None for all.
    """

    rows: int = 2_000_000
    peer_rows: int = 500_000
    infer_rows: int = 2_000
    memory_rows: tuple[int, int] = (1_000_000, 10_000_000)
    turns: int = 25
    worker_turns: int = 20
    fault_every: int = 100
    modes: int | None = None


FULL = Sizes()
# One request in a hundred would be none of so few.
QUICK = Sizes(
    100_000, 20_000, 200, (50_000, 500_000), turns=3, worker_turns=4, fault_every=8, modes=1
)
