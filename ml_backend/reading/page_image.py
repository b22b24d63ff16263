"""A page as pixels: the picture people annotate on, and the grid of its ink."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.words import INK_CELL

DPI = 150
PALETTE = 32
GREYS = 16
JPEG_QUALITY = 80
_DARK = 128
_CONTRAST = 12
"""Grey levels of 256 between the lightest and darkest pixel of a cell that something is drawn in."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """A stored page picture."""

    page: int
    data: bytes
    media_type: str
    width_px: int
    height_px: int


def dots_for(width: float, height: float, dpi: float, max_pixels: int) -> float:
    """The dpi at which a page of this size in points stays within ``max_pixels``."""
    pixels = (width * dpi / 72) * (height * dpi / 72)
    return dpi if pixels <= max_pixels else dpi * math.sqrt(max_pixels / pixels)


def encode(page: int, picture: Image.Image, *, photo: bool) -> PageImage:
    """JPEG for scans and photos, palette PNG for drawn pages, whose text stays sharp."""
    out = io.BytesIO()
    if photo:
        picture.save(out, "JPEG", quality=JPEG_QUALITY)
        media_type = "image/jpeg"
    else:
        grey = _only_grey(picture)
        if grey is not None:
            _in_greys(grey).save(out, "PNG", compress_level=6, bits=4)
        else:
            reduced = picture.quantize(PALETTE, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            reduced.save(out, "PNG", compress_level=6)
        media_type = "image/png"
    return PageImage(page, out.getvalue(), media_type, picture.width, picture.height)


def _only_grey(picture: Image.Image) -> Image.Image | None:
    """The picture as grey values, if it has no colour at all: most pages, at half the cost."""
    if picture.mode == "L":
        return picture
    red, green, blue = picture.split()
    first = red.tobytes()
    return red if first == green.tobytes() and first == blue.tobytes() else None


def _in_greys(grey: Image.Image) -> Image.Image:
    """The picture in a palette of GREYS even steps."""
    step = 255 / (GREYS - 1)
    numbers = grey.point([round(value / step) for value in range(256)])
    reduced = Image.frombytes("P", grey.size, numbers.tobytes())
    reduced.putpalette([round(number * step) for number in range(GREYS) for _ in range(3)])
    return reduced


def blank(page: int, width: float, height: float, max_pixels: int) -> PageImage:
    """A white page in place of one that could not be drawn."""
    scale = dots_for(width, height, DPI, max_pixels) / 72
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = io.BytesIO()
    Image.new("1", size, 1).save(out, "PNG")
    return PageImage(page, out.getvalue(), "image/png", *size)


def ink_of(grey: Image.Image, width: float, height: float) -> NDArray[np.uint8]:
    """Share of dark pixels, 0..255, of every cell of INK_CELL points of a page of this size."""
    columns, rows = max(1, math.ceil(width / INK_CELL)), max(1, math.ceil(height / INK_CELL))
    across, down = grey.width / width * INK_CELL, grey.height / height * INK_CELL
    dark = grey.point([255] * _DARK + [0] * (256 - _DARK))
    # Cells at the right and bottom edge reach past the page: there is no ink beyond it.
    whole = dark.crop((0, 0, math.ceil(columns * across), math.ceil(rows * down)))
    cells = whole.resize(
        (columns, rows), Image.Resampling.BOX, box=(0, 0, columns * across, rows * down)
    )
    return np.asarray(cells)


def drawn_words(
    grey: Image.Image, width: float, height: float, boxes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which boxes (points, as displayed) have something drawn in them: not one flat colour."""
    pixels = np.asarray(grey)
    step = 4
    high, wide = (pixels.shape[0] // step) * step, (pixels.shape[1] // step) * step
    if high == 0 or wide == 0:
        return np.ones(len(boxes), np.bool_)
    cells = pixels[:high, :wide].reshape(high // step, step, wide // step, step)
    uneven = (cells.max(axis=(1, 3)) - cells.min(axis=(1, 3))) > _CONTRAST
    sums = np.zeros((uneven.shape[0] + 1, uneven.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(uneven, axis=0), axis=1, out=sums[1:, 1:])
    scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2) / step
    edges = boxes * scale
    limit = [uneven.shape[1], uneven.shape[0]] * 2
    low = np.floor(edges[:, :2] - 0.5).clip(0, limit[:2]).astype(int)
    top = np.ceil(edges[:, 2:] + 0.5).clip(0, limit[:2]).astype(int)
    count = (
        sums[top[:, 1], top[:, 0]]
        - sums[low[:, 1], top[:, 0]]
        - sums[top[:, 1], low[:, 0]]
        + sums[low[:, 1], low[:, 0]]
    )
    found: NDArray[np.bool_] = count > 0
    return found
