"""Settings of the dashboard, from the environment: `KSERVE_CLIENT_MODELS` and its like."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every option, its environment variable being KSERVE_CLIENT_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="KSERVE_CLIENT_", frozen=True)

    models: Path | None = Field(default=None, description="The models file.")
    badge: str = Field(default="", description="A word for the sidebar, such as demo or staging.")
    refresh_s: float = Field(
        default=5.0, gt=0.5, description="Seconds between two looks at the health of the models."
    )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
