"""Scoring: many rows of a CSV file, each with its prediction or its error, in order."""

from kserve_client.scoring.reader import CsvTable, read_csv
from kserve_client.scoring.score import Progress, Summary, score_csv, scored_chunks
from kserve_client.scoring.sender import ScoredChunk

__all__ = [
    "CsvTable",
    "Progress",
    "ScoredChunk",
    "Summary",
    "read_csv",
    "score_csv",
    "scored_chunks",
]
