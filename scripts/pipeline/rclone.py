"""The object store of the road where SeaweedFS has no wheel: rclone, on a folder of plain files.

rclone knows keys and no policies, so what deploy/s3 says is not what is enforced here. Each key sees
a tree of its own instead: MLflow's may write below the prefix, KServe's may read there. Seen with rclone
1.75.2: signatures (SigV4) are looked at; a key sees nothing beside the prefix; writing with the key that
may only read ends in an error of the server (500, where AWS says 403). Not enforced: no key is refused
what it can't see (it is told that it is not there), MLflow's may list the whole bucket, which holds
nothing else for it, and there is no IAM to make users by.
"""

import json
import os
import secrets
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from scripts.pipeline.store import Bucket, Key, Store
from scripts.processes import LOOPBACK, Child

PROGRAM = "rclone"
# Trees below the data: what MLflow's key sees in the bucket, and what KServe's does. A union with an
# upstream that may only be read wants a second one.
TREES = """
[mlflow]
type = combine
upstreams = {writable}

[readonly]
type = union
upstreams = {readable}

[kserve]
type = combine
upstreams = {prefix}=readonly:
"""
USERS = ("mlflow", "kserve")


class Rclone(Store):
    """An `rclone serve s3`; its program lies beside `python`."""

    title: ClassVar[str] = "rclone"

    def __init__(self, python: Path, folder: Path, log: Path, names: Mapping[str, str]) -> None:
        """Describe the store; nothing starts yet. `names` are those of deploy/names.env."""
        super().__init__(python, folder, log)
        self.names = names
        self.keys = {
            user: Key(f"{user.upper()}{secrets.token_hex(6)}", secrets.token_hex(20))
            for user in USERS
        }

    def launched(self) -> Child:
        """Start the process; keys travel by its environment."""
        self._write_trees()
        command: list[str | Path] = [self.python.with_name(PROGRAM), "serve", "s3"]
        command += ["--addr", f"{LOOPBACK}:{self.port}", "--config", "trees.conf"]
        # Relative, because rclone takes a space in it for the end of a word.
        command += ["--auth-proxy", "./key.sh", "--cache-dir", "cache"]
        # What one key wrote is there for the other one a moment later. With 0, rclone 1.75.2 does
        # nothing but clean its caches, in ever more threads.
        command += ["--dir-cache-time", "100ms"]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RCLONE_")}
        given = {"ROAD_BUCKET": self.names["BUCKET"], "ROAD_KEYS": self._known()}
        return Child(self.name, command, self.log, cwd=self.models, env=inherited | given)

    def _known(self) -> str:
        """Return each access key with its secret and the tree that it sees."""
        return json.dumps({key.access: [key.secret, user] for user, key in self.keys.items()})

    def _write_trees(self) -> None:
        prefix = self.names["PREFIX"]
        below = self.models / "data" / self.names["BUCKET"] / prefix
        nothing = self.models / "nothing"
        for folder in (below, nothing):
            folder.mkdir(parents=True, exist_ok=True)
        text = TREES.format(
            prefix=prefix,
            writable=_quoted(f"{prefix}={below}"),
            readable=" ".join(_quoted(f"{folder}:ro") for folder in (below, nothing)),
        )
        (self.models / "trees.conf").write_text(text)
        program = self.models / "key.sh"
        asked = Path(__file__).with_name("in_rclone.py")
        program.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-IS', str(asked)])}\n")
        program.chmod(0o700)

    def is_ready(self) -> bool:
        """Return whether it listens: without a key it answers nothing but refusals."""
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def prepare(self, names: Mapping[str, str]) -> Bucket:
        """Return the bucket, a folder by now, and the keys of this start."""
        self.wait_until_ready()
        return Bucket(names["BUCKET"], names["PREFIX"], self.keys["mlflow"], self.keys["kserve"])


def _quoted(word: str) -> str:
    """A word with spaces, as rclone reads lists."""
    return '"' + word.replace('"', '""') + '"'
