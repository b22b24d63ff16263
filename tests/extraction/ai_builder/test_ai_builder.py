"""AI Builder's own samples: learn from five, read the sixth. The layout with a text layer."""

from __future__ import annotations

import numpy as np
import pypdfium2
import pytest

from ml_backend.extraction.estimator import FieldExtractor
from ml_backend.extraction.fields import Box, Extraction, FieldSpec, PageLike
from ml_backend.extraction.normalize import normalize
from ml_backend.extraction.zero_shot import ZeroShotExtractor
from tests.extraction.ai_builder.samples import ARCHIVE, Sample, documents, labels, load
from tests.extraction.pages import Page

pytestmark = pytest.mark.skipif(
    not ARCHIVE.exists(), reason=f"AI Builder's samples are not at {ARCHIVE}; they are not shipped"
)


def read(data: bytes) -> list[PageLike]:
    """Words of a text layer, split at blanks and wide gaps."""
    pdf = pypdfium2.PdfDocument(data)
    pages: list[PageLike] = []
    for number in range(len(pdf)):
        source = pdf[number]
        width, height = source.get_size()
        characters = source.get_textpage()
        words: list[tuple[str, Box]] = []
        fresh = True
        for i in range(characters.count_chars()):
            character = characters.get_text_range(i, 1)
            if not character.strip():
                fresh = True
                continue
            left, bottom, right, top = characters.get_charbox(i, loose=True)
            box = (left, height - top, right, height - bottom)
            if not fresh:
                text, before = words[-1]
                wide = box[0] - before[2] > 0.3 * (before[3] - before[1])
                fresh = wide or abs(box[1] - before[1]) > 4 or box[0] < before[0]
            if fresh:
                words.append((character, box))
            else:
                low = (min(before[0], box[0]), min(before[1], box[1]))
                words[-1] = (
                    text + character,
                    (*low, max(before[2], box[2]), max(before[3], box[3])),
                )
            fresh = False
        boxes = np.array([box for _, box in words], np.float32).reshape(-1, 4)
        pages.append(Page(number, tuple(text for text, _ in words), boxes, width, height))
    pdf.close()
    return pages


def wrong(found: Extraction, sample: Sample, fields: tuple[FieldSpec, ...]) -> list[str]:
    """What differs from the truth after normalisation: fields and table cells."""
    specs = {spec.name: spec for spec in fields}
    columns = {c.name: c for spec in fields for c in spec.columns}
    single = {v.field: v.normalised for v in found.values if v.row is None}
    cells = {
        (v.row, v.field.split(".")[1]): v.normalised for v in found.values if v.row is not None
    }
    missed = [
        name
        for name, text in sample.fields.items()
        if single.get(name) != (None if text is None else normalize(text, specs[name]).value)
    ]
    wanted = {
        (number, name): normalize(text, columns[name]).value
        for number, row in enumerate(sample.rows)
        for name, text in row.items()
    }
    keys = sorted({*wanted, *cells}, key=str)
    return missed + [f"row {key[0]} {key[1]}" for key in keys if wanted.get(key) != cells.get(key)]


def test_five_documents_teach_the_sixth() -> None:
    fields, samples = load("adatum")
    made = documents(samples, read)
    taught = [i for i, sample in enumerate(samples) if not sample.test]
    given = [labels(made[i], samples[i]) for i in taught]
    assert all(one.complete for one in given)
    extractor = FieldExtractor(fields).fit([made[i] for i in taught], given)
    for i, sample in enumerate(samples):
        if sample.test:
            assert wrong(extractor.predict([made[i]])[0], sample, fields) == []


def test_labels_alone_find_four_fields_in_five() -> None:
    fields, samples = load("adatum")
    made = documents(samples, read)
    answers = ZeroShotExtractor(fields).predict(made)
    total = sum(len(s.fields) + sum(len(row) for row in s.rows) for s in samples)
    missed = sum(len(wrong(a, s, fields)) for a, s in zip(answers, samples, strict=True))
    assert 1 - missed / total >= 0.8
