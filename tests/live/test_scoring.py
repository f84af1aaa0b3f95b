import csv
import io
from pathlib import Path

import pytest

from kserve_client import Catalog, InputError
from kserve_client.scoring import ScoreOptions
from kserve_client.scoring import score as score_table
from scripts.demo_models import EXAMPLES

HEADER = ["sepal length", "sepal width", "petal length", "petal width"]


def score(catalog: Catalog, name: str, source: Path | io.BytesIO, out: Path) -> list[list[str]]:
    """Score a file and return the cells of the result, header first."""
    score_table(catalog.model(name), source, out)
    with out.open(newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.slow
def test_ten_thousand_rows_in_order(catalog: Catalog, demo_folder: Path, tmp_path: Path) -> None:
    """Four requests at a time, and row for row the answer that the row has alone."""
    samples = list(csv.DictReader((demo_folder / "data" / "iris-150.csv").open()))
    model = catalog.model("iris")
    alone = [p.label for p in model.predict([{n: float(r[n]) for n in HEADER} for r in samples])]
    big = tmp_path / "big.csv"
    with big.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*HEADER, "number"])
        for number in range(10_000):
            sample = samples[number * 7 % 150]
            writer.writerow([*(sample[name] for name in HEADER), number])
    pace = ScoreOptions(chunk_rows=500, concurrency=4)
    summary = score_table(model, big, tmp_path / "out.csv", pace)
    assert (summary.rows, summary.ok, summary.failed) == (10_000, 10_000, 0)
    with (tmp_path / "out.csv").open(newline="") as stream:
        result = list(csv.DictReader(stream))
    assert [row["number"] for row in result] == [str(number) for number in range(10_000)]
    assert [row["prediction"] for row in result] == [
        alone[number * 7 % 150] for number in range(10_000)
    ]


@pytest.mark.parametrize("name", ["penguins", "penguin-mass"])
def test_the_samples_of_the_demo_are_scored_whole(
    catalog: Catalog, demo_folder: Path, tmp_path: Path, name: str
) -> None:
    """Every row of the sample tables, gaps included, has a prediction."""
    source = demo_folder / "data" / f"{name}.csv"
    header, *rows = score(catalog, name.replace("-", "_"), source, tmp_path / "out.csv")
    assert header[-1] == "error"
    assert len(rows) == len(source.read_text().splitlines()) - 1
    assert {tuple(row[-2:]) for row in rows} == {("ok", "")}
    at = header.index("prediction")
    assert all(row[at] for row in rows)


def test_bad_rows_stand_alone(catalog: Catalog, tmp_path: Path) -> None:
    """A word, a gap and a short line fail; their neighbours have predictions."""
    text = "\n".join(
        [
            ",".join(HEADER),
            "5.1,3.5,1.4,0.2",
            "5.1,many,1.4,0.2",
            "7.2,3.6,6.1,2.5",
            "5.1,,1.4,0.2",
            "5.1,3.5",
            "5.7,2.8,4.1,1.3",
        ]
    )
    header, *rows = score(catalog, "iris", io.BytesIO(text.encode()), tmp_path / "out.csv")
    at = header.index("prediction")
    assert [row[at] for row in rows] == [
        "Iris setosa",
        "",
        "Iris virginica",
        "",
        "",
        "Iris versicolor",
    ]
    assert [bool(row[-1]) for row in rows] == [False, True, False, True, True, False]
    assert "sepal width: 'many' is not a number" in rows[1][-1]


def test_a_file_of_another_model_is_refused_by_name(catalog: Catalog, demo_folder: Path) -> None:
    """The columns that are missing are named before anything is sent."""
    with pytest.raises(InputError, match="columns missing: 'sepal length'"):
        score_table(catalog.model("iris"), demo_folder / "data" / "penguins.csv", io.StringIO())


def test_the_models_file_of_the_demo_is_the_example() -> None:
    """What is tested here is what people copy."""
    assert (EXAMPLES / "models.yaml").is_file()
