"""The policies of deploy/s3, enforced by a store that has AWS' IAM calls: what each key may do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import deploy, mlflow_server
from scripts.pipeline import programs, seaweedfs
from scripts.pipeline.seaweedfs import ADMIN, SeaweedFS
from scripts.pipeline.store import Bucket, Key, Store
from tests import needs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BUCKET = "example-ml-models"
REGION = "ca-central-1"
NAMES = deploy.read_names()


Calls = Sequence[tuple[str, dict[str, Any]]]


def asked(store: Store, key: Key, calls: Calls, *options: str) -> list[str]:
    """Make calls with a key; return how each ended, "done" or the code of its error."""
    said = programs.call(
        store.python,
        "tests.pipeline.ask_store",
        *options,
        variables=store.variables(key, REGION),
        given=json.dumps(calls),
    )
    found: list[str] = json.loads(said)
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Run an empty store."""
    folder = tmp_path_factory.mktemp("store")
    with SeaweedFS(needs.pipeline_python(), folder / "data", folder / "store.log") as running:
        yield running


# The real AWS command line, which writes down what it was asked.
AWS = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
exec "{python}" "{aws}" "$@"
"""


@dataclass(frozen=True)
class Script:
    """deploy/s3/create.sh with its names filled in, as an administrator of a store runs it."""

    store: Store
    folder: Path
    region: str = REGION

    def __post_init__(self) -> None:
        """Write the files, and what stands before the AWS command line."""
        deploy.write(self.folder, NAMES | {"REGION": self.region})
        aws = self.store.python.with_name("aws")
        (self.folder / "aws").write_text(AWS.format(python=self.store.python, aws=aws))
        (self.folder / "aws").chmod(0o755)

    def run(self, *options: str) -> str:
        """Run it; return what it printed."""
        variables = self.store.variables(Key(*ADMIN), self.region)
        variables["PATH"] = f"{self.folder}:{os.environ['PATH']}"
        # What a person has set for their own eyes.
        variables["AWS_DEFAULT_OUTPUT"] = "table"
        command = ["bash", str(self.folder / "s3" / "create.sh"), *options]
        return subprocess.run(
            command, env=variables, capture_output=True, text=True, check=True, timeout=120
        ).stdout

    def asked(self, call: str) -> list[str]:
        """Return the calls of a name, each as a line."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if f" {call} " in line]


@pytest.fixture(scope="module")
def script(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Write deploy/s3/create.sh."""
    return Script(store, tmp_path_factory.mktemp("deploy"))


@pytest.fixture(scope="module")
def elsewhere(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Write deploy/s3/create.sh for another region."""
    return Script(store, tmp_path_factory.mktemp("elsewhere"), "us-east-1")


@pytest.fixture(scope="module")
def created(script: Script, elsewhere: Script) -> tuple[str, str, str]:
    """Run it for IRSA, as it is, and elsewhere; return what it printed each time."""
    return script.run("--irsa"), script.run(), elsewhere.run()


def exported(printed: str) -> dict[str, str]:
    """Read the lines to paste."""
    return dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines())


@pytest.fixture(scope="module")
def bucket(created: tuple[str, str, str]) -> Bucket:
    """Return the bucket with the keys that the script printed."""
    printed = exported(created[0]) | exported(created[1])
    mlflow, kserve = (
        Key(printed[f"{whose}_ACCESS_KEY_ID"], printed[f"{whose}_SECRET_ACCESS_KEY"])
        for whose in ("MLFLOW", "KSERVE")
    )
    return Bucket(BUCKET, "mlflow", mlflow, kserve)


def test_the_script_prints_each_key_once(created: tuple[str, str, str]) -> None:
    """For IRSA MLflow's alone, then KServe's; a third run changes nothing and prints nothing."""
    assert list(exported(created[0])) == ["MLFLOW_ACCESS_KEY_ID", "MLFLOW_SECRET_ACCESS_KEY"]
    assert list(exported(created[1])) == ["KSERVE_ACCESS_KEY_ID", "KSERVE_SECRET_ACCESS_KEY"]
    assert created[2] == ""


