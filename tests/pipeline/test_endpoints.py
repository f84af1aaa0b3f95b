"""Which addresses the storage initializer asks with the values of deploy/kserve; nobody is asked here."""

from __future__ import annotations

import json
import os

import pytest

from scripts.pipeline import programs
from scripts.pipeline.store import without_keys
from tests import needs
from tests.deploy.objects import values_of


def variables_of_kserve(s3: dict[str, str]) -> dict[str, str]:
    """Return what KServe's webhook makes of the values, for a secret and for a role alike.

    As BuildS3EnvVars in pkg/credentials/s3/utils.go of kserve/kserve, commit 94adc24f1e19, where neither
    has annotations of its own.
    """
    found = {
        "S3_VERIFY_SSL": s3["verifySSL"],
        "awsAnonymousCredential": s3["useAnonymousCredential"],
        "AWS_DEFAULT_REGION": s3["region"],
        "S3_USER_VIRTUAL_BUCKET": s3["useVirtualBucket"],
    }
    if s3["endpoint"]:
        scheme = "http" if s3["useHttps"] == "0" else "https"
        found["AWS_ENDPOINT_URL"] = f"{scheme}://{s3['endpoint']}"
    return found


@pytest.mark.parametrize(
    ("endpoint", "wanted"),
    [
        # A role comes from STS: it must not be asked for at the address of S3 (kserve#3482).
        (None, ["https://sts.ca-central-1.amazonaws.com", "https://s3.ca-central-1.amazonaws.com"]),
        # With a key STS is not asked.
        ("s3.example.org:9000", ["https://s3.example.org:9000"] * 2),
    ],
)
def test_where_the_storage_initializer_goes(endpoint: str | None, wanted: list[str]) -> None:
    """With the values as they are to AWS, each service at its own address; with a host to that host."""
    s3 = values_of("kserve/values.yaml")["kserve"]["storage"]["s3"]
    if endpoint is not None:
        s3 = s3 | {"endpoint": endpoint}
    own = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    said = programs.call(
        needs.pipeline_python(),
        "tests.pipeline.ask_endpoints",
        variables=without_keys(os.environ) | own | variables_of_kserve(s3),
    )
    assert json.loads(said) == wanted
