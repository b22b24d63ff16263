"""What may be a value of each field in one document, wherever one looks: found once, whatever the odds.

Self-training and calibration ask the same places of the same document again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml_backend.extraction.chains import Shape, chain_around
from ml_backend.extraction.document import Floats
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.features import Context
from ml_backend.extraction.spans import Choices, Marks, choices, marks_of


class Extents:
    """`shapes` and `lengths` (see `spans.length_shares`): one per field, of the reviewed documents."""

    def __init__(
        self, encoded: Encoded, shapes: Sequence[Shape], lengths: Sequence[Floats]
    ) -> None:
        self.encoded = encoded
        self.shapes = shapes
        self._lengths = lengths
        self._marks: Marks | None = None
        self._found: dict[tuple[int, int], Choices] = {}

    @property
    def context(self) -> Context:
        """Raises ValueError for a document without words."""
        if self.encoded.sheet.context is None:
            raise ValueError("a document without words holds no values")
        return self.encoded.sheet.context

    def through(self, field: int, token: int) -> Choices:
        """Every run of words through `token` that may be a value of field number `field`."""
        kept = self._found.get((field, token))
        if kept is None:
            if self._marks is None:
                self._marks = marks_of(self.encoded)
            shape = self.shapes[field]
            chain = chain_around(self.encoded.tokens, self.context, token, shape)
            kept = self._found[field, token] = choices(
                self._marks,
                np.asarray(chain, dtype=np.intp),
                chain.index(token),
                shape.longest,
                self._lengths[field],
            )
        return kept
