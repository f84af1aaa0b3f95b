"""Opens each model of a models file as the dashboard does: `python -m scripts.pipeline.in_dashboard FILE`.

Runs in the dashboard's environment. Prints a JSON object by model: the title, the fields with their
ranges, where they come from, and the answer to the first example. Exits with 1 when a form is not
complete by what MLflow says alone, or a model does not answer.

It begins when standard input ends, so that its imports need not wait for MLflow and the servers.
"""

import json
import sys
from pathlib import Path
from typing import Any

from kserve_client.catalog import Catalog, Description
from kserve_client.errors import KServeClientError, NoAnswerError

# A source has a few seconds to answer; a MLflow that has just started may need them several times.
TRIALS = 5


class FormError(Exception):
    """A form that is not there, or is not from MLflow alone."""


def opened(path: Path, name: str) -> dict[str, Any]:
    """Build the form of a model and send its first example."""
    catalog, description = _described(path, name)
    fields = _fields(name, description)
    if description.failures:
        raise FormError(f"{name}: {description.failures[0].error}")
    examples = catalog.examples(name, description)
    if not examples:
        raise FormError(f"{name}: has no example to start from; log an input_example")
    answer = catalog.model(name, description).predict(examples[0].row)[0]
    return {
        "title": description.about("title"),
        "version": description.about("version"),
        "fields": fields,
        "answer": answer.headline,
    }


def _described(path: Path, name: str) -> tuple[Catalog, Description]:
    """Ask all sources, again where one did not answer in time; a fresh catalog remembers nothing."""
    for _ in range(TRIALS):
        catalog = Catalog.load(path)
        description = catalog.describe(name)
        if not any(isinstance(failure.error, NoAnswerError) for failure in description.failures):
            break
    return catalog, description


def _fields(name: str, description: Description) -> list[str]:
    if description.signature is None or not description.signature.features:
        why = [*description.notes, *(failure.error for failure in description.failures)]
        raise FormError(
            f"{name}: has no form: {'; '.join(map(str, why)) or 'nobody tells a field'}"
        )
    sources = {fact.source.kind for fact in description.facts if fact.of[:1] == ("features",)}
    if "MLflow" not in sources or "models file" in sources:
        raise FormError(f"{name}: its fields come from {', '.join(sorted(sources))}, not MLflow")
    return [
        f"{feature.title} {feature.min:g} to {feature.max:g} {feature.unit}"
        for feature in description.signature.features
        if feature.min is not None and feature.max is not None
    ]


def run(path: Path) -> int:
    """Open all models; print what was found as JSON."""
    try:
        print(json.dumps({name: opened(path, name) for name in Catalog.load(path)}))
    except (FormError, KServeClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdin.read()
    sys.exit(run(Path(sys.argv[1])))
