"""Makes calls of S3 with the key of the environment and prints how each ended: "done" or its error's code.

With --iam they are calls of IAM, whose errors have no code in SeaweedFS: their HTTP status then.
Runs in the environment of the road's tools. Standard input holds a list of [call, arguments]; a
`Body` is text. With --unsigned no key is shown.
"""

import json
import sys
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError


def ended(s3: Any, call: str, arguments: dict[str, Any]) -> str:
    """Make one call."""
    try:
        getattr(s3, call)(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return str(error.response.get("Error", {}).get("Code") or status)
    return "done"


if __name__ == "__main__":
    options = {"signature_version": UNSIGNED} if "--unsigned" in sys.argv else {}
    service = "iam" if "--iam" in sys.argv else "s3"
    client = boto3.client(service, config=Config(retries={"max_attempts": 1}, **options))
    sys.stdout.write(json.dumps([ended(client, *call) for call in json.load(sys.stdin)]))
