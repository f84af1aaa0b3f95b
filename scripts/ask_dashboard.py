"""Asks a running dashboard whether it is well: `python -m scripts.ask_dashboard [URL]`.

Without a URL the one in this container, whose port and base path the environment tells. With one, it
is asked for its page too. Standard library only; exits with 1 and a sentence when something is wrong.
"""

import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence

TIMEOUT_S = 4.0
# A proxy that the environment names is for models, not for ourselves.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def own_url(variables: Mapping[str, str]) -> str:
    """Return the address of the dashboard in this container."""
    port = variables.get("STREAMLIT_SERVER_PORT", "8501")
    base = variables.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    return f"http://127.0.0.1:{port}/{base}".rstrip("/")


def ask(url: str) -> str:
    """Return the body of a 2xx answer. Raises OSError for any other, and for none."""
    with _direct.open(url, timeout=TIMEOUT_S) as answer:
        return str(answer.read().decode(errors="replace"))


def problem(url: str, *, with_page: bool) -> str:
    """Return what is wrong in one sentence, "" for nothing."""
    url = url.rstrip("/")
    try:
        ask(f"{url}/_stcore/health")
        page = ask(f"{url}/") if with_page else "<html"
    except (OSError, ValueError) as error:
        return f"The dashboard at {url} is not well: {error}"
    return "" if "<html" in page else f"What answers at {url} is no dashboard"


def run(arguments: Sequence[str]) -> int:
    """Ask once."""
    url = arguments[0] if arguments else own_url(os.environ)
    wrong = problem(url, with_page=bool(arguments))
    print(wrong or f"The dashboard at {url} is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
