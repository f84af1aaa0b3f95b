"""What a source is a file of: by its first bytes, else by its name."""

from __future__ import annotations

from kserve_client.errors import InputError
from kserve_client.scoring.sources.source import Format

PARQUET_MAGIC = b"PAR1"
ARROW_FILE_MAGIC = b"ARROW1"
# The first message of an Arrow stream begins with the mark that a length follows.
ARROW_STREAM_MAGIC = b"\xff\xff\xff\xff"
_MAGIC: dict[bytes, Format] = {
    PARQUET_MAGIC: "parquet",
    ARROW_FILE_MAGIC: "arrow",
    ARROW_STREAM_MAGIC: "arrow",
}
_SUFFIXES: dict[str, Format] = {
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "txt": "csv",
    "jsonl": "json-lines",
    "ndjson": "json-lines",
    "jsonlines": "json-lines",
    "json": "json-lines",
    "parquet": "parquet",
    "pq": "parquet",
    "arrow": "arrow",
    "arrows": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
}
_NO_TABLES = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
}
_PACKED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")
_BOM = b"\xef\xbb\xbf"


def format_of(head: bytes, name: str) -> Format:
    """The format of a file, from its first bytes and its name; CSV when neither says.

    Raises InputError for a Parquet file of which only the name is left, and for files that are
    often taken for tables.
    """
    other = next((kind for magic, kind in _NO_TABLES.items() if head.startswith(magic)), None)
    if other is not None:
        raise InputError(f"the file is {other}; save the table as CSV")
    magic = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if magic is not None:
        return magic
    named = _SUFFIXES.get(suffix_of(name))
    if named == "parquet":
        raise InputError(f"{name!r} is named like a Parquet file and is none")
    if named is not None:
        return named
    return "json-lines" if head.removeprefix(_BOM).lstrip().startswith(b'{"') else "csv"


def suffix_of(name: str) -> str:
    """The end of a file name that tells the format, in small letters, "" when there is none."""
    name = name.lower()
    for packed in _PACKED_SUFFIXES:
        name = name.removesuffix(packed)
    return name.rpartition(".")[2] if "." in name else ""
