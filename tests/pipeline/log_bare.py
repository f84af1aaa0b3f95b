"""Logs a model without signature, example or metadata, as `bare` with the alias champion."""

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

flowers, species = load_iris(return_X_y=True)
with mlflow.start_run():
    mlflow.sklearn.log_model(
        LogisticRegression(max_iter=500).fit(flowers, species),
        name="bare",
        registered_model_name="bare",
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
mlflow.MlflowClient().set_registered_model_alias("bare", "champion", "1")
