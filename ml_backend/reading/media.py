"""What kind of file some bytes are, by what they begin with; names and declared types are not believed."""

from __future__ import annotations

PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"

MEDIA_TYPES = (PDF, PNG, JPEG, TIFF)
"""Every media type that can be read."""

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
)
_PDF_HEADER_WITHIN = 1024
"""PDF readers accept a header that is not at the very start, but within this many bytes."""


def sniff(data: bytes) -> str | None:
    """The media type of ``data``, or None if it is nothing that can be read."""
    for beginning, media_type in _BEGINNINGS:
        if data.startswith(beginning):
            return media_type
    start = data[:_PDF_HEADER_WITHIN]
    if b"%PDF-" in start:
        return PDF
    # Files that lost their first line are still read by their objects.
    return PDF if b" obj" in start and b"%%EOF" in data[-_PDF_HEADER_WITHIN:] else None
