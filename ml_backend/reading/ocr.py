"""Words from a picture, by tesseract: turned upright, straightened, and put back where they are on the page."""

from __future__ import annotations

import functools
import io
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

OCR_DPI = 300
_ENOUGH_ORIENTATION = 2.0
"""tesseract's own measure of how sure it is; blank and picture pages stay below."""
_ENOUGH_LETTERS, _ENOUGH_CONFIDENCE = 20, 0.75
_LARGEST_SKEW = 6.0
_SMALLEST_SKEW = 0.25
_LOW_CONFIDENCE = 0.15


class OcrFailed(Exception):
    """tesseract did not read a page; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class OcrWords:
    """Words in reading order; boxes (n, 4) in pixels of the upright picture; confidences 0..1."""

    texts: list[str]
    boxes: NDArray[np.float64]
    confidences: NDArray[np.float64]


@functools.cache
def engine() -> str | None:
    """Name and version of the OCR engine, or None if it is not installed."""
    if shutil.which("tesseract") is None:
        return None
    try:
        said = subprocess.run(
            ["tesseract", "--version"], capture_output=True, timeout=20, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = (said.stdout or said.stderr).split()
    return " ".join(words[:2]) if len(words) > 1 else "tesseract"


@functools.cache
def installed_languages() -> frozenset[str]:
    """What the engine can read, by its own codes (``por``, ``eng``; ``osd`` is orientation)."""
    if engine() is None:
        return frozenset()
    said = _run(["--list-langs"], b"", 20)
    return frozenset(said.decode("utf-8", "replace").split("\n")[1:]) - {""}


def usable_languages(wanted: str) -> tuple[str, list[str]]:
    """The wanted languages (``por+eng``) that are installed, and those that are not."""
    names = [name for name in re.split(r"[+,\s]+", wanted) if name]
    have = installed_languages()
    missing = [name for name in names if name not in have]
    usable = [name for name in names if name in have]
    if not usable and have - {"osd"}:
        usable = ["eng"] if "eng" in have else sorted(have - {"osd"})[:1]
    return "+".join(usable), missing


def quarter_turns(grey: Image.Image, seconds: float) -> int:
    """How many quarter turns clockwise make the picture upright; 0 where that cannot be told."""
    if "osd" not in installed_languages():
        return 0
    try:
        said = _run(["stdin", "stdout", "-l", "osd", "--psm", "0"], _pgm(grey), seconds).decode()
    except OcrFailed:
        return 0  # "Too few characters": an empty or nearly empty page has no up and down
    turn = re.search(r"Rotate: (\d+)", said)
    sure = re.search(r"Orientation confidence: ([\d.]+)", said)
    if turn is None or sure is None or float(sure[1]) < _ENOUGH_ORIENTATION:
        return 0
    return int(turn[1]) // 90 % 4


def skew_of(grey: Image.Image) -> float:
    """Degrees, counter-clockwise, by which the lines of a picture rise; 0 where none is seen.

    The sum of the ink of each pixel row varies most when the rows run along the lines.
    """
    small = grey.convert("L")
    small.thumbnail((900, 900), Image.Resampling.BOX)
    pixels = np.asarray(small).astype(np.float32)
    dark = (pixels < pixels.mean() - 0.5 * pixels.std()).astype(np.float32)
    rows, columns = np.nonzero(dark)
    if rows.size < 200:
        return 0.0

    def sharpness(degrees: float) -> float:
        slope = np.tan(np.radians(degrees))
        shifted = (rows + slope * (columns - small.width / 2)).round().astype(int)
        counts = np.bincount(shifted - shifted.min()).astype(np.float64)
        return float((np.diff(counts) ** 2).sum())

    steps = int(_LARGEST_SKEW * 2)
    coarse = max((step / 2 for step in range(-steps, steps + 1)), key=sharpness)
    fine = max((coarse + step / 10 for step in range(-4, 5)), key=sharpness)
    if abs(fine) < _SMALLEST_SKEW or sharpness(fine) < 1.15 * sharpness(0.0):
        return 0.0
    return fine


def is_convincing(words: OcrWords) -> bool:
    """Were enough letters read, and with enough confidence, for the page to be the right way up?"""
    letters = np.array([sum(map(str.isalnum, text)) for text in words.texts])
    total = letters.sum() if letters.size else 0
    if not total:
        return False
    # Tesseract reads some pages that lie on their side, and well: their words stand higher than wide.
    long = letters >= 4
    sides = words.boxes[:, 2:] - words.boxes[:, :2]
    if long.any() and (sides[long, 1] > sides[long, 0]).mean() > 0.5:
        return False
    return bool(
        total >= _ENOUGH_LETTERS
        and (words.confidences * letters).sum() >= _ENOUGH_CONFIDENCE * total
    )


def read_picture(grey: Image.Image, languages: str, dpi: float, seconds: float) -> OcrWords:
    """The words of an upright picture. Raises OcrFailed."""
    skew = skew_of(grey)
    straight = grey.rotate(-skew, Image.Resampling.BICUBIC, fillcolor=255) if skew else grey
    said = _run(
        ["stdin", "stdout", "-l", languages, "--psm", "3", "--dpi", str(round(dpi)), "tsv"],
        _pgm(straight),
        seconds,
    )
    words = _parse(said.decode("utf-8", "replace"))
    if skew and words.texts:
        words = OcrWords(words.texts, _turned_back(words.boxes, skew, grey.size), words.confidences)
    return words


def _turned_back(
    boxes: NDArray[np.float64], skew: float, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Boxes of the straightened picture where their words are in the picture as it was: same size, centre moved."""
    angle = np.radians(skew)
    centre = np.array(size) / 2
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - centre
    x = middle[:, 0] * np.cos(angle) + middle[:, 1] * np.sin(angle)
    y = -middle[:, 0] * np.sin(angle) + middle[:, 1] * np.cos(angle)
    half = (boxes[:, 2:] - boxes[:, :2]) / 2
    moved = np.column_stack([x, y]) + centre
    # A long word on a slope takes more height than it has.
    grown = half + abs(np.sin(angle)) * np.column_stack([0 * half[:, 1], half[:, 0]])
    return np.concatenate([moved - grown, moved + grown], axis=1)


