import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import Environment, describe, make
from scripts.problem import ScriptError
from scripts.processes import Child

EMPTY_LOCK = "# nothing to install\n"
# A name that no package has, on an index that nobody serves.
LOCK = "no-such-package-of-kserve-client==1 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text(EMPTY_LOCK)
    return path


def test_another_lock_file_is_another_environment(lock: Path, tmp_path: Path) -> None:
    """A change of a lock file never changes an environment that somebody uses."""
    before = describe("dev", [lock], tmp_path).home
    assert before == describe("dev", [lock], tmp_path).home
    lock.write_text(LOCK)
    after = describe("dev", [lock], tmp_path).home
    assert before != after
    assert after.name.startswith("dev-")
    assert len(after.name) == len("dev-") + 12


def test_another_python_is_another_environment(lock: Path, tmp_path: Path) -> None:
    """An environment of 3.11 is not handed to 3.12."""
    python = Path(sys.executable)
    old = Environment("dev", (lock,), python, (3, 11), tmp_path)
    new = Environment("dev", (lock,), python, (3, 12), tmp_path)
    assert old.home != new.home


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clones share their environments unless told otherwise."""
    monkeypatch.delenv("KSERVE_CLIENT_ENVS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    assert environment.environments_folder() == Path("/somewhere/cache/kserve-client/envs")
    monkeypatch.setenv("KSERVE_CLIENT_ENVS", "/elsewhere")
    assert environment.environments_folder() == Path("/elsewhere")


@pytest.mark.slow
def test_a_half_made_environment_is_made_again(lock: Path, tmp_path: Path) -> None:
    """What an interrupted run left behind is not used; what is finished stays as it is."""
    wanted = describe("dev", [lock], tmp_path)
    (wanted.home / "bin").mkdir(parents=True)
    (wanted.home / "bin" / "python").symlink_to(sys.executable)
    (wanted.home / "rubbish").touch()
    assert make(wanted) == wanted.python
    assert not (wanted.home / "rubbish").exists()
    (wanted.home / "kept").touch()
    assert make(wanted) == wanted.python
    assert (wanted.home / "kept").exists()


@pytest.mark.slow
def test_two_at_once_make_it_once(lock: Path, tmp_path: Path) -> None:
    """Two processes that want the same environment both get a whole one, made by one of them."""
    command = [sys.executable, "-m", "scripts.environment", "dev", str(lock)]
    variables = os.environ | {"KSERVE_CLIENT_ENVS": str(tmp_path / "envs")}
    running = [
        subprocess.Popen(
            command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert results[0][0] == results[1][0]
    assert sum("Making the dev environment" in said for _, said in results) == 1


@pytest.mark.slow
def test_no_network_is_one_sentence(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pip's wall of text stays in the log, which the sentence names."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(variable, raising=False)
    lock.write_text(LOCK)
    with pytest.raises(ScriptError) as caught:
        make(describe("dev", [lock], tmp_path / "envs"))
    sentence = str(caught.value)
    assert "the package index did not answer" in sentence
    assert "\n" not in sentence
    log = tmp_path / "envs" / "dev.log"
    assert str(log) in sentence
    assert "refused" in log.read_text()


def test_a_python_without_venv_is_one_sentence(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian ships Python without ensurepip; the sentence says what to install."""
    broken = tmp_path / "ensurepip"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ScriptError, match="apt install python3-venv") as caught:
        make(describe("dev", [lock], tmp_path / "envs"))
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_sentence(lock: Path, tmp_path: Path) -> None:
    """The sentence names the folder and the setting that chooses another one."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(ScriptError, match="KSERVE_CLIENT_ENVS"):
        make(describe("dev", [lock], in_the_way))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY", "does not trust"),
        ("NewConnectionError: [Errno -3] Temporary failure in name", "did not answer"),
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("Looking\nERROR: No matching distribution found for x==1", "No matching distribution"),
        ("something never seen", "the installer failed"),
    ],
)
def test_the_reason_is_found_in_the_installers_words(
    lock: Path, tmp_path: Path, said: str, reason: str
) -> None:
    """Each cause that people meet gets its own sentence."""
    wanted = describe("dev", [lock], tmp_path)
    child = Child("The installer", [sys.executable, "-c", ""], wanted.log)
    child.wait()
    wanted.log.write_text(said)
    assert reason in environment._explain(wanted, child)
