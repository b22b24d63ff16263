"""Reading, measured beside pdfplumber on the same files in one run: ``make bench-read``.

CPU time of this process. In every round each reader reads all the files in a row, as a process that reads
documents does; the readers take turns, and another begins each time. ``--turns file`` has them take turns on
every file instead, which charges a fast reader for the caches that pdfplumber has just emptied. Prints Markdown.
``--only`` runs some of the parts: speed, pictures, stored, quality, memory.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pdfplumber
import pypdfium2 as pdfium2
import pypdfium2.raw as raw
from pdfminer.pdfparser import PDFSyntaxError
from pdfplumber.utils.exceptions import PdfminerException

from bench._reading_quality import consensus_rows, turned_row
from db.words import WordSource, make_page, pack, snap, unpack
from ml_backend.reading import frames, guard
from ml_backend.reading.errors import DocumentError
from ml_backend.reading.frames import Request
from ml_backend.reading.limits import MIB, Limits
from ml_backend.reading.page_image import DPI, dots_for, encode
from ml_backend.reading.page_objects import image_cover
from ml_backend.reading.pdf_pages import PdfPages, PdfRefused
from ml_backend.reading.reader import read_file
from ml_backend.reading.word_table import from_text_layer, on_page

CORPUS = Path(__file__).parents[2] / "shared" / "pdf" / "corpus"
MOST_PAGES = 60
FEWEST_WORDS = 20
QUICK_PASSES = 3
"""All the files take pdfplumber half a minute and the others half a second, too short to be measured once."""


def fieldloop_words(data: bytes) -> list[int]:
    """Words of each page, with boxes as displayed, fonts and sizes."""
    counts = []
    pdf = PdfPages(data, forms=False)
    for number in range(min(len(pdf), MOST_PAGES)):
        with pdf.page(number) as page:
            if page is None:
                continue
            words, _ = on_page(
                from_text_layer(page.text(), page.frame, WordSource.TEXT),
                page.frame.width,
                page.frame.height,
            )
        counts.append(len(words))
    pdf.close()
    return counts


def plumber_words(data: bytes) -> list[int]:
    counts = []
    with pdfplumber.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages[:MOST_PAGES]:
            counts.append(len(page.extract_words(extra_attrs=["fontname", "size"])))
            page.close()
    return counts


def pdfium_alone(data: bytes) -> list[int]:
    """The limit: load pages and their text, look at nothing."""
    counts = []
    document = raw.FPDF_LoadMemDocument64(data, len(data), None)
    for number in range(min(raw.FPDF_GetPageCount(document), MOST_PAGES)):
        page = raw.FPDF_LoadPage(document, number)
        if page:
            text = raw.FPDFText_LoadPage(page)
            counts.append(raw.FPDFText_CountChars(text))
            raw.FPDFText_ClosePage(text)
            raw.FPDF_ClosePage(page)
    raw.FPDF_CloseDocument(document)
    return counts


READERS: dict[str, Callable[[bytes], list[int]]] = {
    "fieldloop": fieldloop_words,
    "pdfium alone": pdfium_alone,
    "pdfplumber": plumber_words,
}


@dataclass
class Timed:
    """A file: its pages and words by us, and the CPU seconds of each reader, round by round."""

    path: Path
    pages: int
    words: int
    seconds: dict[str, list[float]]

    def ratios(self, name: str) -> list[float]:
        """How many times as fast as pdfplumber, by round."""
        slow, own = self.seconds["pdfplumber"], self.seconds[name]
        return [theirs / ours for theirs, ours in zip(slow, own, strict=True)]


def first_look(data: bytes) -> dict[str, list[int]] | None:
    """What every reader counts; None for a file that one of them refuses: it cannot be compared."""
    try:
        return {name: read(data) for name, read in READERS.items()}
    except (PdfRefused, DocumentError, PdfminerException, PDFSyntaxError, TypeError, ValueError):
        return None


def _has_words(counts: dict[str, list[int]]) -> bool:
    return min(sum(counts["fieldloop"]), sum(counts["pdfplumber"])) >= FEWEST_WORDS


def comparable(paths: list[Path]) -> list[Timed]:
    """The files the readers can be compared on, not timed."""
    found = []
    for path in paths:
        counts = first_look(path.read_bytes())
        if counts is not None and _has_words(counts):
            ours = counts["fieldloop"]
            found.append(Timed(path, len(ours), sum(ours), {name: [] for name in READERS}))
    return found


def measure(files: list[Timed], rounds: int, turns: str) -> None:
    """Adds ``rounds`` rounds to the files' seconds."""
    datas = [file.path.read_bytes() for file in files]
    # As the process that reading processes are forked from: no collection has to go through the libraries.
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        names = list(READERS)
        names = names[number % len(names) :] + names[: number % len(names)]
        if turns == "file":
            for file, data in zip(files, datas, strict=True):
                for name in names:
                    _read_in_a_row(name, [file], [data], 1)
        else:
            for name in names:
                _read_in_a_row(name, files, datas, 1 if name == "pdfplumber" else QUICK_PASSES)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    gc.unfreeze()


