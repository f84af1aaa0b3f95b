"""Serves MLflow on a database that is there: `python -m scripts.pipeline.in_mlflow HOST PORT`.

What `mlflow server` starts once it has looked after the database, with one difference: it imports first,
which takes seconds, and then reads the variables with the key of the bucket from standard input, a JSON
object. So it can start while the store does.
"""

import json
import os
import sys

import uvicorn
from mlflow.server.fastapi_app import app


def run(host: str, port: str) -> int:
    """Serve until a signal comes; end at once where nobody hands over a key."""
    given = sys.stdin.read()
    if not given:
        return 1
    os.environ.update(json.loads(given))
    uvicorn.run(app, host=host, port=int(port), log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