def test_what_is_pasted_reaches_the_next_script(created: tuple[str, str, str]) -> None:
    """A variable that is not exported would stay in the shell."""
    command = f"{created[0]}\nenv"
    said = subprocess.run(
        ["bash", "-c", command], env={}, capture_output=True, text=True, check=True, timeout=10
    ).stdout
    assert (
        exported(created[0]).items()
        <= dict(line.split("=", 1) for line in said.splitlines()).items()
    )


@pytest.mark.usefixtures("created")
def test_the_bucket_lies_in_its_region(script: Script, elsewhere: Script) -> None:
    """S3 wants the region said as a place, but us-east-1 it refuses there."""
    assert len(script.asked("create-bucket")) == 2
    assert all(f"LocationConstraint={REGION}" in line for line in script.asked("create-bucket"))
    (line,) = elsewhere.asked("create-bucket")
    assert line == f"s3api create-bucket --bucket {BUCKET} --region us-east-1"


@pytest.fixture(scope="module")
def there(store: Store, bucket: Bucket) -> None:
    """Put a model where MLflow would, and something of others beside it."""
    others = [
        ("put_object", {"Bucket": BUCKET, "Key": "other/x", "Body": "x"}),
        ("put_object", {"Bucket": BUCKET, "Key": "mlflowers/x", "Body": "x"}),
        ("create_bucket", {"Bucket": "others"}),
        ("put_object", {"Bucket": "others", "Key": "x", "Body": "x"}),
    ]
    assert asked(store, Key(*ADMIN), others) == ["done"] * 4
    model = [("put_object", {"Bucket": BUCKET, "Key": "mlflow/m", "Body": "model"})]
    assert asked(store, bucket.mlflow, model) == ["done"]


