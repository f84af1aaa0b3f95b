"""Tells rclone of a key: its secret, and the tree that it sees.

rclone runs this for each access key that it has not seen, with {"user": access key} on standard input,
and takes the backend that is printed; without a secret in it the request is refused. ROAD_KEYS holds the
keys, {access key: [secret, tree]}, ROAD_BUCKET the name that the tree has.
"""

import json
import os
import sys


def backend(user: str) -> dict[str, str]:
    """Return the backend of an access key; nobody else's has a secret."""
    secret, tree = json.loads(os.environ["ROAD_KEYS"]).get(user, ("", "kserve"))
    upstream = f"{os.environ['ROAD_BUCKET']}={tree}:"
    return {
        "type": "combine",
        "upstreams": upstream,
        "_root": "",
        "_secret_access_key": secret,
    }


if __name__ == "__main__":
    print(json.dumps(backend(json.load(sys.stdin)["user"])))
