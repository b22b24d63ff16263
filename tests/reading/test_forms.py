"""Values of form fields: in no text layer, and read all the same."""

from __future__ import annotations

import io

import pytest
from reportlab.pdfgen.canvas import Canvas

from db.words import WordSource
from tests.reading.looks import box_of, codes, read, read_page, read_with_image
from tests.reading.pdfs import LETTER, line, page_of


def filled_form() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=LETTER[2:])
    canvas.drawString(72, 700, "Name")
    canvas.drawString(72, 650, "Country")
    canvas.drawString(72, 600, "Agreed")
    form = canvas.acroForm
    form.textfield(name="name", value="Ana Souza", x=150, y=690, width=200, height=24)
    form.textfield(name="empty", value="", x=150, y=550, width=200, height=24)
    form.choice(
        name="country",
        value="Brasil",
        options=["Brasil", "Chile"],
        x=150,
        y=640,
        width=200,
        height=24,
    )
    form.checkbox(name="agreed", checked=True, x=150, y=595)
    form.checkbox(name="refused", checked=False, x=250, y=595)
    canvas.save()
    return out.getvalue()


def test_every_filled_widget_is_one_word():
    page = read_page(filled_form())
    values = [
        text
        for text, source in zip(page.texts, page.sources, strict=True)
        if source == WordSource.FIELD
    ]
    assert values == ["Ana Souza", "Brasil", "☒", "☐"]
    assert box_of(page, "Ana Souza") == pytest.approx([150, 792 - 690 - 24, 350, 792 - 690], abs=1)


def test_values_stand_after_their_labels():
    assert read_page(filled_form()).texts == (
        "Name",
        "Ana Souza",
        "Country",
        "Brasil",
        "Agreed",
        "☒",
        "☐",
    )


def test_values_are_drawn_in_the_picture():
    page, _ = read_with_image(filled_form())
    x0, y0, x1, y1 = (int(value / 2) for value in box_of(page, "Ana Souza"))
    assert page.ink is not None
    assert page.ink[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3].max() > 60


def widget(rotate: int, flags: int = 4) -> bytes:
    return page_of(
        line(72, 700, "Label"),
        rotate=rotate,
        crop=(20, 100, 600, 780),
        page=b"/Annots [7 0 R]",
        catalog=b"/AcroForm << /Fields [7 0 R] /DA (/Helv 12 Tf 0 g) >>",
        more=[
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (4711) /F %d "
            b"/Rect [300 690 150 714] /P 3 0 R >>" % flags
        ],
    )


def test_on_a_turned_and_cropped_page():
    page = read_page(widget(90))
    # 90° clockwise: what was up is now at the right.
    assert box_of(page, "4711") == pytest.approx(
        [690 - 100, 150 - 20, 714 - 100, 300 - 20], abs=0.5
    )


@pytest.mark.parametrize("flags", [2, 32], ids=["hidden", "not to be viewed"])
def test_hidden_fields_are_not_read(flags):
    assert "4711" not in read_page(widget(0, flags)).texts


def test_values_of_an_xfa_form_are_said_to_exist():
    data = b"<xfa:data><form><name>Ana</name><city>Recife</city><empty/></form></xfa:data>"
    result = read(
        page_of(
            line(72, 700, "Please wait..."),
            catalog=b"/AcroForm << /Fields [] /XFA [(datasets) 7 0 R] >>",
            more=[b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data)],
        )
    )
    assert codes(result) == ["xfa"]
    assert "2 values" in result.warnings[0].message
