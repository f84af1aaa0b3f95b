import pytest

from kserve_client import InputError
from kserve_client.scoring.sources.formats import format_of


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"PAR1...", "x.csv", "parquet"),
        (b"ARROW1..", "", "arrow"),
        (b"\xff\xff\xff\xff..", "", "arrow"),
        (b"a,b\n", "x.JSONL.gz", "json-lines"),
        (b"a,b\n", "x.ndjson", "json-lines"),
        (b"a\tb\n", "x.tsv", "csv"),
        (b"", "x.feather", "arrow"),
        (b'\xef\xbb\xbf {"a": 1}', "upload", "json-lines"),
        (b'{"a": 1}', "x.csv", "csv"),
        (b"a,b\n", "", "csv"),
        (b"a,b\n", "x.data", "csv"),
    ],
)
def test_format_is_told_by_the_bytes_then_the_name(head: bytes, name: str, expected: str) -> None:
    """First bytes that are sure win over the name, which wins over a guess."""
    assert format_of(head, name) == expected


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"PK\x03\x04..", "the file is an Excel workbook or a zip archive; save the table as CSV"),
        (b"BZh9..", "the file is packed with bzip2; save the table as CSV"),
    ],
)
def test_file_that_is_no_table_is_named(head: bytes, message: str) -> None:
    """What people upload by mistake is called what it is."""
    with pytest.raises(InputError) as caught:
        format_of(head, "x.csv")
    assert str(caught.value) == message
