"""Bad and hostile files: each ends in one clear error or in its words, and the caller lives."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
import zlib

import psutil
import pytest

from ml_backend.reading import guard
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import MIB, Limits
from ml_backend.reading.reader import read_document, read_file
from tests.reading.looks import codes, read, read_page
from tests.reading.pdfs import line, packed, page_of, pages, pdf, stream

GOOD = page_of(line(72, 700, "all is well"))
WORDS = ("all", "is", "well")
TIGHT = Limits(page_cpu_seconds=2.0, open_cpu_seconds=2.0)


@pytest.fixture(autouse=True)
def _the_reader_still_reads():
    yield
    assert read_page(GOOD).texts == WORDS


def the_nursery() -> psutil.Process:
    (found,) = (
        child
        for child in psutil.Process().children()
        if "ml_backend.reading.nursery" in child.cmdline()
    )
    return found


def failure(data: bytes, *, limits: Limits | None = None) -> DocumentError:
    with pytest.raises(DocumentError) as raised:
        read(data, limits=limits)
    message = str(raised.value)
    assert message.endswith(".")
    assert not re.search(r"Traceback|Error|0x", message)
    return raised.value


def test_not_a_document():
    with pytest.raises(DocumentError, match="neither PDF, PNG, JPEG nor TIFF") as raised:
        read_document(b"MZ\x90\0 this is a program", media_type="application/pdf")
    assert raised.value.code == "unknown_type"


def test_an_empty_file():
    with pytest.raises(DocumentError, match="empty") as raised:
        read_document(b"", media_type="application/pdf")
    assert raised.value.code == "empty"


def test_a_picture_that_claims_to_be_a_pdf():
    with pytest.raises(DocumentError, match="image/png"):
        read_document(b"\x89PNG\r\n\x1a\n....", media_type="application/pdf")


def test_a_file_that_is_too_large_is_not_even_loaded(tmp_path):
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    with pytest.raises(
        DocumentError, match=r"300.0 MB; the limit is 50 MB \(FIELDLOOP_MAX_FILE_MB\)"
    ):
        read_file(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DocumentError, match="cannot be opened") as raised:
        read_file(tmp_path / "none.pdf")
    assert raised.value.code == "not_opened"


def test_a_header_and_nothing_else():
    assert failure(b"%PDF-1.7\n" + bytes(2000)).code == "damaged"


def test_half_a_file():
    found = failure(pages(3, line(72, 700, "text"))[:180])
    assert found.code in ("damaged", "no_pages")


def test_a_broken_cross_reference_table_is_mended():
    broken = re.sub(rb"\d{10} 00000 n", b"0000000007 00000 n", GOOD)
    assert read_page(broken).texts == WORDS


def test_a_lost_first_line_is_read_by_the_fallback():
    result = read(GOOD[GOOD.index(b"1 0 obj") :])
    assert result.pages[0].texts == WORDS
    assert result.reader.startswith("pdfplumber")
    assert codes(result) == ["damaged"]


def test_no_pages():
    empty = pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"])
    assert failure(empty).code in ("no_pages", "damaged")


def test_too_many_pages():
    found = failure(pages(5000))
    assert found.code == "too_many_pages"
    assert "5000 pages; the limit is 1000 (FIELDLOOP_MAX_PAGES)" in str(found)


def test_a_page_as_long_as_a_street():
    found = failure(page_of(b"", media=(0, 0, 100_000, 100_000)))
    assert found.code == "page_too_large"
    assert "100000 × 100000 points" in str(found)


def test_a_large_page_is_drawn_smaller():
    page = read_page(page_of(line(100, 100, "huge", size=500), media=(0, 0, 9_000, 9_000)))
    assert page.texts == ("huge",)
    assert page.width == 9_000


def encrypted(user: str) -> bytes:
    import io

    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(user, "owner", strength=128))
    canvas.drawString(72, 700, "all is well")
    canvas.save()
    return out.getvalue()


def test_a_password_is_needed():
    found = failure(encrypted("secret"))
    assert found.code == "encrypted"
    assert "password" in str(found)


def test_encrypted_for_everybody():
    assert read_page(encrypted("")).texts == WORDS


# Bombs. Small files that ask for hours or gigabytes.


def blank_stream_bomb() -> bytes:
    """A gigabyte of blanks, packed into one megabyte."""
    packer = zlib.compressobj(1)
    block = b" " * (1 << 24)
    content = b"".join(packer.compress(block) for _ in range(64)) + packer.flush()
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
            stream(content, b"/Filter /FlateDecode"),
        ]
    )


def operator_bomb(count: int = 2_000_000) -> bytes:
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            packed(b"BT /F1 1 Tf " + b"1 0 0 1 9 9 Tm (a) Tj " * count + b"ET"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def nested_form_bomb(levels: int = 8) -> bytes:
    """Ten forms in a form in a form …: 10⁸ drawings in two kilobytes."""
    forms = [
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X %d 0 R >> "
        b"/Font << /F1 %d 0 R >> >> /Length %d >>\nstream\n%s\nendstream"
        % (
            5 + level + 1,
            5 + levels,
            len(inner),
            inner,
        )
        for level in range(levels)
        for inner in [b"/X Do " * 10 if level < levels - 1 else b"BT /F1 9 Tf 9 9 Td (a) Tj ET"]
    ]
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
            b"/Resources << /XObject << /X 5 0 R >> >> >>",
            stream(b"/X Do " * 10),
            *forms,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def image_bomb(side: int = 60_000) -> bytes:
    """One bit per pixel, 3.6 thousand million pixels."""
    packer = zlib.compressobj(1)
    row = bytes(side // 8) * 100
    content = b"".join(packer.compress(row) for _ in range(side // 100)) + packer.flush()
    return page_of(
        line(72, 700, "all is well") + b"q 100 0 0 100 72 72 cm /I Do Q",
        resources=b"/XObject << /I 7 0 R >>",
        more=[
            stream(
                content,
                b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 "
                b"/ColorSpace /DeviceGray /Filter /FlateDecode" % (side, side),
            )
        ],
    )


@pytest.mark.parametrize(
    "bomb", [blank_stream_bomb, operator_bomb, nested_form_bomb], ids=lambda bomb: bomb.__name__
)
def test_bombs_end_in_one_clear_error(bomb):
    found = failure(bomb(), limits=TIGHT)
    assert found.code in ("out_of_memory", "timed_out")
    assert "FIELDLOOP_" in str(found), "names the limit that may be raised"


def test_an_image_of_gigabytes_costs_no_words():
    page = read(image_bomb(), limits=Limits(page_cpu_seconds=20)).pages[0]
    assert page.texts == WORDS


def test_two_hundred_thousand_pages():
    kids = b" ".join([b"3 0 R"] * 200_000)
    found = failure(
        pdf(
            [
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [%s] /Count 200000 >>" % kids,
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
            ]
        )
    )
    assert found.code == "too_many_pages"


def test_memory_is_limited():
    assert failure(operator_bomb(), limits=Limits(memory_bytes=400 * MIB)).code == "out_of_memory"


def bomb_among_pages() -> bytes:
    """Five pages; the third is the operators' bomb."""
    kids = b" ".join(b"%d 0 R" % (6 + number) for number in range(5))
    text = line(72, 700, "all is well")
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count 5 /MediaBox [0 0 612 792] >>" % kids,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(text),
            packed(b"BT /F1 1 Tf " + b"1 0 0 1 9 9 Tm (a) Tj " * 2_000_000 + b"ET"),
            *(
                b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
                % (5 if number == 2 else 4)
                for number in range(5)
            ),
        ]
    )


