"""Tables to score: CSV, JSON Lines, Parquet or Arrow; from a path, a stream or a URL; in any size.

`opened` gives their rows a block at a time, `preview` shows the first ones.
"""

from kserve_client.scoring.sources.data_frame import location_of
from kserve_client.scoring.sources.dialect import DELIMITERS
from kserve_client.scoring.sources.fingerprint import Fingerprint, fingerprint
from kserve_client.scoring.sources.header import nameable
from kserve_client.scoring.sources.location import NotReadError, is_rewindable, is_url, label
from kserve_client.scoring.sources.opening import opened
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
from kserve_client.scoring.sources.surveying import Preview, count_rows, preview

__all__ = [
    "DELIMITERS",
    "Compression",
    "Fingerprint",
    "Format",
    "Found",
    "Limits",
    "Location",
    "NotReadError",
    "Partition",
    "Preview",
    "ReadOptions",
    "Source",
    "count_rows",
    "each_partition",
    "fingerprint",
    "is_rewindable",
    "is_url",
    "label",
    "location_of",
    "nameable",
    "opened",
    "partitions",
    "preview",
]
