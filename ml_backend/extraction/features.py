"""Tokens → a fixed number of categorical features each, hashed into 2**20 columns.

All features come from shifted and masked integer arrays: no loop over tokens. `base_columns` needs
the document alone and is cached; `anchor_columns` also needs the reference of other documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.anchors import Familiarity
from ml_backend.extraction.document import Floats, Ints, Tokens
from ml_backend.extraction.values import value_columns

WIDTH = 1 << 20
_SHIFT = np.uint64(44)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_OTHER = np.uint64(0xC2B2AE3D27D4EB4F)
_FOLD = np.uint64(29)

Hashes = NDArray[np.uint64]
LINES_ABOVE = 6
MOST_SEGMENTS_BACK = 72


def mix(*columns: Hashes) -> Hashes:
    """One hash per row out of several; the order of the columns counts."""
    value = columns[0] * _PRIME
    for column in columns[1:]:
        value = ((value ^ (value >> _FOLD)) + column) * _PRIME
    return value ^ (value >> _FOLD)


class Columns:
    """Collects features; the same call always takes the same slot, hence the same salt."""

    def __init__(self, first_slot: int) -> None:
        self._first = first_slot
        self._features: list[tuple[Hashes, ...]] = []

    def add(self, *parts: Hashes) -> None:
        self._features.append(parts)

    def matrix(self) -> NDArray[np.int32]:
        """(n, features). Features of as many parts are hashed together: the steps are few and long."""
        features = self._features
        out = np.empty((len(features), len(features[0][0])), dtype=np.int32)
        for count in {len(parts) for parts in features}:
            own = [k for k, parts in enumerate(features) if len(parts) == count]
            value = np.empty((len(own), out.shape[1]), dtype=np.uint64)
            value[:] = self._salts(own)[:, None]
            for part in range(count):
                value ^= value >> _FOLD
                value += np.stack([features[k][part] for k in own])
                value *= _PRIME
            value ^= value >> _FOLD
            value *= _OTHER
            out[own] = value >> _SHIFT
        return np.ascontiguousarray(out.T)

    def _salts(self, features: list[int]) -> Hashes:
        slots = [((self._first + k) * 0xC2B2AE3D27D4EB4F) & 0xFFFFFFFFFFFFFFFF for k in features]
        return np.asarray(slots, dtype=np.uint64)


def u(values: NDArray[np.generic]) -> Hashes:
    return values.astype(np.int64).astype(np.uint64)


def back(values: Hashes, group: Ints, k: int) -> Hashes:
    """The value k tokens before (k > 0) or after, 0 where that is in another group."""
    out = np.zeros_like(values)
    if k > 0:
        out[k:] = np.where(group[k:] == group[:-k], values[:-k], 0)
    else:
        out[:k] = np.where(group[:k] == group[-k:], values[-k:], 0)
    return out


@dataclass(frozen=True, slots=True)
class Segments:
    """s runs of tokens: first and one past the last token, line, page, left and right edge, and
    for the nearest two runs above and one below that overlap: their number, or -1."""

    first: Ints
    end: Ints
    line: Ints
    above: Ints
    above2: Ints
    below: Ints
    text: Hashes


def segments_of(tokens: Tokens, words: Hashes) -> Segments:
    n = len(tokens)
    first = np.flatnonzero(np.concatenate(([True], tokens.segment[1:] != tokens.segment[:-1])))
    end = np.concatenate((first[1:], [n]))
    line, page = tokens.line[first], tokens.page[first]
    left = np.minimum.reduceat(tokens.box[:, 0], first)
    right = np.maximum.reduceat(tokens.box[:, 2], first)
    above, above2, below = _neighbours(line, page, left, right)
    position = np.arange(n) - np.repeat(first, end - first)
    powers = _powers(int(position.max()) + 1)
    text = np.add.reduceat(words * powers[position], first)
    return Segments(first, end, line, above, above2, below, text)


def _neighbours(line: Ints, page: Ints, left: Floats, right: Floats) -> tuple[Ints, Ints, Ints]:
    """Per run of tokens the nearest overlapping run above, the next one higher up, and the one below.

    Runs are in reading order; of several below on one line it is the leftmost. -1 for none.
    """
    count = len(line)
    index = np.arange(count)
    reach = np.minimum(index - np.searchsorted(line, line - LINES_ABOVE), MOST_SEGMENTS_BACK)
    # Every run with those before it within reach, the nearest first.
    lower = np.repeat(index, reach)
    upper = lower - 1 - (np.arange(len(lower)) - np.repeat(np.cumsum(reach) - reach, reach))
    hit = (
        (line[upper] < line[lower])
        & (page[upper] == page[lower])
        & (np.minimum(right[upper], right[lower]) > np.maximum(left[upper], left[lower]))
    )
    lower, upper = lower[hit], upper[hit]
    above = _first(lower, upper, count)
    higher = line[upper] < line[above[lower]]
    above2 = _first(lower[higher], upper[higher], count)
    nearest = _first(upper, lower, count)
    beside = line[lower] == line[nearest[upper]]
    upper, lower = upper[beside], lower[beside]
    order = np.lexsort((lower, left[lower], upper))
    below = _first(upper[order], lower[order], count)
    return above, above2, below


def _first(places: Ints, values: Ints, count: int) -> Ints:
    """Per place the first of its values, -1 where there is none."""
    found = np.full(count, -1)
    found[places[::-1]] = values[::-1]
    return found


def _powers(count: int) -> Hashes:
    powers = np.empty(count, dtype=np.uint64)
    value = 1
    for i in range(count):
        powers[i] = value
        value = (value * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    return powers


def at(values: Hashes, index: Ints) -> Hashes:
    """values[index], 0 where the index is negative."""
    return np.where(index >= 0, values[np.maximum(index, 0)], np.uint64(0))


def over(tokens: Tokens, segments: Segments, target: Ints) -> Ints:
    """Per token, the token of segment `target` (by number, -1 for none) over or under its centre."""
    x = (tokens.box[:, 0] + tokens.box[:, 2]) / 2
    wide = float(tokens.box[:, 2].max()) + 10.0
    rank = np.repeat(np.arange(len(segments.first)), segments.end - segments.first)
    keys = np.maximum.accumulate(rank * wide + np.clip(tokens.box[:, 2], 0, wide - 1))
    found = np.searchsorted(keys, target * wide + np.clip(x, 0, wide - 2))
    found = np.minimum(found, segments.end[np.maximum(target, 0)] - 1)
    return np.where(target >= 0, np.maximum(found, segments.first[np.maximum(target, 0)]), -1)


@dataclass(frozen=True, slots=True)
class Context:
    """What both feature groups and the decoder need of a document."""

    segments: Segments
    rank: Ints  # per token: its segment's number
    above: Ints  # per token: the token above, -1 for none


def context_of(tokens: Tokens) -> Context:
    segments = segments_of(tokens, tokens.norm)
    rank = np.repeat(np.arange(len(segments.first)), segments.end - segments.first)
    return Context(segments, rank, over(tokens, segments, segments.above[rank]))


def _bins(values: NDArray[np.float64], edges: tuple[float, ...]) -> Hashes:
    return np.searchsorted(np.asarray(edges), values).astype(np.uint64)


def base_columns(tokens: Tokens, context: Context, day_first: bool) -> NDArray[np.int32]:
    """(n, features) columns in [0, WIDTH): word, shape, position, neighbours, value among values."""
    norm, shape, prefix, suffix, _ = tokens.hashes
    kind, length = u(tokens.kind), u(tokens.traits[1])
    line, segment, segments, rank = tokens.line, tokens.segment, context.segments, context.rank
    out = Columns(1)
    # The word itself.
    out.add(norm)
    out.add(shape)
    out.add(kind)
    out.add(kind, length)
    out.add(prefix)
    out.add(suffix)
    # Print and place.
    height = tokens.box[:, 3] - tokens.box[:, 1]
    relative = tokens.size / max(float(np.median(tokens.size)), 0.1)
    size = _bins(relative, (0.7, 0.9, 1.1, 1.4, 2.0))
    out.add(size, u(tokens.style), kind)
    widths = np.asarray([p.width for p in tokens.pages])[tokens.page]
    heights = np.asarray([p.height for p in tokens.pages])[tokens.page]
    x = u(np.clip(8 * tokens.box[:, 0] / np.maximum(widths, 1), 0, 7))
    y = u(np.clip(12 * tokens.box[:, 1] / np.maximum(heights, 1), 0, 11))
    numbers = np.asarray([p.number for p in tokens.pages])[tokens.page]
    is_first = u(numbers == 0)
    is_last = u(numbers == tokens.page_count - 1)
    out.add(x, kind)
    out.add(y, is_first, kind)
    out.add(x, y >> np.uint64(1), is_first)
    out.add(is_first, is_last, kind)
    # The run the token stands in.
    position = np.arange(len(tokens)) - segments.first[rank]
    behind = segments.end[rank] - 1 - np.arange(len(tokens))
    out.add(u(np.minimum(position, 4)), u(np.minimum(behind, 4)))
    out.add(u(np.minimum(position, 4)), kind)
    starts_line = back(np.ones_like(norm), line, 1) == 0
    in_line = np.arange(len(tokens)) - np.maximum.accumulate(
        np.where(starts_line, np.arange(len(tokens)), 0)
    )
    out.add(u(np.minimum(in_line, 6)), kind)
    # Words before and after, in the run and across runs.
    left, left2 = back(norm, segment, 1), back(norm, segment, 2)
    right, right2 = back(norm, segment, -1), back(norm, segment, -2)
    before, after = back(norm, line, 1), back(norm, line, -1)
    kind_left, kind_right = back(kind + np.uint64(1), line, 1), back(kind + np.uint64(1), line, -1)
    out.add(left)
    out.add(left2, left)
    out.add(left, kind)
    out.add(right)
    out.add(right, kind)
    out.add(right, right2)
    out.add(before, kind)
    out.add(after, kind)
    out.add(kind_left, kind, kind_right)
    out.add(left2, u(np.minimum(position, 4)))
    opening = norm[segments.first[rank]]
    out.add(opening, u(np.minimum(position, 5)))
    out.add(opening, kind)
    # The run to the left: what a label printed before its value is.
    same = np.concatenate(([False], segments.line[1:] == segments.line[:-1]))
    previous = np.where(same, np.arange(len(same)) - 1, -1)
    previous2 = np.where(previous >= 0, previous[np.maximum(previous, 0)], -1)
    following = np.concatenate((np.where(same[1:], np.arange(1, len(same)), -1), [-1]))
    closing = norm[segments.end - 1]
    left_text, left_close = at(segments.text, previous)[rank], at(closing, previous)[rank]
    gap = np.where(
        previous >= 0,
        tokens.box[segments.first, 0] - tokens.box[segments.end[np.maximum(previous, 0)] - 1, 2],
        -1.0,
    )
    gap_bin = _bins(gap / np.maximum(height[segments.first], 1), (0, 2, 5, 10, 20))[rank]
    index = u(np.minimum(position, 2))
    out.add(left_text, kind)
    out.add(left_text, index)
    out.add(left_close, kind)
    out.add(left_close, index)
    out.add(left_text, gap_bin)
    out.add(at(segments.text, previous2)[rank], kind)
    out.add(at(norm[segments.first], following)[rank], kind)
    out.add(at(segments.text, following)[rank], index)
    marks = np.maximum.accumulate(np.where(tokens.colon, np.arange(len(tokens)), -1))
    marks = np.where((marks >= 0) & (line[np.maximum(marks, 0)] == line), marks, -1)
    out.add(at(norm, marks), kind)
    out.add(at(norm, marks), u(np.minimum(np.arange(len(tokens)) - marks, 5)) * u(marks >= 0))
    head = segments.text[rank[np.arange(len(tokens)) - in_line]]
    out.add(head, kind)
    # Above and below.
    over1, over2 = segments.above[rank], segments.above2[rank]
    upper, upper2 = at(segments.text, over1), at(segments.text, over2)
    word_above = at(norm, context.above)
    drop = np.where(over1 >= 0, segments.line[rank] - segments.line[np.maximum(over1, 0)], 0)
    out.add(upper, kind)
    out.add(upper, index)
    out.add(word_above, kind)
    out.add(word_above, u(np.minimum(drop, 4)))
    out.add(upper2, kind)
    out.add(at(closing, over1), kind)
    under = segments.below[rank]
    out.add(at(segments.text, under), kind)
    out.add(at(norm[segments.first], under), kind)
    out.add(
        at(kind[segments.first] + np.uint64(1), under), kind, at(kind + np.uint64(1), context.above)
    )
    # The value among the document's values.
    for column in value_columns(tokens, day_first):
        out.add(column)
    return out.matrix()


def anchor_columns(tokens: Tokens, context: Context, known: Familiarity) -> NDArray[np.int32]:
    """(n, features): how familiar the word and its neighbours are, and the nearest print around."""
    norm = tokens.norm
    kind = u(tokens.kind)
    line, segments, rank = tokens.line, context.segments, context.rank
    n = len(tokens)
    bins = _bins(known.near, (0.05, 0.3, 0.6, 0.9)) * np.uint64(8) + _bins(
        known.overall, (0.01, 0.05, 0.2, 0.5)
    )
    template = known.template
    out = Columns(500)
    out.add(bins, kind)
    out.add(bins, back(bins + np.uint64(1), line, 1))
    out.add(bins, back(bins + np.uint64(1), line, -1))
    # Nearest print to the left in the line.
    index = np.arange(n)
    anchor = np.maximum.accumulate(np.where(template, index, -1))
    anchor = np.concatenate(([-1], anchor[:-1]))
    anchor = np.where((anchor >= 0) & (line[np.maximum(anchor, 0)] == line), anchor, -1)
    run = mix(
        norm, np.where(back(template.astype(np.uint64), line, 1) == 1, back(norm, line, 1), 0)
    )
    distance = u(np.where(anchor >= 0, np.minimum(index - anchor, 6), 0))
    left_run = at(run, anchor)
    out.add(left_run)
    out.add(left_run, kind)
    out.add(left_run, distance)
    out.add(at(norm, anchor), kind, distance)
    # Nearest print above: the nearest run above that holds some.
    printed = np.logical_or.reduceat(template, segments.first)
    over1, over2 = segments.above, segments.above2
    second = np.where((over2 >= 0) & printed[np.maximum(over2, 0)], over2, -1)
    target = np.where((over1 >= 0) & printed[np.maximum(over1, 0)], over1, second)[rank]
    up = over(tokens, segments, target)
    drop = np.where(
        target >= 0, np.minimum(segments.line[rank] - segments.line[np.maximum(target, 0)], 4), 0
    )
    up_word = at(norm, up)
    out.add(up_word, kind)
    out.add(up_word, u(drop))
    out.add(up_word, left_run)
    # Next print to the right, and the place in the run of variable words.
    ahead = np.minimum.accumulate(np.where(template, index, n)[::-1])[::-1]
    ahead = np.concatenate((ahead[1:], [n]))
    ahead = np.where((ahead < n) & (line[np.minimum(ahead, n - 1)] == line), ahead, -1)
    out.add(at(norm, ahead), kind)
    distance_right = u(np.where(ahead >= 0, np.minimum(ahead - index, 5), 0))
    out.add(u(template), distance, distance_right)
    out.add(
        u(template),
        back(u(template) + np.uint64(1), tokens.segment, 1),
        back(u(template) + np.uint64(1), tokens.segment, -1),
        kind,
    )
    return out.matrix()
