"""Logs the models of the tests with MLflow's own client, in its environment.

`iris` 1 by the program that is named on the command line, the example of docs/mlflow.md; `iris` 2 (an
array without names or words), `penguins` (mixed columns with gaps, the widely used words in its
metadata, a description and tags at its version), and a logged model that nobody registered and that
says nothing. The last line is a JSON object of their ids.
"""

import json
import runpy
import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

# MLflow would find the requirements out by itself, in another process, for eight seconds each.
HOW = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
BIRDS = pd.DataFrame(
    {
        "island": ["Biscoe", "Dream", "Torgersen", "Biscoe"] * 10,
        "mass": [5000.0, 3700.0, None, 4800.0] * 10,
        "year": [2007, 2008, 2009, 2008] * 10,
        "tagged": [True, False, True, True] * 10,
    }
)
SPECIES = ["Gentoo", "Chinstrap", "Adelie", "Gentoo"] * 10


def log_array() -> str:
    """Log a model of one nameless tensor as version 2 of iris."""
    flowers = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], dtype="float32")
    model = LogisticRegression().fit(flowers, [0, 2])
    signature = infer_signature(flowers, model.predict(flowers))
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="iris",
            registered_model_name="iris",
            signature=signature,
            input_example=flowers,
            **HOW,
        )
    return str(logged.model_id)


def log_birds() -> str:
    """Log a model of mixed columns; its version is described in the registry."""
    columns = ColumnTransformer(
        [("island", OneHotEncoder(), ["island"]), ("mass", SimpleImputer(), ["mass"])],
        remainder="passthrough",
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=10_000)).fit(BIRDS, SPECIES)
    with mlflow.start_run():
        mlflow.log_params({"max_iter": 10_000, "gaps": "mean"})
        mlflow.log_metrics({"accuracy": 1.0, "log_loss": 0.25})
        logged = mlflow.sklearn.log_model(
            model,
            name="penguins",
            registered_model_name="penguins",
            signature=infer_signature(BIRDS, model.predict(BIRDS)),
            input_example=BIRDS.head(2),
            metadata={
                "target_names": ["Adelie", "Chinstrap", "Gentoo"],
                "ranges": {"mass": [2500, 6500]},
            },
            **HOW,
        )
    client = mlflow.MlflowClient()
    client.update_registered_model("penguins", "Which of three penguins it is.")
    client.update_model_version("penguins", "1", "Trained on forty birds.")
    client.set_model_version_tag("penguins", "1", "owner", "Bird team")
    client.set_model_version_tag("penguins", "1", "season", "2009")
    return str(logged.model_id)


def log_bare() -> str:
    """Log a model without a signature, and register it nowhere."""
    with mlflow.start_run():
        model = DummyClassifier().fit([[0]], [0])
        return str(mlflow.sklearn.log_model(model, name="bare", **HOW).model_id)


if __name__ == "__main__":
    runpy.run_path(sys.argv[1])  # in this process: MLflow takes five seconds to import
    mlflow.set_experiment("tests")
    ids = {"array": log_array(), "birds": log_birds(), "bare": log_bare()}
    sys.stdout.write(f"{json.dumps(ids)}\n")
