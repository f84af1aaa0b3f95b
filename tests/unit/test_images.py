from __future__ import annotations

import base64
import contextlib
import io
import random

import numpy as np
import pytest
from PIL import Image

from kserve_client import images
from kserve_client.errors import ConfigurationError, InputError
from kserve_client.images import picture_of, png_of, read_picture, thumbnail
from kserve_client.signature import ImageSpec

SPEC = ImageSpec(width=2, height=2, low=0, high=16)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def grey(levels: list[list[int]]) -> Image.Image:
    return Image.fromarray(np.array(levels, dtype=np.uint8))


def test_black_is_low_and_white_is_high() -> None:
    """Row by row from the top."""
    assert read_picture(file_of(grey([[0, 255], [51, 204]])), SPEC).tolist() == pytest.approx(
        [0, 16, 3.2, 12.8]
    )


def test_dark_ink_on_light_paper_is_turned_round() -> None:
    """`invert` makes ink a high number."""
    spec = SPEC.model_copy(update={"invert": True})
    assert read_picture(file_of(grey([[0, 255], [255, 0]])), spec).tolist() == [16, 0, 0, 16]


def test_a_large_picture_is_averaged_by_area() -> None:
    """Each number is the mean of its part of the picture."""
    picture = np.zeros((4, 4), dtype=np.uint8)
    picture[:2, :2] = [[255, 255], [0, 0]]
    found = read_picture(file_of(Image.fromarray(picture)), SPEC)
    assert found.tolist() == pytest.approx([8, 0, 0, 0], abs=0.05)


def test_colours_lie_side_by_side() -> None:
    """Channels last."""
    spec = ImageSpec(width=1, height=1, channels=3)
    found = read_picture(file_of(Image.new("RGB", (3, 3), (255, 0, 51))), spec)
    assert found.tolist() == pytest.approx([1, 0, 0.2])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparent_parts_are_white_paper(mode: str) -> None:
    """A drawing without a background stands on paper."""
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    data = file_of(clear, "PNG" if mode != "PA" else "TIFF", **options)
    if mode == "PA":
        data = file_of(clear.convert("LA"))
    assert read_picture(data, SPEC).tolist() == [16, 16, 16, 16]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
def test_all_kinds_of_white_are_white(mode: str) -> None:
    """Whatever a camera or a scanner writes."""
    image = Image.new("RGB", (2, 2), "white").convert(mode)
    data = file_of(image if mode != "HSV" else image.convert("RGB"), "TIFF")
    assert read_picture(data, SPEC).tolist() == pytest.approx([16, 16, 16, 16], abs=0.1)


def test_sixteen_bits_are_scaled_by_their_own_white() -> None:
    """A dark 16-bit picture stays dark."""
    picture = np.array([[0, 65535], [13107, 26214]], dtype=np.uint16)
    found = read_picture(file_of(Image.fromarray(picture)), SPEC)
    assert found.tolist() == pytest.approx([0, 16, 3.2, 6.4])


def test_floating_point_levels_are_refused() -> None:
    """Nobody knows which number is white."""
    data = file_of(Image.fromarray(np.ones((2, 2), dtype=np.float32)), "TIFF")
    with pytest.raises(InputError, match="white"):
        read_picture(data, SPEC)


def test_the_rotation_of_the_camera_is_undone() -> None:
    """EXIF orientation 3 is upside down."""
    exif = Image.Exif()
    exif[0x0112] = 3
    data = file_of(grey([[255, 0], [0, 0]]), exif=exif)
    assert read_picture(data, SPEC).tolist() == [0, 0, 0, 16]


def test_all_forms_of_the_same_file() -> None:
    """Bytes, buffers, base64 (also in lines) and a data URI."""
    data = file_of(grey([[0, 255], [255, 0]]))
    encoded = base64.b64encode(data).decode()
    in_lines = "\n".join(encoded[at : at + 20] for at in range(0, len(encoded), 20))
    for form in (data, bytearray(data), memoryview(data), encoded, in_lines):
        assert read_picture(form, SPEC).tolist() == [0, 16, 16, 0]
    assert read_picture(f"data:image/png;base64,{encoded}", SPEC).tolist() == [0, 16, 16, 0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_reads_the_formats_people_have(kind: str) -> None:
    """White stays white in all of them."""
    data = file_of(Image.new("RGB", (16, 16), "white"), kind)
    assert read_picture(data, SPEC).tolist() == pytest.approx([16] * 4, abs=0.2)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a picture"),
        (b"a,b\n1,2\n", "not a picture"),
        ("no base64!", "neither a picture nor base64"),
        ("data:image/svg+xml,<svg/>", "neither a picture nor base64"),
        (base64.b64encode(b"text").decode(), "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_what_is_no_picture(data: bytes | str, why: str) -> None:
    """EPS is none either: Pillow would start another program for it."""
    with pytest.raises(InputError, match=why):
        read_picture(data, SPEC)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_no_broken_file_breaks_the_reader(kind: str) -> None:
    """Cut or scratched files are pictures or InputErrors, nothing else."""
    whole = file_of(Image.effect_noise((24, 24), 50).convert("RGB"), kind)
    chance = random.Random(7)
    for _ in range(40):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        cut = bytes(broken[: chance.randrange(1, len(broken) + 1)])
        with contextlib.suppress(InputError):
            assert read_picture(cut, SPEC).shape == (4,)


def test_a_picture_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size in pixels, before they are unpacked."""
    monkeypatch.setattr(images, "LARGEST_PIXELS", 99)
    with pytest.raises(InputError, match="more than 99 pixels"):
        read_picture(file_of(Image.new("1", (10, 10))), SPEC)


def test_pillow_is_asked_for_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ConfigurationError, match=r"^pictures need Pillow: pip install Pillow$"):
        read_picture(b"", SPEC)


@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_comes_back(invert: bool, channels: int) -> None:
    """Numbers of a picture make the same picture again."""
    spec = ImageSpec.model_validate(
        {"width": 3, "height": 2, "channels": channels, "low": -1, "high": 1, "invert": invert}
    )
    shape = (2, 3) if channels == 1 else (2, 3, 3)
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) * 13
    assert picture_of(read_picture(png_of(picture), spec), spec).tolist() == picture.tolist()


def test_numbers_outside_the_range_are_clipped() -> None:
    """What is no number is black."""
    found = picture_of(np.array([-5, 99, np.nan, np.inf]), SPEC)
    assert found.tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize(("enlarge_to", "size"), [(0, (3, 2)), (2, (3, 2)), (10, (9, 6))])
def test_a_png_may_be_enlarged(enlarge_to: int, size: tuple[int, int]) -> None:
    """By whole pixels, so that they stay sharp."""
    data = png_of(np.zeros((2, 3), dtype=np.uint8), enlarge_to=enlarge_to)
    assert Image.open(io.BytesIO(data)).size == size


def test_a_thumbnail_is_what_a_person_sees() -> None:
    """Small, upright, eight bits; with it comes the size of the whole picture."""
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright: the file lies on its side
    data, size = thumbnail(file_of(Image.new("RGB", (80, 40)), "JPEG", exif=exif), 20)
    shown = Image.open(io.BytesIO(data))
    assert (size, shown.size, shown.format) == ((40, 80), (10, 20), "PNG")
    deep = file_of(Image.new("I;16", (4, 4), 65535))
    small = Image.open(io.BytesIO(thumbnail(deep, 20)[0]))
    assert (small.size, small.getpixel((0, 0))) == ((4, 4), (255, 255, 255))
    with pytest.raises(InputError, match="not a picture"):
        thumbnail(b"no picture", 20)
