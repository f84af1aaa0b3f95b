"""Pictures ↔ the numbers a model takes or gives.

Needs Pillow: `pip install Pillow`.
"""

from __future__ import annotations

import base64
import binascii
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kserve_client.errors import ConfigurationError, InputError
from kserve_client.signature import ImageSpec

if TYPE_CHECKING:
    from PIL import Image

LARGEST_PIXELS = 50_000_000
# No others: for EPS Pillow would start Ghostscript on what a stranger uploaded.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
File = bytes | bytearray | memoryview | str | Path


def read_picture(data: File | Image.Image, spec: ImageSpec) -> NDArray[np.float32]:
    """Turn a picture into spec.size numbers.

    `data` is a picture file: its bytes, a `data:` URI, base64 text of them, or its Path (text is never
    taken for one: it may come from a stranger); or a picture of Pillow's. Returns a flat array, row by
    row from the top, channels last. Transparent parts count as white, the camera's rotation is
    undone, the whole picture is resized by area. Raises InputError for what is no picture.
    """
    image = _open(data, "L" if spec.channels == 1 else "RGB")
    resized = image.resize((spec.width, spec.height), _box())
    levels = np.asarray(resized, dtype=np.float32).ravel() / 255
    levels = 1 - levels if spec.invert else levels
    return (spec.low + levels * (spec.high - spec.low)).astype(np.float32)


def is_image(cell: object) -> bool:
    """Whether it is a picture of Pillow's; Pillow is not loaded for it."""
    # Another thread may be about to load it.
    return isinstance(cell, getattr(sys.modules.get("PIL.Image"), "Image", ()))


def thumbnail(data: bytes, longest_px: int) -> tuple[bytes, tuple[int, int]]:
    """A small PNG of a picture file, as a person would see it, and the size of the file's picture.

    Upright, on white paper, whatever its depth; the size is (width, height) in pixels. Raises
    InputError for what is no picture.
    """
    image = _open(data, "RGB")
    size = image.size
    image.thumbnail((longest_px, longest_px))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), size


def picture_of(numbers: NDArray[Any], spec: ImageSpec) -> NDArray[np.uint8]:
    """Turn spec.size numbers into a picture, clipped to 0..255.

    Returns [height, width] or [height, width, 3].
    """
    shape = (spec.height, spec.width) + ((spec.channels,) if spec.channels > 1 else ())
    levels = (np.asarray(numbers, dtype=np.float64).reshape(shape) - spec.low) / (
        spec.high - spec.low
    )
    levels = np.nan_to_num(np.clip(levels, 0, 1))
    return np.round((1 - levels if spec.invert else levels) * 255).astype(np.uint8)


def png_of(picture: NDArray[np.uint8], *, enlarge_to: int = 0) -> bytes:
    """Write a picture as PNG; `enlarge_to` repeats pixels up to about so many a side."""
    image = _pillow().fromarray(picture)
    factor = max(enlarge_to // max(image.size), 1)
    out = io.BytesIO()
    image.resize((image.width * factor, image.height * factor), 0).save(out, "PNG")
    return out.getvalue()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ConfigurationError("pictures need Pillow: pip install Pillow") from None
    return Image


def _box() -> Any:
    return _pillow().Resampling.BOX


def _bytes(data: File) -> bytes:
    if isinstance(data, Path):
        try:
            return data.read_bytes()
        except OSError as error:
            raise InputError(f"the file {data} can't be read: {error.strerror}") from None
    if not isinstance(data, str):
        return bytes(data)
    encoded = data.partition(",")[2] if data.lstrip().startswith("data:") else data
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("it is neither a picture nor base64 of one") from None


def _open(data: File | Image.Image, mode: str) -> Image.Image:
    pillow = _pillow()
    try:
        image = (
            pillow.open(io.BytesIO(_bytes(data)), formats=FORMATS)
            if isinstance(data, File)
            else data
        )
        _refuse_huge(image)
        image.load()
        converted: Image.Image = _on_white(_upright(image)).convert(mode)
        return converted
    except InputError:
        raise
    except pillow.UnidentifiedImageError:
        raise InputError("it is not a picture (PNG, JPEG, …)") from None
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise anything for a broken file
        raise InputError(f"the picture can't be read: {error}") from None


def _refuse_huge(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_PIXELS:
        raise InputError(f"the picture has more than {LARGEST_PIXELS:,} pixels")


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    upright: Image.Image = ImageOps.exif_transpose(image)
    return upright


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel: Pillow's convert would clip, not scale
        levels = np.clip(np.asarray(image, dtype=np.float64), 0, 65535)
        grey: Image.Image = _pillow().fromarray(np.round(levels / 257).astype(np.uint8))
        return grey
    if image.mode == "F":
        raise InputError("the picture has floating-point levels: nobody says which one is white")
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    paper: Image.Image = _pillow().new("RGBA", rgba.size, "white")
    paper.alpha_composite(rgba)
    return paper.convert("RGB")
