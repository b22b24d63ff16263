"""PNG files of pictures with a palette, written in one go.

Pillow's encoder packs and compresses line by line; zlib given the whole picture takes half as long for files
that are no larger.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3
"""PNG's number for pictures with a palette."""
_LEVEL = 4
"""Of zlib. Level 3 takes half the time and gives files a seventh larger; level 6 takes a third more for 3 to 10 %."""


def palette_png(numbers: NDArray[np.uint8], palette: Sequence[int]) -> bytes:
    """``numbers`` (rows, columns) of colours in ``palette``: red, green, blue of up to 256, one after the other."""
    rows, columns = numbers.shape
    four_bits = len(palette) <= 16 * 3
    lines = _in_four_bits(numbers) if four_bits else numbers
    # Each line begins with the number of its filter: none. Filters do not help pictures with a palette.
    plain = np.zeros((rows, lines.shape[1] + 1), np.uint8)
    plain[:, 1:] = lines
    packed = zlib.compress(plain.data, _LEVEL)
    header = struct.pack(">IIBBBBB", columns, rows, 4 if four_bits else 8, _PALETTE, 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes(palette)),
            _chunk(b"IDAT", packed),
            _chunk(b"IEND", b""),
        ]
    )


def _in_four_bits(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two neighbours in a byte, the left one in its upper half."""
    rows, columns = numbers.shape
    pairs = np.zeros((rows, (columns + 1) // 2), np.uint8)
    np.left_shift(numbers[:, ::2], 4, out=pairs)
    pairs[:, : columns // 2] |= numbers[:, 1::2]
    return pairs


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", check)])
