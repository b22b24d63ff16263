"""What the fields' names and aliases point at, as numeric columns the model may trust or not.

With few reviewed documents they carry much of the answer; from about ten on the rest outweighs
them.
"""

from __future__ import annotations

import numpy as np

from ml_backend.extraction.document import Floats
from ml_backend.extraction.encoding import Sheet
from ml_backend.extraction.fields import Document
from ml_backend.extraction.zero_shot import ZeroShotExtractor

HINT_WEIGHT = 1.5
COLUMNS = 3


def hint_columns(sheet: Sheet, source: ZeroShotExtractor) -> Floats:
    """(tokens, 3 × fields): inside the best candidate, inside one of the best three, its score."""
    tokens, specs = sheet.tokens, source.fields
    out = np.zeros((len(tokens), COLUMNS * len(specs)))
    if not len(tokens):
        return out
    offered = source.candidates(Document(sheet.document.id, tokens.pages))
    numbers = np.asarray([page.number for page in tokens.pages])[tokens.page]
    x = (tokens.box[:, 0] + tokens.box[:, 2]) / 2
    y = (tokens.box[:, 1] + tokens.box[:, 3]) / 2
    for f, spec in enumerate(specs):
        best = sorted((c for c in offered if c.field == spec.name), key=lambda c: -c.score)[:3]
        for place, c in enumerate(best):
            inside = (
                (numbers == c.page)
                & (x >= c.box[0])
                & (x <= c.box[2])
                & (y >= c.box[1])
                & (y <= c.box[3])
            )
            if place == 0:
                out[inside, COLUMNS * f] = HINT_WEIGHT
            out[inside, COLUMNS * f + 1] = HINT_WEIGHT
            out[inside, COLUMNS * f + 2] = np.maximum(
                out[inside, COLUMNS * f + 2], HINT_WEIGHT * min(max(c.score, 0.0), 2.0)
            )
    return out
