from __future__ import annotations

import pytest
from streamlit import net_util
from streamlit.web.server import server_util

from scripts import serve


def test_an_origin_from_elsewhere_is_refused_without_a_look_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Streamlit would ask an outside host for our address; nothing is asked, and the answer is no."""

    def asked(url: str, timeout: float = 5) -> str | None:
        raise AssertionError(f"{url} was asked")

    monkeypatch.setattr(net_util, "_make_blocking_http_get", asked)
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)  # put back later
    with pytest.raises(AssertionError, match="was asked"):
        server_util.is_url_from_allowed_origins("http://elsewhere.example.org")
    serve.never_ask_outside()
    assert not server_util.is_url_from_allowed_origins("http://elsewhere.example.org")
    assert server_util.is_url_from_allowed_origins("http://localhost:8501")


def test_the_app_is_where_it_is_looked_for() -> None:
    """The script that Streamlit runs."""
    assert serve.APP.name == "app.py"
    assert serve.APP.is_file()
