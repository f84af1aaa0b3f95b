"""Tables to score: CSV, JSON Lines, Parquet or Arrow; from a path, a stream or a URL; in any size.

`opened` gives their rows a block at a time, `survey` says what they hold.
"""

from kserve_client.scoring.sources.dialect import DELIMITERS
from kserve_client.scoring.sources.fingerprint import Fingerprint, fingerprint
from kserve_client.scoring.sources.header import nameable
from kserve_client.scoring.sources.location import NotReadError, is_rewindable, is_url, label
from kserve_client.scoring.sources.misfits import Misfits
from kserve_client.scoring.sources.opening import CheckedSource, opened
from kserve_client.scoring.sources.partitioning import each_partition, partitions
from kserve_client.scoring.sources.source import (
    Compression,
    Format,
    Found,
    Limits,
    Location,
    Partition,
    ReadOptions,
    Source,
)
from kserve_client.scoring.sources.surveying import Preview, Survey, count_rows, preview, survey

__all__ = [
    "DELIMITERS",
    "CheckedSource",
    "Compression",
    "Fingerprint",
    "Format",
    "Found",
    "Limits",
    "Location",
    "Misfits",
    "NotReadError",
    "Partition",
    "Preview",
    "ReadOptions",
    "Source",
    "Survey",
    "count_rows",
    "each_partition",
    "fingerprint",
    "is_rewindable",
    "is_url",
    "label",
    "nameable",
    "opened",
    "partitions",
    "preview",
    "survey",
]
