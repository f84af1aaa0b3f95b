"""The options of pipeline.sh."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.environment import ROOT
from scripts.options import DASHBOARD_PORT, port
from scripts.pipeline.stores import KINDS

FOLDER = ROOT / ".pipeline"


@dataclass(frozen=True)
class Options:
    """What the person at the terminal asked for."""

    folder: Path
    port: int
    is_check: bool
    is_fresh: bool
    is_train: bool
    is_jupyterhub: bool
    s3: str | None


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; print help or a complaint and exit as argparse does."""
    parser = argparse.ArgumentParser(
        prog="scripts/pipeline.sh",
        description="Goes the whole road from a notebook to a prediction on this machine: an S3 "
        "store, MLflow, the training notebook, KServe's storage initializer, KServe's server and "
        "MLServer, and the dashboard on them.",
        epilog="The environment variable PYTHON chooses the Python to use (3.11 or 3.12), "
        "KSERVE_CLIENT_ENVS the folder for virtual environments (default: .pipeline/envs).",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="no dashboard: go to a prediction, print the time of each stage, and exit with 0, or "
        "1 if a stage failed",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="forget what earlier runs made; installed programs stay",
    )
    parser.add_argument("--train", action="store_true", help="train again: a new version")
    parser.add_argument(
        "--jupyterhub",
        action="store_true",
        help="execute the notebook in the server of a JupyterHub's user, not by itself",
    )
    parser.add_argument(
        "--s3",
        choices=KINDS,
        help="the object store (default: seaweedfs, rclone where it has no wheel)",
    )
    parser.add_argument(
        "--port", type=port, default=DASHBOARD_PORT, help="dashboard (default: %(default)s)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("KSERVE_CLIENT_PIPELINE") or FOLDER),
        help="where everything of it lies (default: .pipeline)",
    )
    read = parser.parse_args(arguments)
    return Options(
        folder=read.folder.expanduser().absolute(),
        port=read.port,
        is_check=read.check,
        is_fresh=read.fresh,
        is_train=read.train,
        is_jupyterhub=read.jupyterhub,
        s3=read.s3,
    )
