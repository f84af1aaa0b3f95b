"""Job: a directory that holds all of one run, so that it can go on after anything."""

from kserve_client.scoring.job.job import Job
from kserve_client.scoring.job.listing import (
    JobSummary,
    check_job_id,
    delete_job,
    has_job,
    job_directory,
    jobs,
    new_job_id,
)
from kserve_client.scoring.job.manifest import (
    Counts,
    Facts,
    Figures,
    InputFacts,
    Manifest,
    ModelFacts,
    Options,
    State,
    deciding,
    public_options,
)
from kserve_client.scoring.job.part_writer import PartWriter
from kserve_client.scoring.job.parts import WrittenPart
from kserve_client.scoring.job.saved import SavedJob
from kserve_client.scoring.job.spans import UNKNOWN_END
from kserve_client.scoring.job.store import without_secrets

__all__ = [
    "UNKNOWN_END",
    "Counts",
    "Facts",
    "Figures",
    "InputFacts",
    "Job",
    "JobSummary",
    "Manifest",
    "ModelFacts",
    "Options",
    "PartWriter",
    "SavedJob",
    "State",
    "WrittenPart",
    "check_job_id",
    "deciding",
    "delete_job",
    "has_job",
    "job_directory",
    "jobs",
    "new_job_id",
    "public_options",
    "without_secrets",
]
