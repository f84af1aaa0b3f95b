import socket
import sys
from pathlib import Path

import pytest

from scripts.processes import LOOPBACK, Child, free_ports
from tests.servers import ROOT, Dashboard, dashboard_variables, wait_for

pytestmark = pytest.mark.slow


def test_the_server_asks_nobody_outside(tmp_path: Path) -> None:
    """As README says it is started, it makes no request but those to its models.

    Streamlit asks an outside host for the machine's own address unless it is told one.
    """
    with socket.create_server((LOOPBACK, 0)) as proxy:
        proxy.settimeout(0.5)
        address = f"http://{LOOPBACK}:{proxy.getsockname()[1]}"
        through = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY"), address)
        (port,) = free_ports(1)
        command: list[str | Path] = [sys.executable, "-m", "streamlit", "run", "app.py"]
        command += ["--server.port", str(port), "--server.enableAgentApi", "true"]
        variables = dashboard_variables(None, **through, no_proxy="", NO_PROXY="")
        child = Child("The dashboard", command, tmp_path / "log", cwd=ROOT, env=variables)
        dashboard = Dashboard(f"http://{LOOPBACK}:{port}", child)
        try:
            wait_for(dashboard)
            assert "Models" in str(dashboard.interact().elements("title"))
            with pytest.raises(TimeoutError):
                proxy.accept()
        finally:
            child.stop()
