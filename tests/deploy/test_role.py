"""What the scripts of s3/ ask of AWS, where SeaweedFS can't be asked: it has no roles to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.objects import NAMES
from tests.deploy.shims import Shims


@pytest.fixture
def shims(tmp_path: Path) -> Shims:
    """An AWS command line that only writes down."""
    return Shims(tmp_path, "aws")


def test_a_role_is_made_with_its_policy(shims: Shims) -> None:
    """Trust for the service account, and KServe's policy."""
    assert shims.run("s3/create-role.sh") == (0, "")
    calls = shims.calls()
    assert [call[:3] for call in calls] == [
        ["aws", "iam", "create-role"],
        ["aws", "iam", "put-role-policy"],
    ]
    assert all(call[call.index("--role-name") + 1] == NAMES["KSERVE_ROLE"] for call in calls)
    assert calls[0][-1] == f"file://{shims.out}/s3/kserve-trust-policy.json"
    assert calls[1][-1] == f"file://{shims.out}/s3/kserve-policy.json"


def test_a_role_that_is_there_gets_trust_and_policy(shims: Shims) -> None:
    """So that a change of names.env arrives."""
    there = {"create-role": "An error occurred (EntityAlreadyExists): Role exists."}
    assert shims.run("s3/create-role.sh", answers=there) == (0, "")
    calls = shims.calls()
    assert [call[2] for call in calls] == [
        "create-role",
        "update-assume-role-policy",
        "put-role-policy",
    ]
    assert calls[1][-1] == f"file://{shims.out}/s3/kserve-trust-policy.json"


def test_another_error_is_told(shims: Shims) -> None:
    """And ends it."""
    refused = {"create-role": "An error occurred (AccessDenied): no."}
    assert shims.run("s3/create-role.sh", answers=refused) == (
        1,
        "An error occurred (AccessDenied): no.\n",
    )
    assert [call[2] for call in shims.calls()] == ["create-role"]


def test_keys_that_cannot_be_listed_are_no_keys_that_are_there(shims: Shims) -> None:
    """create.sh would print none and look as if it had succeeded."""
    refused = {"list-access-keys": "An error occurred (AccessDenied): no."}
    assert shims.run("s3/create.sh", answers=refused) == (
        1,
        "An error occurred (AccessDenied): no.\n",
    )


@pytest.mark.parametrize("script", ["s3/create.sh", "s3/create-role.sh"])
def test_no_pager_stands_in_the_way(shims: Shims, script: str) -> None:
    """The AWS command line shows answers page by page where a terminal is."""
    assert "export AWS_PAGER=" in (shims.out / script).read_text().splitlines()
