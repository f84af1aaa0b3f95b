"""The object store of the road: SeaweedFS, which speaks S3 and IAM and enforces both.

Seen with SeaweedFS 4.48: signatures (SigV4), users, access keys and policies with actions,
resources and conditions are enforced for each call. It differs from AWS in two points: who may put
an object may end an upload in parts too, without s3:AbortMultipartUpload, and a user may make a second
key for itself. Roles for service accounts (IRSA) and "block public access" are AWS' own.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from scripts import deploy
from scripts.pipeline.programs import Program
from scripts.pipeline.store import Bucket, Key, Store, key_variables
from scripts.processes import LOOPBACK, Child, answers, free_ports

PROGRAM = "weed"
ADMIN = ("administrator", "administrator-of-this-machine-only")
# In this order; each server of it has a second port for its own kind.
_PORTS = ("s3", "master", "volume", "filer", "admin")
_IS_OFF = (
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)


class SeaweedFS(Store):
    """A SeaweedFS; its program lies beside `python`."""

    title: ClassVar[str] = "SeaweedFS"

    def launched(self) -> Child:
        """Start the process; every port it opens is a free one on loopback."""
        self.models.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [self.python.with_name(PROGRAM), "mini", f"-dir={self.models}"]
        command += [f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", *_IS_OFF, *self._ports()]
        # Users are made by the IAM calls that AWS has; no page of a browser may call at all.
        command += ["-s3.iam.readOnly=false", "-s3.allowedOrigins=http://localhost"]
        # Relative, because the path of a socket may be no longer than a hundred letters.
        command += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
        environment = os.environ | key_variables(Key(*ADMIN))
        return Child(self.name, command, self.log, cwd=self.models, env=environment)

    def _ports(self) -> list[str]:
        ports = iter([self.port, *free_ports(2 * len(_PORTS) - 1)])
        return [f"-{name}.port{kind}={next(ports)}" for name in _PORTS for kind in ("", ".grpc")]

    def is_ready(self) -> bool:
        """Return whether the S3 calls are answered."""
        return answers(f"{self.url}/healthz")

    def prepare(self, names: Mapping[str, str]) -> Bucket:
        """Make the bucket and its users, with the policies of deploy/s3; their old keys end."""
        users = {
            names[f"{whose}_USER"]: [names[f"{whose}_POLICY"], policy(whose.lower(), names)]
            for whose in ("MLFLOW", "KSERVE")
        }
        wanted = {"bucket": names["BUCKET"], "prefix": names["PREFIX"], "users": users}
        # It imports boto3 while the store starts.
        program = Program(
            self.python,
            "scripts.pipeline.in_store",
            "prepare",
            variables=self.variables(Key(*ADMIN), names["REGION"]),
        )
        try:
            self.wait_until_ready()
            said = json.loads(program.finish(json.dumps(wanted)))
        finally:
            program.stop()
        mlflow, kserve = (Key(*said[names[f"{whose}_USER"]]) for whose in ("MLFLOW", "KSERVE"))
        return Bucket(names["BUCKET"], names["PREFIX"], mlflow, kserve)


def policy(whose: str, names: Mapping[str, str]) -> Any:
    """Return the policy of deploy/s3 for `mlflow` or `kserve`, with its names filled in."""
    path = deploy.DEPLOY / "s3" / f"{whose}-policy.json"
    return json.loads(deploy.render(path.read_text(encoding="utf-8"), names, path.name))
