"""Where a value of several words begins and ends.

The token model says which words look like the value; a cut is decided between whole candidates: what
stands inside, what its first and last words are like, whether print or a gap borders it, how long
values are, and whether the same words are printed elsewhere with other neighbours. The weights start
from sensible ones and move as far as the reviewed documents ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.document import Floats, Ints, Tokens
from ml_backend.extraction.encoding import Encoded
from ml_backend.extraction.lexicon import Kind

Bools = NDArray[np.bool_]

STRENGTH = 2.0
FIELD_STRENGTH = 8.0
FEWEST = 12
"""Cases of one field from which it has weights of its own."""

# What a candidate is judged by, with the weight it has before anything was learnt. Inside: summed
# over its words; first and last: of the word at the edge, or of its neighbour outside.
PRIOR = {
    "odds": 0.6,
    "words": 2.3,
    "print inside": -0.5,
    "gap inside": -1.0,
    "line break inside": -0.5,
    "line broken early": -1.0,
    "line after print": -1.0,
    "column opens inside": -1.0,
    "date or amount inside": -3.0,
    "colon inside": -1.0,
    "first: opens a run": 1.0,
    "first: after print": 0.5,
    "first: after a colon": 0.5,
    "first: in lower case": -0.5,
    "first: no letter or digit": -1.0,
    "last: closes a run": 1.0,
    "last: before print": 0.5,
    "last: before a column": 0.5,
    "last: in lower case": -1.0,
    "last: no letter or digit": -0.7,
    "last: ends with a comma or dash": -0.7,
    "last: ends with a colon": -1.0,
    "usual length": 0.5,
    "a copy ends here": 0.5,
    "a copy begins here": 0.5,
    "known value": 1.0,
    "line goes on elsewhere": -1.5,
}
INSIDE, BREAKS, COLON, FIRST, LAST = 10, slice(3, 8), 9, 5, 7
ODDS, USUAL, ENDS, BEGINS, KNOWN, ELSEWHERE = 0, 22, 23, 24, 25, 26
_PRIME = 0x9E3779B97F4A7C15
MOST_COPIES = 12
COLUMN_LINES, COLUMN_RUNS = 8, 2
"""A word opens a column if so many runs within so many lines begin at its left edge."""
ALIGNED = 0.25
"""Farthest two left edges of one column are apart, in line heights."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The document's segments: first token, page, line, edges."""

    first: Ints
    page: Ints
    line: Ints
    left: Floats
    right: Floats


@dataclass(frozen=True, slots=True)
class Marks:
    """Of each token of a document: its part in the sums inside, as a first and as a last word."""

    inside: Floats  # (n, INSIDE - 1), all but the odds
    first: Floats  # (n, FIRST)
    last: Floats  # (n, LAST)
    squeezed: NDArray[np.uint64]
    line: Ints
    left: Floats
    right: Floats
    height: Floats
    runs: Runs
    by_word: Ints  # tokens sorted by `squeezed`
    sorted_words: NDArray[np.uint64]

    def places_of(self, token: int) -> Ints:
        """The first MOST_COPIES other tokens of the same word, in reading order."""
        word = self.squeezed[token]
        low = int(np.searchsorted(self.sorted_words, word))
        places = self.by_word[low : low + MOST_COPIES + 1]
        others: Ints = places[(self.squeezed[places] == word) & (places != token)]
        return others[:MOST_COPIES]


@dataclass(frozen=True, slots=True)
class SpanModel:
    """`weights` (fields, features) in the order of PRIOR; `lengths[field]` the log share of values
    of 1, 2, … words; `known[field]` sorted hashes of values seen."""

    weights: Floats
    lengths: tuple[Floats, ...]
    known: tuple[NDArray[np.uint64], ...]


