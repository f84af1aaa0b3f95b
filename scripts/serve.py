"""Starts the dashboard in its image: `python -m scripts.serve`.

Runs in the dashboard's environment. Streamlit takes its settings from `.streamlit/config.toml` and
STREAMLIT_… variables.
"""

import sys
from pathlib import Path

from streamlit import net_util
from streamlit.web import cli

APP = Path(__file__).resolve().parent.parent / "app.py"


def never_ask_outside() -> None:
    """Take the look-up of our own address away from Streamlit.

    It asks an outside host, on the event loop: at the start, and whenever a WebSocket comes from
    another origin. Without a way outside that holds every visitor for up to 20 s (seen on 1.67.0).
    """
    net_util.get_external_ip = _unknown


def _unknown() -> None:
    """No address: such an origin is refused, as it would be anyway."""


def main() -> None:
    """Serve until a signal comes."""
    never_ask_outside()
    sys.argv = ["streamlit", "run", str(APP)]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
