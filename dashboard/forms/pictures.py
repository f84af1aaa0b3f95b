"""Pictures: an upload, what it looks like, and what the model gets of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import streamlit as st

from dashboard.forms.field import Field, changed, watched
from dashboard.settings import upload_mb
from dashboard.state import choose, chosen, forget, renew, widget_key
from dashboard.views import literal
from kserve_client import images
from kserve_client.errors import InputError
from kserve_client.signature import Feature, ImageSpec

PICTURE_TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
PICTURE_MB = 10
PREVIEW_PX = 160
# A person sees it when a picture is this much wider or narrower than it should be.
SQUEEZED = 1.1


def begin_picture(field: Field, cell: Any) -> None:
    """Take the picture, or its numbers, from a cell; an upload gives way to it."""
    forget(field.upload)
    renew({field.name: cell.tolist() if isinstance(cell, np.ndarray) else cell})


def read_picture(field: Field) -> Any:
    """The bytes of the upload, else what the form began with, as long as nothing was uploaded."""
    uploaded = chosen(field.upload)
    return uploaded.getvalue() if uploaded else chosen(field.name)


def draw_picture(field: Field, label: str) -> None:
    """A box to drop a picture into, and both sides of it."""
    st.file_uploader(
        label,
        type=PICTURE_TYPES,
        max_upload_size=upload_mb(PICTURE_MB),
        help=field.help,
        **watched(field.upload, _uploaded, field),
    )
    cell = read_picture(field)
    if cell is not None:
        caption = "Your picture" if chosen(field.upload) else "The picture"
        _preview(field.feature, look_at(field.feature, cell), caption)


def _uploaded(field: Field) -> None:
    """An upload takes the place of the example for good: without it the field is empty."""
    choose({widget_key(field.name): None})
    changed(field)


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as it was given and as the model gets it, or what is wrong with it.

    `given` is None where the cell holds numbers, not a picture; `size` its width and height.
    """

    seen: bytes = b""
    given: bytes | None = None
    size: tuple[int, int] = (0, 0)
    problem: str = ""


def look_at(feature: Feature, cell: Any) -> Look:
    """Look at a picture, once: a large one takes its time to be read.

    This session remembers the last look at each feature, but at none that is sensitive.
    """
    if feature.sensitive or not isinstance(cell, bytes):
        return _looked(feature, cell)
    name = f"seen.{feature.name}"
    before = chosen(name)
    if before is None or before[:2] != (feature, cell):
        before = (feature, cell, _looked(feature, cell))
        choose({name: before})
    return cast("Look", before[2])


def _looked(feature: Feature, cell: Any) -> Look:
    spec = feature.image
    if spec is None:
        return Look()
    try:
        if not isinstance(cell, bytes):
            return Look(_seen(spec, _numbers(spec, cell)))
        given, size = images.thumbnail(cell, 2 * PREVIEW_PX)
        return Look(_seen(spec, images.read_picture(cell, spec)), given, size)
    except InputError as error:
        return Look(problem=str(error))
    except ValueError:
        return Look(problem="is not a picture, nor the numbers of one")


def _seen(spec: ImageSpec, numbers: Any) -> bytes:
    return images.png_of(images.picture_of(numbers, spec), enlarge_to=PREVIEW_PX)


def _numbers(spec: ImageSpec, cell: Any) -> Any:
    return images.read_picture(cell, spec) if isinstance(cell, str) else np.asarray(cell)


def _preview(feature: Feature, look: Look, caption: str) -> None:
    spec = feature.image
    if look.problem or spec is None:
        return  # the words at the field say what is wrong with it
    with st.container(horizontal=True, gap="medium"):
        if look.given:
            alt = "The picture you chose"
            st.image(look.given, width=PREVIEW_PX, caption=caption, alt=alt)
        st.image(
            look.seen,
            width=PREVIEW_PX,
            caption=f"What the model gets: {spec.width} × {spec.height}",
            alt="The picture as the model gets it",
        )
    if look.given:
        _squeezed(spec, *look.size)


def _squeezed(spec: ImageSpec, width: int, height: int) -> None:
    """Say that the whole picture is squeezed into another form, where one sees it."""
    ratio = (width / height) / (spec.width / spec.height)
    if max(ratio, 1 / ratio) > SQUEEZED:
        side = "narrower" if ratio > 1 else "wider"
        st.caption(literal(f"Squeezed from {width:,} × {height:,}: what is on it looks {side}."))
