"""The embedded fonts of the samples: Bitstream Vera, which reportlab brings along."""

from __future__ import annotations

from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

SANS: Final = "Vera"
SANS_BOLD: Final = "VeraBd"

for _name in (SANS, SANS_BOLD):
    pdfmetrics.registerFont(TTFont(_name, f"{_name}.ttf"))
