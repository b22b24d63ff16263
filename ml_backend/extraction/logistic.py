"""Ridge logistic regressions over one shared sparse matrix, all at once.

The fields of a form share their rows; what differs is which rows are positive, and which say
nothing. Newton steps by conjugate gradients on all fields together read the matrix once for all of
them, and a start close to the answer (the last round's weights) leaves little to do.
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
    """(columns, fields) minimising ½‖w‖² + c · Σ weight · log loss for each field.

    `positive` and `weight` are (rows, fields); a row of weight 0 says nothing about the field. The
    gradient is reduced to `tolerance` of that at zero, and less where few rows are positive.
    """
    fields = positive.shape[1]
    back = matrix.T.tocsr()
    squared = back.copy()
    squared.data = squared.data * squared.data
    y = positive.astype(np.float32)
    first = _norm(c * (back @ (weight * (0.5 - y))))
    few = np.minimum((weight * y).sum(axis=0), (weight * (1 - y)).sum(axis=0))
    goal = tolerance * first * np.maximum(few, 1) / np.maximum(weight.sum(axis=0), 1)
    w = np.zeros((matrix.shape[1], fields), np.float32) if start is None else start.copy()
    z = matrix @ w
    active = np.arange(fields)
    for _ in range(MOST_STEPS):
        own, s, t = w[:, active], weight[:, active], y[:, active]
        p = 1 / (1 + np.exp(-np.clip(z[:, active], -30, 30)))
        gradient = own + c * (back @ (s * (p - t)))
        size = _norm(gradient)
        going = size > goal[active]
        if not going.any():
            break
        active, own, s, t, p = active[going], own[:, going], s[:, going], t[:, going], p[:, going]
        gradient, size = gradient[:, going], size[going]
        curve = c * s * p * (1 - p)
        step, slope = _newton(matrix, back, squared, curve, gradient, size)
        w[:, active], z[:, active] = _walk(own, z[:, active], step, slope, s, t, gradient, c)
    return w


def _dot(a: Singles, b: Singles) -> NDArray[np.float64]:
    products: NDArray[np.float64] = (a * b).sum(axis=0, dtype=np.float64)
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
    """The step d with H d ≈ -gradient, and matrix @ d."""
    scale = 1 / (1 + squared @ curve)
    d = np.zeros_like(gradient)
    along = np.zeros_like(curve)
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
        if (_norm(r) <= NEAR * size).all():
            break
        q = scale * r
        new = _dot(r, q)
        beta = np.where(rho > 0, new / np.maximum(rho, 1e-30), 0.0).astype(np.float32)
        direction = q + beta * direction
        rho = new
    return d, along


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
    losses = np.logaddexp(0, z) - y * z
    return np.asarray(0.5 * _dot(w, w) + c * _dot(s, losses))
