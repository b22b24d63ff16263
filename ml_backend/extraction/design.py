"""Rows of feature columns → the matrix a fit walks, smaller than the columns and worth the same.

Columns that stand in exactly the same rows cannot be told apart, so a ridge gives them equal weights: a rare word and
its ending, a label and its last word. They are fitted as one. k equal weights w cost ½·k·w² and add k·w to a row;
one weight u = √k·w on a column of value √k costs and adds the same, so nothing is lost and half the columns are gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml_backend.extraction.document import Floats
from ml_backend.extraction.features import WIDTH

Singles = NDArray[np.float32]

FEWEST_ROWS = 2
"""Rows a column needs to have a weight, where there are …"""
MANY_ROWS = 20_000
"""… more than so many: a column of a single row can only tell that row apart, and the fit is a third shorter without.
Of few rows every column tells something."""


@dataclass(frozen=True, slots=True)
class Design:
    """`matrix` (rows, groups + d + 1): the groups of columns, the most frequent first so that their weights lie
    together; the d dense features; a constant. `kept` (m,) sorted columns, `group` (m,) each one's place,
    `value` (groups,)."""

    matrix: csr_matrix
    kept: NDArray[np.int32]
    group: NDArray[np.int32]
    value: Singles

    def apart(self, found: Singles) -> Singles:
        """(m + d + 1, problems): the weight of each column, from those of the matrix's columns."""
        groups = len(self.value)
        own = (found[:groups] / self.value[:, None])[self.group]
        return np.concatenate((own, found[groups:]))

    def together(self, weights: Singles) -> Singles:
        """The weights of the matrix's columns that come nearest to `weights` (m + d + 1, problems)."""
        groups = len(self.value)
        own = np.zeros((groups, weights.shape[1]), np.float32)
        for k in range(weights.shape[1]):
            own[:, k] = np.bincount(self.group, weights[: len(self.group), k], groups)
        return np.concatenate((own / self.value[:, None], weights[len(self.group) :]))


def design(columns: NDArray[np.int32], dense: Floats) -> Design:
    """`columns` (rows, features) in [0, WIDTH), `dense` (rows, d)."""
    counts = np.bincount(columns.ravel(), minlength=WIDTH)
    kept = np.flatnonzero(counts >= (FEWEST_ROWS if len(columns) > MANY_ROWS else 1))
    _, first, inverse, size = np.unique(
        _signatures(columns)[kept], return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts[kept[first]], kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    value = np.sqrt(size[order]).astype(np.float32)
    # One column stands for its group; the others' rows are the same.
    place = np.full(WIDTH, len(order), np.int32)
    place[kept[first[order]]] = np.arange(len(order), dtype=np.int32)
    return Design(
        _matrix(place[columns], value, dense), kept.astype(np.int32), rank[inverse], value
    )


def _signatures(columns: NDArray[np.int32]) -> Floats:
    """Per column a sum of random numbers, one per row it stands in: equal for equal rows, and else not."""
    drawn = np.random.default_rng(0).random(len(columns))
    weights = np.repeat(drawn, columns.shape[1])
    return np.bincount(columns.ravel(), weights, WIDTH).astype(np.float64)


def _matrix(places: NDArray[np.int32], value: Singles, dense: Floats) -> csr_matrix:
    """Each row's `value` at its `places` below their number, then its `dense` values, then a constant."""
    n, count, more = len(places), len(value), dense.shape[1] + 1
    # Sorted within rows, so that the fit walks the weights in order; columns without a weight come last.
    places = np.sort(places, axis=1)
    inside = places < count
    indices = np.concatenate(
        (places, np.broadcast_to(np.arange(count, count + more, dtype=np.int32), (n, more))),
        axis=1,
    )
    values = np.ones(indices.shape, dtype=np.float32)
    values[:, : places.shape[1]] = np.append(value, np.float32(0))[places]
    values[:, places.shape[1] : -1] = dense
    taken = np.concatenate((inside, np.ones((n, more), dtype=bool)), axis=1)
    ends = np.concatenate(([0], np.cumsum(taken.sum(axis=1)))).astype(np.int32)
    return csr_matrix((values[taken], indices[taken], ends), shape=(n, count + more))
