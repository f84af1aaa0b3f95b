from __future__ import annotations

from kserve_client.catalog.facts import Draft, Source
from kserve_client.catalog.models_file import Entry
from kserve_client.catalog.summary import Summary, summarise

LOGGED = Draft(
    Source("MLflow"),
    about={
        "title": "Iris species",
        "description": "Which iris it is.",
        "owner": "Flower team",
        "version": "3",
        "aliases": ["champion", "best"],
    },
)


def test_what_mlflow_says_of_a_model_that_nobody_else_describes() -> None:
    """Its title, and which version it is; the title may come late and may change."""
    entry = Entry(endpoint="e", mlflow="models:/iris@champion")
    assert summarise("iris", [entry], LOGGED) == Summary(
        "Iris species",
        "Which iris it is.",
        "Flower team",
        version="3",
        aliases=("champion", "best"),
        is_settled=False,
    )


def test_the_name_until_mlflow_has_said_anything() -> None:
    """Nothing is known yet, and that is said by nothing but the name."""
    entry = Entry(endpoint="e", mlflow="models:/iris@champion")
    assert summarise("iris", [entry], None) == Summary("iris", is_settled=False)


def test_the_file_wins_over_the_cluster_and_the_cluster_over_mlflow() -> None:
    """Text by text, as in a description."""
    file = Entry(inference_service="a/b", title="Mine")
    cluster = Entry(title="Theirs", owner="Cluster team", mlflow="models:/iris@champion")
    found = summarise("iris", [file, cluster], LOGGED)
    assert (found.title, found.owner, found.description) == (
        "Mine",
        "Cluster team",
        "Which iris it is.",
    )
    assert found.is_settled


def test_a_model_without_mlflow_is_settled() -> None:
    """Its name is its title for good."""
    assert summarise("iris", [Entry(endpoint="e")], None) == Summary("iris")
