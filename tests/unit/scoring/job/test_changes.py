from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.scoring.job import Facts, Job, Options, SavedJob, deciding
from kserve_client.scoring.job.changes import check_unchanged
from kserve_client.signature import Feature, Output, Signature
from tests.unit.scoring.job.chunks import FACTS


def changed(part: str, **values: Any) -> Facts:
    """The facts with other values in one of their parts."""
    return FACTS.model_copy(update={part: getattr(FACTS, part).model_copy(update=values)})


def refusal(now: Facts, before: Facts = FACTS) -> str:
    with pytest.raises((InputError, ConfigurationError)) as error:
        check_unchanged(before, now, "jobs/1")
    return str(error.value)


def test_what_may_change() -> None:
    """How fast rows go, what the result looks like, where the same file lies, what things are called."""
    now = changed(
        "options", chunk_rows=7, concurrency=64, writing={"columns": ["a"], "format": "parquet"}
    )
    check_unchanged(FACTS, now, "jobs/1")
    check_unchanged(FACTS, changed("input", name="b.csv", location="/elsewhere/b.csv"), "jobs/1")
    check_unchanged(FACTS, changed("model", name="flowers", endpoint_name="the lab"), "jobs/1")
    check_unchanged(FACTS, changed("model", endpoint_url="http://iris.models/"), "jobs/1")
    check_unchanged(FACTS, changed("model", answered_version="3"), "jobs/1")


def test_another_input_is_refused() -> None:
    """It is the fault of the data: InputError, with what differs."""
    now = changed("input", fingerprint={"size_bytes": 12, "sha256": "bb", "tag": ""})
    with pytest.raises(
        InputError, match=r"job in jobs/1 can't go on: the input has changed \(it had"
    ):
        check_unchanged(FACTS, now, "jobs/1")
    same_size = changed("input", fingerprint={"size_bytes": 10, "sha256": "bb", "tag": ""})
    assert "its size is the same, its content is another" in refusal(same_size)
    assert "can't be compared" in refusal(changed("input", fingerprint={}))


def test_other_columns_are_refused() -> None:
    """Gone, new, or in another order."""
    assert "no longer has 'b' and now has 'c'" in refusal(changed("input", columns=("a", "c")))
    assert "in another order" in refusal(changed("input", columns=("b", "a")))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"served_name": "iris-v2"}, "the model was 'iris-v1', is 'iris-v2'"),
        ({"version": "4"}, "the model version was 3, is 4"),
        ({"version": ""}, "the model version was 3, is any"),
        ({"host": "iris.lab"}, "the host was not set, is 'iris.lab'"),
        ({"endpoint_url": "http://b"}, "the endpoint was http://iris.models, is http://b"),
    ],
)
def test_another_model_is_refused(values: dict[str, str], told: str) -> None:
    """It is a setting that changed: ConfigurationError, with the old and the new."""
    with pytest.raises(ConfigurationError, match=told):
        check_unchanged(FACTS, changed("model", **values), "jobs/1")


def test_a_server_that_answers_as_another_version_is_refused() -> None:
    """Though nobody asked for a version."""
    before = changed("model", answered_version="1")
    assert "the server answered as version 1, now as 2" in refusal(
        changed("model", answered_version="2"), before
    )


@pytest.mark.parametrize("name", ["reading", "mapping", "treatment"])
def test_options_that_decide_the_result_are_held(name: str) -> None:
    """The option is named with what it was."""
    told = refusal(changed("options", **{name: {"decimal": ","}}))
    assert f"the options of {name} have changed (decimal was not set, is ',')" in told


@pytest.mark.parametrize(
    ("given", "found", "told"),
    [
        (".", ".", ""),
        (",", ".", "(decimal was '.', is ',')"),
        # Another version of this software may find another sign.
        (None, ",", "(decimal was '.', is ',')"),
    ],
)
def test_the_sign_that_was_found_may_be_said(given: str | None, found: str, told: str) -> None:
    """Rows were read by it; another one would mix two readings."""
    before = changed("input", found={"decimal": "."})
    now = changed("input", found={"decimal": found}).model_copy(
        update={"options": Options(reading={"decimal": given})}
    )
    if told:
        assert f"the options of reading have changed {told}" in refusal(now, before)
    else:
        check_unchanged(before, now, "jobs/1")


def test_the_limit_is_held() -> None:
    """With another one the job would have another end."""
    assert "the limit of rows was None, is 5" in refusal(changed("options", limit=5))


def test_all_that_changed_is_told_at_once() -> None:
    """Whoever has to undo it wants to know all of it, and what to do."""
    now = FACTS.model_copy(
        update={
            "model": changed("model", version="4").model,
            "input": changed("input", columns=("a",)).input,
        }
    )
    told = refusal(now)
    assert "columns have changed: no longer has 'b'; the model version was 3" in told
    assert told.endswith("Undo the change or start a new job")


def signature(*features: Feature, **output: Any) -> dict[str, Any]:
    return deciding(Signature(features=features, outputs=(Output(name="out", **output),)))


def test_features_that_changed_are_named() -> None:
    """With the property that did."""
    before = FACTS.model_copy(update={"signature": signature(Feature(name="a"))})
    integer = signature(Feature(name="a", kind="integer"))
    told = refusal(FACTS.model_copy(update={"signature": integer}), before)
    assert "feature 'a' of the signature has changed (kind was not set, is 'integer')" in told
    more = signature(Feature(name="a"), Feature(name="b"))
    told = refusal(FACTS.model_copy(update={"signature": more}), before)
    assert "the signature features have changed: now has 'b'" in told
    outputs = signature(Feature(name="a"), kind="value")
    told = refusal(FACTS.model_copy(update={"signature": outputs}), before)
    assert "output 'out' of the signature has changed (kind was" in told


def test_words_of_a_signature_may_change() -> None:
    """A title, a unit or a slider's end changes no prediction."""
    plain = signature(Feature(name="a"))
    wordy = signature(
        Feature(name="a", title="Length", unit="cm", help="Of the leaf", min=0, max=9),
        title="Kind",
    )
    assert plain == wordy


def test_the_hash_of_a_signature_is_of_its_meaning() -> None:
    """The order of the keys is none."""
    one = FACTS.model_copy(update={"signature": {"a": 1, "b": 2}})
    two = FACTS.model_copy(update={"signature": {"b": 2, "a": 1}})
    assert one.signature_hash == two.signature_hash
    assert len(one.signature_hash) == 64
    assert one.signature_hash != FACTS.signature_hash


def test_a_saved_job_checks_the_facts_of_now(tmp_path: Path) -> None:
    """Through the manifest, so that JSON loses nothing that is compared."""
    facts = FACTS.model_copy(
        update={"options": Options(reading={"decimal": ","}, mapping={"a": {"column": "b"}})}
    )
    Job.create(tmp_path / "job", facts).close()
    with SavedJob.open(tmp_path / "job") as saved:
        saved.check(facts)
        with pytest.raises(ConfigurationError, match="mapping have changed"):
            saved.check(FACTS)
