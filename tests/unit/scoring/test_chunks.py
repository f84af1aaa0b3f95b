"""Where the chunks of a run are, and which of them may go."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from kserve_client.scoring.chunks import WITNESS, Chunk, Chunks
from kserve_client.scoring.rows import Rows


def chunk(start: int, count: int = 1, ready_at: float = 0.0, offset_bytes: int = 0) -> Chunk:
    cells = pa.record_batch({"n": pa.array([str(start + at) for at in range(count)])})
    return Chunk(ready_at, start, Rows(start, cells), offset_bytes)


def lost(start: int, times: int, count: int = 1) -> Chunk:
    """One that the server had so often, and came to no answer while others were answered."""
    found = chunk(start, count)
    for _ in range(times):
        found.failed_alone(is_lost=True, is_silent=False, is_unheard=False)
    return found


def popped(chunks: Chunks) -> list[int]:
    return [chunks.pop().start for _ in range(chunks.waiting)]


def test_silence_counts_twice() -> None:
    """For the time that it takes; what only was refused is not lost."""
    silent, refused = chunk(0), chunk(1)
    silent.failed_alone(is_lost=True, is_silent=True, is_unheard=False)
    refused.failed_alone(is_lost=False, is_silent=False, is_unheard=True)
    assert (silent.tries_alone, silent.lost_alone, silent.goes_alone) == (2, 2, True)
    assert (refused.tries_alone, refused.lost_alone, refused.was_unheard) == (1, 0, True)


@pytest.mark.parametrize(("times", "is_over"), [(4, False), (5, True)])
def test_the_fifth_loss_is_the_last(times: int, is_over: bool) -> None:
    """Of a chunk that fails while others are answered."""
    assert lost(0, times).was_lost_alone is is_over
    assert lost(0, times).has_failed_alone is is_over


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(5, 2, [2, 3]), (20, 8, [2, 3, 2, 3, 2, 3, 2, 3]), (3, 8, [1, 1, 1])],
)
def test_pieces_hold_each_row_once(count: int, most: int, sizes: list[int]) -> None:
    """None is without rows, and each has half of what was known against them all."""
    pieces = list(lost(7, 3, count).pieces(most, tries=4))
    assert [len(piece.rows) for piece in pieces] == sizes
    cells = [cell for piece in pieces for cell in piece.rows.cells.column(0).to_pylist()]
    assert cells == [str(7 + at) for at in range(count)]
    assert {(piece.tries, piece.tries_alone, piece.lost_alone) for piece in pieces} == {(4, 1, 1)}


def test_the_one_that_is_due_first_goes_first() -> None:
    """Whatever order they came in; one that rests is not due."""
    chunks = Chunks()
    resting = chunk(0)
    resting.rest(60)
    assert chunks.next_at is None
    chunks.wait(resting)
    assert not chunks.is_one_due
    chunks.wait(chunk(2, ready_at=2.0))
    chunks.wait(chunk(1, ready_at=1.0))
    assert chunks.is_one_due
    assert chunks.next_at == 1.0
    assert popped(chunks) == [1, 2, 0]
    assert resting.ready_at > time.monotonic() + 30


def test_an_answer_lets_the_suspects_go() -> None:
    """The witness is not needed any more."""
    chunks = Chunks()
    for start in (3, 1):
        chunks.suspect(chunk(start))
    chunks.wait(chunk(WITNESS))
    assert (chunks.waiting, chunks.held, chunks.is_witness_out) == (1, 3, True)
    chunks.clear()
    assert (chunks.has_suspects, chunks.is_witness_out) == (False, False)
    assert popped(chunks) == [1, 3]


def test_of_those_that_may_end_the_server_one_goes_at_a_time() -> None:
    """The others wait for the next answer, beside what goes with anybody."""
    chunks = Chunks()
    for one in (lost(1, 1), chunk(2), lost(3, 1)):
        chunks.suspect(one)
    chunks.clear()
    assert popped(chunks) == [1, 2]
    chunks.under_way[1] = lost(1, 1)
    chunks.clear()
    assert (chunks.waiting, chunks.has_suspects) == (0, True)
    del chunks.under_way[1]
    chunks.clear()
    assert popped(chunks) == [3]


def test_a_row_that_may_be_blamed_next_has_quiet() -> None:
    """Nothing else goes beside it, and it does not go beside others."""
    chunks = Chunks()
    chunks.wait(lost(1, 3))
    assert not chunks.is_kept_quiet
    chunks.under_way[0] = chunk(0)
    assert chunks.is_kept_quiet
    chunks.under_way[1] = chunks.pop()
    del chunks.under_way[0]
    assert chunks.is_kept_quiet
    chunks.under_way[1] = lost(1, 2)
    assert not chunks.is_kept_quiet


def test_what_is_left_is_told_in_order_without_the_witness() -> None:
    """Nor does the witness count for how far the others may run ahead."""
    chunks = Chunks()
    assert (chunks.are_left, chunks.oldest_offset(90)) == (False, 90)
    chunks.wait(chunk(WITNESS))
    chunks.wait(chunk(8, 2, offset_bytes=80))
    chunks.suspect(chunk(4, offset_bytes=40))
    chunks.under_way[5] = chunk(5, offset_bytes=50)
    assert [(rows.start, rows.stop) for rows in chunks.rows_left] == [(4, 5), (8, 10)]
    assert chunks.oldest_offset(90) == 40
