"""Columns that stand in the same rows are fitted as one, and nothing is lost by it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from ml_backend.extraction.design import MANY_ROWS, design
from ml_backend.extraction.logistic import fit_logistic


def _columns(rows: int = 60, seed: int = 3) -> np.ndarray:
    """Three kinds of columns: a word's (0..9), its ending's (100..109, in the same rows), and one of every row."""
    word = np.random.default_rng(seed).integers(0, 10, rows)
    return np.stack((word, word + 100, np.full(rows, 500)), axis=1).astype(np.int32)


def _plain(columns: np.ndarray, kept: np.ndarray, dense: np.ndarray) -> csr_matrix:
    """Every column on its own, as numbers."""
    n = len(columns)
    matrix = np.zeros((n, len(kept)), np.float32)
    for row, own in enumerate(np.searchsorted(kept, columns)):
        matrix[row, own] = 1
    return csr_matrix(np.concatenate((matrix, dense, np.ones((n, 1))), axis=1, dtype=np.float32))


def test_equal_columns_are_one() -> None:
    made = design(_columns(), np.zeros((60, 0)))
    assert made.matrix.shape == (60, 10 + 1 + 1)
    assert len(made.kept) == 21
    assert sorted(np.round(made.value**2).tolist()) == [1.0] + [2.0] * 10


def test_the_fit_is_that_of_all_columns() -> None:
    columns = _columns()
    rng = np.random.default_rng(5)
    dense = rng.random((60, 2))
    positive = (columns[:, :1] < 4) ^ (rng.random((60, 1)) < 0.1)
    weight = np.ones((60, 1), np.float32)
    made = design(columns, dense)
    found = fit_logistic(made.matrix, positive, weight, c=2.0, tolerance=1e-5)
    whole = fit_logistic(_plain(columns, made.kept, dense), positive, weight, c=2.0, tolerance=1e-5)
    np.testing.assert_allclose(made.apart(found), whole, atol=1e-3)


def test_together_undoes_apart() -> None:
    made = design(_columns(), np.zeros((60, 1)))
    found = np.random.default_rng(1).random((made.matrix.shape[1], 3)).astype(np.float32)
    np.testing.assert_allclose(made.together(made.apart(found)), found, rtol=1e-5)


def test_of_many_rows_a_column_of_one_has_no_weight() -> None:
    columns = np.zeros((MANY_ROWS + 1, 1), np.int32)
    columns[7] = 9
    assert design(columns, np.zeros((len(columns), 0))).kept.tolist() == [0]
    assert design(columns[:100], np.zeros((100, 0))).kept.tolist() == [0, 9]
