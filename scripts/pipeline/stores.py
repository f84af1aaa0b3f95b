"""Which object store the road has: SeaweedFS, and rclone where SeaweedFS has no wheel."""

from collections.abc import Mapping
from pathlib import Path

from scripts.pipeline import rclone, seaweedfs
from scripts.pipeline.rclone import Rclone
from scripts.pipeline.seaweedfs import SeaweedFS
from scripts.pipeline.store import Store
from scripts.problem import ScriptError

SEAWEEDFS = "seaweedfs"
RCLONE = "rclone"
KINDS = (SEAWEEDFS, RCLONE)
_PROGRAMS = {SEAWEEDFS: seaweedfs.PROGRAM, RCLONE: rclone.PROGRAM}
# Where each keeps its data, below the folder of the road.
DATA = {SEAWEEDFS: "store", RCLONE: "rclone"}


def kind_here(python: Path, wanted: str | None) -> str:
    """Return the kind of the store: the wanted one, else SeaweedFS if its program is there.

    Raises ScriptError when the environment of `python` does not hold the wanted one.
    """
    there = [kind for kind in KINDS if python.with_name(_PROGRAMS[kind]).is_file()]
    if wanted is None:
        return next(iter(there), SEAWEEDFS)
    if wanted not in there:
        raise ScriptError(
            f"{wanted} is not in the environment of the road's tools: it has no wheel for this "
            f"machine. Leave --s3 away; what is there: {', '.join(there) or 'none'}."
        )
    return wanted


def data_folder(folder: Path, kind: str) -> Path:
    """Return where a store of a kind lies. Raises ScriptError where the road had the other kind.

    MLflow's database names files that the other store has not.
    """
    for other in KINDS:
        if other != kind and (folder / DATA[other]).is_dir():
            raise ScriptError(
                f"The road in {folder} was made with {other}, not with {kind}: begin anew with "
                f"--fresh, choose another folder with --folder, or ask for it with --s3 {other}."
            )
    return folder / DATA[kind]


def store_of(kind: str, python: Path, folder: Path, log: Path, names: Mapping[str, str]) -> Store:
    """Return the store of a kind, with its data in `folder`."""
    if kind == RCLONE:
        return Rclone(python, folder, log, names)
    return SeaweedFS(python, folder, log)
