"""Page pictures: what is stored shows what was drawn, in grey or in colour."""

from __future__ import annotations

import io

import numpy as np
import pypdfium2 as pdfium2
import pytest
from PIL import Image, ImageDraw

from ml_backend.reading.page_image import DPI, encode, from_bgrx
from ml_backend.reading.png import palette_png
from tests.reading.looks import read_with_image
from tests.reading.pdfs import line, page_of

TEXT = b"".join(line(60, 700 - 20 * n, f"Invoice number {n} of the year") for n in range(20))
BOX = b"q 0.9 0.2 0.1 rg 100 100 200 80 re f Q\n"
HAIRLINE = b"q 0 0.55 0 RG 0.3 w 60 250 m 500 250 l S Q\n"


def drawn(data: bytes) -> np.ndarray:
    """The page as pdfium alone draws it, in red, green and blue of 0..255."""
    with pdfium2.PdfDocument(data) as document:
        # A trifle less, or rounding adds a row to the picture.
        picture = document[0].render(scale=DPI / 72 - 1e-6).to_pil()
    return np.asarray(picture.convert("RGB")).astype(int)


def stored(data: bytes) -> tuple[np.ndarray, Image.Image]:
    """The picture of a page as it is stored: its colours as of ``drawn``, and the open file."""
    _, image = read_with_image(data)
    assert image.media_type == "image/png"
    return decoded(image.data)


def decoded(data: bytes) -> tuple[np.ndarray, Image.Image]:
    file = Image.open(io.BytesIO(data))
    file.load()
    return np.asarray(file.convert("RGB")).astype(int), file


@pytest.mark.parametrize("colours", [2, 16, 17, 256])
@pytest.mark.parametrize("columns", [1, 2, 7, 100])
def test_a_picture_with_a_palette_comes_back_as_it_was(colours, columns):
    random = np.random.default_rng(colours * columns)
    palette = random.integers(0, 256, 3 * colours).tolist()
    numbers = random.integers(0, colours, (9, columns)).astype(np.uint8)
    found, file = decoded(palette_png(numbers, palette))
    assert file.format == "PNG"
    assert (found == np.array(palette).reshape(-1, 3)[numbers]).all()


def test_a_page_without_colour_is_stored_within_half_a_step_of_grey():
    data = page_of(TEXT + b"0.6 g 100 100 200 80 re f\n")
    found, file = stored(data)
    expected = drawn(data)
    assert len(file.getpalette() or []) == 16 * 3
    assert abs(found - expected).max() <= 9
    assert len(np.unique(expected)) > 20, "the letters' edges are smooth"


def test_a_page_with_colour_is_stored_in_colour():
    data = page_of(TEXT + BOX)
    found, _ = stored(data)
    off = abs(found - drawn(data)).max(axis=2)
    assert off.mean() < 1
    assert np.percentile(off, 99.9) < 30
    assert off.max() < 64
    red, green, blue = found[-int(140 * DPI / 72), int(200 * DPI / 72)]
    assert (red, green, blue) == pytest.approx((230, 51, 26), abs=6)


def test_letters_keep_their_smooth_edges_on_a_page_with_colour():
    found, _ = stored(page_of(TEXT + BOX))
    letters = found[: found.shape[0] // 2]
    greys = np.unique(letters[(letters == letters[:, :, :1]).all(axis=2)])
    assert len(greys) >= 8
    assert {0, 255} <= set(greys.tolist())


def test_a_thin_line_of_colour_stays_coloured_on_a_grey_page():
    found, _ = stored(page_of(TEXT + HAIRLINE))
    expected = drawn(page_of(TEXT + HAIRLINE))
    coloured = expected[:, :, 1] - expected[:, :, [0, 2]].max(axis=2) > 40
    assert coloured.sum() > 500
    still = found[:, :, 1] - found[:, :, [0, 2]].max(axis=2) > 20
    assert still[coloured].mean() > 0.95


@pytest.mark.parametrize("hue", ["red", "lime", "blue", "orange", "purple", "teal", "navy"])
def test_a_dot_that_no_sample_sees_keeps_its_hue(hue):
    picture = Image.new("RGB", (200, 160), "white")
    ImageDraw.Draw(picture).text((20, 20), "some words", fill="black")
    corner, far = (101, 81), (102, 82)
    ImageDraw.Draw(picture).rectangle((corner, far), fill=hue)
    found, _ = decoded(encode(0, picture, photo=False).data)
    off = found[corner[::-1]] - np.array(picture.getpixel(corner))
    assert abs(off).max() <= 100
    assert np.ptp(found[corner[::-1]]) > 80, "no grey"


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (333, 257)])
def test_pixels_without_colour_become_a_grey_picture(size):
    grey = np.random.default_rng(0).integers(0, 256, size[::-1]).astype(np.uint8)
    pixels = np.dstack([grey, grey, grey, np.full_like(grey, 7)])
    picture = from_bgrx(bytearray(pixels.tobytes()), size)
    assert picture.mode == "L"
    assert (np.asarray(picture) == grey).all()


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("place", [0, 40_000, -1])
def test_a_single_coloured_pixel_makes_a_coloured_picture(channel, place):
    pixels = np.full((300, 250, 4), 200, np.uint8)
    pixels.reshape(-1, 4)[place, channel] = 201
    picture = from_bgrx(bytearray(pixels.tobytes()), (250, 300))
    assert picture.mode == "RGB"
    assert (np.asarray(picture) == pixels[:, :, 2::-1]).all()
