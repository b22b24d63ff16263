"""Every odd and broken file of the corpus ends in words or in one clear error."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml_backend.reading import guard
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.reader import ReadResult, read_file
from tests.reading.looks import CORPUS

FILES = sorted(CORPUS.rglob("*.pdf"))


@pytest.fixture(scope="module", autouse=True)
def _without_ocr(tmp_path_factory: pytest.TempPathFactory):
    """OCR of pictures would take minutes, and has tests of its own."""
    path = os.environ["PATH"]
    guard.shut_down()
    os.environ["PATH"] = str(tmp_path_factory.mktemp("no programs"))
    yield
    guard.shut_down()
    os.environ["PATH"] = path


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not FILES, reason=f"no odd PDFs are tested: {CORPUS} is not there")
def test_every_file_ends_in_words_or_in_one_clear_error():
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(outcome, FILES))
    errors = [result for result in results if isinstance(result, DocumentError)]
    for error in errors:
        assert re.fullmatch(r"[A-Z][^\n]+\.", str(error))
    assert {error.code for error in errors} <= {"encrypted", "damaged", "no_pages"}
    assert len(errors) < 0.05 * len(FILES)
    pages = [page for result in results if isinstance(result, ReadResult) for page in result.pages]
    assert sum(len(page.texts) for page in pages) > 40_000


def outcome(path: Path) -> ReadResult | DocumentError:
    """What reading a file ends in; its words, if any, are checked."""
    try:
        result = read_file(path, pictures=False, limits=Limits(page_cpu_seconds=4))
    except DocumentError as error:
        return error
    for number, page in enumerate(result.pages):
        assert page.number == number, path.name
        assert np.isfinite(page.boxes).all(), path.name
        assert (page.boxes >= 0).all(), path.name
        assert (page.boxes <= [page.width, page.height] * 2).all(), path.name
        assert (page.boxes[:, :2] <= page.boxes[:, 2:]).all(), path.name
        assert all(page.texts), path.name
        assert len(page.texts) == len(page.boxes) == len(page.sizes) == len(page.fonts), path.name
    for warning in result.warnings:
        assert re.fullmatch(r"[A-Z][^\n]+\.", warning.message), (path.name, warning)
    return result
