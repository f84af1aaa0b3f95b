"""The figures that an issue names: one side against another in one operation."""

from __future__ import annotations

from dataclasses import dataclass

from bench.data import AT_ONCE
from bench.processes import BY_HAND, HTTPX, KSERVE_SDK, MLSERVER, OWN, TRITON, Side


@dataclass(frozen=True)
class Figure:
    """`side` takes at most `most`, or at least `least`, times as long as `other`, in processor time."""

    operation: str
    side: Side
    other: Side
    most: float | None = None
    least: float | None = None

    def holds(self, ratio: float) -> bool:
        """Whether a measured ratio is good enough."""
        if self.most is not None:
            return ratio <= self.most
        return self.least is None or ratio >= self.least

    @property
    def limit(self) -> str:
        """The limit in signs, e.g. `<= 1.15`."""
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"


@dataclass(frozen=True)
class Scaling:
    """`count` threads get at least the part `least` of `count` times the answers that one gets, by the clock."""

    count: int
    least: float

    @property
    def operation(self) -> str:
        """The operation that is measured."""
        return f"at_once_{self.count}"


@dataclass(frozen=True)
class Limit:
    """A bound on what importing the package costs, over a bare Python."""

    name: str
    key: str
    most: float
    unit: str


TITLES = {
    "tensor_to_json": "float32 10 000 × 32 to a JSON body",
    "json_to_tensor": "a JSON body to float32 10 000 × 32",
    "tensor_to_binary": "float32 10 000 × 32 to a binary body",
    "binary_to_tensor": "a binary body to float32 10 000 × 32",
    "frame_to_json": "DataFrame 100 000 × 10, mixed, to a JSON body",
    "hard_frame_to_json": "the same, all digits and a text of its own in each row",
    "one_row": "one row, warm connection: call of the protocol",
    "one_row_model": "one row, warm connection: Model.predict",
    "at_once_1": "one row at a time, answered after 50 ms",
    **{f"at_once_{n}": f"{n} rows at a time, answered after 50 ms" for n in AT_ONCE[1:]},
}
OPERATIONS = {
    "codec": (
        "tensor_to_json",
        "json_to_tensor",
        "tensor_to_binary",
        "binary_to_tensor",
        "frame_to_json",
        "hard_frame_to_json",
    ),
    "client": ("one_row", "one_row_model"),
    "threads": tuple(f"at_once_{count}" for count in AT_ONCE),
}
FIGURES = (
    Figure("tensor_to_json", OWN, BY_HAND, most=1.15),
    Figure("tensor_to_json", KSERVE_SDK, OWN, least=10),
    Figure("tensor_to_json", TRITON, OWN, least=20),
    Figure("json_to_tensor", OWN, BY_HAND, most=0.5),
    Figure("tensor_to_binary", OWN, BY_HAND, most=2),
    Figure("binary_to_tensor", OWN, BY_HAND, most=2),
    Figure("frame_to_json", OWN, BY_HAND, most=1.2),
    Figure("frame_to_json", MLSERVER, OWN, least=4),
    Figure("one_row", OWN, BY_HAND, most=1.0),
    Figure("at_once_16", OWN, BY_HAND, most=1.0),
    Figure("at_once_16", OWN, HTTPX, most=1.0),
)
SCALINGS = (Scaling(4, 0.9), Scaling(16, 0.85), Scaling(64, 0.5))
IMPORT_LIMITS = (
    Limit("import kserve_client: time", "s", 0.35, "s"),
    Limit("InferenceClient: time over that of its libraries", "client_to_others", 1.5, "×"),
    Limit("every public name: memory", "whole_mib", 60, "MiB"),
)
