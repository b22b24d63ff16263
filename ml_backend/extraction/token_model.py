"""One logistic regression per field over shared columns, kept as one stacked weight matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ml_backend.extraction.document import Floats, Ints
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.features import WIDTH
from ml_backend.extraction.targets import UNKNOWN, YES

NEVER = -30.0
"""Log-odds of a field no row could teach."""


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


def fit_tokens(rows: Sequence[Rows], fields: int, *, c: float, seed: int) -> TokenModel:
    columns = np.concatenate([r.columns for r in rows])
    dense = np.concatenate([r.dense for r in rows])
    state = np.concatenate([r.state for r in rows])
    weight = np.concatenate([np.full(len(r.columns), r.weight) for r in rows])
    used = np.zeros(WIDTH, dtype=bool)
    used[columns.ravel()] = True
    kept = np.flatnonzero(used).astype(np.int32)
    place = np.zeros(WIDTH, dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    n, width = columns.shape
    matrix = csr_matrix(
        (
            np.ones(columns.size),
            place[columns].ravel(),
            np.arange(0, n * width + 1, width, dtype=np.int32),
        ),
        shape=(n, len(kept)),
    )
    if dense.shape[1]:
        matrix = hstack((matrix, csr_matrix(dense)), format="csr")
    weights = np.zeros((matrix.shape[1], fields))
    bias = np.full(fields, NEVER)
    for f in range(fields):
        known = state[:, f] != UNKNOWN
        answer = state[known, f] == YES
        if not answer.any() or answer.all():
            continue
        solver = LogisticRegression(
            C=c, solver="liblinear", tol=0.01, random_state=seed, max_iter=200
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(matrix[known], answer, sample_weight=weight[known])
        weights[:, f] = solver.coef_[0]
        bias[f] = float(solver.intercept_[0])
    # Rounded as they are stored, so that a loaded model answers exactly alike.
    return make_model(kept, weights.astype(np.float32).astype(np.float64), bias)
