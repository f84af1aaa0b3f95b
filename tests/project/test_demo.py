import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.processes import answers, free_ports, is_taken, wait_until
from tests import needs
from tests.project.alive import naps, wait_for_death

MODELS = ["iris", "penguin_mass", "penguins", "digits", "denoise"]
# What demo.sh itself calls before it has a Python.
TOOLS = ["bash", "dirname", "env"]
READY = "Press Ctrl-C"

Variables = dict[str, str]


def demo(
    checkout: Path, variables: Variables, *arguments: str, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / "scripts" / "demo.sh"), *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def is_one_sentence(said: str) -> bool:
    return said.count("\n") == 1 and said.endswith(".\n") and "Traceback" not in said


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Return a folder for PATH with what every machine has, but no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(needs.require(shutil.which(tool), f"there is no {tool}"))
    return folder


class Running:
    """A demo that runs, with the words it said until it was ready."""

    def __init__(self, checkout: Path, variables: Variables) -> None:
        self.port, self.server_port = free_ports(2)
        self.process = subprocess.Popen(
            [
                str(checkout / "scripts" / "demo.sh"),
                *("--port", str(self.port), "--server-port", str(self.server_port)),
            ],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if READY in line:
                return
        self.process.wait()
        pytest.fail(f"the demo ended before it was ready:\n{self.said}")

    def children(self) -> list[int]:
        """Return the process numbers of everything that the demo started."""
        listed = subprocess.run(
            ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.split("\n")
        pairs = [line.split() for line in listed if line]
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def child(self, word: str) -> int:
        """Return the one child whose command line holds the word."""
        (found,) = (
            pid for pid in self.children() if word in Path(f"/proc/{pid}/cmdline").read_text()
        )
        return found

    def until(self, words: str) -> bool:
        """Wait until it says this; return whether it did before its end."""
        assert self.process.stdout is not None
        return any(words in line for line in self.process.stdout)

    def rest(self) -> str:
        """Return what it says until its end."""
        return self.process.communicate(timeout=30)[0]

    @property
    def is_whole(self) -> bool:
        """Whether it runs with both of its servers."""
        return self.process.poll() is None and len(self.children()) == 2

    def end(self) -> None:
        """Stop it if it runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=30)

    def leaves_nothing(self) -> bool:
        """Return whether both ports are free again."""
        return not is_taken(self.port) and not is_taken(self.server_port)


@pytest.fixture(scope="module")
def demos() -> Iterator[list[Running]]:
    """Return the demos of this file, of which the last one may run."""
    started: list[Running] = []
    yield started
    if started:
        started[-1].end()


@pytest.fixture
def running(checkout: Path, variables: Variables, demos: list[Running]) -> Running:
    """Return a demo on free ports that is ready: that of the test before, where it left it whole."""
    needs.mlserver_python()
    if not demos or not demos[-1].is_whole:
        if demos:
            demos[-1].end()
        demos.append(Running(checkout, variables))
    return demos[-1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_check_asks_every_model(checkout: Path, variables: Variables) -> None:
    """A fresh checkout trains, serves and predicts with every model; the second time at once."""
    needs.mlserver_python()
    first = demo(checkout, variables, "--check", seconds=540)
    assert (first.returncode, first.stderr) == (0, first.stderr), first.stdout + first.stderr
    assert "Training" in first.stdout
    for name in MODELS:
        assert f"\n{name} " in first.stdout
    assert "An Adelie" in first.stdout
    assert first.stdout.endswith("All 5 models answered.\n")
    second = demo(checkout, variables, "--check")
    assert second.returncode == 0
    assert "Training" not in second.stdout
    left = [path.name for path in (checkout / ".demo").glob("check-*.yaml")]
    assert left == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wrong_answer_fails_the_check(
    checkout: Path, variables: Variables, tmp_path: Path
) -> None:
    """The check compares each answer with the one that the models file expects."""
    needs.mlserver_python()
    copy = tmp_path / "kserve-client"
    shutil.copytree(checkout, copy)
    models_file = copy / "examples" / "models.yaml"
    text = models_file.read_text()
    assert text.count("expect: Iris setosa") == 1
    models_file.write_text(text.replace("expect: Iris setosa", "expect: Iris virginica"))
    ended = demo(copy, variables, "--check", seconds=280)
    assert ended.returncode == 1
    assert "Failed: iris, Setosa: answered Iris setosa, not Iris virginica" in ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_second_demo_is_refused(running: Running, checkout: Path, variables: Variables) -> None:
    """Two demos in one folder would write the same files; a check beside a demo is fine."""
    port = str(free_ports(1)[0])
    second = demo(checkout, variables, "--port", port)
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert is_one_sentence(second.stderr)
    check = demo(checkout, variables, "--check", "--server-port", str(running.server_port))
    assert check.returncode == 0, check.stdout + check.stderr
    assert str(running.server_port) in (checkout / ".demo" / "models.yaml").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_stops_everything(running: Running) -> None:
    """Both servers answer until Ctrl-C, which is a good end and leaves nothing behind."""
    assert f"http://127.0.0.1:{running.port}\n" in running.said
    assert f"http://127.0.0.1:{running.server_port} " in running.said
    assert answers(f"http://127.0.0.1:{running.port}/")
    assert answers(f"http://127.0.0.1:{running.server_port}/v2/models/iris/ready")
    assert len(running.children()) == 2
    # A terminal sends the signal to all that run in it.
    os.killpg(running.process.pid, signal.SIGINT)
    said = running.rest()
    assert "Stopping the demo" in said
    assert "Traceback" not in said
    assert running.process.returncode == 0
    assert running.leaves_nothing()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_from_outside_stops_everything(running: Running, number: signal.Signals) -> None:
    """Neither kill nor kill -9 of demo.sh leaves a server behind."""
    children = running.children()
    running.process.send_signal(number)
    running.process.wait(timeout=30)
    assert all(wait_for_death(pid) for pid in children)
    assert running.leaves_nothing()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dashboard_that_dies_ends_the_demo(running: Running) -> None:
    """The demo says what ended, shows its log's end, and stops the model server."""
    os.kill(running.child("streamlit"), signal.SIGKILL)
    said = running.rest()
    assert "The dashboard ended by itself" in said
    assert ".log:\n    " in said
    assert running.process.returncode == 1
    assert running.leaves_nothing()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_server_that_dies_is_what_the_dashboard_explains(running: Running) -> None:
    """The demo goes on; Ctrl-C still ends it as usual."""
    os.kill(running.child("mlserver.cli"), signal.SIGKILL)
    assert running.until("MLServer ended by itself")
    before = naps(running.process.pid)  # it sleeps before each look at its servers
    wait_until(lambda: naps(running.process.pid) >= before + 3, [], what="the demo", timeout_s=60)
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGINT)
    assert "Stopping the demo" in running.rest()
    assert running.process.returncode == 0
    assert running.leaves_nothing()


def test_a_taken_port_is_said_before_anything_is_installed(
    checkout: Path, variables: Variables, tmp_path: Path
) -> None:
    """The sentence names the port and the option; no environment was made for it."""
    envs = tmp_path / "envs"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = demo(checkout, variables | {"KSERVE_CLIENT_ENVS": str(envs)}, "--port", port)
    assert ended.returncode == 1
    assert f"Port {port}" in ended.stderr
    assert "--port " in ended.stderr
    assert is_one_sentence(ended.stderr)
    assert not envs.exists()


def test_no_python_is_one_sentence(checkout: Path, variables: Variables, bare_path: Path) -> None:
    """The sentence says what to install."""
    variables = variables | {"PATH": str(bare_path)}
    variables.pop("PYTHON", None)
    ended = demo(checkout, variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith("No Python 3.11 or newer was found")
    assert "apt install python3" in ended.stderr
    assert is_one_sentence(ended.stderr)


def test_an_old_python_is_passed_over(
    checkout: Path, variables: Variables, bare_path: Path
) -> None:
    """A python3 that says it is too old counts as none."""
    old = bare_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    variables = variables | {"PATH": str(bare_path)}
    variables.pop("PYTHON", None)
    assert demo(checkout, variables).stderr.startswith("No Python 3.11 or newer was found")


def test_a_wrong_choice_of_python_is_one_sentence(checkout: Path, variables: Variables) -> None:
    """PYTHON is obeyed, and complained about, rather than silently replaced."""
    ended = demo(checkout, variables | {"PYTHON": "/nowhere/python"})
    assert ended.returncode == 1
    assert "/nowhere/python" in ended.stderr
    assert is_one_sentence(ended.stderr)


@pytest.mark.slow
def test_no_network_is_one_sentence(checkout: Path, variables: Variables, tmp_path: Path) -> None:
    """A machine that reaches no package index hears so, without pip's wall of text."""
    for variable in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        variables.pop(variable, None)
    ended = demo(
        checkout,
        variables
        | {
            "KSERVE_CLIENT_ENVS": str(tmp_path / "envs"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_RETRIES": "1",
        },
        *("--port", str(free_ports(1)[0]), "--server-port", str(free_ports(1)[0])),
    )
    assert ended.returncode == 1
    making, sentence = ended.stderr.splitlines(keepends=True)
    assert making.startswith("Making the dashboard environment")
    assert "the package index did not answer" in sentence
    assert is_one_sentence(sentence)
