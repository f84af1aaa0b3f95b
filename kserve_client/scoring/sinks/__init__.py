"""Sinks: scored rows → CSV, JSON Lines, Parquet or Arrow; a file, a stream or a URL."""

from kserve_client.scoring.sinks.options import WriteOptions
from kserve_client.scoring.sinks.sink import Sink, opened
from kserve_client.scoring.sinks.target import Target, are_different

__all__ = ["Sink", "Target", "WriteOptions", "are_different", "opened"]
