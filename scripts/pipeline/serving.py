"""The servers of the road: MLServer with its two runtimes, and KServe's own, on fetched files."""

import json
import shutil
from pathlib import Path

from scripts.pipeline.registry import Version

# What a predictor's container is told by MLSERVER_MODEL_IMPLEMENTATION in a cluster.
RUNTIMES = {
    "mlflow": "mlserver_mlflow.MLflowRuntime",
    "sklearn": "mlserver_sklearn.SKLearnModel",
}
# MLflow's runtime reads the folder, the other one the file in it.
_FILES = {"mlflow": "", "sklearn": "model.pkl"}


def lay_out_mlserver(folder: Path, fetched: Path, name: str) -> None:
    """Fill MLServer's folder: the model once for each runtime, as NAME-RUNTIME.

    Nothing is said of inputs and outputs: that is MLflow's to say.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for runtime, implementation in RUNTIMES.items():
        home = folder / f"{name}-{runtime}"
        home.mkdir(parents=True)
        settings = {
            "name": home.name,
            "implementation": implementation,
            "parameters": {"uri": str(fetched / _FILES[runtime])},
        }
        (home / "model-settings.json").write_text(json.dumps(settings))


def lay_out_kserve(folder: Path, fetched: Path, name: str) -> None:
    """Fill the folder of KServe's server: the model under its name, as in its container."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / name).symlink_to(fetched)


def models_file(name: str, *, mlflow: str, kserve: str, mlserver: str, alias: str) -> str:
    """Return a models file that says where the models answer and leaves all else to MLflow."""
    lines = [
        "version: 1",
        f"mlflow: {{url: '{mlflow}'}}",
        "endpoints:",
        f"  kserve: {{url: '{kserve}', title: KServe}}",
        f"  mlserver: {{url: '{mlserver}', title: MLServer}}",
        "models:",
    ]
    served = {name: "kserve", **{f"{name}-{runtime}": "mlserver" for runtime in RUNTIMES}}
    for model, endpoint in served.items():
        lines.append(f"  {model}: {{endpoint: {endpoint}, mlflow: 'models:/{name}@{alias}'}}")
    return "\n".join(lines) + "\n"


def fetched_folder(folder: Path, version: Version) -> Path:
    """Return where the files of a version are put, as /mnt/models is in a container."""
    return folder / "fetched" / version.model_id
