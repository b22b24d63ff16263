"""PDF files written by hand, byte by byte: each shows one thing that goes wrong in the wild."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

Box = tuple[float, float, float, float]
LETTER: Box = (0, 0, 612, 792)
FONTS = b"/F1 4 0 R /F2 5 0 R"


def pdf(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1; the first is the catalog."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        trailer,
        start,
    )
    return bytes(out)


def stream(content: bytes, extra: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), extra, content)


def packed(content: bytes, extra: bytes = b"") -> bytes:
    return stream(zlib.compress(content, 9), b"/Filter /FlateDecode " + extra)


def page_of(
    content: bytes,
    *,
    media: Box = LETTER,
    crop: Box | None = None,
    rotate: int = 0,
    page: bytes = b"",
    resources: bytes = b"",
    catalog: bytes = b"",
    fonts: bytes = FONTS,
    more: Sequence[bytes] = (),
) -> bytes:
    """One page in Helvetica (F1) and Helvetica-Bold (F2). ``more`` objects are numbered from 7."""
    boxes = b"/MediaBox [%g %g %g %g]" % media
    if crop is not None:
        boxes += b" /CropBox [%g %g %g %g]" % crop
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R %s /Rotate %d /Contents 6 0 R "
            b"/Resources << /Font << %s >> %s >> %s >>" % (boxes, rotate, fonts, resources, page),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
            stream(content),
            *more,
        ]
    )


def line(x: float, y: float, words: str, *, size: float = 12, font: str = "F1") -> bytes:
    """Text at a place, from the bottom left."""
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"BT /%s %g Tf 1 0 0 1 %g %g Tm (%s) Tj ET\n" % (
        font.encode(),
        size,
        x,
        y,
        escaped.encode("cp1252"),
    )


def pages(count: int, content: bytes = b"") -> bytes:
    """``count`` pages, each its own object, all with the same content."""
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(count))
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 612 792] >>" % (kids, count),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(content),
            *(
                b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
                for _ in range(count)
            ),
        ]
    )


def blocks_font(letters: Mapping[str, str], first: int) -> tuple[bytes, list[bytes]]:
    """A font whose every letter is a black block, and what each code means in Unicode.

    ``letters`` maps a code's character to its meaning ("" for none at all). Gives the font object and the
    objects behind it, whose numbers begin at ``first``.
    """
    codes = sorted(letters)
    names = b" ".join(b"%d /g%d" % (ord(code), ord(code)) for code in codes)
    procs = b" ".join(b"/g%d %d 0 R" % (ord(code), first + 1) for code in codes)
    pairs = b"".join(
        b"<%02x> <%s>\n" % (ord(code), letters[code].encode("utf-16-be").hex().encode())
        for code in codes
        if letters[code]
    )
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        b"1 begincodespacerange <00> <ff> endcodespacerange\n%d beginbfchar\n%sendbfchar\n"
        b"endcmap end end" % (pairs.count(b"\n"), pairs)
    )
    low, high = ord(codes[0]), ord(codes[-1])
    font = (
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 600 700] /FontMatrix [0.001 0 0 0.001 0 0] "
        b"/FirstChar %d /LastChar %d /Widths [%s] /Encoding << /Type /Encoding /Differences [%s] >> "
        b"/CharProcs << %s >> /ToUnicode %d 0 R >>"
        % (low, high, b" ".join([b"600"] * (high - low + 1)), names, procs, first)
    )
    glyph = stream(b"600 0 0 0 600 700 d1 50 0 500 700 re f")
    return font, [stream(cmap), glyph]
