"""Every way in which a text layer is known to mislead, one test each."""

from __future__ import annotations

import math

import pytest

from db.words import WordSource, pack, unpack
from ml_backend.reading.limits import Limits
from tests.reading.looks import (
    CORPUS,
    box_of,
    codes,
    ink_beside,
    ink_under,
    read,
    read_page,
    sources,
)
from tests.reading.pdfs import blocks_font, line, page_of

TEXT = (
    line(60, 700, "Invoice number 4711")
    + line(60, 660, "Total amount due:", size=9)
    + line(300, 660, "1.234,56", font="F2")
    + line(220, 420, "in the middle of the page", size=20)
)
WORDS = [
    "Invoice",
    "number",
    "4711",
    "Total",
    "amount",
    "due:",
    "1.234,56",
    "in",
    "the",
    "middle",
    "of",
    "the",
    "page",
]
CROPS = {
    "none": ((0, 0, 612, 792), None),
    "offset": ((0, 0, 612, 792), (40, 380, 560, 760)),
    "origin elsewhere": ((-20, -30, 612, 792), (10, 300, 600, 780)),
}


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_and_cropped_pages(rotate, crop):
    media, cut = CROPS[crop]
    page = read_page(page_of(TEXT, media=media, crop=cut, rotate=rotate))
    left, bottom, right, top = cut or media
    sides = (right - left, top - bottom)
    assert (page.width, page.height) == pytest.approx(sides if rotate % 180 == 0 else sides[::-1])
    assert sorted(page.texts) == sorted(WORDS)
    assert (ink_under(page) > 60).all(), "every word lies on ink"
    assert ink_beside(page) < 0.01, "all ink lies under words"


def test_a_box_is_where_its_word_is():
    page = read_page(page_of(line(72, 700, "Hxxxp", size=20)))
    x0, y0, x1, y1 = box_of(page, "Hxxxp")
    width = (722 + 3 * 500 + 556) / 1000 * 20  # Helvetica's own advance widths
    assert (x0, x1) == pytest.approx((72, 72 + width), abs=0.2)
    assert y0 < 792 - 700 - 0.7 * 20 < 792 - 700 < y1, "ascender to descender"
    assert y1 - y0 == pytest.approx(20, abs=0.5)
    assert page.sizes[0] == pytest.approx(20, abs=0.1)


def test_fonts_have_names_without_the_prefix_of_subsets():
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Helvetica-Bold >>"
    page = read_page(
        page_of(
            line(72, 700, "plain") + line(72, 680, "bold", font="F3"),
            fonts=b"/F1 4 0 R /F3 7 0 R",
            more=[font],
        )
    )
    names = [page.font_names[number] for number in page.fonts]
    assert dict(zip(page.texts, names, strict=True)) == {
        "plain": "Helvetica",
        "bold": "Helvetica-Bold",
    }


def test_a_word_goes_on_over_a_change_of_font():
    content = b"BT /F1 12 Tf 72 700 Td (In) Tj /F2 12 Tf (voice) Tj /F1 12 Tf ( total) Tj ET"
    assert read_page(page_of(content)).texts == ("Invoice", "total")


def test_fake_bold_is_read_once():
    content = line(72, 700, "DOUBLED word") + line(72.3, 700, "DOUBLED word")
    assert read_page(page_of(content)).texts == ("DOUBLED", "word")


def test_small_print_without_blanks():
    content = b"BT /F1 4 Tf 72 700 Td [(SMALL) -225 (PRINT)] TJ ET"
    assert read_page(page_of(content)).texts == ("SMALL", "PRINT")


def test_columns_without_blanks_between_are_two_words():
    content = line(72, 700, "100.00") + line(140, 700, "200.00")
    assert read_page(page_of(content)).texts == ("100.00", "200.00")


def test_ligatures_are_spelled_out():
    font = (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
        b"/Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [1 /fi] >> >>"
    )
    content = b"BT /F3 12 Tf 72 700 Td (of\\001ce) Tj ET"
    assert read_page(page_of(content, fonts=b"/F3 7 0 R", more=[font])).texts == ("office",)


