"""Boilerplate against variable words, learnt from documents nobody has to review.

A word that most similar documents share is the form's own print; what stands between such words is
what was filled in. The reference needs words alone, so unreviewed documents serve as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml_backend.extraction.document import Floats, Ints, Tokens

NEIGHBOURS = 12
LEAST_SIMILARITY = 0.35
TEMPLATE_NEAR = 0.6
TEMPLATE_GLOBAL = 0.2


@dataclass(frozen=True, slots=True)
class Print:
    """What the reference keeps of a document: hashes of its words with letters, sorted."""

    first_page: NDArray[np.uint64]
    all_pages: NDArray[np.uint64]


def print_of(tokens: Tokens) -> Print:
    if not len(tokens):
        empty = np.zeros(0, dtype=np.uint64)
        return Print(empty, empty)
    letters, norm = tokens.signs == 1, tokens.norm
    return Print(np.unique(norm[letters & (tokens.page == 0)]), np.unique(norm[letters]))


@dataclass(frozen=True, slots=True)
class Reference:
    """`words` (v,) sorted hashes; `first` and `everywhere` (documents, v) incidence; `share` (v,)
    of documents with the word."""

    words: NDArray[np.uint64]
    first: csr_matrix
    everywhere: csr_matrix

    @property
    def size(self) -> int:
        return int(self.first.shape[0])


def build_reference(prints: Sequence[Print]) -> Reference:
    words = (
        np.unique(np.concatenate([p.all_pages for p in prints]))
        if prints
        else np.zeros(0, dtype=np.uint64)
    )
    return Reference(
        words,
        _incidence([p.first_page for p in prints], words),
        _incidence([p.all_pages for p in prints], words),
    )


def _incidence(sets: Sequence[NDArray[np.uint64]], words: NDArray[np.uint64]) -> csr_matrix:
    lengths = [len(s) for s in sets]
    columns = np.searchsorted(words, np.concatenate(sets)) if sets else np.zeros(0, dtype=np.intp)
    pointers = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    data = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((data, columns.astype(np.int32), pointers), shape=(len(sets), len(words)))


def known_positions(
    hashes: NDArray[np.uint64], words: NDArray[np.uint64]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Positions in sorted `words`, and which of the hashes are there at all."""
    if not len(words):
        return np.zeros(len(hashes), dtype=np.intp), np.zeros(len(hashes), dtype=bool)
    at = np.minimum(np.searchsorted(words, hashes), len(words) - 1)
    return at, words[at] == hashes


def similarities(own: Print, reference: Reference) -> Floats:
    """Jaccard similarity of first pages, one per reference document."""
    at, known = known_positions(own.first_page, reference.words)
    vector = np.zeros(len(reference.words), dtype=np.float32)
    vector[at[known]] = 1
    shared = np.asarray(reference.first @ vector, dtype=np.float64)
    sizes = np.diff(reference.first.indptr)
    result: Floats = shared / np.maximum(sizes + len(own.first_page) - shared, 1)
    return result


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Per token: share of the reference, share of similar documents, and whether it is print."""

    overall: Floats
    near: Floats
    template: NDArray[np.bool_]
    neighbours: int


def familiarity(tokens: Tokens, own: Print, reference: Reference, skip: int | None) -> Familiarity:
    """`skip` is the document's own place in the reference, so that it does not vouch for itself."""
    n = len(tokens)
    if not len(reference.words) or n == 0:
        nothing = np.zeros(n)
        return Familiarity(nothing, nothing, np.zeros(n, dtype=bool), 0)
    alike = similarities(own, reference)
    if skip is not None:
        alike[skip] = 0.0
    best = np.argsort(-alike, kind="stable")[:NEIGHBOURS]
    best = best[alike[best] >= LEAST_SIMILARITY]
    weights = alike[best] ** 2
    at, known = known_positions(tokens.norm, reference.words)
    counts = np.asarray(reference.everywhere.sum(axis=0), dtype=np.float64).ravel()
    if skip is not None:
        counts[reference.everywhere[skip].indices] -= 1
    documents = max(reference.size - (skip is not None), 1)
    overall = np.where(known, counts[at], 0.0) / documents
    near: Floats = np.zeros(n)
    if len(best):
        shares = np.asarray(weights @ reference.everywhere[best]).ravel() / weights.sum()
        near = np.where(known, shares[at], 0.0)
    letters = tokens.signs % 2 == 1
    if len(best) >= 2:
        template = letters & (near >= TEMPLATE_NEAR)
    else:
        often = np.where(known, counts[at], 0.0) >= 2
        template = letters & often & (overall >= TEMPLATE_GLOBAL)
    return Familiarity(overall, near, template, len(best))
