import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.figures import FIGURES, OPERATIONS, TITLES, Figure
from bench.measuring import Results
from bench.processes import BY_HAND, HTTPX, KSERVE_PYTHON, KSERVE_SDK, MLSERVER_PYTHON, OWN
from tests.needs import kserve_python, mlserver_python

ROOT = Path(__file__).resolve().parents[2]


def results(own_ms: float) -> Results:
    """Three rounds of the codec benchmark in which only two sides took part."""
    found = Results("codec", rounds=3, is_quick=True)
    for operation in OPERATIONS["codec"]:
        found.samples[operation] = {
            side: [{"cpu_ms": took * slow, "wall_ms": took * slow} for slow in (1, 3, 2)]
            for side, took in ((OWN.name, own_ms), (BY_HAND.name, 2.0))
        }
    return found


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """A round on a busy machine slows both sides and changes nothing."""
    found = results(own_ms=1.0)
    assert found.median_ms("tensor_to_json", OWN.name) == 2.0
    assert found.ratio("tensor_to_json", OWN.name, BY_HAND.name) == 0.5
    assert found.ratio("tensor_to_json", KSERVE_SDK.name, OWN.name) is None


def test_every_figure_that_falls_short_is_named() -> None:
    """What was not measured is not reached either."""
    missing = [one for one in FIGURES if one.operation != "one_row" and one.least is not None]
    assert len(results(own_ms=0.9).shortfalls()) == len(missing)
    slow = results(own_ms=9.0).shortfalls()
    assert (
        "float32 10 000 × 32 to a JSON body: kserve_client / by hand is 4.50, not <= 1.15" in slow
    )
    assert (
        "DataFrame 100 000 × 10, mixed, to a JSON body: MLServer codecs / kserve_client was not measured"
        in slow
    )


def at_once(ms: dict[int, float]) -> Results:
    """Of each call, by the clock, with so many at once; none of the figures in processor time is of interest."""
    found = Results("threads", rounds=1, is_quick=True)
    sides = (OWN, BY_HAND, HTTPX)
    for count, took in ms.items():
        sample = {"cpu_ms": 1.0, "wall_ms": took}
        found.samples[f"at_once_{count}"] = {side.name: [sample] for side in sides}
    return found


def test_threads_are_held_to_their_part_of_linear() -> None:
    """Four at once that take a quarter of the time each are linear, whatever one takes."""
    good = at_once({1: 52.0, 4: 13.0, 16: 3.25, 64: 1.0})
    assert [good.scaling(count, OWN.name) for count in (4, 16, 64)] == [1.0, 1.0, 0.8125]
    assert good.shortfalls() == []
    slow = at_once({1: 52.0, 4: 13.0, 16: 6.5, 64: 1.0})
    assert slow.shortfalls() == [
        "16 rows at a time, answered after 50 ms: 0.50 of linear, not >= 0.85"
    ]


def test_the_import_is_held_to_its_limits() -> None:
    """Its time, its share beside the libraries, its memory, and that pandas comes later."""
    found = results(own_ms=0.9)
    found.importing = {"s": 0.4, "client_to_others": 1.2, "whole_mib": 61.0, "has_pandas": True}
    assert found.shortfalls()[-3:] == [
        "import kserve_client: time is 0.40 s, not < 0.35",
        "every public name: memory is 61.00 MiB, not < 60",
        "importing it loads pandas",
    ]


def test_sides_that_disagree_fall_short() -> None:
    """Being fast at something else is no merit."""
    found = results(own_ms=0.9)
    found.differing.append(TITLES["frame_to_json"])
    assert any("don't agree" in sentence for sentence in found.shortfalls())


@pytest.mark.parametrize(
    ("ratio", "most", "least"), [(1.0, True, True), (0.9, True, False), (1.1, False, True)]
)
def test_limits_include_themselves(ratio: float, most: bool, least: bool) -> None:
    """At most 1.0 times is reached at 1.0."""
    assert Figure("one_row", OWN, BY_HAND, most=1.0).holds(ratio) is most
    assert Figure("one_row", OWN, BY_HAND, least=1.0).holds(ratio) is least


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_it_runs(name: str, tmp_path: Path) -> None:
    """Every side starts, agrees with the others, and is in the table; the speed is for another day."""
    variables = {MLSERVER_PYTHON: str(mlserver_python()), KSERVE_PYTHON: str(kserve_python())}
    file = tmp_path / "measured.json"
    command = [sys.executable, "-m", "bench", name, "--quick", "--check", "--json", str(file)]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode in (0, 1), ended.stderr
    assert "was not measured" not in ended.stderr
    assert "don't agree" not in ended.stderr
    measured = json.loads(file.read_text())
    assert set(measured["operations"]) == set(OPERATIONS[name])
    for operation in OPERATIONS[name]:
        assert f"| {TITLES[operation]} |" in ended.stdout


def test_the_door_says_what_there_is() -> None:
    """A benchmark that does not exist is refused with the names of those that do."""
    command = [sys.executable, "-m", "bench", "nothing"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "codec" in ended.stderr
