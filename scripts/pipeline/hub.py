"""A JupyterHub for the road: one user, whose notebooks run in the environment of the road's tools."""

import json
import os
import secrets
from pathlib import Path
from typing import ClassVar

from scripts import mlflow_server
from scripts.model_server import ModelServer
from scripts.pipeline import programs
from scripts.processes import LOOPBACK, Child, answers, free_ports

# A user's server is in the hub's process group: it ends with the hub, however that ends. The service's
# scopes are those of a browser session of an administrator that starts somebody's server.
CONFIG = """
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_bind_url = {hub_url!r}
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.pid_file = "hub.pid"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.proxy_class = "traefik_file"
c.JupyterHub.allow_named_servers = False
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = {password!r}
c.SimpleLocalProcessSpawner.popen_kwargs = {{"start_new_session": False}}
c.SimpleLocalProcessSpawner.home_dir_template = {home!r}
c.Spawner.ip = "127.0.0.1"
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.TraefikProxy.traefik_api_url = {api_url!r}
c.TraefikProxy.traefik_api_password = {password!r}
c.TraefikFileProviderProxy.static_config_file = "traefik.toml"
c.TraefikFileProviderProxy.dynamic_config_file = "rules.toml"
c.JupyterHub.services = [{{"name": "road", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{
        "name": "road",
        "services": ["road"],
        "scopes": ["admin:users", "admin:servers", "access:servers"],
    }}
]
"""


class JupyterHub(ModelServer):
    """A JupyterHub whose files lie in `models`; `python` is of the environment of jupyterhub.txt.

    `kernel` is the Python that notebooks run with, `given` the variables they see.
    """

    name: ClassVar[str] = "JupyterHub"

    def __init__(
        self, python: Path, folder: Path, log: Path, *, kernel: Path, given: dict[str, str]
    ) -> None:
        """Describe the hub; nothing starts yet."""
        super().__init__(python, folder, log)
        self.kernel = kernel
        self.given = given
        self.token = secrets.token_hex(32)

    def launched(self) -> Child:
        """Start the process, with a configuration written anew."""
        home = self.models / "home"
        home.mkdir(parents=True, exist_ok=True)
        self._write_kernel()
        config = self.models / "jupyterhub_config.py"
        config.touch(mode=0o600)
        config.write_text(self._config(home))
        command: list[str | Path] = [self.python, "-m", "jupyterhub", "--config", config]
        # It looks for traefik and for jupyterhub-singleuser on the PATH.
        path = f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        variables = mlflow_server.variables() | {"PATH": path}
        return Child(self.name, command, self.log, cwd=self.models, env=variables)

    def _config(self, home: Path) -> str:
        hub, api = free_ports(2)
        return CONFIG.format(
            url=self.url,
            hub_url=f"http://{LOOPBACK}:{hub}",
            api_url=f"http://{LOOPBACK}:{api}",
            password=secrets.token_hex(16),
            token=self.token,
            home=str(home),
            environment={**self.given, "JUPYTER_PATH": str(self.models / "jupyter")},
        )

    def _write_kernel(self) -> None:
        """Tell user servers of the road's kernel, whose packages they have not."""
        folder = self.models / "jupyter" / "kernels" / "road"
        folder.mkdir(parents=True, exist_ok=True)
        words = [str(self.kernel), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": words, "display_name": "The road", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(kernel))

    def is_ready(self) -> bool:
        """Return whether the hub answers through its proxy."""
        return answers(f"{self.url}/hub/api/")

    def run(self, notebook: Path, executed: Path) -> None:
        """Run a notebook in the server of a user. Raises ScriptError."""
        programs.call(
            self.python,
            "scripts.pipeline.in_hub",
            self.url,
            notebook,
            executed,
            variables=mlflow_server.variables() | {"JUPYTERHUB_TOKEN": self.token},
        )
