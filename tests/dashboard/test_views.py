import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views import literal, milliseconds, percent
from kserve_client.predictions import number_text


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("", ""),
        ("Iris setosa, 5.1 cm", "Iris setosa, 5.1 cm"),
        ("a*b_c", r"a\*b\_c"),
        ("[x](javascript:1)", r"\[x\]\(javascript\:1\)"),
        (":red[x] :material/home:", r"\:red\[x\] \:material/home\:"),
        ("$x$ and `y`", r"\$x\$ and \`y\`"),
        ("<b>bold</b>", r"\<b\>bold\</b\>"),
        ("# head", r"\# head"),
        ("1 - 2 + 3", r"1 \- 2 \+ 3"),
        ("a|b~c^d!e{f}", r"a\|b\~c\^d\!e\{f\}"),
        ("back\\slash", r"back\\slash"),
        ("5 °C – Übergröße", "5 °C – Übergröße"),
    ],
)
def test_text_from_outside_is_no_markdown(text: str, markdown: str) -> None:
    """Every sign that means something in Streamlit's Markdown is escaped, nothing else."""
    assert literal(text) == markdown


def test_an_address_is_code_and_no_link() -> None:
    """The browser makes links of bare addresses; in code it does not."""
    assert literal("asked http://127.0.0.1:80/v2, twice") == "asked `http://127.0.0.1:80/v2`, twice"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.98765, "98.8 %"),
        (0.9989, "99.9 %"),
        (0.9996, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_certainty(share: float, text: str) -> None:
    """0 % and 100 % are said only when they are exact."""
    assert percent(share) == text


@pytest.mark.parametrize(
    ("elapsed_ms", "text"),
    [
        (None, "–"),
        (0.42, "0.4 ms"),
        (1.4, "1 ms"),
        (14.2, "14 ms"),
        (999.0, "999 ms"),
        (2_100.0, "2.1 s"),
    ],
)
def test_a_duration_has_a_unit_that_fits(elapsed_ms: float | None, text: str) -> None:
    """Milliseconds below a second, seconds above."""
    assert milliseconds(elapsed_ms) == text


@pytest.mark.parametrize(
    ("value", "decimals", "unit", "text"),
    [
        (4207.4, 0, "g", "4,207 g"),
        (4207.44, None, "", "4,207"),
        (0.12345, None, "", "0.1235"),
        (3.0, None, "cm", "3 cm"),
        (-0.00001234, None, "", "-1.23e-05"),
        (1234567.0, 2, "", "1,234,567.00"),
        (float("nan"), None, "g", "no number"),
    ],
)
def test_a_number_reads_as_people_write_it(
    value: float, decimals: int | None, unit: str, text: str
) -> None:
    """Grouped digits, the signature's decimals, else four significant ones."""
    assert number_text(value, decimals, unit) == text


def drawn_answer(shares: dict[str, float], label: str) -> None:
    """Draw one answer; AppTest runs the source of this function."""
    from dashboard import views
    from kserve_client.client import Exchange
    from kserve_client.predictions import Prediction
    from kserve_client.tensors import InferResponse

    response = InferResponse(())
    exchange = Exchange("/v2/models/m/infer", {}, b"{}", {}, b"{}", response, 12.0, 2)
    views.answer(Prediction(label=label, probabilities=shares), exchange, "Title")


def chart(shares: dict[str, float], label: str) -> tuple[dict[str, Any], AppTest]:
    app = AppTest.from_function(drawn_answer, args=(shares, label), default_timeout=30).run()
    (found,) = app.get("plotly_chart")
    (bars,) = json.loads(found.proto.spec)["data"]
    return bars, app


def test_the_bar_of_the_answer_has_the_accent() -> None:
    """The label's bar stands out, though another may be longer; the others share one tone."""
    bars, _ = chart({"a": 0.2, "b": 0.5, "c": 0.3}, "c")
    assert bars["y"] == ["b", "c", "a"]
    assert bars["text"] == ["50.0 %", "30.0 %", "20.0 %"]
    quiet, accent, other = bars["marker"]["color"]
    assert quiet == other
    assert accent != quiet


def test_only_the_likeliest_classes_have_bars() -> None:
    """With ten classes six are drawn and the rest is counted."""
    shares = {str(number): 0.1 for number in range(10)}
    bars, app = chart(shares, "0")
    assert len(bars["y"]) == 6
    assert any("4 less likely" in caption.value for caption in app.caption)


def test_time_and_attempts_are_told() -> None:
    """How long the answer took, and that it took two tries."""
    _, app = chart({"a": 1.0}, "a")
    assert any("12 ms · 2 attempts" in caption.value for caption in app.caption)


def drawn_wire(size_bytes: int, is_binary: bool) -> None:
    """Draw the tabs of an exchange; AppTest runs the source of this function."""
    from dashboard import views
    from kserve_client import Endpoint
    from kserve_client.client import Exchange
    from kserve_client.tensors import InferResponse

    body = b'{"inputs":[]}'.ljust(size_bytes)
    headers = {"Inference-Header-Content-Length": "13"} if is_binary else {}
    response = InferResponse(())
    exchange = Exchange("/v2/models/m/infer", headers, body, {}, b"{}", response, 12.0, 1)
    views.wire(exchange, Endpoint(url="http://h.test"))


@pytest.mark.parametrize(
    ("size_bytes", "is_binary", "file"),
    [(13, False, None), (100_001, False, "request.json"), (21, True, "request.bin")],
)
def test_a_body_that_a_snippet_needs_can_be_downloaded(
    size_bytes: int, is_binary: bool, file: str | None
) -> None:
    """Beside the curl line and the scripts, where they read it from a file; else there is no button."""
    app = AppTest.from_function(drawn_wire, args=(size_bytes, is_binary), default_timeout=30).run()
    labels = [button.label for button in app.download_button]
    assert labels == ([f"Download {file}"] * 2 if file else [])
    captions = " ".join(caption.value for caption in app.caption)
    assert ("and 8 bytes of numbers, which travelled binary" in captions) == is_binary
