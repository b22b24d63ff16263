"""Pages without text: read by tesseract, whichever way up they lie; and what is said where there is none."""

from __future__ import annotations

import functools
import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from db.words import PageWords, WordSource
from ml_backend.reading import guard
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.ocr import skew_of
from ml_backend.reading.pdf_pages import PdfPages
from ml_backend.reading.reader import read_document
from tests.reading.looks import box_of, codes, ink_under, read, read_with_image, sources
from tests.reading.pdfs import blocks_font, line, page_of, stream

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None,
    reason="tesseract is not installed: OCR is NOT tested (apt-get install tesseract-ocr tesseract-ocr-por)",
)

LINES = [
    "Invoice of the second of March",
    "The goods were delivered in good order",
    "Total amount due next month 1,234.56",
    "Thank you for your order and patience",
]
EXPECTED = {"Invoice", "delivered", "1,234.56", "order", "patience"}


@functools.cache
def _printed(dpi: int) -> Image.Image:
    content = b"".join(line(72, 640 - 42 * i, text, size=16) for i, text in enumerate(LINES))
    pdf = PdfPages(page_of(content))
    with pdf.page(0) as page:
        assert page is not None
        return page.render(dpi, grey=True)


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def scan(picture: Image.Image, rotate: int = 0) -> bytes:
    """A PDF of one picture that fills a Letter page."""
    jpeg = saved(picture, "JPEG", quality=85)
    sides = (0, 0, 612, 792) if picture.height > picture.width else (0, 0, 792, 612)
    return page_of(
        b"q %d 0 0 %d 0 0 cm /I Do Q" % sides[2:],
        media=sides,
        rotate=rotate,
        resources=b"/XObject << /I 7 0 R >>",
        more=[
            stream(
                jpeg,
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 "
                b"/ColorSpace /DeviceGray /Filter /DCTDecode" % picture.size,
            )
        ],
    )


def check_upright(page: PageWords) -> None:
    """The words are found, on their ink, lying flat and in order from the top."""
    assert set(page.texts) >= EXPECTED
    assert sources(page) == {WordSource.OCR}
    assert (ink_under(page) > 40).all()
    assert page.confidences.mean() > 0.8
    x0, y0, x1, y1 = box_of(page, "Invoice")
    assert x1 - x0 > 2 * (y1 - y0)
    assert (x0, y1) == pytest.approx((72, 792 - 640), abs=6)
    assert y1 < box_of(page, "patience")[1]


@needs_tesseract
def test_a_scanned_page():
    page, image = read_with_image(scan(_printed(200)))
    check_upright(page)
    assert image.media_type == "image/jpeg"
    assert page.image_cover > 0.95


@needs_tesseract
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_that_was_scanned_on_its_side_is_turned_upright(turns):
    lying = _printed(200).rotate(-90 * turns, expand=True)
    data = scan(lying)
    images = []
    result = read_document(
        data, media_type="application/pdf", on_page=lambda page: images.append(page.image)
    )
    (page,), (image,) = result.pages, images
    check_upright(page)
    assert (page.width, page.height) == (612, 792)
    assert image.height_px > image.width_px, "the picture is turned with its words"
    assert codes(result) == ["turned"]


@needs_tesseract
def test_a_scan_that_the_file_itself_turns_upright():
    page = read(scan(_printed(200).rotate(90, expand=True), rotate=90)).pages[0]
    check_upright(page)


@needs_tesseract
def test_a_slightly_crooked_page():
    crooked = _printed(200).rotate(-2.5, Image.Resampling.BICUBIC, fillcolor=255)
    page = read(scan(crooked)).pages[0]
    assert set(page.texts) >= EXPECTED
    assert (ink_under(page) > 40).all()


@pytest.mark.parametrize("degrees", [-3, -1, 0, 0.5, 2, 4])
def test_skew_is_measured(degrees):
    crooked = _printed(100).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    assert skew_of(crooked) == pytest.approx(degrees, abs=0.25)


def test_a_blank_page_has_no_skew():
    assert skew_of(Image.new("L", (850, 1100), 255)) == 0


@needs_tesseract
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {"dpi": (200, 200)}),
        ("JPEG", {"quality": 90, "dpi": (200, 200)}),
        ("TIFF", {"dpi": (200, 200), "compression": "tiff_lzw"}),
    ],
)
def test_pictures(kind, options):
    page, image = read_with_image(saved(_printed(200), kind, **options))
    check_upright(page)
    assert (page.width, page.height) == pytest.approx((612, 792), abs=1)
    assert image.media_type == "image/jpeg"
    assert image.width_px == pytest.approx(612 * 150 / 72, abs=2)


@needs_tesseract
def test_a_picture_that_says_nothing_about_its_size_is_a_sheet_of_paper():
    page = read(saved(_printed(200))).pages[0]
    assert page.height == pytest.approx(842, abs=1)
    assert set(page.texts) >= EXPECTED


