"""What `import kserve_client` costs over a Python that imports nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

from bench.processes import ONE_THREAD, ROOT

# Each public name is imported when it is first used, so the package alone says little.
STATEMENTS = {
    "": "import kserve_client",
    "client_": "from kserve_client import InferenceClient",
    "whole_": "from kserve_client import *",
    # The libraries under InferenceClient. pydantic, too, imports its names when they are first used.
    "others_": "import numpy, orjson, requests; from pydantic import BaseModel, Field, SecretStr",
}
KEYS = ("s", "wall_s", "mib")
_PROGRAM = """
import json, resource, sys, time
def resident_mib():
    try:
        pages = int(open("/proc/self/statm").read().split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:  # not Linux; its peak counts what the parent had, so it may say too little
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
before = resident_mib()
wall, cpu = time.perf_counter(), time.process_time()
{statement}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({
    "s": cpu,
    "wall_s": wall,
    "mib": resident_mib() - before,
    "has_pandas": "pandas" in sys.modules,
}))
"""


def measure(rounds: int) -> dict[str, Any]:
    """Medians over fresh processes: seconds of the processor and of the clock, MiB, whether pandas is loaded.

    Of each of STATEMENTS, in turn; `client_to_others` is the ratio of the processor's seconds.
    """
    # The first round compiles and reads from disk.
    samples = [_round() for _ in range(rounds + 1)][1:]
    found: dict[str, Any] = {key: median(one[key] for one in samples) for key in samples[0]}
    ratio = median(one["client_s"] / one["others_s"] for one in samples)
    return {**found, "client_to_others": ratio, "has_pandas": any(o["has_pandas"] for o in samples)}


def _round() -> dict[str, float]:
    found = {start: _once(statement) for start, statement in STATEMENTS.items()}
    named = {start + key: one[key] for start, one in found.items() for key in KEYS}
    return {**named, "has_pandas": found["whole_"]["has_pandas"]}


def _once(statement: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROGRAM.replace("{statement}", statement)]
    # As in all other measurements: the threads that numpy starts would spin, and be counted.
    env = {**os.environ, **ONE_THREAD}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=True)  # noqa: S603 - ourselves
    sample: dict[str, Any] = json.loads(done.stdout)
    return sample
