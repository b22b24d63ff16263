"""The samples say on paper what their truth says they say."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

import fieldloop.demo
from db.words import snap
from fieldloop.demo.generator import FIELDS, LANGUAGES, LAYOUTS, MOST_PAGES, Sample, Truth, generate
from fieldloop.demo.generator.sheet import CROPPED, FORMS, PLAIN, ROTATED
from ml_backend.extraction.lexicon import squeeze
from ml_backend.extraction.normalize import normalize
from ml_backend.field_specs import names_of, to_specs
from ml_backend.reading.reader import read_document
from ml_backend.schema import load

SEEDS = (1, 2, 3)
PER_SEED = 16  # every layout once in each language
DEMO_FIELDS = Path(fieldloop.demo.__file__).parent / "fields.yaml"


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    return tuple(sample for seed in SEEDS for sample in generate(seed, PER_SEED))


def characters(pdf: bytes) -> Iterator[list[tuple[str, float, float]]]:
    """Per page its visible characters with their middles, origin top left of the page as displayed.

    pdfium's own text positions are those of the stored page: the rotation and the crop box are undone here,
    independently of the generator and of our reader.
    """
    document = pypdfium2.PdfDocument(pdf)
    try:
        for number in range(len(document)):
            page = document[number]
            _, height = page.get_size()
            left, bottom, _, _ = page.get_cropbox()
            turned = page.get_rotation()
            text = page.get_textpage()
            found = []
            for index in range(text.count_chars()):
                x0, y0, x1, y1 = text.get_charbox(index, loose=True)
                char = text.get_text_range(index, 1)
                x, y = (x0 + x1) / 2 - left, (y0 + y1) / 2 - bottom
                if turned == 90:
                    x, y = y, height - x
                found.append((char, x, height - y))
            text.close()
            page.close()
            yield found
    finally:
        document.close()


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_under_every_box_stands_its_text_and_nothing_else(layout: str, language: str) -> None:
    chosen = [s for s in samples() if (s.truth.layout, s.truth.language) == (layout, language)]
    assert len(chosen) == len(SEEDS)
    for sample in chosen:
        pages = list(characters(sample.pdf))
        assert len(pages) == len(sample.truth.pages)
        for value in sample.truth.values:
            x0, y0, x1, y1 = value.box
            under = "".join(c for c, x, y in pages[value.page] if x0 <= x <= x1 and y0 <= y <= y1)
            if value.field == "signature":
                assert squeezed(under) == "", (sample.name, value)
            elif value.field == "tax_included":
                assert squeezed(under) in {"", "[X]", "[]"}, (sample.name, value)
            else:
                assert squeezed(under) == squeezed(value.text), (sample.name, value)


def test_the_same_arguments_give_the_same_bytes_whatever_the_count() -> None:
    first = [hashlib.sha256(s.pdf).hexdigest() for s in generate(5, 5, scanned_share=0.3)]
    again = [hashlib.sha256(s.pdf).hexdigest() for s in generate(5, 8, scanned_share=0.3)]
    other = [hashlib.sha256(s.pdf).hexdigest() for s in generate(6, 5, scanned_share=0.3)]
    assert first == again[:5]
    assert not set(first) & set(other)


def test_bytes_do_not_depend_on_the_day() -> None:
    (sample,) = generate(1, 1)
    assert b"/CreationDate (D:2000" in sample.pdf


def test_what_is_in_a_document_and_what_is_not_make_up_the_schema() -> None:
    schema = load(DEMO_FIELDS)
    rows = [row.name for row in schema.rows if row.type != "table"]
    assert sorted(rows) == sorted(FIELDS)
    for sample in samples():
        present = {value.field for value in sample.truth.values}
        assert present.isdisjoint(sample.truth.absent)
        assert present | set(sample.truth.absent) == set(FIELDS)


def test_optional_fields_are_sometimes_absent_and_required_ones_never() -> None:
    absent = Counter(field for sample in samples() for field in sample.truth.absent)
    required = {row.name for row in load(DEMO_FIELDS).rows if row.required}
    assert required.isdisjoint(absent)
    optional = [f for f in FIELDS if f not in required and not f.startswith("item.")]
    assert all(0 < absent[field] < len(samples()) for field in optional), absent


def test_single_fields_have_one_value_and_tables_whole_rows_in_order() -> None:
    for sample in samples():
        counts = Counter(v.field for v in sample.truth.values)
        assert all(n == 1 for field, n in counts.items() if "." not in field), sample.name
        cells = [v for v in sample.truth.values if v.row is not None]
        rows = [v.row for v in cells if v.field == "item.amount"]
        assert rows == list(range(len(rows)))
        assert len(cells) == 4 * len(rows)


def test_amounts_add_up() -> None:
    for sample in samples():
        found = {v.field: v.normalised for v in sample.truth.values if v.row is None}
        lines = sum(Decimal(v.normalised) for v in sample.truth.values if v.field == "item.amount")
        if "subtotal" in found:
            assert lines == Decimal(found["subtotal"]), sample.name
        else:
            assert lines == Decimal(found["total"]), sample.name


def test_normal_forms_are_those_extraction_gives_where_the_text_leaves_no_doubt() -> None:
    from db.models import Field

    rows = load(DEMO_FIELDS).rows
    specs = {
        row.name: spec
        for row in rows
        if row.type != "table"
        for spec in to_specs(
            [
                Field(
                    name=row.name.replace(".", "_"),
                    type=row.type,
                    label_en=row.label_en,
                    label_pt=row.label_pt,
                    aliases=list(row.aliases),
                    format=row.format,
                    required=row.required,
                    multiple=row.multiple,
                )
            ]
        )
    }
    compared = 0
    for sample in samples():
        for value in sample.truth.values:
            normal = normalize(value.text, specs[value.field]).value
            if normal is not None:
                compared += 1
                assert normal == value.normalised, (sample.name, value)
    assert compared > 2_000


def test_documents_have_one_to_five_pages_and_tables_cross_them() -> None:
    pages = Counter(len(s.truth.pages) for s in generate(11, 40, layouts=["dense", "boxed_form"]))
    assert min(pages) == 1
    assert max(pages) == MOST_PAGES
    crossing = {
        s.truth.layout
        for s in (*samples(), *generate(12, 64), *generate(13, 16, ["dot_matrix"]))
        if len({v.page for v in s.truth.values if v.field == "item.amount"}) > 1
    }
    assert crossing == set(LAYOUTS)


def test_every_form_of_page_occurs_and_shows_the_same_size() -> None:
    forms = {sample.truth.form for sample in samples()}
    assert forms == set(FORMS)
    for sample in samples():
        document = pypdfium2.PdfDocument(sample.pdf)
        page = document[0]
        assert page.get_size() == pytest.approx(sample.truth.pages[0], abs=0.01)
        assert (page.get_rotation() == 90) == (sample.truth.form == ROTATED)
        assert (page.get_cropbox() != page.get_mediabox()) == (sample.truth.form == CROPPED)
        assert (sample.truth.form == PLAIN) or page.get_size() == pytest.approx(
            sample.truth.pages[0], abs=0.01
        )
        page.close()
        document.close()


def test_boxes_lie_on_their_pages() -> None:
    for sample in samples():
        for value in sample.truth.values:
            width, height = sample.truth.pages[value.page]
            x0, y0, x1, y1 = value.box
            assert 0 <= x0 < x1 <= width, (sample.name, value)
            assert 0 <= y0 < y1 <= height, (sample.name, value)


def test_a_scan_has_no_text_and_its_boxes_follow_the_skew() -> None:
    for sample in generate(4, 8, scanned_share=1.0):
        assert sample.truth.scanned
        document = pypdfium2.PdfDocument(sample.pdf)
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage()
            assert text.count_chars() == 0
            text.close()
            ink = 255 - np.asarray(page.render(scale=2, grayscale=True).to_pil())
            dark = ink > 110
            page.close()
            for value in sample.truth.values:
                if value.page != number or value.text == "☐":
                    continue
                x0, y0, x1, y1 = (round(2 * c) for c in value.box)
                assert dark[y0:y1, x0:x1].any(), (sample.name, value)
            # The words' boxes hold most of what they should: little ink of theirs lies just beside them.
            lines = [
                v for v in sample.truth.values if v.page == number and v.field == "item.amount"
            ]
            for value in lines:
                x0, y0, x1, y1 = (round(2 * c) for c in value.box)
                inside = int(dark[y0:y1, x0:x1].sum())
                beside = int(dark[y0:y1, x0 - 4 : x0 - 1].sum())
                assert beside <= inside * 0.2, (sample.name, value)
        document.close()


def test_truth_survives_json() -> None:
    for sample in samples()[:16]:
        assert Truth.from_dict(json.loads(json.dumps(sample.truth.to_dict()))) == sample.truth


def test_labels_say_the_same_as_the_truth() -> None:
    sample = samples()[0]
    labels = sample.truth.labels()
    assert labels.complete
    assert labels.absent == set(sample.truth.absent)
    assert [(one.field, one.text, one.row) for one in labels.labels] == [
        (one.field, one.text, one.row) for one in sample.truth.values
    ]


def test_an_unknown_layout_or_language_is_named() -> None:
    with pytest.raises(ValueError, match="'comic' is no layout"):
        list(generate(1, 1, layouts=["comic"]))
    with pytest.raises(ValueError, match="'fr' is no language"):
        list(generate(1, 1, languages=["fr"]))


def test_layouts_and_languages_take_turns() -> None:
    made = [(s.truth.layout, s.truth.language) for s in generate(1, 2 * len(LAYOUTS))]
    assert len(set(made)) == len(LAYOUTS) * len(LANGUAGES)
    only = list(generate(1, 4, layouts=["contract"], languages=["pt"]))
    assert {(s.truth.layout, s.truth.language) for s in only} == {("contract", "pt")}


def test_names_differ_and_are_plain_file_names() -> None:
    names = [sample.name for sample in samples()[:PER_SEED]]
    assert len(set(names)) == PER_SEED
    assert all(re.fullmatch(r"[0-9a-z_-]+\.pdf", name) for name in names)


def test_specs_cover_every_value() -> None:
    from db.models import Field

    rows = [
        Field(
            name=row.name,
            type=row.type,
            label_en=row.label_en,
            label_pt=row.label_pt,
            aliases=list(row.aliases),
            format=row.format,
            required=row.required,
            multiple=row.multiple,
        )
        for row in load(DEMO_FIELDS).rows
    ]
    assert sorted(names_of(to_specs(rows))) == sorted(FIELDS)


def test_our_reader_finds_the_same_words_under_the_boxes() -> None:
    """Letters and digits only: a comma that touches a value belongs to its word, not to the value."""
    forms = set()
    for sample in generate(2, 16):
        forms.add(sample.truth.form)
        pages = read_document(sample.pdf, media_type="application/pdf").pages
        assert [(p.width, p.height) for p in pages] == [
            pytest.approx(size, abs=0.01) for size in sample.truth.pages
        ]
        for value in sample.truth.values:
            if value.field in {"signature", "tax_included"}:
                continue
            _, text = snap(pages[value.page], value.box)
            assert squeeze(text) == squeeze(value.text), (sample.name, value)
    assert forms == set(FORMS)
