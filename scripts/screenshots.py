"""Take the pictures in docs/screenshots of the running demo: `python -m scripts.screenshots`.

Start `./scripts/demo.sh` first. Needs Chromium and the environment of requirements/dev.txt.
"""

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.environment import ROOT

SHOTS = ROOT / "docs" / "screenshots"
CHECKS_S = 30  # in which the page Health makes some checks
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
CHROMIUM_ARGS += ["--disable-background-networking", "--disable-component-update"]
WIDE = (1360, 860)
PHONE = (400, 860)
# name, address, a text that stands on the finished page
PAGES = (
    ("health", "/health?m=iris", "Test inference"),  # first: its chart then has no gaps
    ("home", "/", "5 of 5 ready"),
    ("predict", "/predict?m=iris", "sure"),
    ("predict-table", "/predict?m=penguins", "sure"),
    ("predict-picture", "/predict?m=digits", "sure"),
    ("picture-out", "/predict?m=denoise", "What the model gets"),
    ("model", "/model?m=penguin_mass", "Where each fact comes from"),
)


def main() -> int:
    """Take every picture, light and dark, wide and narrow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--to", type=Path, default=SHOTS)
    parser.add_argument("--all", action="store_true", help="every page in every look")
    options = parser.parse_args()
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        print("There is no Chromium here; install it, e.g. apt-get install chromium")
        return 1
    options.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        for scheme, (name, path, text), narrow in looks(everything=options.all):
            take(browser, options, scheme, name, path, text, narrow=narrow)
        batch(browser, options)
        learn(browser, options)
        browser.close()
    return 0


def looks(*, everything: bool) -> list[tuple[str, tuple[str, str, str], bool]]:
    """What to take: all of it, or what the documents show."""
    if everything:
        schemes, widths = ("light", "dark"), (False, True)
        return [(scheme, page, narrow) for scheme in schemes for page in PAGES for narrow in widths]
    shown = [("light", page, False) for page in PAGES]
    return [*shown, ("dark", PAGES[2], False), ("light", PAGES[2], True)]


def opened(browser: Browser, scheme: str, *, narrow: bool) -> Page:
    """Open a window of its own, so that no state is left over."""
    width, height = PHONE if narrow else WIDE
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    return context.new_page()


def settle(page: Page, text: str) -> None:
    """Wait until the page is drawn: the text stands there, and no placeholder any more."""
    page.get_by_text(text).first.wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(1500)  # charts grow into place


def take(
    browser: Browser,
    options: argparse.Namespace,
    scheme: str,
    name: str,
    path: str,
    text: str,
    *,
    narrow: bool,
) -> None:
    """Take one picture."""
    page = opened(browser, scheme, narrow=narrow)
    page.goto(options.url + path)
    settle(page, text)
    if name == "health":
        page.wait_for_timeout(CHECKS_S * 1000)
    kind = "phone" if narrow else "wide"
    page.screenshot(path=options.to / f"{name}-{kind}-{scheme}.png")
    page.context.close()


def batch(browser: Browser, options: argparse.Namespace) -> None:
    """Score the sample of the demo and take the result."""
    page = opened(browser, "light", narrow=False)
    page.goto(f"{options.url}/batch?m=iris")
    settle(page, "Download a template")
    page.set_input_files("input[type=file]", ROOT / ".demo" / "data" / "iris-150.csv")
    settle(page, "Score 150 rows")
    page.screenshot(path=options.to / "batch-check-wide-light.png")
    page.get_by_text("Score 150 rows").click()
    settle(page, "have a prediction")
    page.screenshot(path=options.to / "batch-wide-light.png")
    page.context.close()


def learn(browser: Browser, options: argparse.Namespace) -> None:
    """Let the page Details learn from the sample of the demo."""
    page = opened(browser, "light", narrow=False)
    page.goto(f"{options.url}/model?m=iris&part=Learn from a CSV")
    settle(page, "CSV or Parquet file of usual rows")
    page.set_input_files("input[type=file]", ROOT / ".demo" / "data" / "iris-150.csv")
    page.get_by_role("slider").first.wait_for()
    page.get_by_test_id("data-grid-canvas").first.wait_for()
    settle(page, "Try the form")
    page.screenshot(path=options.to / "learn-wide-light.png")
    page.context.close()


if __name__ == "__main__":
    sys.exit(main())
