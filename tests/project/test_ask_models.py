import pytest

from kserve_client.predictions import Prediction
from scripts.ask_models import is_expected


@pytest.mark.parametrize(
    ("prediction", "expect", "verdict"),
    [
        (Prediction(label="Gentoo"), "Gentoo", True),
        (Prediction(label="Gentoo"), "Adelie", False),
        (Prediction(text="yes"), "yes", True),
        (Prediction(value=3848.4), 3848.0, True),
        (Prediction(value=3848.4), 3900.0, False),
        (Prediction(label="3848"), 3848.0, False),
        (Prediction(), "Gentoo", False),
        (Prediction(), None, True),
    ],
)
def test_an_answer_is_compared_with_the_golden_one(
    prediction: Prediction, expect: str | float | None, verdict: bool
) -> None:
    """Words must be the same, numbers within one per cent; nothing expected is always met."""
    assert is_expected(prediction, expect) is verdict