def test_a_hyphen_at_a_line_end_is_kept():
    content = line(72, 700, "the exam-") + line(72, 684, "ple goes on")
    assert read_page(page_of(content)).texts == ("the", "exam-", "ple", "goes", "on")


def test_right_to_left_words_are_in_the_order_they_are_read():
    # On the page from the left: ם ו ל ש, which is read from the right: שלום
    font, behind = blocks_font({"a": "ם", "b": "ו", "c": "ל", "d": "ש"}, first=8)
    content = b"BT /F3 12 Tf 72 700 Td (abcd) Tj ET"
    page = read_page(page_of(content, fonts=b"/F3 7 0 R", more=[font, *behind]))
    assert page.texts == ("שלום",)
    assert box_of(page, "שלום")[:1] == pytest.approx([72], abs=1)


def test_arabic_is_logical():
    path = CORPUS / "pdfjs" / "ArabicCIDTrueType.pdf"
    if not path.exists():
        pytest.skip("needs ../shared/pdf/corpus/pdfjs/ArabicCIDTrueType.pdf")
    page = read_page(path.read_bytes())
    letters = "".join(page.texts)
    assert any("\u0600" <= letter <= "\u06ff" for letter in letters)
    assert not any("\ufe70" <= letter <= "\ufeff" for letter in letters), "no presentation forms"
    assert any(text.startswith("ال") for text in page.texts), "the article comes first"


def test_letters_beyond_the_first_plane_do_not_shift_the_words():
    font, behind = blocks_font({"a": "𝒜", "b": "b", "c": "c"}, first=8)
    content = b"BT /F3 12 Tf 72 700 Td (ab) Tj ET " + line(200, 700, "after it")
    page = read_page(page_of(content, fonts=b"/F3 7 0 R /F1 4 0 R", more=[font, *behind]))
    assert page.texts == ("𝒜b", "after", "it")
    assert box_of(page, "after")[0] == pytest.approx(200, abs=1)


def test_vertical_lines():
    content = b"BT /F1 12 Tf 0 1 -1 0 300 200 Tm (upwards we go) Tj ET"
    page = read_page(page_of(content))
    assert page.texts == ("upwards", "we", "go")
    assert (ink_under(page) > 60).all()
    assert ink_beside(page) < 0.01
    x0, y0, x1, y1 = box_of(page, "upwards")
    assert 11.5 < x1 - x0 < 15
    assert y1 - y0 > 30
    assert page.sizes.tolist() == pytest.approx([12] * 3, abs=0.2)


def test_slanted_lines():
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    content = b"BT /F1 12 Tf %g %g %g %g 100 300 Tm (Confidential copy) Tj ET" % (c, s, -s, c)
    page = read_page(page_of(content))
    assert page.texts == ("Confidential", "copy")
    assert ink_beside(page) < 0.02
    assert page.sizes.tolist() == pytest.approx([12] * 2, abs=0.2)


def test_vertical_japanese():
    path = CORPUS / "pdfjs" / "vertical.pdf"
    if not path.exists():
        pytest.skip("needs ../shared/pdf/corpus/pdfjs/vertical.pdf")
    pages = read(path.read_bytes()).pages
    for page in pages:
        assert (page.boxes[:, 3] > page.boxes[:, 1]).all()
    assert sum(len(page.texts) for page in pages) >= 1


def test_actual_text_is_preferred_to_glyphs():
    content = b"/Span << /ActualText (real) >> BDC BT /F1 12 Tf 72 700 Td (xxxx) Tj ET EMC"
    assert read_page(page_of(content)).texts == ("real",)


def test_text_outside_the_visible_part_is_left_out():
    content = line(100, 500, "inside") + line(100, 700, "outside it")
    result = read(page_of(content, crop=(0, 400, 612, 600)))
    assert result.pages[0].texts == ("inside",)
    assert codes(result) == ["words_outside"]


HIDDEN = {
    "drawn without ink": b"3 Tr ",
    "white on white": b"1 g ",
}


@pytest.mark.parametrize("how", HIDDEN)
def test_text_that_cannot_be_seen_is_left_out(how):
    content = line(72, 700, "seen") + b"q " + HIDDEN[how] + line(72, 600, "secret words") + b"Q"
    result = read(page_of(content))
    assert result.pages[0].texts == ("seen",)
    assert codes(result) == ["hidden_words"]
    assert "2 words" in result.warnings[0].message