def marks_of(encoded: Encoded) -> Marks:
    tokens = encoded.tokens
    n = len(tokens)
    colon = tokens.colon
    template = np.zeros(n, dtype=bool) if encoded.known is None else encoded.known.template
    lower, blank = tokens.kind == Kind.LOWER, tokens.signs == 0
    opens = np.concatenate(([True], tokens.segment[1:] != tokens.segment[:-1]))
    closes = np.concatenate((opens[1:], [True]))
    line_opens = np.concatenate(([True], tokens.line[1:] != tokens.line[:-1]))
    line_closes = np.concatenate((line_opens[1:], [True]))
    before = np.concatenate(([False], template[:-1])) & ~line_opens
    after = np.concatenate((template[1:], [False])) & ~line_closes
    after_colon = np.concatenate(([False], colon[:-1])) & ~line_opens
    runs = _runs(tokens, opens)
    column = _opens_column(tokens, runs, opens)
    before_column = np.concatenate((column[1:], [False]))
    nothing = np.zeros(n)
    told = before | after_colon
    value = np.isin(tokens.kind, (Kind.DATE, Kind.MONEY))
    inside = (np.ones(n), template, opens, nothing, nothing, told, column, value, colon)
    first = (opens, before, after_colon, lower, blank)
    last = (closes, after, before_column, lower, blank, tokens.open_end, colon)
    squeezed = tokens.squeezed
    by_word = np.argsort(squeezed, kind="stable")
    return Marks(
        np.stack([np.asarray(c, dtype=np.float64) for c in inside], axis=1),
        np.stack([np.asarray(c, dtype=np.float64) for c in first], axis=1),
        np.stack([np.asarray(c, dtype=np.float64) for c in last], axis=1),
        squeezed,
        tokens.line,
        tokens.box[:, 0],
        tokens.box[:, 2],
        np.maximum(tokens.box[:, 3] - tokens.box[:, 1], 1.0),
        runs,
        by_word,
        squeezed[by_word],
    )


def _runs(tokens: Tokens, opens: Bools) -> Runs:
    first = np.flatnonzero(opens)
    return Runs(
        first,
        tokens.page[first],
        tokens.line[first],
        tokens.box[first, 0],
        np.maximum.reduceat(tokens.box[:, 2], first),
    )


def _opens_column(tokens: Tokens, runs: Runs, opens: Bools) -> Bools:
    """Which tokens inside a run stand at a left edge that runs of neighbouring lines share."""
    found = np.zeros(len(tokens), dtype=bool)
    inner = np.flatnonzero(~opens)
    height = np.maximum(tokens.box[inner, 3] - tokens.box[inner, 1], 1.0)
    # Sorted by page and edge, the runs at one edge are neighbours.
    key = runs.page * 1e6 + runs.left
    order = np.argsort(key, kind="stable")
    key, line = key[order], runs.line[order]
    own = tokens.page[inner] * 1e6 + tokens.box[inner, 0]
    low = np.searchsorted(key, own - ALIGNED * height)
    high = np.searchsorted(key, own + ALIGNED * height, side="right")
    enough = high - low >= COLUMN_RUNS
    inner, low, count = inner[enough], low[enough], (high - low)[enough]
    # Every run at the edge of every token, one after the other.
    of = np.repeat(np.arange(len(inner)), count)
    place = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count) + low[of]
    near = np.abs(line[place] - tokens.line[inner][of]) <= COLUMN_LINES
    found[inner] = np.bincount(of[near], minlength=len(inner)) >= COLUMN_RUNS
    return found


def _broken_early(marks: Marks, upper: int, first: int) -> bool:
    """Whether the word `first` could have stood at the end of the run above it, which `upper`
    closes: a run that begins at the same left edge reaches as far."""
    runs = marks.runs
    run = int(np.searchsorted(runs.first, upper, side="right")) - 1
    height = marks.height[first]
    column = (
        (runs.page == runs.page[run])
        & (np.abs(runs.left - runs.left[run]) <= ALIGNED * height)
        & (np.abs(runs.line - runs.line[run]) <= COLUMN_LINES)
    )
    needed = marks.right[upper] + 0.3 * height + marks.right[first] - marks.left[first]
    return bool(needed <= runs.right[column].max())


def value_hash(squeezed: NDArray[np.uint64]) -> int:
    value = 0
    for word in squeezed.tolist():
        value = (value * _PRIME + word + 1) & 0xFFFFFFFFFFFFFFFF
    return value


