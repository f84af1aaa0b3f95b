"""A real S3 store with a bucket for tests: SeaweedFS. It ends with its block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.pipeline.seaweedfs import ADMIN, SeaweedFS
from scripts.pipeline.store import Key
from tests import needs

REGION = "us-east-1"


@contextmanager
def object_store(folder: Path, bucket: str) -> Iterator[SeaweedFS]:
    """Run the store; what s3fs learnt of other stores is forgotten, and what it learns of this one."""
    s3fs = pytest.importorskip("s3fs")
    key, secret = ADMIN
    with SeaweedFS(needs.pipeline_python(), folder / "data", folder / "weed.log") as store:
        there = {"endpoint_url": store.url, "region_name": REGION}
        s3fs.S3FileSystem(key=key, secret=secret, client_kwargs=there).mkdir(bucket)
        s3fs.S3FileSystem.clear_instance_cache()
        yield store
        s3fs.S3FileSystem.clear_instance_cache()


def variables_of(store: SeaweedFS) -> dict[str, str]:
    """What the environment of a process holds that may do everything there."""
    return store.variables(Key(*ADMIN), REGION)
