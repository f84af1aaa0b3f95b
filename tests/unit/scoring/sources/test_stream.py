import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest

from kserve_client.scoring.sources import Preview, preview
from tests.unit.scoring.sources.reading import refusal, rows_of, within

TEXT = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000))
DAMAGED = "file is damaged, or something follows its end; pack it again"
CUT = "file ends in the middle; it was not copied whole"


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


PACKED = {"gzip": gzip.compress, "zstd": zstd}


@pytest.mark.parametrize("kind", PACKED)
def test_packed_file_is_known_by_its_first_bytes(kind: str) -> None:
    """A packed file is read like a plain one, also when it was packed in several pieces."""
    pack = PACKED[kind]
    cells, _ = rows_of(pack(TEXT[:1000]) + pack(TEXT[1000:]))
    assert len(cells) == 20_000
    assert cells[-1] == ("19999", "399960001")
    assert preview(io.BytesIO(pack(TEXT))).found.compression == kind


@pytest.mark.parametrize("kind", PACKED)
def test_packed_file_with_a_fault_is_refused(kind: str) -> None:
    """A file that was cut, damaged or lengthened is refused, not read in part."""
    data = PACKED[kind](TEXT)
    assert refusal(data[:-9]) == f"the {kind} {CUT}"
    assert refusal(data + b"junk") == f"the {kind} {DAMAGED}"
    assert refusal(data[:20] + b"xxxx" + data[24:]) == f"the {kind} {DAMAGED}"


@pytest.mark.parametrize("kind", PACKED)
def test_bomb_is_refused(kind: str) -> None:
    """A small file that grows without end is refused before it fills memory."""
    bomb = PACKED[kind](b"a\n" + b"0\n" * 2_000_000)
    limits = within(expansion=20, expansion_free_bytes=1_000_000)
    assert refusal(bomb, limits=limits) == (
        "the file grows to more than 20 times its size when it is unpacked; if that is right, "
        "unpack it first"
    )
    assert not refusal(bomb, limits=within(expansion=20, expansion_free_bytes=4_100_000))


def test_packed_json_lines_and_names(tmp_path: Path) -> None:
    """The ending of a packed file's name tells what is inside."""
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b' {"a": 1}\n'))
    found: Preview = preview(path)
    assert (found.found.format, found.found.compression) == ("json-lines", "gzip")
    assert found.first_rows == (("1",),)


def test_compression_can_be_said() -> None:
    """Bytes that only look packed are read as they are when that is said."""
    assert "gzip" in refusal(b"\x1f\x8b,b\n1,2\n")
    assert not refusal(b"\x1f\x8b,b\n1,2\n", compression="", encoding="latin-1")
    assert refusal(b"a,b\n1,2\n", compression="gzip") == f"the gzip {DAMAGED}"
