"""Virtual environments, made once per lock file: `python -m scripts.environment NAME LOCKFILE...`.

Prints the path of the environment's Python. A change of a lock file gives a new environment beside
the old one; nothing here ever changes a finished one.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.problem import ScriptError
from scripts.processes import Child, Interrupted, signals_raise

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# MLServer 1.7.1 says it needs a Python below this one; these environments hold it.
MLSERVER_BELOW = (3, 13)
WITH_MLSERVER = ("mlserver", "pipeline")
# Holds a program in a wheel that asks for a newer Python, but runs without any.
WITH_PROGRAMS = "chart"
FINISHED = "finished"
NO_ANSWER = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError"
    r"|Temporary failure in name resolution|Network is unreachable|Connection (refused|reset)"
)
BAD_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError")


@dataclass(frozen=True)
class Environment:
    """One virtual environment: a name, its lock files, the Python it is made from."""

    name: str
    locks: tuple[Path, ...]
    base: Path
    version: tuple[int, int]
    parent: Path

    @property
    def home(self) -> Path:
        """Return where the environment lies; the name changes with whatever it is made of."""
        digest = hashlib.sha256(f"{self.version} {platform.machine()}".encode())
        for lock in self.locks:
            digest.update(lock.read_bytes())
        return self.parent / f"{self.name}-{digest.hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Return the environment's own Python."""
        return self.home / "bin" / "python"

    @property
    def log(self) -> Path:
        """Return the file that keeps the installer's own words."""
        return self.parent / f"{self.name}.log"

    @property
    def is_finished(self) -> bool:
        """Whether everything was installed, and the Python it was made from is still there."""
        return (self.home / FINISHED).is_file() and _runs(self.python, "pass")


def environments_folder() -> Path:
    """Return KSERVE_CLIENT_ENVS, or the place in the user's cache that all clones share."""
    chosen = os.environ.get("KSERVE_CLIENT_ENVS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "kserve-client" / "envs"


def describe(name: str, locks: Sequence[Path], parent: Path) -> Environment:
    """Return the environment `name` below `parent`, made or not."""
    base, version = Path(sys.executable), sys.version_info[:2]
    if name in WITH_MLSERVER and version >= MLSERVER_BELOW:
        base, version = _python_for_mlserver() or (base, version)
    return Environment(name, tuple(locks), base, version, parent)


def make(environment: Environment) -> Path:
    """Make the environment unless it is there; return its Python. Safe to call from two processes.

    Raises ScriptError, one sentence, when it can't be made.
    """
    if environment.is_finished:
        return environment.python
    with _only_one(environment):
        if not environment.is_finished:
            _build(environment)
    return environment.python


def _build(environment: Environment) -> None:
    _require_ensurepip(environment.base)
    # What an interrupted attempt left behind has no mark, and is never used.
    shutil.rmtree(environment.home, ignore_errors=True)
    place = f"{environment.name} environment in {_short(environment.parent)}"
    print(f"Making the {place} (once, a minute or two)", file=sys.stderr, flush=True)
    _run(environment, [environment.base, "-m", "venv", environment.home])
    _run(environment, _install_command(environment))
    (environment.home / FINISHED).touch()


def _install_command(environment: Environment) -> list[str | Path]:
    command: list[str | Path] = [environment.python, "-m", "pip", "install"]
    # The lock files hold every package, so nothing is left to resolve.
    command += ["--require-hashes", "--no-deps", "--no-input", "--disable-pip-version-check"]
    # Python compiles what it imports, at its first import; all else need not be.
    command += ["--no-compile", "--progress-bar", "off"]
    is_too_new = environment.name in WITH_MLSERVER and environment.version >= MLSERVER_BELOW
    if is_too_new or environment.name == WITH_PROGRAMS:
        command.append("--ignore-requires-python")
    for lock in environment.locks:
        command += ["--requirement", lock]
    return command


def _run(environment: Environment, command: list[str | Path]) -> None:
    child = Child("The installer", command, environment.log)
    if child.wait() != 0:
        raise ScriptError(_explain(environment, child))


def _explain(environment: Environment, child: Child) -> str:
    """Return in one sentence why the installer failed; its own words stay in the log."""
    said = child.log.read_text(errors="replace")
    start = f"The {environment.name} environment could not be made"
    end = f"(the installer's own words: {environment.log})"
    if BAD_CERTIFICATE.search(said):
        return (
            f"{start}, because the package index shows a certificate that pip does not trust: "
            f"point PIP_CERT to your organisation's certificates and start again {end}."
        )
    if NO_ANSWER.search(said):
        return (
            f"{start}, because the package index did not answer: check the network, or pip's "
            f"index and proxy settings, and start again {end}."
        )
    if "No space left on device" in said:
        return f"{start}, because the disk is full: free about 1 GB and start again {end}."
    errors = [line for line in said.splitlines() if line.startswith(("ERROR:", "Error:"))]
    reason = errors[0].split(":", 1)[1].strip() if errors else "the installer failed"
    return f"{start}: {reason} {end}."


@contextlib.contextmanager
def _only_one(environment: Environment) -> Iterator[None]:
    """Hold the lock of this environment; wait while another process makes it."""
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
        handle = environment.home.with_suffix(".lock").open("w")
    except OSError as error:
        raise ScriptError(
            f"No environment can be made in {environment.parent} ({error.strerror}): point "
            f"KSERVE_CLIENT_ENVS to a folder that you may write to."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _require_ensurepip(python: Path) -> None:
    if not _runs(python, "import ensurepip, venv"):
        raise ScriptError(
            f"{python} cannot make virtual environments: on Debian and Ubuntu run "
            f"'apt install python3-venv' as root and start again, elsewhere set PYTHON to a "
            f"complete Python {_dotted(OLDEST)} or newer."
        )


def _python_for_mlserver() -> tuple[Path, tuple[int, int]] | None:
    """Return a Python that MLServer declares to work with, if the machine has one."""
    for version in ((3, 12), (3, 11)):
        found = shutil.which(f"python{_dotted(version)}")
        if found and _runs(Path(found), "import ensurepip, venv"):
            return Path(found), version
    return None


def _runs(python: Path, code: str) -> bool:
    """Return whether this Python is there and runs the code without an error."""
    try:
        quiet = subprocess.run([python, "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return quiet.returncode == 0


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def run(arguments: Sequence[str]) -> int:
    """Make the named environment and print its Python."""
    name, *locks = arguments
    try:
        with signals_raise():
            paths = [Path(lock).resolve() for lock in locks]
            print(make(describe(name, paths, environments_folder())))
    except ScriptError as error:
        print(error, file=sys.stderr)
        return 1
    except Interrupted as stop:
        return 128 + stop.number
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