def test_covered_text_is_left_out():
    content = line(72, 700, "seen") + line(72, 600, "redacted") + b"0 g 60 590 120 30 re f "
    result = read(page_of(content))
    assert result.pages[0].texts == ("seen",)


def test_clipped_text_is_left_out():
    content = line(72, 700, "seen") + b"q 0 0 10 10 re W n " + line(72, 600, "clipped") + b"Q"
    assert read_page(page_of(content)).texts == ("seen",)


def test_white_text_on_a_dark_ground_is_seen():
    content = b"0 g 60 590 200 30 re f 1 g " + line(72, 600, "inverted heading")
    assert read_page(page_of(content)).texts == ("inverted", "heading")


def test_hidden_layers_are_left_out():
    result = read(
        page_of(
            line(72, 700, "seen")
            + b"/OC /Off BDC "
            + line(72, 600, "layer switched off")
            + b"EMC /OC /On BDC "
            + line(72, 500, "layer on")
            + b"EMC",
            resources=b"/Properties << /Off 7 0 R /On 8 0 R >>",
            catalog=b"/OCProperties << /OCGs [7 0 R 8 0 R] /D << /OFF [7 0 R] /ON [8 0 R] >> >>",
            more=[b"<< /Type /OCG /Name (off) >>", b"<< /Type /OCG /Name (on) >>"],
        )
    )
    assert result.pages[0].texts == ("seen", "layer", "on")


def test_words_in_reusable_parts_and_their_lines():
    form = (
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 200 100] /Matrix [1 0 0 1 100 300] "
        b"/Resources << /Font << /F1 4 0 R >> >> /Length %d >>\nstream\n%s\nendstream"
    )
    content = line(10, 50, "inside a form") + b"0 0 m 200 0 l S"
    page = read_page(
        page_of(
            b"/X Do",
            resources=b"/XObject << /X 7 0 R >>",
            more=[form % (len(content), content)],
        )
    )
    assert page.texts == ("inside", "a", "form")
    assert box_of(page, "inside")[0] == pytest.approx(110, abs=1)
    (ruling,) = page.rulings.tolist()
    assert ruling == pytest.approx([100, 492, 300, 492], abs=1)


def test_rulings():
    content = b"1 w 50 700 m 300 700 l S 50 600 200 80 re S 0 g 400 100 1 300 re f " + line(
        60, 640, "cell"
    )
    page = read_page(page_of(content))
    found = [[round(value) for value in box] for box in page.rulings.tolist()]
    assert [400, 392, 401, 692] in found, "a thin filled box is a line"
    wide = sorted(box[1] for box in found if box[2] - box[0] > 150)
    assert wide == pytest.approx([92, 112, 192], abs=1), "a line, and a frame's top and bottom"
    tall = sorted(box[0] for box in found if box[3] - box[1] == pytest.approx(80, abs=1))
    assert tall == pytest.approx([50, 250], abs=1)


def test_rulings_of_a_turned_page_are_turned_with_it():
    page = read_page(page_of(b"50 700 m 300 700 l S " + line(60, 640, "word"), rotate=90))
    (ruling,) = page.rulings.tolist()
    assert ruling == pytest.approx([700, 50, 700, 300], abs=1)


def test_too_many_words_are_cut_and_said_so():
    content = b"".join(line(50, 750 - 12 * i, "a b c d e f g h i j") for i in range(20))
    result = read(page_of(content), limits=Limits(page_words=150))
    assert len(result.pages[0].texts) == 150
    assert "too_many_words" in codes(result)


def test_an_empty_page_is_no_failure():
    result = read(page_of(b""))
    assert result.pages[0].texts == ()
    assert result.warnings == []
    assert not result.needs_ocr


def test_what_is_read_survives_storage():
    page = read_page(page_of(TEXT))
    (again,) = unpack(pack([page]))
    assert again.texts == page.texts
    assert (again.boxes == page.boxes).all()
    assert (again.ink == page.ink).all()
    assert sources(again) == {WordSource.TEXT}