def _read_in_a_row(name: str, files: list[Timed], datas: list[bytes], passes: int) -> None:
    """All the files, ``passes`` times over; a file's seconds of this round are their median."""
    read = READERS[name]
    gc.collect()
    took: list[list[float]] = [[] for _ in files]
    for _ in range(passes):
        for seconds, data in zip(took, datas, strict=True):
            start = time.process_time()
            read(data)
            seconds.append(time.process_time() - start)
    for file, seconds in zip(files, took, strict=True):
        file.seconds[name].append(statistics.median(seconds))


def speed_rows(timed: list[Timed]) -> Iterator[str]:
    pages = sum(file.pages for file in timed)
    total = {name: sum(statistics.median(file.seconds[name]) for file in timed) for name in READERS}
    yield f"{len(timed)} files, {pages} pages, {sum(file.words for file in timed)} words."
    yield ""
    yield "| reader | pages/s (CPU) | × pdfplumber, sum | × pdfplumber, median file | single rounds | ms/page |"
    yield "|---|---|---|---|---|---|"
    for name in READERS:
        ratios = [file.ratios(name) for file in timed]
        rounds = [statistics.median(found) for found in zip(*ratios, strict=True)]
        yield (
            f"| {name} | {pages / total[name]:.0f} | {total['pdfplumber'] / total[name]:.1f} "
            f"| {statistics.median(map(statistics.median, ratios)):.1f} "
            f"| {min(rounds):.1f} – {max(rounds):.1f} | {1000 * total[name] / pages:.2f} |"
        )


def image_rows(paths: list[Path]) -> Iterator[str]:
    """Page pictures at 150 dpi, up to two pages of each file."""
    took: dict[str, list[tuple[float, float, float]]] = {"image/png": [], "image/jpeg": []}
    for path in paths:
        pdf = PdfPages(path.read_bytes())
        for number in range(min(len(pdf), 2)):
            with pdf.page(number) as page:
                if page is None:
                    continue
                frame = page.frame
                cover = image_cover(page.objects(), frame)
                start = time.process_time()
                picture = page.render(
                    dots_for(frame.width, frame.height, DPI, Limits().page_pixels)
                )
                drawn = time.process_time()
                image = encode(number, picture, photo=cover > 0.5)
                end = time.process_time()
                took[image.media_type].append((drawn - start, end - drawn, len(image.data) / 1024))
    yield "| page picture, 150 dpi | pages | draw ms, median | encode ms, median | both, mean | KiB, median |"
    yield "|---|---|---|---|---|---|"
    for media_type, rows in took.items():
        if rows:
            draw, code, size = (np.array(column) for column in zip(*rows, strict=True))
            yield (
                f"| {media_type} | {len(rows)} | {1000 * np.median(draw):.1f} | {1000 * np.median(code):.1f} "
                f"| {1000 * (draw + code).mean():.1f} | {np.median(size):.0f} |"
            )


