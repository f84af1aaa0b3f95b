"""What the settings make of Streamlit's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit import config
from streamlit.config_option import ConfigOption

from dashboard.settings import accept_uploads, settings, upload_mb

OPTION = "server.maxUploadSize"


@pytest.fixture(autouse=True)
def as_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with Streamlit's own limit and ours at 500 MB; leave both as they were."""
    before = config.get_option(OPTION), config.get_where_defined(OPTION)
    config.set_option(OPTION, 200, ConfigOption.DEFAULT_DEFINITION)
    monkeypatch.setenv("KSERVE_CLIENT_LARGEST_UPLOAD_MB", "500")
    settings.cache_clear()
    yield
    settings.cache_clear()
    config.set_option(OPTION, *before)


def test_the_server_takes_what_the_settings_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they change; a field may promise less."""
    accept_uploads()
    assert (config.get_option(OPTION), upload_mb(), upload_mb(10)) == (500, 500, 10)
    monkeypatch.setenv("KSERVE_CLIENT_LARGEST_UPLOAD_MB", "3")
    settings.cache_clear()
    accept_uploads()
    assert (config.get_option(OPTION), upload_mb(), upload_mb(10)) == (3, 3, 3)


@pytest.mark.parametrize(("by_hand", "promised"), [(5, 5), (900, 500)])
def test_a_limit_that_was_set_by_hand_stays(by_hand: int, promised: int) -> None:
    """A field then promises the lower of both."""
    config.set_option(OPTION, by_hand)
    accept_uploads()
    assert (config.get_option(OPTION), upload_mb(), upload_mb(1)) == (by_hand, promised, 1)
