import io
import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.tables import needed_columns, template
from dashboard.views import bar_names, literal, milliseconds, percent, range_text
from kserve_client.catalog import Example
from kserve_client.predictions import number_text
from kserve_client.scoring.sources import preview
from kserve_client.signature import Feature, Signature


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
        ("3 @ 5 = 15", "3 @ 5 \\= 15"),
    ],
)
def test_text_from_outside_is_no_markdown(text: str, markdown: str) -> None:
    """Every sign that means something in Streamlit's Markdown is escaped, nothing else."""
    assert literal(text) == markdown


def test_an_address_is_code_and_no_link() -> None:
    """The browser makes links of bare addresses; in code it does not."""
    assert literal("asked http://127.0.0.1:80/v2, twice") == "asked `http://127.0.0.1:80/v2`, twice"
    assert literal("HTTPS://evil.example/a_b.") == "`HTTPS://evil.example/a_b`."
    assert literal("see www.evil.example/login, now") == "see `www.evil.example/login`, now"
    assert literal("ask ann@evil.example.") == "ask `ann@evil.example`."


def test_the_name_of_a_feature_brings_no_picture_along() -> None:
    """It may come from a server, from MLflow or from a file, and a picture would ask its host."""
    signature = Signature(features=(Feature(name="a`![i](http://evil.example/i.png)`b"),))
    said = needed_columns(signature)
    assert r"a\`\!\[i\]\(`http://evil.example/i.png`\)\`b" in said


def test_a_long_word_takes_no_time() -> None:
    """Texts of models may have no blanks: once a word took minutes, and the process with it."""
    assert literal("数" * 200_000) == "数" * 200_000


def test_lines_from_outside_are_no_headings_and_no_blocks() -> None:
    """A line of signs makes a heading of the one before, four blanks make code."""
    assert literal("a\n===\n\n    b") == "a\n\\=\\=\\=\n\nb"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Rose"], ["Rose"]),
        (
            ["Likely to cancel within the next three months", "Cancelled"],
            ["Likely to cancel<br>within the next three<br>months", "Cancelled"],
        ),
        (["L" * 64], [f"{'L' * 22}<br>{'L' * 22}<br>{'L' * 20}"]),
        (["eighteen letters x " * 5], ["<br>".join(["eighteen letters x"] * 3) + "…"]),
        (
            ["same words here " * 5 + end for end in "ab"],
            [
                "same words here same<br>words here same words<br>here same words here<br>"
                f"same words here {end}"
                for end in "ab"
            ],
        ),
        (["<b>b</b> & c"], ["&lt;b&gt;b&lt;/b&gt; &amp; c"]),
    ],
    ids=["short", "long", "a long word", "too long", "told apart at the end", "HTML"],
)
def test_the_names_of_bars_are_read_from_their_beginning(
    names: list[str], shown: list[str]
) -> None:
    """Lines of 22 letters, three at most unless two names would read the same."""
    assert bar_names(names) == shown


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
    ("low", "high", "text"),
    [
        (0, 10, "0 – 10"),
        (1900, 20_000, "1900 – 20,000"),
        (0, None, "from 0"),
        (None, -0.5, "up to -0.5"),
        (None, None, ""),
    ],
)
def test_a_range_may_have_one_end(low: float | None, high: float | None, text: str) -> None:
    """An end that nobody names is not told."""
    assert range_text(low, high) == text


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


def drawn_checks(seconds: list[float]) -> None:
    """Draw the chart of checks at these times; AppTest runs the source of this function."""
    from datetime import UTC, datetime, timedelta

    from dashboard import views
    from dashboard.monitor import Sample

    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    samples = [Sample(noon + timedelta(seconds=after), 2.0) for after in seconds]
    views.latency_chart(samples, longest_step_s=15)


@pytest.mark.parametrize(
    ("seconds", "bands"),
    [
        ([0, 5, 10], []),
        ([0, 5, 34], []),
        ([0, 5, 45, 50], [("2026-11-23T12:00:05+00:00", "2026-11-23T12:00:45+00:00")]),
    ],
    ids=["all along", "a late one", "nobody for a while"],
)
def test_a_band_stands_where_nobody_looked(
    seconds: list[float], bands: list[tuple[str, str]]
) -> None:
    """No line across it, and below the chart what it means; silence is not taken for a failure."""
    app = AppTest.from_function(drawn_checks, args=(seconds,), default_timeout=30).run()
    (found,) = app.get("plotly_chart")
    spec = json.loads(found.proto.spec)
    (line,) = spec["data"]
    assert [(one["x0"], one["x1"]) for one in spec["layout"].get("shapes", [])] == bands
    assert line["y"].count(None) == len(bands)
    assert any("nothing was checked" in one.value for one in app.caption) == bool(bands)


def test_a_template_beyond_ascii_is_marked_as_utf8() -> None:
    """Excel takes a file without the mark for Windows-1252, and its first column for another one."""

    def made(name: str, cell: str) -> str:
        signature = Signature.model_validate(
            {"layout": "columns", "features": [{"name": name, "kind": "text"}]}
        )
        return template(signature, [Example(name="one", row={name: cell})])

    assert made("Ort", "Berlin") == "Ort\r\nBerlin\r\n"
    assert made("Ort", "Köln") == "\ufeffOrt\r\nKöln\r\n"
    found = preview(io.BytesIO(made("Größe", "1").encode()))
    assert (found.columns, found.found.has_bom) == (("Größe",), True)
