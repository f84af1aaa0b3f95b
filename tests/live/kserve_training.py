"""Trains what KServe serves in the tests, in its environment.

All on fixed data, so that the answers are known: `iris` (bare), `flowers` (the same, described),
`named` and `fixed` (the same with texts for classes, as objects and as numpy's own texts), `birds`
(mixed columns, described), `waiting` (its file is missing), `a 50% ü` (a name that must be quoted).
"""

from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples import iris
from examples.repository import save_model

FLOWERS: dict[str, Any] = {
    "inputs": [{"name": "input-0", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [
        {"name": "predict", "datatype": "INT64", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]},
    ],
}
BIRDS: dict[str, Any] = {
    "inputs": [
        {"name": "island", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "mass", "datatype": "FP64", "shape": [-1, 1]},
        {"name": "year", "datatype": "INT64", "shape": [-1, 1]},
    ],
    "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1]}],
}


def fit_birds() -> Pipeline:
    """Island decides: Biscoe birds are 2, Dream birds 1, and 0 anywhere else."""
    islands = ["Biscoe", "Dream", "Torgersen"] * 20
    table = pd.DataFrame({"island": islands, "mass": 4000.0, "year": 2008})
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("words", OneHotEncoder(), ["island"]), ("numbers", numbers, ["mass", "year"])]
    )
    model = make_pipeline(columns, LogisticRegression())
    model.fit(table, [2, 1, 0] * 20)
    return model


def train(folder: Path) -> None:
    """Write every model."""
    table = iris.flowers()
    model = iris.fit(table)
    save_model(folder, "iris", model)
    save_model(folder, "a 50% ü", model)
    save_model(folder, "flowers", model, tensors=FLOWERS)
    save_model(folder, "birds", fit_birds(), tensors=BIRDS)
    for name, kind in (("named", object), ("fixed", str)):
        model = make_pipeline(StandardScaler(), LogisticRegression())
        model.fit(table[iris.COLUMNS].to_numpy(), table["species"].to_numpy(dtype=kind))
        save_model(folder, name, model)
    (folder / "waiting").mkdir()
