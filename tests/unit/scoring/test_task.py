"""What a worker of a cluster does, without a cluster."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from kserve_client import ConfigurationError, InferenceClient, InputError, Model, Signature
from kserve_client.scoring import ScoreOptions, facts_of, task
from kserve_client.scoring.doubts import DoubtError
from kserve_client.scoring.job import Job
from kserve_client.scoring.on_dask import _spec
from kserve_client.scoring.sources import Partition, partitions
from kserve_client.scoring.task import Done, Known, Slice, Spec
from tests.unit.scripted_model import (
    SIGNATURE,
    URL,
    Reply,
    ScriptedModel,
    answer,
    open_model,
    problem,
    serve,
)

OPTIONS = ScoreOptions(chunk_rows=5, concurrency=2, patience_s=0.3)
ROWS = 40


@pytest.fixture
def table(tmp_path: Path) -> Path:
    place = tmp_path / "in.csv"
    lines = [f"{at:03d},{666 if at == 12 else at % 3}\n" for at in range(ROWS)]
    place.write_text("id,x\n" + "".join(lines))
    return place


@pytest.fixture
def job(table: Path, tmp_path: Path) -> Iterator[Job]:
    with Job.create(tmp_path / "job", facts_of(open_model(), table, OPTIONS)) as job:
        yield job


def spec(job: Job, table: Path, **changes: Any) -> Spec:
    found = _spec(job, open_model(), table, OPTIONS, None)
    return dataclasses.replace(found, **changes)


def pieces(table: Path) -> list[Slice]:
    parts = partitions(table, OPTIONS.reading, 100)
    return [Slice(part, part.start, part.stop) for part in parts]


def rows_of(done: Done) -> list[tuple[int, int]]:
    return [(one.part.start, one.part.stop) for one in done.parts]


def test_a_slice_is_done_by_its_own_rows(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """It reads only its partition, and tells the number of a bad row in the whole table."""
    model = serve(mock, ScriptedModel())
    sealed = spec(job, table).sealed()
    (piece,) = [one for one in pieces(table) if one.start <= 12 < one.stop]
    cut = dataclasses.replace(piece, start=10, stop=14)
    done = task.do(sealed, cut, Known())
    assert rows_of(done) == [(10, 14)]
    assert (done.stopped, done.first_error) == ("", (12, "400: 666 is refused"))
    assert {row for rows in model.sent for row in rows} == {1.0, 2.0, 666.0}
    for one in done.parts:
        assert job.record_part(pickle.loads(pickle.dumps(one)))
    job.flush()
    assert (job.counts.ok, job.counts.failed) == (3, 1)


@pytest.mark.parametrize("first", ["900", "0.500"])
def test_a_partition_in_doubt_is_not_guessed(
    mock: responses.RequestsMock, tmp_path: Path, first: str
) -> None:
    """What the start of the table shows holds in each part; nothing else is known to a worker."""
    model = serve(mock, ScriptedModel())
    table = tmp_path / "in.tsv"
    long = "a" * 60_000
    table.write_text("id\tx\n" + f"{long}\t{first}\n" * 30 + "b\t1.200\n" * 20_000)
    with Job.create(tmp_path / "job", facts_of(open_model(), table, OPTIONS)) as job:
        sealed = spec(job, table).sealed()
        last = partitions(table, OPTIONS.reading, 60_000)[-1]
        piece = Slice(last, last.start, last.start + 10)
        if first == "0.500":
            task.do(sealed, piece, Known())
            assert {row for rows in model.sent for row in rows} == {1.2}
        else:
            with pytest.raises(DoubtError, match=r"x: a number such as '1\.200'"):
                task.do(sealed, piece, Known())
            assert model.sent == []


def test_one_client_per_process(mock: responses.RequestsMock, job: Job, table: Path) -> None:
    """Tasks of a run share it, however often their spec was unpickled."""
    sealed = spec(job, table).sealed()
    again = pickle.loads(pickle.dumps(sealed))
    assert task.workplace(sealed).model is task.workplace(again).model


def test_a_stopped_task_gives_what_it_has(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """A model that goes away leaves parts without the rows between."""

    def away(number: int, _: list[float]) -> Reply | None:
        return problem(503, "no replicas") if number >= 2 else None

    serve(mock, ScriptedModel(away))
    (piece,) = pieces(table)[:1]
    done = task.do(spec(job, table).sealed(), piece, Known(is_accepted=True))
    assert "no replicas" in done.stopped
    assert 0 < done.rows < len(piece)


def test_a_halted_run_ends(mock: responses.RequestsMock, job: Job, table: Path) -> None:
    """Nothing more is sent, and the task says that somebody wished it."""
    model = serve(mock, ScriptedModel())
    halted = spec(job, table, run_id=secrets.token_hex(6))
    task.halt(halted.run_id)
    done = task.do(halted.sealed(), pieces(table)[0], Known())
    assert (done.parts, done.is_halted, model.sent) == ((), True, [])


def test_a_task_that_nobody_waits_for_writes_nothing(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """Its scheduler has let go of it."""
    serve(mock, ScriptedModel())
    done = task.do(spec(job, table).sealed(), pieces(table)[0], Known(), lambda: True)
    assert done.parts == ()


def test_what_travels_holds_no_secret_of_the_endpoint(job: Job, table: Path) -> None:
    """One given in code is refused; one with a place travels as the name of the place."""
    model = Model(
        InferenceClient(URL, token="secret-in-code"),
        "naming",
        signature=Signature.model_validate(SIGNATURE),
    )
    with pytest.raises(ConfigurationError, match="does not go into a pickle"):
        _spec(job, model, table, OPTIONS, None).sealed()


def test_a_token_of_a_call_is_shown_nowhere(job: Job, table: Path) -> None:
    """It travels, and no repr of what Dask logs holds it."""
    sealed = spec(job, table, token="secret-of-a-call").sealed()
    assert b"secret-of-a-call" in sealed.data
    for shown in (repr(sealed), str(sealed), repr((sealed, Known())), repr(sealed.spec())):
        assert "secret-of-a-call" not in shown


def test_other_versions_are_told(job: Job, table: Path) -> None:
    """Before anything of theirs is unpickled."""
    sealed = spec(job, table).sealed()
    others = tuple((name, "9.9") if name == "pyarrow" else (name, v) for name, v in sealed.versions)
    foreign = dataclasses.replace(sealed, data=b"no pickle", versions=others)
    with pytest.raises(ConfigurationError, match=r"has pyarrow [\d.]+ instead of 9\.9: its image"):
        task.do(foreign, Slice(Partition(0, 1, 0, 1), 0, 1), Known())


def test_a_folder_that_is_not_shared_is_refused(job: Job, table: Path, tmp_path: Path) -> None:
    """A worker that made it anew would write parts that nobody finds."""
    writer = dataclasses.replace(job.part_writer(), directory=tmp_path / "elsewhere")
    sealed = spec(job, table, writer=writer).sealed()
    with pytest.raises(ConfigurationError, match="storage that all workers share"):
        task.do(sealed, pieces(table)[0], Known())
    assert not (tmp_path / "elsewhere").exists()


def test_another_table_of_that_name_is_refused(job: Job, table: Path, tmp_path: Path) -> None:
    """So is one that is not there."""
    first = pieces(table)[0]
    missing = spec(job, table, source=tmp_path / "missing.csv").sealed()
    with pytest.raises(InputError, match=r"a worker can't read .*missing\.csv"):
        task.do(missing, first, Known())
    other = tmp_path / "other.csv"
    other.write_text("id,x\n1,2\n")
    with pytest.raises(InputError, match=r"another table in .*it has 9 bytes now"):
        task.do(spec(job, table, source=other).sealed(), first, Known())


def test_a_table_is_looked_at_each_time(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """One that was written anew between two tasks is refused, be its size the same or not."""
    serve(mock, ScriptedModel())
    sealed = spec(job, table).sealed()
    first, second = pieces(table)[:2]
    assert task.do(sealed, first, Known()).rows == len(first)
    before, old = table.stat(), table.read_bytes()
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns + 1000))
    with pytest.raises(InputError, match=r"another table in .*its time of change is another"):
        task.do(sealed, second, Known())
    table.write_bytes(old + b"9,9\n")
    with pytest.raises(InputError, match=r"another table in .*bytes now"):
        task.do(sealed, second, Known())


def test_a_table_that_changed_under_way(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """Rows that are not there any more are no rows that were done."""
    serve(mock, ScriptedModel())
    sealed = spec(job, table).sealed()
    (whole,) = partitions(table, OPTIONS.reading, 10**6)
    before = table.stat()
    table.write_bytes(b"id,x\n" + b"1,2\n" * 3 + b"\n" * (before.st_size - 17))
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="the input has changed"):
        task.do(sealed, Slice(whole, 0, ROWS), Known())


def versioned(version: Callable[[], str]) -> ScriptedModel:
    """A model that says which version it is."""

    def say(_: int, rows: list[float]) -> Reply:
        status, headers, body = answer(rows)
        return status, headers, json.dumps(json.loads(body) | {"model_version": version()})

    return ScriptedModel(say)


def test_the_version_that_answered_is_told(
    mock: responses.RequestsMock, job: Job, table: Path
) -> None:
    """So that the job can hold on to it; a task that was given one refuses another."""
    serve(mock, versioned(lambda: "2"))
    piece = pieces(table)[0]
    assert task.do(spec(job, table).sealed(), piece, Known()).answered_version == "2"
    given = spec(job, table, answered_version="1").sealed()
    with pytest.raises(ConfigurationError, match="answers as version 2, and answered as 1 when"):
        task.do(given, piece, Known())
