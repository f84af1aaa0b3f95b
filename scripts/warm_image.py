"""Imports what a running dashboard imports, so that the image holds it compiled: `python -m scripts.warm_image`.

Runs while the image is built, with PYTHONPYCACHEPREFIX. To compile everything would take twice the
room; to compile nothing would cost each start some seconds, since the base image has no compiled
standard library either.
"""

import importlib
import os
import pkgutil
import subprocess
import sys
import time

from streamlit.testing.v1 import AppTest

import dashboard
import kserve_client
from scripts.ask_dashboard import own_url, problem
from scripts.serve import APP

# Servers and libraries that are imported when they are first needed.
LATER = (
    "concurrent.futures.thread",
    "pandas.io.parquet",
    "plotly.graph_objs",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.fs",
    "pyarrow.json",
    "pyarrow.parquet",
    "scripts.serve",
    "streamlit.web.bootstrap",
    "streamlit.web.server.starlette",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
# Those of the image's extras.
EXTRAS = ("kubernetes.client", "kubernetes.config", "s3fs", "distributed")
START_S = 60.0
PAGES = ("predict", "batch", "model", "health")


def modules() -> list[str]:
    """Return the names of all our own modules."""
    found = []
    for package in (dashboard, kserve_client):
        walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        found += [one.name for one in walked if not one.name.endswith("__main__")]
    return found


def import_extras() -> None:
    """Import what is there of the extras."""
    for name in EXTRAS:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"Left out: {error}")


def serve_once() -> str:
    """Start the dashboard, ask it, and end it; return what is wrong, "" for nothing."""
    server = subprocess.Popen([sys.executable, "-m", "scripts.serve"])
    deadline = time.monotonic() + START_S
    try:
        while wrong := problem(own_url(os.environ), with_page=True):
            if server.poll() is not None or time.monotonic() > deadline:
                return wrong
            time.sleep(0.2)
        return ""
    finally:
        server.terminate()
        server.wait()


def main() -> int:
    """Import all, draw each page once, and serve. Fails when something of the core is missing."""
    for name in (*LATER, *modules()):
        importlib.import_module(name)
    import_extras()
    app = AppTest.from_file(APP, default_timeout=60).run()
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
    wrong = serve_once()
    print(wrong)
    return 1 if app.exception or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
