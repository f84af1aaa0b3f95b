"""Two models of the Palmer penguins: species from mixed columns, body mass from three numbers."""

from pathlib import Path

import pandas as pd
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from examples.repository import save_model

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]
WORDS = ["island", "sex"]
UNKNOWN = "unknown"
# In the words of the person who weighs penguins, not of the data set.
MEASURES = {
    "bill_length_mm": "bill length",
    "bill_depth_mm": "bill depth",
    "flipper_length_mm": "flipper length",
}
MASS_TENSORS = {
    "inputs": [{"name": "measurements", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1, 1]}],
}


def penguins() -> pd.DataFrame:
    """Return 344 penguins, some with measurements or the sex missing."""
    table: pd.DataFrame = load_penguins()
    return table


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to learn from and the rows held out, three to one."""
    learn, held_out = train_test_split(
        table, test_size=0.25, random_state=0, stratify=table["species"]
    )
    return learn, held_out


def fit_species(table: pd.DataFrame) -> Pipeline:
    """Train on named columns; the model answers with the position of the species in SPECIES.

    Numbers rather than the species' names, because KServe's sklearnserver answers 500 when a
    model's labels are strings.
    """
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("words", OneHotEncoder(handle_unknown="ignore"), WORDS),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    # JSON text cannot be missing, so a penguin of unknown sex says so in a word.
    known = table.fillna({"sex": UNKNOWN})
    model.fit(known[NUMBERS + WORDS], known["species"].map(SPECIES.index))
    return model


def fit_mass(table: pd.DataFrame) -> Pipeline:
    """Train the body mass in g on three lengths in mm, leaving incomplete penguins out."""
    complete = table.dropna(subset=[*MEASURES, "body_mass_g"])
    # Smooth in each length, so that a slider moved a little moves the answer a little.
    model = make_pipeline(StandardScaler(), PolynomialFeatures(degree=2), Ridge())
    model.fit(complete[list(MEASURES)].to_numpy(), complete["body_mass_g"])
    return model


def write_samples(table: pd.DataFrame, data: Path) -> None:
    """Write one table per model: its features, and the truth in a last column."""
    known = ["island", *NUMBERS[:-1], "sex", "year", "species"]
    table[known].to_csv(data / "penguins.csv", index=False)
    weighed = table.dropna(subset=[*MEASURES, "body_mass_g"]).rename(columns=MEASURES)
    weighed = weighed.rename(columns={"body_mass_g": "body mass"})
    weighed[[*MEASURES.values(), "body mass"]].to_csv(data / "penguin-mass.csv", index=False)


def build(models: Path, data: Path) -> None:
    """Write both models below `models` and their sample tables below `data`."""
    table = penguins()
    learn, _ = split(table)
    save_model(models, "penguins", fit_species(learn))
    save_model(models, "penguin_mass", fit_mass(learn), tensors=MASS_TENSORS)
    write_samples(table, data)
