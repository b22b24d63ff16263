from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from ml_backend.extraction.logistic import fit_logistic


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = (rng.random((300, 12)) < 0.3).astype(np.float32)
    x[:, -1] = 1
    truth = rng.normal(size=(12, 2))
    positive = rng.random((300, 2)) < 1 / (1 + np.exp(-x @ truth))
    return x, positive, np.ones((300, 2), np.float32)


def test_it_finds_what_scikit_learn_finds(rows):
    x, positive, weight = rows
    found = fit_logistic(csr_matrix(x), positive, weight, c=2.0, tolerance=1e-5)
    for f in range(2):
        known = LogisticRegression(C=2.0, fit_intercept=False, tol=1e-8, max_iter=1000)
        known.fit(x, positive[:, f])
        assert found[:, f] == pytest.approx(known.coef_[0], abs=2e-3)


def test_rows_without_weight_say_nothing(rows):
    x, positive, weight = rows
    weight = weight.copy()
    weight[150:, 0] = 0
    found = fit_logistic(csr_matrix(x), positive, weight, c=2.0, tolerance=1e-5)
    half = fit_logistic(csr_matrix(x[:150]), positive[:150], weight[:150], c=2.0, tolerance=1e-5)
    assert found[:, 0] == pytest.approx(half[:, 0], abs=2e-3)


def test_a_start_changes_the_way_not_the_end(rows):
    x, positive, weight = rows
    cold = fit_logistic(csr_matrix(x), positive, weight, c=2.0, tolerance=1e-5)
    start = np.ones_like(cold)
    warm = fit_logistic(csr_matrix(x), positive, weight, c=2.0, tolerance=1e-5, start=start)
    assert warm == pytest.approx(cold, abs=2e-3)
