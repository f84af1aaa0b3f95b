"""Prints where boto3 finds STS, and S3 as KServe's storage initializer asks it, as a JSON list.

Runs in the environment of the road's tools, with the variables that a predictor's container would have.
"""

import json
import sys

import boto3
from kserve_storage import Storage

if __name__ == "__main__":
    clients = boto3.client("sts"), boto3.client("s3", **Storage._get_s3_client_kwargs())
    sys.stdout.write(json.dumps([client.meta.endpoint_url for client in clients]))
