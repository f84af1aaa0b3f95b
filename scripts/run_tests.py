"""Runs pytest in several processes; the few tests that fail there are run once more, alone.

A browser, a cluster and half a dozen servers share two cores with everything else: now and then one of
thousands of tests waits longer than it allows. Alone it has the machine for itself. What fails there
too has failed. What passes is named, so that somebody looks at it, and refuses nothing.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

# More than these have a cause of their own.
FEW = 5


class Failures:
    """A plugin that remembers what failed, in its own process or in one of the others."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that failed, or whose preparation did."""
        if report.failed:
            self.tests[report.nodeid] = None


def main() -> int:
    """Run pytest with the words of the command line; return its status."""
    failures = Failures()
    status = pytest.main(sys.argv[1:], plugins=[failures])
    if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(failures.tests) <= FEW:
        return int(status)
    names = "\n".join(f"  {name}" for name in failures.tests)
    print(f"\nOnce more, alone:\n{names}", flush=True)
    alone = [sys.executable, "-m", "pytest", "--numprocesses", "0", *failures.tests]
    again = subprocess.run(alone, check=False).returncode
    if again == 0:
        print(f"\nFailed beside the others, passed alone; find out why:\n{names}", flush=True)
    return again


if __name__ == "__main__":
    sys.exit(main())
