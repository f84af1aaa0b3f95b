"""Settings of the dashboard, from the environment: `KSERVE_CLIENT_MODELS` and its like."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from streamlit import config
from streamlit.config_option import ConfigOption

# Streamlit's server refuses what is larger (413), whatever a field allows; it asks at each upload (1.67.0).
_UPLOAD_OPTION = "server.maxUploadSize"


def _place(given: object) -> object:
    """A URL stays text: as a path it would lose a slash."""
    return Path(given) if isinstance(given, str) and "://" not in given else given


class Settings(BaseSettings):
    """Every option, its environment variable being KSERVE_CLIENT_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="KSERVE_CLIENT_", frozen=True)

    models: Path | None = Field(default=None, description="The models file.")
    badge: str = Field(default="", description="A word for the sidebar, such as demo or staging.")
    refresh_s: float = Field(
        default=5.0, gt=0.5, description="Seconds between two looks at the health of the models."
    )
    jobs_folder: Annotated[Path | str | None, BeforeValidator(_place)] = Field(
        default=None,
        description="Where batch jobs are kept, a folder or a URL such as s3://bucket/prefix; the "
        "user's data folder by default.",
    )
    jobs_taken_over_s: float = Field(
        default=120.0,
        ge=10.0,
        description="Seconds of silence after which another process takes up the jobs of one, where "
        "they are kept behind a URL.",
    )
    jobs_at_once: int = Field(
        default=2, ge=1, le=64, description="Batch jobs that run at a time; the others wait."
    )
    jobs_kept: int = Field(
        default=50, ge=1, description="Jobs that are over and kept, per owner, the newest."
    )
    jobs_kept_days: float = Field(
        default=30.0, gt=0, description="Days after which a job that is over is removed."
    )
    sources: str = Field(
        default="",
        description="Tables to score without an upload: folders and s3:// prefixes, with commas.",
    )
    largest_upload_mb: int = Field(
        default=2048, ge=1, description="The largest upload, in megabytes of 1,048,576 bytes."
    )
    largest_rows: int | None = Field(
        default=None, ge=1, description="The most rows a table may have; any number by default."
    )
    largest_columns: int = Field(
        default=20_000, ge=1, description="The most columns a table may have."
    )
    dask_scheduler: str = Field(
        default="", description="Where large batch jobs are sent, such as tcp://scheduler:8786."
    )
    dask_from_mb: int = Field(
        default=100,
        ge=0,
        description="Tables of this size and more, in such megabytes, are scored there.",
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()


def accept_uploads() -> None:
    """Have Streamlit's server take what the settings allow, unless its option was set by hand."""
    if not config.is_manually_set(_UPLOAD_OPTION):
        largest_mb = settings().largest_upload_mb
        config.set_option(_UPLOAD_OPTION, largest_mb, ConfigOption.STREAMLIT_DEFINITION)


def upload_mb(most: int | None = None) -> int:
    """The largest upload that arrives, in MB; `most` for a field that takes less than the settings."""
    largest_mb = settings().largest_upload_mb if most is None else most
    return min(largest_mb, int(config.get_option(_UPLOAD_OPTION)))
