"""Takes each action from a user's policy in turn and prints how the work that needs it then ends.

`python -m tests.pipeline.weaken mlflow|kserve`, in the environment of the road's tools, with the user's
key in the environment. Standard input holds {"administrator": [access, secret], "user", "policy name",
"policy", "bucket", "prefix"}; printed is {action: [with it, without it, with it again]}, "done" or the end
of what MLflow or KServe's storage initializer said.
"""

import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

CHANGE_S = 30.0
Work = Callable[[], Any]


def mlflow_work(bucket: str, prefix: str) -> dict[str, Work]:
    """What MLflow's server does with its files, each with the action that it wants."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    repository = S3ArtifactRepository(f"s3://{bucket}/{prefix}/1/models/m-1/artifacts")
    local = Path(tempfile.mkdtemp())
    (local / "model.pkl").write_text("model")
    # Whatever else is taken from the policy, the file is there to be listed, read and deleted.
    repository.log_artifact(str(local / "model.pkl"))

    def delete() -> None:
        repository.log_artifact(str(local / "model.pkl"))
        repository.delete_artifacts("model.pkl")
        # Refusals are in the answer to a batch, which MLflow does not look at.
        if repository.list_artifacts():
            raise RuntimeError("it is still there")

    return {
        "s3:ListBucket": repository.list_artifacts,
        "s3:GetObject": lambda: repository.download_artifacts("model.pkl", str(local)),
        "s3:PutObject": lambda: repository.log_artifact(str(local / "model.pkl")),
        "s3:DeleteObject": delete,
    }


def kserve_work(bucket: str, prefix: str) -> dict[str, Work]:
    """What the storage initializer does, which wants both actions."""
    from kserve_storage import Storage

    def fetch() -> None:
        with tempfile.TemporaryDirectory() as folder:
            Storage.download(f"s3://{bucket}/{prefix}/m", folder)

    return {"s3:ListBucket": fetch, "s3:GetObject": fetch}


def ended(work: Work) -> str:
    """Do it; "done", or what was said."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - each of the programs has errors of its own
        return str(error)[-200:]
    return "done"


def settled(work: Work, *, is_allowed: bool) -> str:
    """Do it until it ends as wanted, or for so long that a change of a policy has arrived."""
    deadline = time.monotonic() + CHANGE_S
    while ((said := ended(work)) == "done") != is_allowed and time.monotonic() < deadline:
        time.sleep(0.1)
    return said


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """Return the policy without an action."""
    weaker = copy.deepcopy(policy)
    for statement in weaker["Statement"]:
        actions = statement["Action"]
        listed = [actions] if isinstance(actions, str) else actions
        statement["Action"] = [one for one in listed if one != action]
    weaker["Statement"] = [one for one in weaker["Statement"] if one["Action"]]
    return weaker


@contextmanager
def weakened(iam: Any, given: dict[str, Any], action: str) -> Iterator[None]:
    """Take an action away, and give it back."""

    def put(policy: dict[str, Any]) -> None:
        document = json.dumps(policy)
        name = given["policy name"]
        iam.put_user_policy(UserName=given["user"], PolicyName=name, PolicyDocument=document)

    put(without(given["policy"], action))
    try:
        yield
    finally:
        put(given["policy"])


def run(whose: str, given: dict[str, Any]) -> dict[str, list[str]]:
    """Go through all actions of the policy."""
    access, secret = given["administrator"]
    iam = boto3.client("iam", aws_access_key_id=access, aws_secret_access_key=secret)
    work_of = mlflow_work if whose == "mlflow" else kserve_work
    told = {}
    for action, work in work_of(given["bucket"], given["prefix"]).items():
        before = settled(work, is_allowed=True)
        with weakened(iam, given, action):
            during = settled(work, is_allowed=False)
        told[action] = [before, during, settled(work, is_allowed=True)]
    return told


# The download starts processes, which import this file again.
if __name__ == "__main__":
    os.environ["AWS_MAX_ATTEMPTS"] = "1"
    sys.stdout.write(json.dumps(run(sys.argv[1], json.load(sys.stdin))))
