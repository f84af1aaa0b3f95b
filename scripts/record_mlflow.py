"""Records what MLflow answers: `python -m scripts.record_mlflow URL FILE`.

As scripts/record.py, for a MLflow at URL in which the models of tests/live/test_mlflow.py were logged
(the test shows how). Ids are different at each logging, so FILE holds others in their place: m-…01
for version 1 of iris, …02 for version 2, …03 for penguins, and the same for their runs.
"""

import http.client
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts import record
from scripts.problem import ScriptError

VERSIONS = (("iris", "1"), ("iris", "2"), ("penguins", "1"))
MODEL_IDS = tuple(f"m-{at:032d}" for at in range(1, len(VERSIONS) + 1))
RUN_IDS = tuple(f"{at:032d}" for at in range(1, len(VERSIONS) + 1))
SCRUBBED = [
    (
        r'("(?:(?:creation|last_updated)_timestamp(?:_ms)?|timestamp|start_time|end_time)": )\d+',
        r"\g<1>1795353600000",
    ),
    (r'("(?:user_id|run_name)": )"[^"]*"', r'\g<1>"someone"'),
    (r'("key": "mlflow\.(?:user|runName|source\.name)",\s*"value": )"[^"]*"', r'\g<1>"someone"'),
    (r"(utc_time_created: )'[^']*'", r"\g<1>'2026-11-22 12:00:00.000000'"),
    (r"(python_version: )[\d.]+", r"\g<1>3.11.7"),
    (r"(model_size_bytes: )\d+", r"\g<1>2000"),
]


def ask(recording: record.Recording, url: str, ids: Mapping[str, str]) -> record.Recording:
    """Send a recorded request and return it with today's answer; `ids` are today's for those of the file."""
    today = record.ask(replace(recording, path=_replaced(recording.path, ids)), url)
    body = _replaced(today.body, {now: then for then, now in ids.items()})
    for pattern, instead in SCRUBBED:
        body = re.sub(pattern, instead, body)
    return replace(today, path=recording.path, body=body)


def ids_at(url: str) -> dict[str, str]:
    """Return the ids of the logged models and runs there, by those that stand for them."""
    found: dict[str, str] = {}
    for (name, version), model_id, run_id in zip(VERSIONS, MODEL_IDS, RUN_IDS, strict=True):
        path = f"/api/2.0/mlflow/model-versions/get?name={name}&version={version}"
        answer = record.ask(record.Recording("version", "GET", path, 200), url)
        if answer.status != 200:
            raise ScriptError(f"{url} has no version {version} of {name}: {answer.body}")
        told: dict[str, Any] = json.loads(answer.body)["model_version"]
        found[model_id] = told["source"].removeprefix("models:/")
        found[run_id] = told["run_id"]
    return found


def _replaced(text: str, ids: Mapping[str, str]) -> str:
    for then, now in ids.items():
        text = text.replace(then, now)
    return text


def run(arguments: Sequence[str]) -> int:
    """Record the file again."""
    url, file = arguments
    try:
        ids = ids_at(url)
        after = [ask(recording, url, ids) for recording in record.load(Path(file))]
    except (OSError, http.client.HTTPException, ScriptError) as error:
        print(error, file=sys.stderr)
        return 1
    record.save(Path(file), after)
    print(f"{file}: {len(after)} answers")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