def test_one_bad_page_does_not_take_the_others_with_it():
    seen: list[int] = []
    result = read_document(
        bomb_among_pages(),
        media_type="application/pdf",
        limits=Limits(page_cpu_seconds=1.5),
        on_page=lambda page: seen.append(page.words.number),
    )
    assert seen == [0, 1, 2, 3, 4]
    assert [page.texts for page in result.pages] == [WORDS, WORDS, (), WORDS, WORDS]
    (warning,) = result.warnings
    assert (warning.code in ("timed_out", "out_of_memory"), warning.page) == (True, 2)
    assert warning.message.startswith("Page 3 was not read: it needs more than")


def test_the_reading_process_sees_no_secret(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    guard.shut_down()
    read_page(GOOD)
    nursery = the_nursery()
    assert "DATABASE_URL" not in nursery.environ()


def test_a_nursery_that_was_killed_is_replaced():
    read_page(GOOD)
    nursery = the_nursery()
    nursery.kill()
    nursery.wait()
    assert read_page(GOOD).texts == WORDS


def _read_in_fork(answers) -> None:
    answers.put(read_page(GOOD).texts)


def test_from_a_forked_worker():
    """As an RQ work horse does: the parent has threads and a nursery of its own."""
    read_page(GOOD)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        horse = context.Process(target=_read_in_fork, args=(answers,))
        horse.start()
        assert answers.get() == WORDS
        horse.join(10)
        assert horse.exitcode == 0
    finally:
        stop.set()
        thread.join()


def test_from_threads_at_once():
    found: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: found.append(read_page(GOOD).texts)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [WORDS] * 6


def test_nothing_stays_behind_when_the_caller_dies():
    context = multiprocessing.get_context("fork")

    def horse() -> None:
        read_document(
            nested_form_bomb(),
            media_type="application/pdf",
            limits=Limits(page_cpu_seconds=300, memory_bytes=1024 * MIB),
            on_page=lambda page: None,
        )

    guard.warm_up()
    nursery = the_nursery()
    process = context.Process(target=horse)
    process.start()
    until = time.monotonic() + 20
    while not nursery.children(recursive=True) and time.monotonic() < until:
        time.sleep(0.02)
    assert nursery.children(recursive=True), "a keeper and a reading process are at work"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while nursery.children(recursive=True) and time.monotonic() < until:
        time.sleep(0.02)
    assert nursery.children(recursive=True) == []
