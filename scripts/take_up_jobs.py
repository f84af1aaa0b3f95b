"""Takes up the jobs that another process of the dashboard left, before anybody opens a page.

A page does that, too, but nobody may look for hours after a pod was replaced in the night.
"""

from contextlib import suppress

from dashboard import gateway
from kserve_client.errors import ConfigurationError


def run() -> None:
    """Take them up, in threads of their own. Without a models file that works, a page does it later."""
    with suppress(ConfigurationError):
        gateway.catalog()
        gateway.recover_jobs()
