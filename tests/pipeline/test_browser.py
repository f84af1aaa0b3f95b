"""The end of the road in a real browser: a form from MLflow, and an answer to what is set in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests import needs
from tests.browser.conftest import ARGUMENTS, Visit
from tests.pipeline.conftest import Went
from tests.servers import streamlit_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_person_predicts(went: Went, tmp_path: Path) -> None:
    """Sliders with the ranges of the notebook; the answer is a name of a class, and it changes."""
    chromium = needs.chromium()
    with (
        streamlit_server(went.road.models_file, tmp_path / "dashboard.log") as dashboard,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        visit = Visit(browser.new_page(), dashboard.url)
        visit.page.on("request", visit.seen.request)
        visit.go("predict?m=iris-classifier")
        answer = visit.page.get_by_test_id("stMain").get_by_role("heading", level=2).first
        expect(answer).to_contain_text("Iris versicolor")
        slider = visit.page.get_by_role("slider", name=re.compile("^Petal length"))
        # Once MLflow's title is known the page is drawn anew, which takes a busy machine a while.
        expect(slider).to_have_count(1, timeout=60_000)
        expect(slider).to_have_attribute("min", "1")
        expect(slider).to_have_attribute("max", "7")
        slider.focus()
        slider.press("Home")
        expect(answer).to_contain_text("Iris setosa")
        browser.close()
    assert visit.seen.hosts == {dashboard.url.removeprefix("http://")}
