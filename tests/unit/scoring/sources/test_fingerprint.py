import io
import json
from pathlib import Path

import fsspec

from kserve_client.scoring.sources import Fingerprint, ReadOptions, fingerprint

# printf 'a\n1\n' | sha256sum
SHA256 = "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc"


def test_file_and_stream_have_the_hash_of_their_bytes(tmp_path: Path) -> None:
    """The same bytes have the same fingerprint, wherever they lie."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"a\n1\n")
    stream = io.BytesIO(b"a\n1\n")
    assert fingerprint(path) == fingerprint(stream) == Fingerprint(4, SHA256)
    assert stream.tell() == 0


def test_url_is_asked_for_its_version() -> None:
    """A file elsewhere is not read through: its store says size and version."""
    system = fsspec.filesystem("memory")
    system.pipe("/prints/x.csv", b"a\n1\n")
    options = ReadOptions(schemes=frozenset({"memory"}))
    before = fingerprint("memory://prints/x.csv", options)
    assert (before.size_bytes, before.sha256) == (4, "")
    assert before.tag.startswith("created: ")
    assert fingerprint("memory://prints/x.csv", options) == before
    system.pipe("/prints/x.csv", b"a\n2\n")
    after = fingerprint("memory://prints/x.csv", options)
    assert after.changes_since(before) == "its size is the same, its version is another"


def test_changes_are_said_in_words() -> None:
    """What differs is said so that a person knows it."""
    before = Fingerprint(4, "x")
    assert before.changes_since(Fingerprint(4, "x")) == ""
    assert Fingerprint(5000, "y").changes_since(before) == "it had 4 bytes, it has 5,000 bytes now"
    assert Fingerprint(4, "y").changes_since(before) == (
        "its size is the same, its content is another"
    )
    assert Fingerprint(4, tag="y").changes_since(before) == (
        "it lies elsewhere now, and can't be compared"
    )
    assert "an unknown size" in Fingerprint(None, tag="y").changes_since(before)


def test_fingerprint_goes_through_json() -> None:
    """A manifest can keep it."""
    for one in (Fingerprint(4, SHA256), Fingerprint(None, tag="ETag: x")):
        assert Fingerprint.of_json(json.loads(json.dumps(one.as_json()))) == one
