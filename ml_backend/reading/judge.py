"""What a page is, by what was found on it: where its words are to come from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PageKind(Enum):
    """Where a page's words come from."""

    TEXT = "text"  # its text layer
    OCR_LAYER = "ocr_layer"  # a scan under invisible text: that text
    SCAN = "scan"  # a picture without text
    DRAWN_TEXT = "drawn_text"  # no text and no picture, but ink: letters drawn as outlines
    BROKEN_MAP = "broken_map"  # text whose characters have no Unicode value
    LOST = "lost"  # pdfium gave far less text than there is


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted on a page."""

    chars: int
    text_objects: int
    invisible_text_objects: int
    image_cover: float
    map_error_share: float
    ink: float
    """Share of the page that is dark, 0..1."""


FEW_CHARS = 10
MUCH_IMAGE = 0.5
MOSTLY_INVISIBLE = 0.8
MANY_MAP_ERRORS = 0.3
SOME_INK = 0.0005


def kind_of(page: Evidence) -> PageKind:
    """Rules measured on a corpus of odd files; each is about one way in which a text layer misleads."""
    if page.chars < FEW_CHARS and page.image_cover > MUCH_IMAGE:
        return PageKind.SCAN
    if page.chars == 0 and page.text_objects == 0 and page.ink > SOME_INK:
        return PageKind.DRAWN_TEXT
    if page.chars < page.text_objects / 2:
        return PageKind.LOST
    if page.map_error_share > MANY_MAP_ERRORS:
        return PageKind.BROKEN_MAP
    if (
        page.image_cover > MUCH_IMAGE
        and page.invisible_text_objects > MOSTLY_INVISIBLE * page.text_objects
    ):
        return PageKind.OCR_LAYER
    return PageKind.TEXT
