"""The pure parts of reading: kinds of files and pages, places of words, pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from reportlab.pdfgen.canvas import Canvas

from db.words import INK_CELL, WordSource
from ml_backend.reading import pdf_pages
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.frame import Frame
from ml_backend.reading.judge import Evidence, PageKind, kind_of
from ml_backend.reading.media import JPEG, PDF, PNG, TIFF, sniff
from ml_backend.reading.page_image import dots_for, drawn_words, encode, ink_of
from ml_backend.reading.page_read import PageRead, Warned, from_bytes, to_bytes
from ml_backend.reading.word_table import merged, not_under, on_page, page_words, table
from tests.reading.pdfs import page_of


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", PNG), ("JPEG", JPEG), ("TIFF", TIFF)])
def test_pictures_are_told_by_their_first_bytes(kind, media_type):
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, kind)
    assert sniff(out.getvalue()) == media_type


def test_pdfs_are_told_by_their_first_bytes():
    data = page_of(b"")
    assert sniff(data) == PDF
    assert sniff(b"\r\n" * 100 + data) == PDF
    assert sniff(data[data.index(b"1 0 obj") :]) == PDF, "the first line was lost"


@pytest.mark.parametrize(
    "data", [b"", b"%PD", b"PK\3\4", b"GIF89a", b"<html>%", b"MZ" + bytes(2000)]
)
def test_other_files_are_nothing(data):
    assert sniff(data) is None


TURNED = [(10, 160, 30, 170), (30, 10, 40, 30), (70, 30, 90, 40), (160, 70, 170, 90)]


@pytest.mark.parametrize("turns", range(4))
def test_boxes_turn_with_their_page(turns):
    frame = Frame(100, 200, 200, 400, turns)
    (box,) = frame.display(np.array([[110.0, 230.0, 130.0, 240.0]]))
    assert tuple(box) == TURNED[turns]
    assert (frame.width, frame.height) == ((100, 200), (200, 100))[turns % 2]


PLAIN = {
    "chars": 900,
    "text_objects": 200,
    "invisible_text_objects": 0,
    "image_cover": 0.0,
    "map_error_share": 0.0,
    "ink": 0.05,
}


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({}, PageKind.TEXT),
        ({"image_cover": 0.9}, PageKind.TEXT),
        ({"image_cover": 0.9, "invisible_text_objects": 190}, PageKind.OCR_LAYER),
        ({"chars": 3, "text_objects": 1, "image_cover": 0.9}, PageKind.SCAN),
        ({"chars": 3, "text_objects": 1, "image_cover": 0.2}, PageKind.TEXT),
        ({"chars": 0, "text_objects": 0}, PageKind.DRAWN_TEXT),
        ({"chars": 0, "text_objects": 0, "ink": 0.0}, PageKind.TEXT),
        ({"chars": 28, "text_objects": 2624}, PageKind.LOST),
        ({"map_error_share": 0.4}, PageKind.BROKEN_MAP),
        ({"map_error_share": 0.2}, PageKind.TEXT),
    ],
)
def test_kinds_of_pages(found, kind):
    assert kind_of(Evidence(**{**PLAIN, **found})) is kind


def words(*places: tuple[str, float, float], source: WordSource = WordSource.TEXT):
    boxes = np.array([(x, y, x + 30, y + 10) for _, x, y in places], np.float64).reshape(-1, 4)
    return table([text for text, _, _ in places], boxes, source)


def test_values_go_where_they_are_read():
    page = words(("Name", 10, 10), ("City", 10, 40), ("end", 10, 90))
    values = words(("Ana", 60, 10), ("Recife", 60, 40), ("top", 10, -20), source=WordSource.FIELD)
    both = merged(page, values)
    assert both.texts == ("top", "Name", "Ana", "City", "Recife", "end")
    assert both.sources.tolist() == [2, 0, 2, 0, 2, 0]
    assert merged(page, words()).texts == page.texts
    assert merged(words(), values).texts == ("Ana", "Recife", "top")


def test_what_ocr_saw_of_a_value_is_dropped():
    page = words(("Name", 10, 10), ("Ana", 62, 11), source=WordSource.OCR)
    boxes = np.array([[60.0, 8, 120, 24]])
    assert not_under(page, boxes, WordSource.OCR).texts == ("Name",)
    assert not_under(page, boxes, WordSource.TEXT).texts == ("Name", "Ana")


def test_words_off_the_page_are_counted():
    page = words(("in", 10, 10), ("over the edge", 90, 10), ("out", 300, 10))
    page.boxes[2, 0] = np.nan
    shown, gone = on_page(page, 110, 50)
    assert (shown.texts, gone) == (("in", "over the edge"), 1)
    assert shown.boxes[1].tolist() == [90, 10, 110, 20]


def test_words_within_the_page_are_left_as_they_are():
    page = words(("at the corner", 0, 0), ("in", 10, 10))
    assert on_page(page, *page.boxes.max(axis=0)[2:]) == (page, 0)


@pytest.mark.parametrize("count", [3, 5000])
@pytest.mark.parametrize("source", WordSource)
def test_every_word_has_its_source_and_is_sure_and_nobody_changes_that(count, source):
    page = table(["w"] * count, np.zeros((count, 4)), source)
    assert page.sources.dtype == np.uint8
    assert page.sources.tolist() == [source] * count
    assert page.confidences.tolist() == [1.0] * count
    if count == 3:
        with pytest.raises(ValueError, match="read-only"):
            page.sources[0] = 0
    assert page.take(np.array([2, 0])).sources.tolist() == [source] * 2


def drawing() -> Image.Image:
    picture = Image.new("L", (425, 550), 255)
    ImageDraw.Draw(picture).rectangle((100, 100, 199, 149), fill=0)
    return picture


def test_ink_is_the_share_of_dark_pixels():
    ink = ink_of(drawing(), 204, 264)
    assert ink.shape == (132, 102)
    across = 425 / 204 * INK_CELL
    assert ink[int(125 / across), int(150 / across)] == 255
    assert ink[5, 5] == 0
    assert ink.astype(float).sum() / 255 * across**2 == pytest.approx(100 * 50, rel=0.02)


def test_a_word_is_drawn_where_its_box_is_not_of_one_colour():
    points = 204 / 425
    boxes = np.array([[90, 90, 210, 160], [110, 105, 190, 145], [300, 300, 380, 320]]) * points
    assert drawn_words(drawing(), 204, 264, boxes).tolist() == [True, False, False]


def test_a_huge_page_is_drawn_at_fewer_dots():
    assert dots_for(612, 792, 150, 25_000_000) == 150
    dpi = dots_for(14_400, 14_400, 150, 25_000_000)
    assert (14_400 / 72 * dpi) ** 2 == pytest.approx(25_000_000)


@pytest.mark.parametrize(("photo", "kind"), [(False, "PNG"), (True, "JPEG")])
def test_pictures_of_pages(photo, kind):
    colours = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(colours).rectangle((10, 10, 50, 50), fill="red")
    image = encode(3, colours, photo=photo)
    with Image.open(io.BytesIO(image.data)) as again:
        assert again.format == kind
        assert again.size == (image.width_px, image.height_px) == (300, 200)
        red, green, blue = again.convert("RGB").getpixel((30, 30))
        assert red > 240 > 30 > max(green, blue)
        assert again.convert("RGB").getpixel((200, 100)) == (255, 255, 255)


def test_a_page_without_colour_is_stored_in_greys():
    image = encode(0, drawing().convert("RGB"), photo=False)
    with Image.open(io.BytesIO(image.data)) as again:
        assert len(again.getpalette() or []) <= 16 * 3
        assert again.convert("L").getpixel((150, 125)) == 0
        assert again.convert("L").getpixel((10, 10)) == 255


def test_a_page_survives_its_way_out_of_the_reading_process():
    page = PageRead(
        words=page_words(
            2, 612, 792, words(("a", 1, 2), ("b", 3, 4)), np.zeros((1, 4)), 0.25, None
        ),
        image=encode(2, Image.new("RGB", (8, 8), "white"), photo=False),
        warnings=(Warned("turned", 2, "Page 3 …"),),
        needs_ocr=True,
        tools=("tesseract 5",),
    )
    again = from_bytes(to_bytes(page))
    assert again.words.texts == ("a", "b")
    assert (again.words.boxes == page.words.boxes).all()
    assert (again.image, again.warnings, again.needs_ocr, again.tools) == (
        page.image,
        page.warnings,
        True,
        ("tesseract 5",),
    )


def test_an_error_is_a_code_and_a_sentence():
    error = DocumentError("too_large", "The file is too large.")
    assert (error.code, str(error)) == ("too_large", "The file is too large.")


def test_a_document_that_is_opened_anew_on_the_way_gives_the_same_pages(monkeypatch):
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(612, 792))
    for number in range(5):
        canvas.drawString(72, 700, f"Page {number}")
        canvas.acroForm.textfield(name=f"field{number}", value=f"value {number}", x=150, y=600)
        canvas.setPageRotation(90 * number % 360)
        canvas.showPage()
    canvas.save()
    at_once = list(_read(out.getvalue()))
    monkeypatch.setattr(pdf_pages, "PAGES_AT_ONCE", 2)
    assert list(_read(out.getvalue())) == at_once
    assert [texts for texts, *_ in at_once] == [["Page", str(number)] for number in range(5)]
    assert [values for _, values, *_ in at_once] == [[f"value {number}"] for number in range(5)]


def _read(data: bytes):
    """Of each page, twice in a row: its words, field values, size and picture."""
    pdf = pdf_pages.PdfPages(data)
    for number in range(len(pdf)):
        for _ in range(2):
            with pdf.page(number) as page:
                found = (
                    page.text().texts,
                    page.fields().texts,
                    (page.frame.width, page.frame.height),
                    page.render(36).tobytes(),
                )
            assert pdf.size(number) == found[2]
        yield found
    pdf.close()
