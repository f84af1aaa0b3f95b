"""Batch jobs that outlive a page and a process: each in a folder of its own. Knows no Streamlit."""

from dashboard.jobs.jobs import Jobs
from dashboard.jobs.view import (
    OVER,
    JobView,
    NamedSource,
    Spooled,
    State,
    StorageTroubleError,
    UnknownJobError,
)

__all__ = [
    "OVER",
    "JobView",
    "Jobs",
    "NamedSource",
    "Spooled",
    "State",
    "StorageTroubleError",
    "UnknownJobError",
]
