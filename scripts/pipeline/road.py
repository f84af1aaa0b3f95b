"""The road: each stage starts or does one thing, says what it found, and knows what to do if not."""

import hashlib
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import deploy, mlflow_server
from scripts.environment import ROOT
from scripts.kserve_server import KServeServer
from scripts.mlserver import MLServer
from scripts.pipeline import programs, serving
from scripts.pipeline.hub import JupyterHub
from scripts.pipeline.programs import Program
from scripts.pipeline.registry import BucketMLflow, Version, remember, remembered
from scripts.pipeline.stages import Stages
from scripts.pipeline.store import Bucket, Key, Store
from scripts.pipeline.stores import data_folder, kind_here, store_of
from scripts.problem import ScriptError
from scripts.processes import Child, answers, stop_all

NOTEBOOK = ROOT / "examples" / "train_iris.ipynb"
REQUEST = ROOT / "deploy" / "input_1.json"
CHAMPION = "champion"
ANSWER_S = 30.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

STORE = "S3 store"
TRACKING = "MLflow"
TRAINING = "notebook"
REGISTRY = "registry"
FETCH = "storage initializer"
SERVING = "servers"
FORM = "form"
PREDICTION = "prediction"

ADVICE = {
    STORE: "read logs/store.log in the folder of the road; a full disk and a folder of another "
    "user are the usual causes. --fresh begins with an empty store.",
    TRACKING: "read logs/mlflow.log in the folder of the road. Where it can't reach the bucket, "
    "check the key and deploy/s3/mlflow-policy.json. --fresh begins with an empty database.",
    TRAINING: "open notebook.ipynb in the folder of the road: the cell that failed shows why.",
    REGISTRY: "run the notebook again with --train; it registers the model and sets the alias.",
    FETCH: "--train makes the files anew where the store has lost them; else check that they lie "
    "below the storageUri, and that the key of the service account may read there: "
    "deploy/s3/kserve-policy.json needs s3:ListBucket for the whole bucket, because the storage "
    "initializer asks whether the bucket is there.",
    SERVING: "read logs/kserve.log and logs/mlserver.log in the folder of the road. A model of "
    "skops is the usual cause: log it with serialization_format='cloudpickle'.",
    FORM: "log the model with a signature, an input_example, and ranges and labels in metadata: "
    "docs/mlflow.md says how, examples/train_iris.ipynb does it.",
    PREDICTION: "ask the server by hand: curl -d @deploy/input_1.json URL/v2/models/NAME/infer.",
}


@dataclass(frozen=True)
class Pythons:
    """The Pythons of the environments: pipeline.txt, kserve.txt, the dashboard's, jupyterhub.txt.

    With the last one the notebook runs in a JupyterHub, without it by itself.
    """

    tools: Path
    kserve: Path
    dashboard: Path
    jupyterhub: Path | None = None


