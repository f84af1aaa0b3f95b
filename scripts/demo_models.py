"""The demo's models on disk: trained once, and again when the code or the libraries change."""

import fcntl
import hashlib
import shutil
from pathlib import Path

from scripts.environment import ROOT
from scripts.problem import ScriptError
from scripts.processes import Child

EXAMPLES = ROOT / "examples"
LOCK = ROOT / "requirements" / "mlserver.txt"
# The address that examples/models.yaml has, to be replaced by the one of this run.
ADDRESS = "http://127.0.0.1:8890"


def train_once(demo: Path, python: Path) -> None:
    """Fill `demo/mlserver` with models and `demo/data` with samples, unless they are up to date.

    `python` belongs to the environment of requirements/mlserver.txt. Raises ScriptError.
    """
    stamp = _stamp(python)
    mark = demo / "mlserver" / "trained"
    demo.mkdir(parents=True, exist_ok=True)
    with (demo / "training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.is_file() and mark.read_text() == stamp and (demo / "data").is_dir():
            return
        print("Training the demo's models (once, a few seconds)", flush=True)
        _train(demo, python)
        mark.write_text(stamp)


def write_models_file(path: Path, url: str) -> None:
    """Write the models file of the demo, with the server at `url`."""
    text = (EXAMPLES / "models.yaml").read_text(encoding="utf-8")
    assert ADDRESS in text, "examples/models.yaml lost the address of its endpoint"
    path.write_text(text.replace(ADDRESS, url), encoding="utf-8")


def _train(demo: Path, python: Path) -> None:
    # Trained aside and moved at the end, so that an interrupted run leaves no half-made models.
    fresh = demo / "training"
    shutil.rmtree(fresh, ignore_errors=True)
    command: list[str | Path] = [python, "-m", "examples.train"]
    command += [fresh / "mlserver", fresh / "data"]
    child = Child("The training", command, demo / "logs" / "training.log", cwd=ROOT)
    if child.wait() != 0:
        raise ScriptError(f"The training failed; the end of {child.log}:\n{child.last_lines()}")
    for name in ("mlserver", "data"):
        shutil.rmtree(demo / name, ignore_errors=True)
        (fresh / name).rename(demo / name)
    fresh.rmdir()


def _stamp(python: Path) -> str:
    """Return a text that changes when other models would come out of a training."""
    digest = hashlib.sha256(f"{python.resolve()}".encode())
    for path in [LOCK, *sorted(EXAMPLES.glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()
