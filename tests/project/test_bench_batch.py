import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bench.batch import table
from bench.batch.faulty_proxy import Faults
from bench.batch.figures import COMMAND, LIMIT, WANTED, Wanted
from bench.batch.programs import infer_labels
from bench.batch.results import Batch, Sample
from bench.batch.running import run
from bench.batch.waiting_server import answered
from bench.processes import MLSERVER_PYTHON, SideError, listening
from tests.needs import mlserver_python

ROOT = Path(__file__).resolve().parents[2]


def test_a_longer_table_begins_with_a_shorter_one(tmp_path: Path) -> None:
    """So sides that get fewer rows can be compared with those that get all."""
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    table.write(short, 3)
    table.write(long, 1_000_001)
    header = b"sepal length,sepal width,petal length,petal width\n"
    assert short.read_bytes()[: len(header)] == header
    assert short.stat().st_size == len(header) + 3 * 16
    assert long.stat().st_size == len(header) + 1_000_001 * 16
    assert long.read_bytes().startswith(short.read_bytes())
    rows = table.first_rows(short, 3)
    assert rows.shape == (3, 4)
    assert ((rows > 0) & (rows < 10)).all()


def batch(own_s: list[float], limit_s: list[float]) -> Batch:
    """A run in which a thousand rows took our side and the limit so many seconds in each round."""
    found = Batch(len(own_s), is_quick=True, processor="one")
    found.samples[COMMAND] = [Sample(1000, seconds) for seconds in own_s]
    found.samples[LIMIT] = [Sample(1000, seconds) for seconds in limit_s]
    return found


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    """A round on a busy machine slows both sides and changes nothing."""
    found = batch([2.0, 20.0, 4.0], [1.0, 10.0, 1.0])
    assert found.ratio(COMMAND, LIMIT) == 0.5
    assert found.rows_per_s(COMMAND) == 250.0
    assert found.fastest([COMMAND, LIMIT, "nobody"]) == LIMIT


def test_rounds_that_do_not_match_are_no_ratio() -> None:
    """A side that broke down in a round can't be set against the others' rounds."""
    found = batch([2.0], [1.0, 1.0])
    assert found.ratio(COMMAND, LIMIT) is None
    assert found.ratio(COMMAND, "nobody") is None


def test_every_figure_that_falls_short_is_named() -> None:
    """What was not measured is not reached either, and a side that broke down is said."""
    found = Batch(1, is_quick=True, processor="one")
    with found.noting("a side"):
        raise SideError("it ended")
    found.values = {one.key: 0.1 for one in WANTED if one.key != "to_limit"}
    found.values |= {"memory_growth": 1.2, "memory_mib": 500.5}
    shortfalls = found.shortfalls()
    assert shortfalls[0] == "a side: it ended"
    assert "rows/s: kserve_client as a library / replay limit was not measured" in shortfalls
    assert "rows/s: kserve-client score / mlserver infer is 0.1, not >= 100" in shortfalls
    assert "peak memory: ten times the rows is 500.5, not <= 500 MiB" in shortfalls
    assert not [one for one in shortfalls if one.startswith("peak memory: ten times the rows /")]


def test_more_than_is_not_as_much_as() -> None:
    """At least 1 is reached at 1, more than 1 is not."""
    assert Wanted("a", "a", least=1).holds(1.0)
    assert not Wanted("a", "a", over=1).holds(1.0)
    assert Wanted("a", "a", over=1).holds(1.01)
    assert Wanted("a", "a", most=5, unit="MiB").limit == "<= 5 MiB"


def test_a_program_is_measured_whole() -> None:
    """The peak of memory is the program's own, and its last line is what it says of itself."""
    program = "import time; _ = bytearray(90 << 20); time.sleep(0.2); print('{\"own_s\": 0.125}')"
    ran = run([sys.executable, "-c", program])
    assert 90 < ran.peak_mib < 190
    assert ran.own_s == 0.125
    assert ran.wall_s > 0.2
    assert run([sys.executable, "-c", "print('no object')"]).said == {}


def test_a_program_that_fails_says_why() -> None:
    """The last words of a side that broke down are in the error."""
    with pytest.raises(SideError, match=r"ended with 3: .*no such model"):
        run([sys.executable, "-c", "import sys; print('no such model'); sys.exit(3)"])


def test_answers_that_come_in_any_order_are_sorted(tmp_path: Path) -> None:
    """`mlserver infer` writes answers as they come, with the number of the row in each."""
    file = tmp_path / "answers.jsonl"
    lines = [
        {"parameters": {"batch_index": index}, "outputs": [{"data": [label]}]}
        for index, label in ((1, 2), (0, 1))
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert infer_labels(file) == ["1", "2"]


def test_one_of_so_many_is_a_fault() -> None:
    """The same ones in each run, so that runs can be compared."""
    some = Faults(4)
    assert [some.is_next() for _ in range(8)] == [False, False, True, False] * 2
    none = Faults(0)
    assert not any(none.is_next() for _ in range(8))


def test_an_answer_has_as_many_rows_as_the_request_and_its_id() -> None:
    """The server that waits says what a real one would."""
    answer = answered(b'{"id":"a-1","inputs":[{"name":"x","shape":[2,4],"data":[]}]}')
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert json.loads(body) == {
        "model_name": "iris",
        "model_version": "v1",
        "id": "a-1",
        "outputs": [{"name": "predict", "shape": [2, 1], "datatype": "INT64", "data": [0, 0]}],
    }


def test_the_proxy_hands_on_all_but_the_faults() -> None:
    """Every second inference is answered with 503 by the proxy, everything else by the server behind it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = b'{"inputs":[{"name":"x","shape":[1,4],"data":[]}]}'

    def status(url: str) -> int:
        try:
            with opener.open(f"{url}/v2/models/iris/infer", body, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with listening("bench.batch.waiting_server", "0") as server:
        address = server.removeprefix("http://").split(":")
        with listening("bench.batch.faulty_proxy", *address, "2") as url:
            assert [status(url) for _ in range(4)] == [200, 503, 200, 503]
            with opener.open(f"{url}/v2/models/iris", timeout=30) as answer:
                assert json.load(answer)["name"] == "iris"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_runs(tmp_path: Path) -> None:
    """Every side starts and agrees with the others, and every figure is measured; the speed is for another day."""
    file = tmp_path / "measured.json"
    command = [sys.executable, "-m", "bench", "batch", "--quick", "--check", "--json", str(file)]
    variables = {MLSERVER_PYTHON: str(mlserver_python())}
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode in (0, 1), ended.stderr
    measured = json.loads(file.read_text())
    assert measured["problems"] == []
    assert {one.key for one in WANTED} == set(measured["values"])
    assert measured["values"]["same_with_faults"] == 1
    assert "kserve-client score" in ended.stdout
