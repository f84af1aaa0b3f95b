"""Health: from the name of a host up to a test inference, and the first step that fails."""

from kserve_client.health.ladder import Ladder, Rung
from kserve_client.health.probes import check, check_all

__all__ = ["Ladder", "Rung", "check", "check_all"]
