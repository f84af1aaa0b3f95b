"""Saves a model of MLflow's that takes a datetime, a binary and a string; in the environment of the road's tools.

`python save_moments.py FOLDER`. It answers with the day of the month, plus the letters of the others.
"""

import sys
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

ROWS = pd.DataFrame({"when": pd.to_datetime(["2026-01-02"]), "seal": [b"ab"], "word": ["x"]})


class Days(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Only a moment has a day."""

    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:
        """Return one number per row."""
        letters = model_input["seal"].map(len) + model_input["word"].map(len)
        return np.array(model_input["when"].dt.day + letters, dtype=float)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(
        sys.argv[1],
        python_model=Days(),
        signature=infer_signature(ROWS, [5.0]),
        pip_requirements=["mlflow"],
    )
