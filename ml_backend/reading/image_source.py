"""PNG, JPEG and TIFF: every picture in the file is a page, and all its words come from OCR."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL import __version__ as pillow_version

from ml_backend.reading.errors import DocumentError
from ml_backend.reading.limits import Limits
from ml_backend.reading.page_image import DPI, blank, dots_for, encode, ink_of
from ml_backend.reading.page_read import PageRead, Warned
from ml_backend.reading.scans import read_scan, turned
from ml_backend.reading.word_table import page_words

_LONG_SIDE = 842.0
"""Points of a page's long side (A4) where the file does not say how large it is."""
_SMALL, _LARGE = 144.0, 2000.0
"""A long side outside this range is a wrong resolution in the file, not a page."""
MAX_PIXELS = 120_000_000
MAX_SIDE = 50_000
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
"""The EXIF tag that says how the camera was held, and its values for a quarter turn."""
_UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError)
"""What Pillow raises for damaged files."""


class ImageSource:
    """An open picture file."""

    def __init__(self, data: bytes, languages: str, limits: Limits) -> None:
        """Raises DocumentError."""
        self._languages = languages
        self._limits = limits
        self.reader = f"Pillow {pillow_version}"
        # Our own limits are checked on every page; Pillow's would only warn.
        Image.MAX_IMAGE_PIXELS = None
        try:
            self._file = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "TIFF"))
            self._pages = int(getattr(self._file, "n_frames", 1))
        except _UNREADABLE as error:
            raise DocumentError(
                "damaged", "The picture is damaged and cannot be opened; save or scan it again."
            ) from error

    def __len__(self) -> int:
        return self._pages

    def warnings(self) -> list[Warned]:
        return []

    def size(self, number: int) -> tuple[float, float]:
        self._go_to(number)
        wide, high = self._file.size
        try:
            lying = self._file.getexif().get(_ORIENTATION, 1) in _LYING
        except _UNREADABLE as error:
            raise _damaged(number) from error
        if lying:
            wide, high = high, wide
        points = 72 / self._dpi()
        return wide * points, high * points

    def read(self, number: int, *, draw: bool, picture: bool) -> PageRead:
        self._go_to(number)
        dpi = self._dpi()
        scan = _flat(self._load(number))
        limit = min(self._limits.page_pixels, 25_000_000)
        if scan.width * scan.height > limit:
            shrink = (limit / (scan.width * scan.height)) ** 0.5
            dpi *= shrink
            scan = scan.resize(
                (max(1, int(scan.width * shrink)), max(1, int(scan.height * shrink))),
                Image.Resampling.BOX,
            )
        scanned = read_scan(lambda: scan.convert("L"), dpi, self._languages, self._limits)
        scan = turned(scan, scanned.quarter_turns)
        width, height = scan.width * 72 / dpi, scan.height * 72 / dpi
        warnings = [
            Warned(code, number, f"Page {number + 1} {message}")
            for code, message in scanned.problems
        ]
        if scanned.quarter_turns:
            warnings.append(
                Warned(
                    "turned",
                    number,
                    f"Page {number + 1} lay on its side or upside down; it is shown turned by "
                    f"{scanned.quarter_turns * 90}°.",
                )
            )
        shown = dots_for(width, height, DPI, self._limits.page_pixels)
        if dpi > shown:
            size = (max(1, round(width * shown / 72)), max(1, round(height * shown / 72)))
            smaller = scan.resize(size, Image.Resampling.BOX)
        else:
            smaller = scan
        return PageRead(
            words=page_words(
                number,
                width,
                height,
                scanned.words,
                np.zeros((0, 4)),
                1.0,
                ink_of(smaller.convert("L"), width, height),
            ),
            image=encode(number, smaller, photo=True)
            if picture
            else blank(number, width, height, self._limits.page_pixels),
            warnings=tuple(warnings),
            needs_ocr=scanned.needs_ocr,
            tools=scanned.tools,
        )

    def _go_to(self, number: int) -> None:
        try:
            self._file.seek(number)
        except _UNREADABLE as error:
            raise _damaged(number) from error
        wide, high = self._file.size
        if wide * high > MAX_PIXELS or max(wide, high) > MAX_SIDE:
            raise DocumentError(
                "page_too_large",
                f"Page {number + 1} is {wide} × {high} pixels; the limit is {MAX_PIXELS // 1_000_000} million "
                f"pixels and {MAX_SIDE} a side. Scan it at a lower resolution (300 dpi is enough).",
            )

    def _load(self, number: int) -> Image.Image:
        try:
            self._file.load()
            return ImageOps.exif_transpose(self._file)
        except _UNREADABLE as error:
            raise _damaged(number) from error

    def _dpi(self) -> float:
        """Dots per inch by the file, or such that the picture is a page of paper."""
        across = self._file.info.get("dpi", (0, 0))[0]
        long_side = max(self._file.size)
        try:
            points = long_side * 72 / float(across)
        except (ZeroDivisionError, ValueError, TypeError):
            points = 0.0
        if _SMALL <= points <= _LARGE:
            return float(across)
        return long_side * 72 / _LONG_SIDE


def _damaged(number: int) -> DocumentError:
    return DocumentError(
        "damaged", f"Page {number + 1} of the picture is damaged; save or scan it again."
    )


def _flat(picture: Image.Image) -> Image.Image:
    """Grey or RGB on white: transparent parts are paper, 16-bit values become 8."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        values = np.asarray(picture).astype(np.float64)
        top = values.max() if values.size else 0.0
        return Image.fromarray(
            (values * (255 / top if top > 255 else 1)).clip(0, 255).astype(np.uint8)
        )
    if picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        paper = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(paper, over).convert("RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")
