"""What reading a page gives, and its form on the way out of the reading process."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass

from db.words import PageWords, pack, unpack
from ml_backend.reading.page_image import PageImage


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a reviewer should know; ``page`` is 0-based, None for the whole document."""

    code: str
    page: int | None
    message: str


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page: its words, its picture, what was odd, and whether its words need an OCR engine that is not there."""

    words: PageWords
    image: PageImage
    warnings: tuple[Warned, ...] = ()
    needs_ocr: bool = False
    tools: tuple[str, ...] = ()
    """Programs other than pdfium that gave words of this page, with their versions."""


_HEADER = struct.Struct("<III")


def to_bytes(page: PageRead) -> bytes:
    """For the reading process to send; ``from_bytes`` is its inverse."""
    words = pack([page.words])
    image = page.image
    about = json.dumps(
        {
            "page": image.page,
            "media_type": image.media_type,
            "width_px": image.width_px,
            "height_px": image.height_px,
            "needs_ocr": page.needs_ocr,
            "tools": page.tools,
            "warnings": [asdict(warning) for warning in page.warnings],
        }
    ).encode()
    return b"".join(
        [_HEADER.pack(len(about), len(words), len(image.data)), about, words, image.data]
    )


def from_bytes(data: bytes) -> PageRead:
    """A page as the reading process sent it."""
    about_size, words_size, image_size = _HEADER.unpack_from(data)
    at = _HEADER.size
    about = json.loads(data[at : at + about_size])
    at += about_size
    (words,) = unpack(data[at : at + words_size])
    at += words_size
    return PageRead(
        words=words,
        image=PageImage(
            about["page"],
            data[at : at + image_size],
            about["media_type"],
            about["width_px"],
            about["height_px"],
        ),
        warnings=tuple(Warned(**warning) for warning in about["warnings"]),
        needs_ocr=about["needs_ocr"],
        tools=tuple(about["tools"]),
    )
