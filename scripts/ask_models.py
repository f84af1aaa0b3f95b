"""Asks each model of a models file for its examples: `python -m scripts.ask_models FILE`.

Runs in the dashboard's environment. Exits with 1 when an example fails or its answer is not the
one that the file expects.
"""

import math
import sys
from pathlib import Path

from kserve_client.catalog import Catalog, Example
from kserve_client.errors import KServeClientError
from kserve_client.predictions import Prediction

# A golden number is written rounded, and libraries compute a little differently on each machine.
TOLERANCE = 0.01


def ask(catalog: Catalog) -> list[str]:
    """Print each answer; return what is wrong, one line per example."""
    problems = []
    for name in catalog:
        examples = catalog.entry(name).examples
        for example in examples:
            problem = _try(catalog, name, example)
            if problem:
                problems.append(f"{name}, {example.name}: {problem}")
        if not examples:
            problems.append(f"{name}: has no example")
    return problems


def _try(catalog: Catalog, name: str, example: Example) -> str | None:
    """Print one answer; return what is wrong with it."""
    try:
        prediction = catalog.model(name).predict(example.row)[0]
    except KServeClientError as error:
        return str(error)
    print(f"{name:13} {example.name:19} {_words(prediction)}")
    if not is_expected(prediction, example.expect):
        return f"answered {prediction.headline}, not {example.expect}"
    return None


def is_expected(prediction: Prediction, expect: str | float | None) -> bool:
    """Return whether the answer is the one wanted; numbers may differ by one per cent."""
    if expect is None:
        return True
    if isinstance(expect, str):
        return expect in (prediction.label, prediction.text)
    return prediction.value is not None and math.isclose(
        prediction.value, expect, rel_tol=TOLERANCE
    )


def _words(prediction: Prediction) -> str:
    if prediction.confidence is None:
        return prediction.headline
    share = min(prediction.confidence, 0.999)
    return f"{prediction.headline} ({share:.1%} sure)"


def run(path: Path) -> int:
    """Ask all models; print a last line that says how it went, and return the exit status."""
    try:
        catalog = Catalog.load(path)
    except KServeClientError as error:
        print(error)
        return 1
    problems = ask(catalog)
    for problem in problems:
        print(f"Failed: {problem}")
    print(
        f"{len(problems)} examples failed." if problems else f"All {len(catalog)} models answered."
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