@needs_tesseract
def test_every_picture_of_a_tiff_is_a_page():
    one = _printed(200).convert("1")
    data = saved(
        one, "TIFF", save_all=True, append_images=[one], dpi=(200, 200), compression="group4"
    )
    pages = read(data).pages
    assert [page.number for page in pages] == [0, 1]
    for page in pages:
        check_upright(page)


@needs_tesseract
def test_a_phone_picture_is_shown_as_the_camera_held_it():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to show
    data = saved(_printed(200).rotate(90, expand=True), "JPEG", exif=exif, dpi=(200, 200))
    check_upright(read(data).pages[0])


@needs_tesseract
def test_transparent_parts_are_paper():
    grey = _printed(200)
    black = Image.new("RGBA", grey.size, (0, 0, 0, 0))
    black.putalpha(grey.point(lambda value: 255 - value))
    check_upright(read(saved(black, dpi=(200, 200))).pages[0])


@needs_tesseract
def test_text_without_unicode_values_is_read_from_its_picture():
    picture = _printed(200)
    font, behind = blocks_font({"a": "", "b": ""}, first=8)
    garbage = b"BT /F3 4 Tf 72 40 Td (abababababab abababab ababab abababab) Tj ET"
    data = page_of(
        b"q 612 0 0 792 0 0 cm /I Do Q " + garbage,
        fonts=b"/F3 7 0 R",
        resources=b"/XObject << /I 10 0 R >>",
        more=[
            font,
            *behind,
            stream(
                saved(picture, "JPEG"),
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 "
                b"/ColorSpace /DeviceGray /Filter /DCTDecode" % picture.size,
            ),
        ],
    )
    page = read(data).pages[0]
    assert set(page.texts) >= EXPECTED
    assert WordSource.OCR in sources(page)


def test_a_layer_over_a_scan_is_kept_and_marked():
    layer = b"3 Tr " + line(72, 640, LINES[0], size=16)
    plain = scan(_printed(100))
    end = plain.index(b"/I Do Q") + len(b"/I Do Q")
    content = plain[plain.index(b"q 612") : end] + b" " + layer
    data = page_of(
        content,
        resources=b"/XObject << /I 7 0 R >>",
        more=[
            stream(
                saved(_printed(100), "JPEG"),
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 "
                b"/ColorSpace /DeviceGray /Filter /DCTDecode" % _printed(100).size,
            )
        ],
    )
    page = read(data).pages[0]
    assert page.texts == tuple(LINES[0].split())
    assert sources(page) == {WordSource.OCR_LAYER}


@needs_tesseract
def test_form_values_over_a_scan_are_not_read_twice():
    picture = _printed(200)
    data = page_of(
        b"q 612 0 0 792 0 0 cm /I Do Q",
        page=b"/Annots [8 0 R]",
        catalog=b"/AcroForm << /Fields [8 0 R] /DA (/Helv 14 Tf 0 g) >>",
        resources=b"/XObject << /I 7 0 R >>",
        more=[
            stream(
                saved(picture, "JPEG"),
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 "
                b"/ColorSpace /DeviceGray /Filter /DCTDecode" % picture.size,
            ),
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (Recife) /F 4 "
            b"/Rect [72 300 250 324] /P 3 0 R >>",
        ],
    )
    page = read(data).pages[0]
    assert set(page.texts) >= EXPECTED
    assert page.texts.count("Recife") == 1


@pytest.fixture
def no_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    guard.shut_down()
    yield
    guard.shut_down()


@pytest.mark.usefixtures("no_tesseract")
def test_without_tesseract_a_scan_waits_and_says_so():
    result = read(scan(_printed(100)))
    assert result.needs_ocr
    assert result.pages[0].texts == ()
    (warning,) = result.warnings
    assert (warning.code, warning.page) == ("needs_ocr", 0)
    assert "install tesseract" in warning.message


@pytest.mark.usefixtures("no_tesseract")
def test_without_tesseract_text_is_read_as_ever():
    result = read(page_of(line(72, 700, "all is well")))
    assert result.pages[0].texts == ("all", "is", "well")
    assert not result.needs_ocr


@needs_tesseract
def test_ocr_that_takes_too_long_is_stopped():
    result = read(scan(_printed(200)), limits=Limits(ocr_seconds=0.01))
    assert result.pages[0].texts == ()
    assert codes(result) == ["ocr_failed"]
    assert "longer than" in result.warnings[0].message


def test_a_picture_with_half_its_bytes():
    data = saved(_printed(100))
    with pytest.raises(DocumentError, match="damaged") as raised:
        read(data[: len(data) // 2])
    assert raised.value.code == "damaged"


def test_a_picture_as_long_as_a_street():
    with pytest.raises(DocumentError, match="100000 × 50 pixels") as raised:
        read(saved(Image.new("1", (100_000, 50), 1)))
    assert raised.value.code == "page_too_large"


def test_a_picture_of_gigabytes():
    with pytest.raises(DocumentError, match="million pixels") as raised:
        read(saved(Image.new("1", (12_000, 12_000), 1)))
    assert raised.value.code == "page_too_large"
