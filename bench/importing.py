"""What `import kserve_client` costs over a Python that imports nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import Any

from bench.processes import ROOT

OTHERS = "numpy, orjson, pydantic, requests, yaml"
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
import {modules}
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

    `others_s` is what the libraries under it take without it, in turn with it.
    """
    # The first round compiles and reads from disk.
    pairs = [(_once("kserve_client"), _once(OTHERS)) for _ in range(rounds + 1)][1:]
    found: dict[str, Any] = {
        key: median(s[key] for s, _ in pairs) for key in ("s", "wall_s", "mib")
    }
    found["others_s"] = median(others["s"] for _, others in pairs)
    return {**found, "has_pandas": any(sample["has_pandas"] for sample, _ in pairs)}


def _once(modules: str) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROGRAM.replace("{modules}", modules)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - ourselves
    sample: dict[str, Any] = json.loads(done.stdout)
    return sample