USERS = ("MLFLOW", "KSERVE")
# SeaweedFS 4.48 takes it for a part of s3:PutObject: without it an upload is ended all the same.
OF_PUT = "s3:AbortMultipartUpload"
HERE = {"Bucket": BUCKET}
OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": f"arn:aws:s3:::{BUCKET}/*",
            }
        ],
    }
)
# A call, and whether MLflow's key and KServe's key may make it.
CALLS: list[tuple[str, dict[str, Any], bool, bool]] = [
    ("list_objects_v2", HERE | {"Prefix": "mlflow/"}, True, True),
    ("list_objects_v2", HERE, False, True),
    ("list_objects_v2", HERE | {"Prefix": "mlflowers/"}, False, True),
    ("list_objects_v2", {"Bucket": "others"}, False, False),
    ("list_object_versions", HERE | {"Prefix": "mlflow/"}, False, False),
    ("head_bucket", HERE, False, True),
    ("get_object", HERE | {"Key": "mlflow/m"}, True, True),
    ("get_object", HERE | {"Key": "other/x"}, False, False),
    ("get_object", HERE | {"Key": "mlflowers/x"}, False, False),
    ("get_object", {"Bucket": "others", "Key": "x"}, False, False),
    ("get_object_tagging", HERE | {"Key": "mlflow/m"}, False, False),
    ("put_object", HERE | {"Key": "mlflow/n", "Body": "n"}, True, False),
    ("put_object", HERE | {"Key": "n", "Body": "n"}, False, False),
    ("put_object", HERE | {"Key": "mlflowers/n", "Body": "n"}, False, False),
    ("put_object", {"Bucket": "others", "Key": "n", "Body": "n"}, False, False),
    ("copy_object", HERE | {"Key": "mlflow/c", "CopySource": f"{BUCKET}/other/x"}, False, False),
    ("copy_object", HERE | {"Key": "other/c", "CopySource": f"{BUCKET}/mlflow/m"}, False, False),
    ("copy_object", HERE | {"Key": "mlflow/c", "CopySource": f"{BUCKET}/mlflow/m"}, True, False),
    ("create_multipart_upload", HERE | {"Key": "mlflow/big"}, True, False),
    ("delete_object", HERE | {"Key": "mlflow/n"}, True, False),
    ("delete_object", HERE | {"Key": "other/x"}, False, False),
    ("put_object_tagging", HERE | {"Key": "mlflow/m", "Tagging": {"TagSet": []}}, False, False),
    ("put_object_acl", HERE | {"Key": "mlflow/m", "ACL": "public-read"}, False, False),
    ("get_bucket_policy", HERE, False, False),
    ("put_bucket_policy", HERE | {"Policy": OPEN}, False, False),
    ("put_bucket_acl", HERE | {"ACL": "public-read"}, False, False),
    ("list_multipart_uploads", HERE, False, False),
    ("create_bucket", {"Bucket": "mine"}, False, False),
    ("delete_bucket", HERE, False, False),
]


@pytest.mark.parametrize("whose", ["mlflow", "kserve"])
@pytest.mark.usefixtures("there")
def test_a_key_may_do_what_its_policy_says(store: Store, bucket: Bucket, whose: str) -> None:
    """And is refused, with 403, whatever else it tries."""
    key = bucket.mlflow if whose == "mlflow" else bucket.kserve
    found = asked(store, key, [(call, arguments) for call, arguments, _, _ in CALLS])
    may = [mlflow if whose == "mlflow" else kserve for _, _, mlflow, kserve in CALLS]
    # A HEAD has no body for a word: its code is the status.
    wanted = [("done",) if one else ("AccessDenied", "403") for one in may]
    told = [(CALLS[at], found[at]) for at in range(len(CALLS)) if found[at] not in wanted[at]]
    assert told == []


@pytest.mark.parametrize("whose", ["mlflow", "kserve"])
def test_a_key_may_not_change_what_it_may(store: Store, bucket: Bucket, whose: str) -> None:
    """No call of IAM for its policy or for another user.

    A second key for its own user is given by SeaweedFS, where AWS refuses it: no test of this.
    """
    key = bucket.mlflow if whose == "mlflow" else bucket.kserve
    own, other = (
        NAMES[f"{one}_USER"] for one in sorted(USERS, key=lambda one: one != whose.upper())
    )
    calls = [
        ("list_users", {}),
        ("create_access_key", {"UserName": other}),
        ("put_user_policy", {"UserName": own, "PolicyName": "more", "PolicyDocument": OPEN}),
    ]
    assert asked(store, key, calls, "--iam") == ["403"] * 3


@pytest.mark.parametrize("whose", ["mlflow", "kserve"])
@pytest.mark.usefixtures("there")
def test_every_action_of_a_policy_is_needed(store: Store, bucket: Bucket, whose: str) -> None:
    """MLflow, or the storage initializer, is refused without it, and goes on with it given back."""
    key = bucket.mlflow if whose == "mlflow" else bucket.kserve
    policy = seaweedfs.policy(whose, NAMES)
    given = {
        "administrator": ADMIN,
        "user": NAMES[f"{whose.upper()}_USER"],
        "policy name": NAMES[f"{whose.upper()}_POLICY"],
        "policy": policy,
        "bucket": bucket.name,
        "prefix": bucket.prefix,
    }
    said = programs.call(
        store.python,
        "tests.pipeline.weaken",
        whose,
        variables=mlflow_server.variables() | store.variables(key, REGION),
        given=json.dumps(given),
    )
    told: dict[str, list[str]] = json.loads(said)
    assert set(told) == actions_of(policy) - {OF_PUT}
    for action, (before, during, after) in told.items():
        assert (before, after) == ("done", "done"), action
        assert re.search("Access ?Denied|403|still there", during), f"{action}: {during}"


def actions_of(policy: dict[str, Any]) -> set[str]:
    """All actions that a policy allows."""
    lists = [one["Action"] for one in policy["Statement"]]
    return {action for one in lists for action in ([one] if isinstance(one, str) else one)}


@pytest.mark.usefixtures("there")
def test_nobody_gets_in_without_a_key(store: Store, bucket: Bucket) -> None:
    """Nor with a right name and a wrong secret."""
    listing = [("list_objects_v2", HERE | {"Prefix": "mlflow/"})]
    stranger = Key(bucket.kserve.access, "wrong")
    assert asked(store, stranger, listing) == ["SignatureDoesNotMatch"]
    assert asked(store, stranger, listing, "--unsigned") == ["AccessDenied"]
