"""What MLflow's registry says of the model, by its REST API, and where its files lie in S3."""

import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts import mlflow_server
from scripts.environment import ROOT
from scripts.mlflow_server import MLflowServer
from scripts.model_server import MODULE
from scripts.pipeline.store import Bucket, Store, without_keys
from scripts.problem import ScriptError
from scripts.processes import LOOPBACK, Child

ANSWER_S = 30.0
_ARTIFACTS = "mlflow-artifacts:/"
_LOGGED = "models:/"
# Addresses on this machine must not go through a proxy that the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    `path` is where its files lie below the bucket's prefix: {experiment}/models/m-…/artifacts.
    """

    name: str
    number: str
    model_id: str
    path: str

    def storage_uri(self, bucket: Bucket) -> str:
        """Return what an InferenceService has as its storageUri."""
        return f"s3://{bucket.name}/{bucket.prefix}/{self.path}"


class BucketMLflow(MLflowServer):
    """A MLflow that keeps files in a bucket; who logs a model sends them to it and needs no key."""

    def __init__(
        self, python: Path, folder: Path, log: Path, *, store: Store, names: Mapping[str, str]
    ) -> None:
        """Describe the server; nothing starts yet. `folder` holds its database."""
        super().__init__(python, folder, log)
        self.store = store
        self.names = names
        self.bucket: Bucket | None = None

    @property
    def artifacts(self) -> str:
        """Return the bucket's prefix."""
        return f"s3://{self.names['BUCKET']}/{self.names['PREFIX']}"

    @property
    def has_database(self) -> bool:
        """Whether an earlier start made the whole database: then this one can start without the bucket."""
        return self._made.is_file()

    def keep_database(self) -> None:
        """Note that the database is whole: a start that a full disk or Ctrl-C ended leaves a part of it."""
        self._made.touch()

    @property
    def _made(self) -> Path:
        return self.models / "made"

    def open_on(self, bucket: Bucket) -> Child:
        """Let it into the bucket; where it has not started yet, it starts."""
        self.bucket = bucket
        if self.child is None:
            return self.start()
        self.child.give(json.dumps(self._key()))
        return self.child

    def launched(self) -> Child:
        """Start the process: `mlflow server` where the database is new, else its worker alone.

        `mlflow server` looks after the database and then starts the worker with these words (seen
        in 3.17.2); both take their time to import the same.
        """
        if not self.has_database:
            return super().launched()
        command: list[str | Path] = [self.python, "-c", MODULE, "scripts.pipeline.in_mlflow"]
        command += [LOOPBACK, str(self.port)]
        told = {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.models}/mlflow.db",
            "_MLFLOW_SERVER_REGISTRY_STORE": f"sqlite:///{self.models}/mlflow.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": _ARTIFACTS,
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": self.artifacts,
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
            "PYTHONPATH": str(ROOT),
        }
        variables = without_keys(mlflow_server.variables()) | told
        child = Child(self.name, command, self.log, cwd=self.models, env=variables, has_input=True)
        if self.bucket is not None:
            child.give(json.dumps(self._key()))
        return child

    def variables(self) -> dict[str, str]:
        """Return the environment of the server, with the key that may write."""
        return without_keys(super().variables()) | self._key()

    def _key(self) -> dict[str, str]:
        assert self.bucket is not None, "open_on() comes first"
        return self.store.own_variables(self.bucket.mlflow, self.names["REGION"])

    def version(self, name: str, alias: str) -> Version | None:
        """Return the version that an alias names, None when there is none. Raises ScriptError."""
        found = self.asked("registered-models/alias", name=name, alias=alias)
        return None if found is None else self._version(found["model_version"])

    def _version(self, said: Mapping[str, Any]) -> Version:
        model_id = said["source"].removeprefix(_LOGGED)
        logged = self.asked(f"logged-models/{model_id}")
        if logged is None:
            raise ScriptError(
                f"version {said['version']} comes from {said['source']}, which is gone"
            )
        where = logged["model"]["info"]["artifact_uri"]
        if not where.startswith(_ARTIFACTS):
            raise ScriptError(f"its files lie in {where}, not behind MLflow's own server")
        return Version(said["name"], said["version"], model_id, where.removeprefix(_ARTIFACTS))

    def asked(self, path: str, **query: str) -> dict[str, Any] | None:
        """GET of the REST API; None for what is not there. Raises ScriptError."""
        address = f"{self.url}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}"
        try:
            with _direct.open(address, timeout=ANSWER_S) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            # A missing alias is 400, a missing model 404 (seen on MLflow 3.17.2).
            said = error.read().decode(errors="replace")
            if error.code in (400, 404) and (
                "RESOURCE_DOES_NOT_EXIST" in said or "not found" in said
            ):
                return None
            raise ScriptError(f"MLflow answered {error.code} to {path}{_reason(said)}") from None
        except OSError as error:
            raise ScriptError(f"MLflow does not answer: {error}") from None


def _reason(said: str) -> str:
    """What MLflow says of an error, in one line; nothing where it sends a page of HTML."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = str(json.loads(said)["message"])
    line = said.strip().partition("\n")[0][:300]
    return "" if not line or line.startswith("<") else f": {line}"


def remember(path: Path, version: Version, stamp: str) -> None:
    """Keep what was served, so that the next start need not wait for MLflow to fetch it."""
    path.write_text(json.dumps({"version": asdict(version), "stamp": stamp}))


def remembered(path: Path, stamp: str) -> Version | None:
    """Return what was served last, None when it was made by another notebook."""
    try:
        kept = json.loads(path.read_text())
        return Version(**kept["version"]) if kept["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
