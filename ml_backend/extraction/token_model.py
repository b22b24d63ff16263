"""One logistic regression per field over shared columns, kept as one stacked weight matrix."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml_backend.extraction.design import design
from ml_backend.extraction.document import Floats, Ints
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.features import WIDTH
from ml_backend.extraction.logistic import Singles, fit_logistic
from ml_backend.extraction.targets import UNKNOWN, YES

NEVER = -30.0
"""Log-odds of a field no row could teach."""
TOLERANCE = 0.2


@dataclass(frozen=True, slots=True)
class TokenModel:
    """`kept` (m,) sorted columns seen in training; `sparse` (m + 1, fields) their weights and a row of zeros for
    all others; `numeric` (d, fields) those of the dense features; `bias` (fields,)."""

    kept: NDArray[np.int32]
    sparse: Singles
    numeric: Singles
    bias: Floats
    place: NDArray[np.int32]  # column → row of `sparse`, m where unseen

    @property
    def weights(self) -> Singles:
        """(m + d, fields), as `make_model` takes them."""
        return np.concatenate((self.sparse[:-1], self.numeric))

    def log_odds(self, encoded: Encoded) -> Floats:
        """(tokens, fields)."""
        n = len(encoded)
        if n == 0 or not encoded.columns.shape[1]:
            return np.full((n, len(self.bias)), NEVER)
        indices = self.place[encoded.columns]
        width = indices.shape[1]
        matrix = csr_matrix(
            (
                np.ones(indices.size, dtype=np.float32),
                indices.ravel(),
                np.arange(0, n * width + 1, width, dtype=np.int32),
            ),
            shape=(n, len(self.sparse)),
            copy=False,
        )
        scores: Floats = np.asarray(matrix @ self.sparse) + self.bias
        if encoded.dense.shape[1]:
            scores += encoded.dense @ self.numeric
        return scores


def make_model(
    kept: NDArray[np.int32], weights: NDArray[np.floating[Any]], bias: Floats
) -> TokenModel:
    """`kept` sorted, `weights` (m + d, fields)."""
    place = np.full(WIDTH, len(kept), dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    return TokenModel(kept, *_parts(weights, len(kept)), bias, place)


def _parts(weights: NDArray[np.floating[Any]], m: int) -> tuple[Singles, Singles]:
    unseen = np.zeros((1, weights.shape[1]))
    sparse = np.concatenate((weights[:m], unseen)).astype(np.float32)
    return sparse, np.ascontiguousarray(weights[m:], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows of one document: feature columns, states and the document's weight.

    `document`: its number among the reviewed ones, None for one nobody reviewed.
    """

    columns: NDArray[np.int32]
    dense: Floats
    state: NDArray[np.int8]
    weight: float
    document: int | None = None


def take_rows(
    encoded: Encoded,
    state: NDArray[np.int8],
    chosen: Ints,
    weight: float,
    document: int | None = None,
) -> Rows:
    return Rows(encoded.columns[chosen], encoded.dense[chosen], state[chosen], weight, document)


def fit_tokens(
    rows: Sequence[Rows],
    fields: int,
    left_out: Sequence[Collection[int]] = ((),),
    *,
    c: float,
    start: TokenModel | None = None,
) -> list[TokenModel]:
    """One model for each set of reviewed documents to leave out, all in one fit: they share the rows.

    `start`: a model of the same fields that is near the answer of each; it only saves time.
    """
    if not left_out:
        return []
    columns = np.concatenate([r.columns for r in rows])
    dense = np.concatenate([r.dense for r in rows])
    state = np.concatenate([r.state for r in rows])
    weight = np.concatenate([np.full(len(r.columns), r.weight, np.float32) for r in rows])
    made = design(columns, dense)
    own = np.where(state != UNKNOWN, weight[:, None], np.float32(0))
    weights = np.concatenate([own * _used(rows, gone)[:, None] for gone in left_out], axis=1)
    positive = np.tile(state == YES, (1, len(left_out)))
    learnt = (positive & (weights > 0)).any(axis=0) & (~positive & (weights > 0)).any(axis=0)
    first = None
    if start is not None:
        moved = made.together(_moved(start, made.kept, dense.shape[1]))
        first = np.tile(moved, (1, len(left_out)))[:, learnt]
    found = fit_logistic(
        made.matrix, positive[:, learnt], weights[:, learnt], c=c, tolerance=TOLERANCE, start=first
    )
    apart = made.apart(found)
    w = np.zeros((len(apart) - 1, fields * len(left_out)), np.float32)
    bias = np.full(fields * len(left_out), NEVER)
    w[:, learnt] = apart[:-1]
    bias[learnt] = apart[-1]
    return _models(made.kept, w, bias, fields)


def _used(rows: Sequence[Rows], left_out: Collection[int]) -> NDArray[np.float32]:
    """Per row 1, or 0 where its document is left out."""
    return np.concatenate(
        [np.full(len(r.columns), r.document not in left_out, np.float32) for r in rows]
    )


def _models(kept: NDArray[np.int32], w: Singles, bias: Floats, fields: int) -> list[TokenModel]:
    """One model per `fields` columns of the weights, all over the same feature columns."""
    whole = make_model(kept, w[:, :fields], bias[:fields])
    models = [whole]
    for k in range(fields, len(bias), fields):
        sparse, numeric = _parts(w[:, k : k + fields], len(kept))
        models.append(replace(whole, sparse=sparse, numeric=numeric, bias=bias[k : k + fields]))
    return models


def _moved(start: TokenModel, kept: NDArray[np.int32], dense: int) -> NDArray[np.float32]:
    """The weights of `start` at other columns, 0 where it has none."""
    parts = (start.sparse[start.place[kept]], start.numeric[:dense], start.bias[None, :])
    return np.concatenate(parts).astype(np.float32)