def _parse(table: str) -> OcrWords:
    texts, boxes, confidences = [], [], []
    for line in table.split("\n")[1:]:
        cells = line.split("\t")
        if len(cells) < 12 or cells[0] != "5":
            continue
        text, confidence = "\t".join(cells[11:]).strip(), float(cells[10]) / 100
        if not text or (confidence < _LOW_CONFIDENCE and not any(map(str.isalnum, text))):
            continue
        left, top, width, height = map(float, cells[6:10])
        texts.append(text)
        boxes.append((left, top, left + width, top + height))
        confidences.append(min(max(confidence, 0.0), 1.0))
    return OcrWords(
        texts, np.array(boxes, np.float64).reshape(-1, 4), np.array(confidences, np.float64)
    )


def _pgm(grey: Image.Image) -> bytes:
    out = io.BytesIO()
    grey.convert("L").save(out, "PPM")
    return out.getvalue()


def _run(arguments: list[str], given: bytes, seconds: float) -> bytes:
    # One thread: pages are read side by side by processes, and tesseract's threads cost more than they gain.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            ["tesseract", *arguments],
            input=given,
            capture_output=True,
            timeout=seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise OcrFailed(
            f"OCR took longer than {seconds:.0f} s for one page; read it again when the machine is less busy, "
            "or scan it at a lower resolution."
        ) from error
    except OSError as error:
        raise OcrFailed(f"tesseract cannot be started ({error.strerror}).") from error
    if done.returncode != 0:
        raise OcrFailed(
            f"tesseract ended with code {done.returncode} on this page; see `tesseract --list-langs` "
            "for what it can read."
        )
    return done.stdout
