"""Makes the bucket and the two users of the road: `python -m scripts.pipeline.in_store prepare`.

Runs with boto3, against the S3 and IAM calls of whatever AWS_ENDPOINT_URL names, with the keys of
its administrator. Reads {"bucket", "prefix", "users": {name: [policy name, policy]}} from standard
input; prints {name: [access key, secret key]}. The keys of an earlier run end.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# A fresh key is taken after a fifth of a second here, after seconds by AWS.
KEY_READY_S = 30.0
WAIT_S = 0.05


def prepare(wanted: dict[str, Any]) -> dict[str, list[str]]:
    """Make what is missing; return a fresh key for each user."""
    bucket, prefix = wanted["bucket"], wanted["prefix"]
    _unless(("BucketAlreadyOwnedByYou",), lambda: boto3.client("s3").create_bucket(Bucket=bucket))
    keys = {user: _user(user, *policy) for user, policy in wanted["users"].items()}
    for key in keys.values():
        _wait_for_key(key, bucket, prefix)
    return keys


def _user(name: str, policy_name: str, policy: dict[str, Any]) -> list[str]:
    """Make a user that may do what `policy` says and nothing else; return its only key."""
    iam = boto3.client("iam")
    _unless(("EntityAlreadyExists",), lambda: iam.create_user(UserName=name))
    iam.put_user_policy(UserName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy))
    for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return [made["AccessKeyId"], made["SecretAccessKey"]]


def _unless(codes: tuple[str, ...], make: Callable[[], Any]) -> None:
    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def _wait_for_key(key: list[str], bucket: str, prefix: str) -> None:
    s3 = boto3.client("s3", aws_access_key_id=key[0], aws_secret_access_key=key[1])
    deadline = time.monotonic() + KEY_READY_S
    while True:
        try:
            s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/", MaxKeys=1)
            return
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(WAIT_S)


def names_of(bucket: str, prefix: str) -> list[str]:
    """Return the keys of the objects below a prefix."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    return [
        found["Key"]
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for found in page.get("Contents", [])
    ]


def run(arguments: list[str]) -> int:
    """Do what the first word says; print the result as JSON."""
    try:
        if arguments == ["prepare"]:
            print(json.dumps(prepare(json.load(sys.stdin))))
        else:
            print(json.dumps(names_of(*arguments[1:])))
    except (BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
