"""What the fields' names and aliases point at, as numeric columns the model may trust or not.

With few reviewed documents they carry much of the answer; from about ten on the rest outweighs
them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.document import Floats
from ml_backend.extraction.encoding import Sheet
from ml_backend.extraction.fields import Document
from ml_backend.extraction.zero_shot import ZeroShotExtractor
from ml_backend.extraction.zero_shot_guesses import Candidate

HINT_WEIGHT = 1.5
COLUMNS = 3


def hint_columns(sheet: Sheet, source: ZeroShotExtractor) -> Floats:
    """(tokens, 3 × fields): inside the value zero-shot answers, inside one of the best three candidates, its score."""
    tokens, specs = sheet.tokens, source.fields
    out = np.zeros((len(tokens), COLUMNS * len(specs)))
    if not len(tokens):
        return out
    offered = source.candidates(Document(sheet.document.id, tokens.pages))
    chosen = source.chosen(offered)
    numbers = np.asarray([page.number for page in tokens.pages])[tokens.page]
    x = (tokens.box[:, 0] + tokens.box[:, 2]) / 2
    y = (tokens.box[:, 1] + tokens.box[:, 3]) / 2

    def inside(c: Candidate) -> NDArray[np.bool_]:
        left, top, right, bottom = c.box
        return np.asarray(
            (numbers == c.page) & (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        )

    for f, spec in enumerate(specs):
        first = COLUMNS * f
        for c in chosen.get(spec.name, ())[:1]:
            out[inside(c), first] = HINT_WEIGHT
        best = sorted((c for c in offered if c.field == spec.name), key=lambda c: -c.score)[:3]
        for c in best:
            own = inside(c)
            out[own, first + 1] = HINT_WEIGHT
            score = HINT_WEIGHT * min(max(c.score, 0.0), 2.0)
            out[own, first + 2] = np.maximum(out[own, first + 2], score)
    return out
