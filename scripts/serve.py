"""Starts the dashboard in its image: `python -m scripts.serve`.

Runs in the dashboard's environment. Streamlit takes its settings from `.streamlit/config.toml` and
STREAMLIT_… variables.
"""

import importlib
import os
import sys
import threading
import time
from pathlib import Path

from streamlit import net_util
from streamlit.web import cli

from scripts.ask_dashboard import own_url, problem

APP = Path(__file__).resolve().parent.parent / "app.py"
LOOK_S = 0.5
START_S = 60.0


def never_ask_outside() -> None:
    """Take the look-up of our own address away from Streamlit.

    It asks an outside host, on the event loop: at the start, and whenever a WebSocket comes from
    another origin. Without a way outside that holds every visitor for up to 20 s (seen on 1.67.0).
    """
    net_util.get_external_ip = _unknown


def _unknown() -> None:
    """No address: such an origin is refused, as it would be anyway."""


def look_for_jobs() -> None:
    """Go on with the jobs that another process left, once we serve."""
    deadline = time.monotonic() + START_S
    while problem(own_url(os.environ), with_page=False) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    # Not before: its import takes a second, in which nobody would be answered.
    importlib.import_module("scripts.take_up_jobs").run()


def main() -> None:
    """Serve until a signal comes."""
    never_ask_outside()
    threading.Thread(target=look_for_jobs, name="look-for-jobs", daemon=True).start()
    sys.argv = ["streamlit", "run", str(APP)]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
