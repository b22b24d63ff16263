"""A document as a scanner gives it back: grey pictures of its pages, noisy and a little askew, no text."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pypdfium2
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from fieldloop.demo.generator.truth import TruthValue
from ml_backend.extraction.fields import Box

DPI = 200
MOST_SKEW = 0.8
"""Degrees a page may lie askew, to either side."""
_NOISE = 9.0
_QUALITY = 70


def scan(pdf: bytes, values: Sequence[TruthValue], seed: int) -> tuple[bytes, list[TruthValue]]:
    """The scanned document, and its values with their boxes where the skew has moved them."""
    rng = np.random.default_rng(seed)
    source = pypdfium2.PdfDocument(pdf)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    moved: list[TruthValue] = []
    try:
        for number in range(len(source)):
            page = source[number]
            width, height = page.get_size()
            picture = page.render(scale=DPI / 72, grayscale=True).to_pil()
            page.close()
            angle = float(rng.uniform(-MOST_SKEW, MOST_SKEW))
            canvas.setPageSize((width, height))
            jpeg = ImageReader(io.BytesIO(_worn(picture, angle, rng)))
            canvas.drawImage(jpeg, 0, 0, width, height)
            canvas.showPage()
            moved += [
                replace(value, box=_turned(value.box, angle, (width, height)))
                for value in values
                if value.page == number
            ]
    finally:
        source.close()
    canvas.save()
    return buffer.getvalue(), moved


def _worn(picture: Image.Image, angle: float, rng: np.random.Generator) -> bytes:
    turned = picture.convert("L").rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)
    grey = np.asarray(turned, np.float32) * 0.93 + 8
    grey += rng.normal(0, _NOISE, grey.shape).astype(np.float32)
    out = io.BytesIO()
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _turned(box: Box, angle: float, size: tuple[float, float]) -> Box:
    """The upright box around ``box`` after turning the page counterclockwise about its middle."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    middle_x, middle_y = size[0] / 2, size[1] / 2
    xs, ys = [], []
    for x in (box[0], box[2]):
        for y in (box[1], box[3]):
            dx, dy = x - middle_x, y - middle_y
            xs.append(middle_x + dx * cos + dy * sin)
            ys.append(middle_y - dx * sin + dy * cos)
    return (round(min(xs), 2), round(min(ys), 2), round(max(xs), 2), round(max(ys), 2))
