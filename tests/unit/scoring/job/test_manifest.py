from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from kserve_client.errors import ConfigurationError
from kserve_client.scoring.job import (
    Facts,
    InputFacts,
    Job,
    ModelFacts,
    Options,
    SavedJob,
    without_secrets,
)
from tests.unit.scoring.job.chunks import FACTS, chunk, finished


def test_no_secret_reaches_the_directory(tmp_path: Path) -> None:
    """Not from URLs, their queries, or the options of a storage, whoever hands them over."""
    facts = Facts(
        model=ModelFacts(
            name="iris",
            served_name="iris",
            endpoint_url="https://me:hunter2@iris.models/base?token=hunter2#hunter2",
        ),
        input=InputFacts(
            name="https://me:hunter2@files/in.csv",
            location="s3://key:hunter2@bucket/in.csv?X-Amz-Signature=hunter2",
        ),
        options=Options(
            reading={"storage_options": {"secret": "hunter2"}, "decimal": ","},
            writing={"location": "s3://k:hunter2@bucket/out.csv", "storage_options": "hunter2"},
        ),
    )
    with Job.create(tmp_path / "job", facts) as job:
        job.record(chunk(0, 3))
        finished(job, 3)
        assert "hunter2" not in repr(job.manifest)
    files = [path for path in (tmp_path / "job").rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"hunter2" not in path.read_bytes()
    with SavedJob.open(tmp_path / "job") as saved:
        kept = saved.manifest.facts
    assert kept.input.location == "s3://bucket/in.csv"
    assert kept.model.endpoint_url == "https://iris.models/base"
    assert kept.options.reading == {"decimal": ","}
    assert kept.options.writing == {"location": "s3://bucket/out.csv"}


@pytest.mark.parametrize(
    ("location", "public"),
    [
        ("data/a?b#c@d.csv", "data/a?b#c@d.csv"),
        ("https://a@b:c@host:8080/x", "https://host:8080/x"),
        ("memory://job", "memory://job"),
    ],
)
def test_what_is_shown_of_a_location(location: str, public: str) -> None:
    """A path is shown as it is, a URL without who and how."""
    assert without_secrets(location) == public


def test_sets_become_json() -> None:
    """Options of Python are told in JSON, in a steady order; those not set are left away."""
    options = Options(reading={"schemes": frozenset({"s3", "https"}), "quote": None})
    assert options.reading == {"schemes": ["https", "s3"]}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format_version": 1}', b"\xff\xfe"])
def test_a_damaged_manifest_is_told(tmp_path: Path, text: bytes) -> None:
    """What a disk or an editor left of it raises one clear error."""
    Job.create(tmp_path / "job", FACTS).close()
    (tmp_path / "job" / "manifest.json").write_bytes(text)
    with pytest.raises(ConfigurationError, match=r"the manifest of the job in .* is damaged"):
        SavedJob.open(tmp_path / "job")
    with pytest.raises(ConfigurationError, match="is damaged"):
        Job.open(tmp_path / "job")


def edited(directory: Path, **values: object) -> None:
    path = directory / "manifest.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | values))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """What it means is not guessed."""
    Job.create(tmp_path / "job", FACTS).close()
    edited(tmp_path / "job", format_version=2)
    with pytest.raises(ConfigurationError, match="a newer version of kserve-client"):
        SavedJob.open(tmp_path / "job")


def test_more_fields_of_the_same_format_are_no_harm(tmp_path: Path) -> None:
    """A later release may note more."""
    Job.create(tmp_path / "job", FACTS).close()
    edited(tmp_path / "job", mood="good")
    with SavedJob.open(tmp_path / "job") as saved:
        assert saved.manifest.facts == FACTS


def test_the_manifest_is_readable_by_people(tmp_path: Path) -> None:
    """Times in UTC, the hash of the signature, one field a line."""
    with Job.create(tmp_path / "job", FACTS, job_id="abcdefgh") as job:
        found = orjson.loads((tmp_path / "job" / "manifest.json").read_bytes())
        assert found["job_id"] == "abcdefgh"
        assert found["state"] == "created"
        assert found["created"].endswith("Z")
        assert found["signature_hash"] == FACTS.signature_hash
        assert job.job_id == "abcdefgh"
    assert len((tmp_path / "job" / "manifest.json").read_text().splitlines()) > 40
