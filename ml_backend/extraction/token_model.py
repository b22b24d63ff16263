"""One logistic regression per field over shared columns, kept as one stacked weight matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml_backend.extraction.document import Floats, Ints
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.features import WIDTH
from ml_backend.extraction.logistic import fit_logistic
from ml_backend.extraction.targets import UNKNOWN, YES

NEVER = -30.0
"""Log-odds of a field no row could teach."""
TOLERANCE = 0.2


@dataclass(frozen=True, slots=True)
class TokenModel:
    """`kept` (m,) sorted columns seen in training; `weights` (m + d, fields); `bias` (fields,)."""

    kept: NDArray[np.int32]
    weights: Floats
    bias: Floats
    place: NDArray[np.int32]  # column → position in `kept`, m where unseen

    def log_odds(self, encoded: Encoded) -> Floats:
        """(tokens, fields)."""
        n = len(encoded)
        if n == 0 or not encoded.columns.shape[1]:
            return np.full((n, len(self.bias)), NEVER)
        m = len(self.kept)
        indices = self.place[encoded.columns]
        width = indices.shape[1]
        matrix = csr_matrix(
            (
                np.ones(indices.size),
                indices.ravel(),
                np.arange(0, n * width + 1, width, dtype=np.int32),
            ),
            shape=(n, m + 1),
            copy=False,
        )
        padded = np.concatenate((self.weights[:m], np.zeros((1, len(self.bias)))))
        scores: Floats = np.asarray(matrix @ padded) + self.bias
        if encoded.dense.shape[1]:
            scores += encoded.dense @ self.weights[m:]
        return scores


def make_model(kept: NDArray[np.int32], weights: Floats, bias: Floats) -> TokenModel:
    place = np.full(WIDTH, len(kept), dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    return TokenModel(kept, weights, bias, place)


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows of one document: feature columns, states and the document's weight."""

    columns: NDArray[np.int32]
    dense: Floats
    state: NDArray[np.int8]
    weight: float


def take_rows(encoded: Encoded, state: NDArray[np.int8], chosen: Ints, weight: float) -> Rows:
    return Rows(encoded.columns[chosen], encoded.dense[chosen], state[chosen], weight)


def fit_tokens(
    rows: Sequence[Rows], fields: int, *, c: float, start: TokenModel | None = None
) -> TokenModel:
    """`start`: a model of the same fields that is near the answer; it only saves time."""
    columns = np.concatenate([r.columns for r in rows])
    dense = np.concatenate([r.dense for r in rows])
    state = np.concatenate([r.state for r in rows])
    weight = np.concatenate([np.full(len(r.columns), r.weight, np.float32) for r in rows])
    used = np.zeros(WIDTH, dtype=bool)
    used[columns.ravel()] = True
    kept = np.flatnonzero(used).astype(np.int32)
    place = np.zeros(WIDTH, dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    matrix = _design(place[columns], dense, len(kept))
    positive = state == YES
    weights = np.where(state != UNKNOWN, weight[:, None], np.float32(0))
    learnt = positive.any(axis=0) & (~positive & (state != UNKNOWN)).any(axis=0)
    first = None if start is None else _moved(start, kept, dense.shape[1])[:, learnt]
    found = fit_logistic(
        matrix, positive[:, learnt], weights[:, learnt], c=c, tolerance=TOLERANCE, start=first
    )
    w = np.zeros((matrix.shape[1] - 1, fields))
    bias = np.full(fields, NEVER)
    w[:, learnt] = found[:-1]
    bias[learnt] = found[-1]
    return make_model(kept, w, bias)


def _design(columns: NDArray[np.int32], dense: Floats, count: int) -> csr_matrix:
    """Ones in each row's `columns`, then its `dense` values, then a constant."""
    n, width = columns.shape
    more = dense.shape[1] + 1
    extra = np.broadcast_to(np.arange(count, count + more, dtype=np.int32), (n, more))
    values = np.ones((n, width + more), dtype=np.float32)
    values[:, width:-1] = dense
    indices = np.concatenate((columns, extra), axis=1)
    # Sorted within rows, so that the fit walks the weights in order.
    order = np.argsort(indices, axis=1)
    return csr_matrix(
        (
            np.take_along_axis(values, order, axis=1).ravel(),
            np.take_along_axis(indices, order, axis=1).ravel(),
            np.arange(0, n * (width + more) + 1, width + more, dtype=np.int32),
        ),
        shape=(n, count + more),
    )


def _moved(start: TokenModel, kept: NDArray[np.int32], dense: int) -> NDArray[np.float32]:
    """The weights of `start` at other columns, 0 where it has none."""
    m = len(start.kept)
    padded = np.concatenate((start.weights[:m], np.zeros((1, len(start.bias)))))
    parts = (padded[start.place[kept]], start.weights[m : m + dense], start.bias[None, :])
    return np.concatenate(parts).astype(np.float32)