@dataclass
class Road:
    """Everything between a notebook and a prediction; stopped all at once at the end."""

    folder: Path
    pythons: Pythons
    names: Mapping[str, str] = field(default_factory=deploy.read_names)
    stages: Stages = field(init=False)
    children: list[Child] = field(default_factory=list)
    s3: str | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stages = Stages(self.folder)
        self.logs = self.folder / "logs"
        self.model = self.names["MODEL"]
        self.models_file = self.folder / "models.yaml"
        self.bucket: Bucket | None = None
        self.mlflow: BucketMLflow | None = None
        self._form: Program | None = None
        kind = kind_here(self.pythons.tools, self.s3)
        self.store: Store = store_of(
            kind,
            self.pythons.tools,
            data_folder(self.folder, kind),
            self.logs / "store.log",
            self.names,
        )
        self.kserve = KServeServer(
            self.pythons.kserve, self.folder / "kserve", self.logs / "kserve.log"
        )
        self.mlserver = MLServer(
            self.pythons.tools, self.folder / "mlserver", self.logs / "mlserver.log"
        )

    def travel(self, *, is_fresh_training: bool = False) -> Version:
        """Go the whole road; return the version that is served at its end. Raises StageError.

        What was served last is fetched and started while MLflow starts. If MLflow then names another
        version, that one is fetched and the servers start anew.
        """
        self.start_early()
        bucket = self.open_store()
        mlflow = self.start_mlflow(bucket)
        kept = None if is_fresh_training else remembered(self._memory, self._stamp)
        if kept is not None:
            self.serve(self.fetch(bucket, kept), kept)
        self.wait_for_mlflow(mlflow)
        if is_fresh_training or (kept is None and mlflow.version(self.model, CHAMPION) is None):
            self.train(mlflow)
        champion = self.champion(mlflow, bucket)
        if champion != kept:
            self.serve(self.fetch(bucket, champion), champion)
        self.wait_for_servers()
        self.write_models_file(mlflow)
        self.open_forms()
        self.predict()
        remember(self._memory, champion, self._stamp)
        return champion

    # The stages

    def open_store(self) -> Bucket:
        """Start the store and wait for it; make the bucket, the users and their keys."""
        with self.stages.stage(STORE, ADVICE[STORE]) as found:
            self.children.append(self.store.start())
            bucket = self.store.prepare(self.names)
            found += [f"{self.store.title}, bucket {bucket.name}"]
            found += ["a key that writes and one that reads"]
        self.bucket = bucket
        return bucket

    def start_mlflow(self, bucket: Bucket) -> BucketMLflow:
        """Let MLflow into the bucket without waiting for it; it starts if it did not yet."""
        mlflow = self.mlflow or self.described_mlflow()
        child = mlflow.open_on(bucket)
        if child not in self.children:
            self.children.append(child)
        return mlflow

    def described_mlflow(self) -> BucketMLflow:
        """Return MLflow on the store, not started."""
        self.mlflow = BucketMLflow(
            self.pythons.tools,
            self.folder / "mlflow",
            self.logs / "mlflow.log",
            store=self.store,
            names=self.names,
        )
        return self.mlflow

    def start_early(self) -> None:
        """Start what imports for seconds before it needs anything of the store.

        The program that builds the forms, and MLflow where its database is there.
        """
        self.start_form()
        mlflow = self.described_mlflow()
        if mlflow.has_database:
            self.children.append(mlflow.start())

    def wait_for_mlflow(self, mlflow: BucketMLflow) -> None:
        """Wait until MLflow answers, from its database too.

        It is up with a broken one, and then a notebook asks it again and again for minutes.
        """
        with self.stages.stage(TRACKING, ADVICE[TRACKING]) as found:
            mlflow.wait_until_ready(self.children)
            mlflow.asked("registered-models/search")
            mlflow.keep_database()
            found.append(f"{mlflow.url}, files in {mlflow.artifacts}")

    def train(self, mlflow: BucketMLflow, **variables: str) -> None:
        """Execute the notebook; what it read as environment variables may be given."""
        with self.stages.stage(TRAINING, ADVICE[TRAINING]) as found:
            executed = self.folder / "notebook.ipynb"
            given = {"MLFLOW_TRACKING_URI": mlflow.url, "MODEL": self.model, "ALIAS": CHAMPION}
            if self.pythons.jupyterhub is None:
                self._execute(executed, given | variables)
                found.append(f"{NOTEBOOK.name} executed")
            else:
                self._execute_in_hub(self.pythons.jupyterhub, executed, given | variables)
                found.append(f"{NOTEBOOK.name} executed in the server of a JupyterHub's user")

    def _execute(self, executed: Path, given: dict[str, str]) -> None:
        programs.call(
            self.pythons.tools,
            "scripts.pipeline.in_notebook",
            NOTEBOOK,
            executed,
            variables=mlflow_server.variables() | given,
            # Outside of any repository, which MLflow would note at the run.
            cwd=self.folder,
        )

    def _execute_in_hub(self, python: Path, executed: Path, given: dict[str, str]) -> None:
        shown = {**mlflow_server.SETTINGS, **given}
        log = self.logs / "jupyterhub.log"
        folder = self.folder / "jupyterhub"
        shutil.rmtree(folder, ignore_errors=True)
        with JupyterHub(python, folder, log, kernel=self.pythons.tools, given=shown) as hub:
            hub.run(NOTEBOOK, executed)

    def champion(self, mlflow: BucketMLflow, bucket: Bucket, alias: str = CHAMPION) -> Version:
        """Ask the registry for the version that has the alias."""
        with self.stages.stage(REGISTRY, ADVICE[REGISTRY]) as found:
            version = mlflow.version(self.model, alias)
            if version is None:
                raise ScriptError(f"no version of {self.model} has the alias {alias}")
            found.append(f"{alias} is version {version.number}, {version.storage_uri(bucket)}")
        return version

    def fetch(self, bucket: Bucket, version: Version, key: Key | None = None) -> Path:
        """Fetch the files with KServe's storage initializer and the key that may only read."""
        with self.stages.stage(FETCH, ADVICE[FETCH]) as found:
            folder = serving.fetched_folder(self.folder, version)
            shutil.rmtree(folder, ignore_errors=True)
            programs.call(
                self.pythons.tools,
                "scripts.pipeline.in_fetch",
                version.storage_uri(bucket),
                folder,
                variables=self.store.variables(key or bucket.kserve, self.names["REGION"]),
            )
            found.append(f"{len(list(folder.iterdir()))} files of version {version.number}")
        return folder

    def serve(self, fetched: Path, version: Version) -> None:
        """Start both servers on the files, in place of those that run."""
        self.kserve.stop()
        self.mlserver.stop()
        self.children = [child for child in self.children if child.is_running]
        serving.lay_out_kserve(self.kserve.models, fetched, version.name)
        serving.lay_out_mlserver(self.mlserver.models, fetched, version.name)
        self.children += [self.kserve.start(), self.mlserver.start()]

    def wait_for_servers(self) -> None:
        """Wait until both have read the model."""
        with self.stages.stage(SERVING, ADVICE[SERVING]) as found:
            self.kserve.wait_until_ready(self.children)
            # It listens once it has tried to read its models, and counts as ready without them.
            if not answers(f"{self.kserve.url}/v2/models/{self.model}/ready"):
                raise ScriptError(f"KServe's server is up, and its model {self.model} is not ready")
            self.mlserver.wait_until_ready(self.children)
            found.append(f"KServe {self.kserve.url}, MLServer {self.mlserver.url}")

    def write_models_file(self, mlflow: BucketMLflow) -> None:
        """Say where everything is."""
        text = serving.models_file(
            self.model,
            mlflow=mlflow.url,
            kserve=self.kserve.url,
            mlserver=self.mlserver.url,
            alias=CHAMPION,
        )
        self.models_file.write_text(text)

    def start_form(self) -> Program:
        """Start the program that builds forms; it begins when `open_forms` lets it."""
        self._form = Program(
            self.pythons.dashboard,
            "scripts.pipeline.in_dashboard",
            self.models_file,
            variables=mlflow_server.variables(),
        )
        return self._form

    def open_forms(self) -> dict[str, Any]:
        """Build each form from MLflow alone, and send its example."""
        with self.stages.stage(FORM, ADVICE[FORM]) as found:
            program, self._form = self._form or self.start_form(), None
            forms: dict[str, Any] = json.loads(program.finish())
            found += [f"{name}: {form['answer']}" for name, form in forms.items()]
        return forms

    def predict(self) -> dict[str, Any]:
        """Send the guide's request to KServe's server."""
        with self.stages.stage(PREDICTION, ADVICE[PREDICTION]) as found:
            answer = self._asked(f"{self.kserve.url}/v2/models/{self.model}/infer")
            found.append(f"{REQUEST.name} gives {answer['outputs'][0]['data']}")
        return answer

    def _asked(self, url: str) -> dict[str, Any]:
        request = urllib.request.Request(
            url, REQUEST.read_bytes(), {"Content-Type": "application/json"}
        )
        try:
            with _direct.open(request, timeout=ANSWER_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise ScriptError(f"{url} answered {error.code}: {said}") from None
        except OSError as error:
            raise ScriptError(f"{url} does not answer: {error}") from None
        return found

    def stop(self) -> None:
        """Stop everything that runs."""
        if self._form is not None:
            self._form.stop()
            self._form = None
        stop_all(self.children)
        self.children.clear()

    @property
    def _memory(self) -> Path:
        return self.folder / "served.json"

    @property
    def _stamp(self) -> str:
        """A text that changes with the notebook."""
        return hashlib.sha256(NOTEBOOK.read_bytes()).hexdigest()
