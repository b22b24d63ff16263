"""A page as pixels: the picture people annotate on, and the grid of its ink."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.words import INK_CELL
from ml_backend.reading.png import palette_png

DPI = 150
PALETTE = 32
GREYS = 16
JPEG_QUALITY = 80
SAMPLE = 16
"""Pixels."""
_EVERY_HUE = [value for colour in product((0, 128, 255), repeat=3) for value in colour]
"""Red, green, blue of 27 colours: light or small, dark or full, each is near to one of them."""
_NEARLY = 3
"""Values of 256 this close to an end are taken for the end: paper is white, not the mean of its lightest pixels."""
_END = [0 if value <= _NEARLY else 255 if value >= 255 - _NEARLY else value for value in range(256)]
_BAND = 32 * 1024
"""Pixels that are looked at together."""
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


def from_bgrx(pixels: bytearray, size: tuple[int, int]) -> Image.Image:
    """A picture of pixels of four bytes: grey if it has no colour at all, as most pages, else RGB."""
    grey = _grey_of(np.frombuffer(pixels, "<u4"))
    if grey is not None:
        return Image.frombuffer("L", size, grey, "raw", "L", 0, 1)
    return Image.frombuffer("RGB", size, pixels, "raw", "BGRX", 0, 1)


def _grey_of(pixels: NDArray[np.uint32]) -> NDArray[np.uint8] | None:
    """The grey values of BGRx pixels; None as soon as there is colour. In bands that stay in the processor's cache."""
    grey = np.empty(pixels.size, np.uint8)
    for start in range(0, pixels.size, _BAND):
        band = pixels[start : start + _BAND]
        # Blue differs from green, or green from red.
        if ((band ^ (band >> 8)) & 0xFFFF).any():
            return None
        np.copyto(grey[start : start + _BAND], band, casting="unsafe")
    return grey


def encode(page: int, picture: Image.Image, *, photo: bool) -> PageImage:
    """JPEG for scans and photos, palette PNG for drawn pages, whose text stays sharp."""
    if photo:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=JPEG_QUALITY)
        return PageImage(page, out.getvalue(), "image/jpeg", picture.width, picture.height)
    return PageImage(page, _as_png(picture), "image/png", picture.width, picture.height)


def _as_png(picture: Image.Image) -> bytes:
    """Grey or RGB in as few colours as show it well."""
    if picture.mode == "L":
        return _in_greys(picture)
    sample = _sampled(picture)
    grey = _only_grey(picture) if _only_grey(sample) else None
    return _in_greys(grey) if grey else _in_colours(picture, sample)


def _sampled(picture: Image.Image) -> Image.Image:
    """One column in SAMPLE and one row in SAMPLE, in a single line: long rulings are in it, however thin."""
    columns = picture.resize(
        (max(1, picture.width // SAMPLE), picture.height), Image.Resampling.NEAREST
    )
    rows = picture.resize(
        (picture.width, max(1, picture.height // SAMPLE)), Image.Resampling.NEAREST
    )
    pixels = columns.tobytes() + rows.tobytes()
    return Image.frombytes("RGB", (len(pixels) // 3, 1), pixels)


def _only_grey(picture: Image.Image) -> Image.Image | None:
    """The picture as grey values, if it has no colour at all."""
    red, green, blue = picture.split()
    first = red.tobytes()
    return red if first == green.tobytes() and first == blue.tobytes() else None


def _in_greys(grey: Image.Image) -> bytes:
    """The picture as a PNG in GREYS even steps."""
    step = 255 / (GREYS - 1)
    numbers = grey.point([round(value / step) for value in range(256)])
    palette = [round(number * step) for number in range(GREYS) for _ in range(3)]
    return palette_png(np.asarray(numbers), palette)


def _in_colours(picture: Image.Image, sample: Image.Image) -> bytes:
    """The picture as a PNG in the PALETTE colours that suit a sample of it, and _EVERY_HUE for what the sample missed."""
    reduced = sample.quantize(PALETTE, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    suited = (reduced.getpalette() or [])[: 3 * PALETTE]
    palette = [*map(_END.__getitem__, suited), *_EVERY_HUE]
    colours = Image.new("P", (1, 1))
    colours.putpalette(palette)
    numbers = picture.quantize(palette=colours, dither=Image.Dither.NONE)
    return palette_png(np.asarray(numbers), palette)


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
