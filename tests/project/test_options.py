import socket

import pytest

from scripts import options
from scripts.options import Options
from scripts.problem import ScriptError
from scripts.processes import free_ports


def test_the_usual_ports() -> None:
    """Without options the dashboard is where Streamlit people look for it."""
    assert options.parse([]) == Options(port=8501, server_port=8890, is_check=False)


def test_other_ports_and_the_check() -> None:
    """Each option reaches its field."""
    read = options.parse(["--port", "1", "--server-port", "65535", "--check"])
    assert read == Options(port=1, server_port=65535, is_check=True)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "eight", ""])
def test_what_is_no_port_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A port is a whole number from 1 to 65535."""
    with pytest.raises(SystemExit) as caught:
        options.parse(["--port", text])
    assert caught.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "option"), [("port", "--port"), ("server_port", "--server-port")]
)
def test_a_taken_port_is_one_sentence(field: str, option: str) -> None:
    """The sentence says which port, for what, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = dict.fromkeys(("port", "server_port"), free_ports(1)[0]) | {field: taken}
        with pytest.raises(ScriptError) as caught:
            Options(**ports, is_check=False).require_free_ports()
    assert f"Port {taken}" in str(caught.value)
    assert f" {option} " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_port_for_both_is_refused() -> None:
    """Two servers can't share a port."""
    port = free_ports(1)[0]
    with pytest.raises(ScriptError, match="two different ports"):
        Options(port, port, is_check=False).require_free_ports()
