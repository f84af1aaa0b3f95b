"""What an object store of the road is: a server of S3 calls, a bucket in it, two keys."""

import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from scripts.model_server import ModelServer
from scripts.processes import LOOPBACK


@dataclass(frozen=True)
class Key:
    """What a user shows to S3."""

    access: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Key({self.access!r})"


@dataclass(frozen=True)
class Bucket:
    """A bucket with the two keys: MLflow's may write below the prefix, KServe's may read there."""

    name: str
    prefix: str
    mlflow: Key
    kserve: Key


class Store(ModelServer):
    """A server of S3 calls with its data in `models`; `python` is of the environment of pipeline.txt."""

    name: ClassVar[str] = "The S3 store"
    title: ClassVar[str]

    @abstractmethod
    def prepare(self, names: Mapping[str, str]) -> Bucket:
        """Make the bucket and the two keys of a store that was started; earlier keys end."""

    def variables(self, key: Key, region: str) -> dict[str, str]:
        """Return what boto3, the AWS command line, MLflow and KServe read to get in with a key."""
        return without_keys(os.environ) | self.own_variables(key, region)

    def own_variables(self, key: Key, region: str) -> dict[str, str]:
        """Return the same without what this process inherited."""
        return key_variables(key) | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": region,
            # No look for a machine's role, nor for somebody's own settings.
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
        }


def without_keys(variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those of AWS: a person's profile or session token would win over ours."""
    return {name: value for name, value in variables.items() if not name.startswith("AWS_")}


def key_variables(key: Key) -> dict[str, str]:
    """Return a key as AWS' own variables."""
    return {"AWS_ACCESS_KEY_ID": key.access, "AWS_SECRET_ACCESS_KEY": key.secret}
