"""Fetches a model as KServe's storage initializer does: `python -m scripts.pipeline.in_fetch URI FOLDER`.

The container kserve/storage-initializer calls the same function before a predictor starts, with the
same variables: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION.
"""

import sys

from kserve_storage import Storage


def run(uri: str, folder: str) -> int:
    """Fetch; what is wrong goes to standard error as the initializer words it."""
    try:
        Storage.download(uri, folder)
    except Exception as error:  # noqa: BLE001 - whatever it raises ends the container likewise
        print(error, file=sys.stderr)
        return 1
    return 0


# The download starts processes, which import this file again.
if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
