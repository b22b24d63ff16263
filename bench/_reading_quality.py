"""What reading finds, measured: the words most engines agree on, and turned and cropped pages."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pdfplumber
import pypdfium2 as pdfium2

from db.words import INK_CELL
from ml_backend.reading.pdf_pages import PdfPages
from ml_backend.reading.reader import read_document
from tests.reading.pdfs import Box, line, page_of

MOST_PAGES = 5
"""Pages of a file that are put to the vote."""

Words = Counter[str]


def _counted(words: Iterable[str]) -> Words:
    return Counter(
        word for word in (unicodedata.normalize("NFKC", w).strip() for w in words) if word
    )


def _by_us(path: Path) -> list[Words]:
    """Our words with no regard to what shows on the page: the others have none either."""
    found = []
    pdf = PdfPages(path.read_bytes(), forms=False)
    for number in range(min(len(pdf), MOST_PAGES)):
        with pdf.page(number) as page:
            found.append(_counted(page.text().texts if page else ()))
    pdf.close()
    return found


def _by_pdfium(path: Path) -> list[Words]:
    """pdfium's own plain text, cut at its blanks and line ends."""
    found = []
    with pdfium2.PdfDocument(path) as document:
        for number in range(min(len(document), MOST_PAGES)):
            page = document[number]
            page.set_rotation(0)
            text = page.get_textpage().get_text_range()
            found.append(_counted(text.replace("\ufffe", "- ").split()))
    return found


def _by_pdfplumber(path: Path) -> list[Words]:
    found = []
    with pdfplumber.open(path) as pdf:
        for page in pdf.pages[:MOST_PAGES]:
            words = page.extract_words(x_tolerance_ratio=0.15)
            found.append(_counted(word["text"] for word in words))
            page.close()
    return found


def _by_poppler(path: Path) -> list[Words]:
    done = subprocess.run(
        ["pdftotext", "-q", "-enc", "UTF-8", "-l", str(MOST_PAGES), str(path), "-"],
        capture_output=True,
        check=False,
    )
    pages = done.stdout.decode("utf-8", "replace").split("\f")[:-1]
    return [_counted(page.split()) for page in pages]


VOTERS: tuple[Callable[[Path], list[Words]], ...] = (_by_pdfium, _by_pdfplumber, _by_poppler)


def consensus_rows(paths: list[Path]) -> Iterator[str]:
    """Words that at least two of three engines give, and how many of them we and each engine find."""
    if shutil.which("pdftotext") is None:
        yield "| consensus words found | not measured: pdftotext is not installed | ≥ 98.5 % |"
        return
    names = ("fieldloop", "pdfium's plain text", "pdfplumber (ratio 0.15)", "pdftotext")
    hits = dict.fromkeys(names, 0)
    given = dict.fromkeys(names, 0)
    agreed = pages = apart = apart_found = 0
    whole = dict.fromkeys(names, 0)
    for path in paths:
        of_file, found = 0, dict.fromkeys(names, 0)
        for answers in zip(_by_us(path), *(read(path) for read in VOTERS), strict=False):
            pages += 1
            votes = answers[1:]
            # The second highest of three counts: so many copies of a word have two voters or more.
            voted = Counter(
                {word: sorted(vote[word] for vote in votes)[1] for word in set().union(*votes)}
            )
            of_file += voted.total()
            without_pdfium = votes[1] & votes[2]
            apart += without_pdfium.total()
            apart_found += (answers[0] & without_pdfium).total()
            for name, answer in zip(names, answers, strict=True):
                found[name] += (answer & voted).total()
                given[name] += answer.total()
        agreed += of_file
        for name in names:
            hits[name] += found[name]
            whole[name] += found[name] >= 0.99 * of_file
    for name in names:
        target = "≥ 98.5 %" if name == "fieldloop" else "–"
        yield (
            f"| consensus words found by {name}, of {agreed} that 2 of 3 engines give "
            f"({len(paths)} files, {pages} pages) | {hits[name] / agreed:.2%}, precision "
            f"{hits[name] / given[name]:.2%}, ≥ 99 % in {whole[name]} files | {target} |"
        )
    yield (
        f"| words found by fieldloop, of {apart} that pdfplumber and pdftotext both give, pdfium not asked "
        f"| {apart_found / apart:.2%} | – |"
    )


_MEDIA: Box = (-20, -30, 612, 792)
_CROPS: tuple[Box | None, ...] = (None, (40, 380, 560, 760), (10, 300, 600, 780))
_TEXT = (
    line(60, 700, "Invoice number 4711")
    + line(60, 660, "Total amount due:", size=9)
    + line(300, 660, "1.234,56", font="F2")
    + line(220, 420, "in the middle of the page", size=20)
)
_EXPECTED = sorted(
    [
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
)
_INKED = 60
"""The darkest cell under a word has at least this much ink, of 255."""


def turned_row() -> str:
    """Four rotations by three crop boxes: each word is there, and there is ink under each word's box."""
    cases = list(product((0, 90, 180, 270), _CROPS))
    right = sum(_is_right(rotate, crop) for rotate, crop in cases)
    return f"| rotation × crop box, every word on its ink | {right} of {len(cases)} | all |"


def _is_right(rotate: int, crop: Box | None) -> bool:
    data = page_of(_TEXT, media=_MEDIA, crop=crop, rotate=rotate)
    (page,) = read_document(data, media_type="application/pdf", pictures=False).pages
    if sorted(page.texts) != _EXPECTED or page.ink is None:
        return False
    low = np.floor(page.boxes[:, :2] / INK_CELL).astype(int)
    high = np.ceil(page.boxes[:, 2:] / INK_CELL).astype(int)
    return all(
        page.ink[y0:y1, x0:x1].max(initial=0) > _INKED
        for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True)
    )
