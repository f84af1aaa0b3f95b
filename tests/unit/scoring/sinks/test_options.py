from pathlib import Path
from typing import Any

import pytest

from kserve_client import ConfigurationError
from kserve_client.scoring.sinks.options import WriteOptions, form_of
from kserve_client.scoring.sources.source import Found

SOURCE = Found("parquet", delimiter=";")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("out.csv", ("csv", "", ";")),
        (Path("folder.parquet") / "OUT.CSV", ("csv", "", ";")),
        ("out.tsv", ("csv", "", "\t")),
        ("out.tsv.gz", ("csv", "gzip", "\t")),
        ("out.jsonl", ("json-lines", "", ";")),
        ("out.ndjson.zst", ("json-lines", "zstd", ";")),
        ("out.parquet", ("parquet", "", ";")),
        ("out.arrow", ("arrow", "", ";")),
        ("s3://bucket/out.csv.gz?versionId=a.jsonl", ("csv", "gzip", ";")),
        ("out", ("parquet", "", ";")),
        ("out.txt", ("parquet", "", ";")),
        (None, ("parquet", "", ";")),
    ],
)
def test_name_tells_the_form(location: Any, expected: tuple[str, str, str]) -> None:
    """The end of a name tells format and compression; without one the source does."""
    form = form_of(location, WriteOptions(), SOURCE)
    assert (form.format, form.compression, form.delimiter) == expected


def test_options_say_more_than_the_name() -> None:
    """What was asked for goes before the name, and that before the source."""
    options = WriteOptions(format="csv", compression="", delimiter="|")
    form = form_of("out.jsonl.gz", options, SOURCE)
    assert (form.format, form.compression, form.delimiter) == ("csv", "", "|")


@pytest.mark.parametrize("name", ["out.parquet.gz", "out.arrow.zst"])
def test_binary_files_are_not_compressed_again(name: str) -> None:
    """A Parquet or Arrow file is compressed inside, and not around."""
    with pytest.raises(ConfigurationError, match="is compressed inside"):
        form_of(name, WriteOptions(), SOURCE)


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", ";;"])
def test_delimiter_that_means_something_else_is_refused(delimiter: str) -> None:
    """Quotes and line ends can't divide cells, nor can two characters."""
    with pytest.raises(ConfigurationError, match="can't be the delimiter"):
        form_of("out.csv", WriteOptions(delimiter=delimiter), SOURCE)


def test_secrets_do_not_show() -> None:
    """The options of a store hold keys; a repr does not."""
    assert "hush" not in repr(WriteOptions(storage_options={"secret": "hush"}))