def snap_row() -> str:
    page = make_page(
        0,
        612,
        792,
        [
            (f"word{i}", (12 * (i % 50), 38 * (i // 50), 12 * (i % 50) + 11, 38 * (i // 50) + 10))
            for i in range(1000)
        ],
    )
    times = []
    for i in range(1000):
        box = (12 * (i % 40), 38 * (i % 18), 12 * (i % 40) + 60, 38 * (i % 18) + 60)
        start = time.perf_counter()
        snap(page, box)
        times.append(time.perf_counter() - start)
    return f"| box → words, 1,000-word page | {1000 * statistics.median(times):.3f} ms | ≤ 0.1 ms |"


def load_row(paths: list[Path]) -> str:
    """Ten dense pages, from their stored bytes to every word and array in hand."""
    pages = []
    for path in paths:
        for page in read_file(path, pictures=False).pages:
            pages.append(page)
            if len(pages) == 10:
                break
        if len(pages) == 10:
            break
    data = pack(pages)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        unpack(data)
        times.append(time.perf_counter() - start)
    words = sum(len(page.texts) for page in pages)
    return (
        f"| load 10 stored pages ({words} words, {len(data) / 1024:.0f} KiB) "
        f"| {1000 * statistics.median(times):.2f} ms | ≤ 1 ms |"
    )


def thousand_pages(paths: list[Path]) -> bytes:
    """A document of 1,000 pages: those of dense files, over and over, each page an object of its own."""
    document = pdfium2.PdfDocument.new()
    for path in itertools.cycle(paths):
        with pdfium2.PdfDocument(path) as source:
            count = min(len(source), 1000 - len(document))
            document.import_pages(source, list(range(count)))
        if len(document) == 1000:
            break
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def memory_rows(data: bytes) -> Iterator[str]:
    """Peak resident memory of the process that reads, as the kernel counts it: interpreter, libraries, the file.

    It is forked from one that has loaded the libraries; what the two share is counted here all the same.
    """
    for pictures in (False, True):
        limits = Limits(file_bytes=1 << 30)
        request = Request("application/pdf", "eng", limits, pictures)
        pages = 0
        ended: dict[str, float] = {}
        for kind, payload in guard.converse(request, data):
            pages += kind == frames.PAGE
            if kind == frames.ENDED:
                ended = json.loads(payload)
        yield (
            f"| peak memory of reading {pages} pages ({len(data) / MIB:.0f} MB) "
            f"{'with' if pictures else 'without'} pictures, {ended['cpu_seconds']:.0f} s of CPU "
            f"| {ended['peak_kib'] / 1024:.0f} MB | ≤ 120 MB |"
        )


PARTS = ("speed", "pictures", "stored", "quality", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", choices=("round", "file"), default="round")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder of PDF files")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    arguments = parser.parse_args()
    paths = sorted(arguments.corpus.rglob("*.pdf"))
    if not paths:
        sys.exit(f"{arguments.corpus} holds no PDF file; name another folder with --corpus.")
    logging.disable(logging.CRITICAL)
    files = comparable(paths)
    if "speed" in arguments.only:
        measure(files, arguments.rounds, arguments.turns)
        print("\n".join(speed_rows(files)), end="\n\n")
    if "pictures" in arguments.only:
        print("\n".join(image_rows([file.path for file in files])), end="\n\n")
    dense = [file.path for file in sorted(files, key=lambda file: -file.words / file.pages)]
    print("| what | measured | target |")
    print("|---|---|---|")
    if "stored" in arguments.only:
        print(snap_row())
        print(load_row(dense))
    if "quality" in arguments.only:
        print("\n".join(consensus_rows([file.path for file in files])))
        print(turned_row())
    if "memory" in arguments.only:
        print("\n".join(memory_rows(thousand_pages(dense[:12]))))


if __name__ == "__main__":
    main()