@dataclass(frozen=True, slots=True)
class Choices:
    """Candidates through one token: `first` and `last` are places in the `chain`; `features` rows without what
    changes from model to model, odds and known values; `hashes` their `value_hash`."""

    chain: Ints
    first: Ints
    last: Ints
    features: Floats
    hashes: NDArray[np.uint64]

    def judged(self, odds: Floats, known: NDArray[np.uint64]) -> Floats:
        """The features in the order of PRIOR; `known` are hashes of values seen."""
        features = self.features.copy()
        sums = np.concatenate(([0.0], np.cumsum(np.clip(odds[self.chain], -8, 8))))
        features[:, ODDS] = sums[self.last + 1] - sums[self.first]
        if len(known):
            features[:, KNOWN] = np.isin(self.hashes, known)
        return features


def choices(marks: Marks, chain: Ints, at: int, longest: int, lengths: Floats) -> Choices:
    """Every run of the chain through place `at` of at most `longest` words."""
    before, after = _ends(min(at, longest - 1), min(len(chain) - at, longest) - 1, longest)
    first, last = at - before, at + after
    inner = _inner(marks, chain)
    sums = np.concatenate((np.zeros((1, INSIDE)), np.cumsum(inner, axis=0)))
    count = last - first
    features = np.zeros((len(first), len(PRIOR)))
    features[:, :INSIDE] = sums[last + 1] - sums[first]
    # What a word does at the edge is said there: breaks before the first, a colon after the last.
    features[:, BREAKS] -= inner[first, BREAKS]
    features[:, COLON] -= inner[last, COLON]
    features[:, INSIDE : INSIDE + FIRST] = marks.first[chain[first]]
    features[:, INSIDE + FIRST : INSIDE + FIRST + LAST] = marks.last[chain[last]]
    features[:, USUAL] = lengths[np.minimum(count, len(lengths) - 1)]
    features[:, ENDS], features[:, BEGINS] = _copies(marks, chain, first, last)
    features[:, ELSEWHERE] = _elsewhere(marks, chain, first, last)
    return Choices(chain, first, last, features, _hashes(marks.squeezed[chain], first, last))


@lru_cache(maxsize=4096)
def _ends(before: int, after: int, longest: int) -> tuple[Ints, Ints]:
    """Words before and after one of them, of every run of at most `longest` that holds it; the longest first."""
    back, on = np.meshgrid(np.arange(before, -1, -1), np.arange(after + 1), indexing="ij")
    fits = back + on < longest
    return back[fits], on[fits]


def _hashes(words: NDArray[np.uint64], first: Ints, last: Ints) -> NDArray[np.uint64]:
    """`value_hash` of each run of words."""
    values = np.zeros(len(first), dtype=np.uint64)
    for k in range(int((last - first).max(initial=-1)) + 1):
        inside = first + k <= last
        values[inside] = (
            values[inside] * np.uint64(_PRIME) + words[first[inside] + k] + np.uint64(1)
        )
    return values


def _inner(marks: Marks, chain: Ints) -> Floats:
    """(chain, INSIDE): what each word adds inside; a run on another line breaks the line, no gap."""
    inner = np.concatenate((np.zeros((len(chain), 1)), marks.inside[chain]), axis=1)
    broken = np.diff(marks.line[chain], prepend=marks.line[chain[0]]) != 0
    inner[:, 3] *= ~broken
    inner[:, 6] *= broken
    for k in np.flatnonzero(broken).tolist():
        inner[k, 4] = 1.0
        inner[k, 5] = _broken_early(marks, int(chain[k - 1]), int(chain[k]))
    return inner


def _elsewhere(marks: Marks, chain: Ints, first: Ints, last: Ints) -> Floats:
    """How many lines of each candidate begin at another left edge than its first word."""
    found = np.zeros(len(first))
    broken = np.diff(marks.line[chain], prepend=marks.line[chain[0]]) != 0
    start = chain[first]
    for k in np.flatnonzero(broken).tolist():
        off = np.abs(marks.left[chain[k]] - marks.left[start]) > 0.5 * marks.height[start]
        found += (first < k) & (k <= last) & off
    return found


