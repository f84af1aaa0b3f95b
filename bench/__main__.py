"""The command line: `python -m bench NAME`. scripts/bench.sh makes the environments first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import measuring, report
from bench.batch import measuring as batch_measuring
from bench.batch import report as batch_report
from bench.batch.results import Batch
from bench.figures import OPERATIONS
from bench.measuring import Results
from bench.processes import SideError

BATCH = "batch"
ROUNDS = {BATCH: 5}
USUAL_ROUNDS = 15
QUICK_ROUNDS = {BATCH: 1}
USUAL_QUICK_ROUNDS = 2


def run(arguments: Sequence[str]) -> int:
    """Measure, print, and return 1 when something falls short that --check asks for."""
    wanted = _parse(arguments)
    try:
        results = _measured(wanted)
    except SideError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in _lines(results):
        sys.stdout.write(f"{line}\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    shortfalls = results.shortfalls() if wanted.check else []
    for shortfall in shortfalls:
        sys.stderr.write(f"Falls short: {shortfall}\n")
    return 1 if shortfalls else 0


def _measured(wanted: argparse.Namespace) -> Results | Batch:
    rounds = wanted.rounds or _usual_rounds(wanted.name, is_quick=wanted.quick)
    if wanted.name == BATCH:
        return batch_measuring.measure(rounds=rounds, is_quick=wanted.quick)
    return measuring.measure(wanted.name, rounds=rounds, is_quick=wanted.quick)


def _usual_rounds(name: str, *, is_quick: bool) -> int:
    if is_quick:
        return QUICK_ROUNDS.get(name, USUAL_QUICK_ROUNDS)
    return ROUNDS.get(name, USUAL_ROUNDS)


def _lines(results: Results | Batch) -> Iterator[str]:
    return batch_report.lines(results) if isinstance(results, Batch) else report.lines(results)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh",
        description="Measures kserve_client against other clients and against the same by hand, all in "
        "one run, in turn. Times are medians; see docs/benchmarks.md.",
    )
    parser.add_argument("name", choices=sorted([*OPERATIONS, BATCH]), help="which benchmark")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured here")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 when a figure is not reached, naming it"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rows and rounds: only to see that it runs"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"how many rounds (default: {USUAL_ROUNDS}; {BATCH}: {ROUNDS[BATCH]})",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
