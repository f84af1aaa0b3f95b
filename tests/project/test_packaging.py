import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*command: str | Path) -> str:
    """Run a command away from the checkout; return what it prints."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd="/",
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_package_installs_alone(checkout: Path, tmp_path: Path) -> None:
    """`pip install .` gives the command line and the client, without Streamlit."""
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", home)
    # Compiled ahead are far more modules than these few calls load.
    run(home / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", checkout)
    assert "usage: kserve-client" in run(home / "bin" / "kserve-client", "--help")
    assert "usage: " in run(home / "bin" / "python", "-m", "kserve_client", "--help")
    listed = run(home / "bin" / "python", "-m", "pip", "list", "--format", "freeze").lower()
    assert "kserve-client==" in listed
    assert "requests==" in listed
    for stranger in ("streamlit", "plotly", "mlserver", "pytest"):
        assert f"{stranger}==" not in listed
    typed = "import kserve_client, pathlib as p; print(p.Path(kserve_client.__file__).parent)"
    assert (Path(run(home / "bin" / "python", "-c", typed).strip()) / "py.typed").is_file()