def _copies(marks: Marks, chain: Ints, first: Ints, last: Ints) -> tuple[Floats, Floats]:
    """Whether another copy of the span goes on differently after it, and differs before it."""
    squeezed = marks.squeezed
    n = len(squeezed)
    begin = np.unique(first)
    most = last[np.searchsorted(first, begin, side="right") - 1] - begin + 1
    row, copy = _other_places(marks, chain[begin])
    start = chain[begin][row]
    # How many words from its first on each copy shares with the chain's run.
    steps = np.arange(int(most.max()))
    most = np.minimum(most[row], np.minimum(n - copy, n - start))
    inside = steps < most[:, None]
    own, other = (np.minimum(x[:, None] + steps, n - 1) for x in (start, copy))
    same = inside & (squeezed[own] == squeezed[other])
    run = np.where(same.all(axis=1), same.shape[1], np.argmin(same, axis=1))
    differs = (copy == 0) | (start == 0) | (squeezed[copy - 1] != squeezed[start - 1])
    # Per first word: the lengths copies end at, and the longest copy that begins there.
    ending = np.zeros((len(begin), same.shape[1] + 1), dtype=bool)
    ending[row, run] = True
    beginning = np.zeros(len(begin), dtype=np.intp)
    np.maximum.at(beginning, row, np.where(differs, run, 0))
    at, length = np.searchsorted(begin, first), last - first + 1
    jumps = np.concatenate(([0], np.cumsum(np.diff(chain) != 1)))
    straight = jumps[last] == jumps[first]
    ends = straight & ending[at, length]
    begins = straight & (length <= beginning[at])
    return ends.astype(np.float64), begins.astype(np.float64)


def _other_places(marks: Marks, tokens: Ints) -> tuple[Ints, Ints]:
    """The first MOST_COPIES other places of each token's word: number of the token among `tokens`, place."""
    found = [marks.places_of(token) for token in tokens.tolist()]
    rows = np.repeat(np.arange(len(found)), [len(places) for places in found])
    return rows, np.concatenate(found) if found else np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Case:
    """A reviewed value among the candidates through its likeliest word."""

    field: int
    features: Floats
    right: int


def untaught(
    fields: int, lengths: Sequence[Floats], known: Sequence[NDArray[np.uint64]]
) -> SpanModel:
    prior = np.asarray(list(PRIOR.values()))
    return SpanModel(np.tile(prior, (fields, 1)), tuple(lengths), tuple(known))


def teach(model: SpanModel, cases: Sequence[Case]) -> SpanModel:
    """Weights from cases of models that had not seen the documents: shared, then each field's own."""
    if not cases:
        return model
    prior = np.asarray(list(PRIOR.values()))
    shared = _fit(cases, prior, STRENGTH)
    weights = np.tile(shared, (len(model.weights), 1))
    for f in range(len(weights)):
        own = [case for case in cases if case.field == f]
        if len(own) >= FEWEST:
            weights[f] = _fit(own, shared, FIELD_STRENGTH)
    return SpanModel(weights, model.lengths, model.known)


def _fit(cases: Sequence[Case], prior: Floats, strength: float) -> Floats:
    """Conditional logit by Newton's method, drawn to `prior`."""
    w = prior.copy()
    k = len(w)
    for _ in range(25):
        gradient, hessian = strength * (w - prior), strength * np.eye(k)
        for case in cases:
            p = chances(case.features, w)
            mean = p @ case.features
            gradient += mean - case.features[case.right]
            centred = case.features - mean
            hessian += (centred * p[:, None]).T @ centred
        step = np.linalg.solve(hessian, gradient)
        w = w - np.clip(step, -2.0, 2.0)
        if float(np.abs(step).max()) < 1e-4:
            break
    return w


def chances(features: Floats, weights: Floats) -> Floats:
    scores = features @ weights
    p = np.exp(scores - scores.max())
    result: Floats = p / p.sum()
    return result


def length_shares(lengths: Sequence[int], longest: int) -> Floats:
    """Log share of values of 1..longest words, smoothed to the neighbours."""
    counts = np.full(max(longest, 1), 0.3)
    for length in lengths:
        for near, part in ((-2, 0.1), (-1, 0.3), (0, 1.0), (1, 0.3), (2, 0.1)):
            place = length - 1 + near
            if 0 <= place < len(counts):
                counts[place] += part
    shares: Floats = np.log(counts / counts.sum())
    return shares
