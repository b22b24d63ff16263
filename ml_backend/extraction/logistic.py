"""Ridge logistic regressions over one shared sparse matrix, all at once.

The fields of a form share their rows, and so do the folds that hold some of them out; what differs is which
rows are positive, and which say nothing. Newton steps by conjugate gradients on all of them together read the
matrix once for all, and a start close to the answer (the last round's weights) leaves little to do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Singles = NDArray[np.float32]

MOST_STEPS = 60
MOST_DIRECTIONS = 30
NEAR = 0.2
"""A step is solved until its residual is this part of the gradient."""


def fit_logistic(
    matrix: csr_matrix,
    positive: NDArray[np.bool_],
    weight: Singles,
    *,
    c: float,
    tolerance: float,
    start: Singles | None = None,
) -> Singles:
    """(columns, problems) minimising ½‖w‖² + c · Σ weight · log loss for each problem.

    `positive` and `weight` are (rows, problems); a row of weight 0 says nothing about the problem. The
    gradient is reduced to `tolerance` of that at zero, and less where few rows are positive.
    """
    problems = positive.shape[1]
    back = matrix.T.tocsr()
    squared = csr_matrix((back.data * back.data, back.indices, back.indptr), shape=back.shape)
    y = positive.astype(np.float32)
    first = _norm(c * (back @ (weight * (0.5 - y))))
    few = np.minimum((weight * y).sum(axis=0), (weight * (1 - y)).sum(axis=0))
    goal = tolerance * first * np.maximum(few, 1) / np.maximum(weight.sum(axis=0), 1)
    w = np.zeros((matrix.shape[1], problems), np.float32) if start is None else start.copy()
    z = np.zeros(y.shape, np.float32) if start is None else matrix @ w
    active: NDArray[np.intp] = np.arange(problems)
    for _ in range(MOST_STEPS):
        own, s, t, at = (_columns(a, active) for a in (w, weight, y, z))
        p = _sigmoid(at)
        gradient = own + c * (back @ (s * (p - t)))
        size = _norm(gradient)
        going = np.flatnonzero(size > goal[active])
        if not len(going):
            break
        active, size = active[going], size[going]
        own, s, t, at, p, gradient = (_columns(a, going) for a in (own, s, t, at, p, gradient))
        curve: Singles = c * s * p * (1 - p)
        step, slope = _newton(matrix, back, squared, curve, gradient, size)
        w[:, active], z[:, active] = _walk(own, at, step, slope, s, t, gradient, c)
    return w


def _sigmoid(z: Singles) -> Singles:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))), dtype=np.float32)


def _columns(a: Singles, chosen: NDArray[np.intp]) -> Singles:
    """The array itself where all columns are chosen."""
    return a if len(chosen) == a.shape[1] else np.ascontiguousarray(a[:, chosen])


def _dot(a: Singles, b: Singles) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.einsum("ij,ij->j", a, b).astype(np.float64)
    return products


def _norm(columns: Singles) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(_dot(columns, columns)))


def _newton(
    matrix: csr_matrix,
    back: csr_matrix,
    squared: csr_matrix,
    curve: Singles,
    gradient: Singles,
    size: NDArray[np.float64],
) -> tuple[Singles, Singles]:
    """The step d with H d ≈ -gradient, and matrix @ d. Problems that are solved drop out on the way."""
    steps, slopes = np.zeros_like(gradient), np.zeros_like(curve)
    left: NDArray[np.intp] = np.arange(gradient.shape[1])
    scale = 1 / (1 + squared @ curve)
    d, along = steps.copy(), slopes.copy()
    r = -gradient
    q = scale * r
    direction = q.copy()
    rho = _dot(r, q)
    for _ in range(MOST_DIRECTIONS):
        seen = matrix @ direction
        bent = direction + back @ (curve * seen)
        bend = _dot(direction, bent)
        alpha = np.where(bend > 0, rho / np.maximum(bend, 1e-30), 0.0).astype(np.float32)
        d += alpha * direction
        along += alpha * seen
        r = r - alpha * bent
        open_ = np.flatnonzero(_norm(r) > NEAR * size[left])
        if len(open_) <= 0.7 * len(left):
            steps[:, left], slopes[:, left] = d, along
            if not len(open_):
                return steps, slopes
            left, rho = left[open_], rho[open_]
            curve, scale, d, along, r, direction = (
                _columns(a, open_) for a in (curve, scale, d, along, r, direction)
            )
        q = scale * r
        new = _dot(r, q)
        beta = np.where(rho > 0, new / np.maximum(rho, 1e-30), 0.0).astype(np.float32)
        direction = q + beta * direction
        rho = new
    steps[:, left], slopes[:, left] = d, along
    return steps, slopes


def _walk(
    w: Singles,
    z: Singles,
    step: Singles,
    slope: Singles,
    s: Singles,
    y: Singles,
    gradient: Singles,
    c: float,
) -> tuple[Singles, Singles]:
    """Go along the step, half as far until the loss falls enough."""
    here = _loss(w, z, s, y, c)
    fall = _dot(gradient, step)
    far: Singles = np.ones(w.shape[1], np.float32)
    for _ in range(20):
        there = _loss(w + far * step, z + far * slope, s, y, c)
        short = there > here + 1e-4 * far * fall + 1e-6 * np.abs(here)
        if not short.any():
            break
        far = np.where(short, far / 2, far).astype(np.float32)
    return w + far * step, z + far * slope


def _loss(w: Singles, z: Singles, s: Singles, y: Singles, c: float) -> NDArray[np.float64]:
    losses = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z
    return np.asarray(0.5 * _dot(w, w) + c * _dot(s, losses))
