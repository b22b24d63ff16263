"""The memory of words: what it says does not hang on what it was asked before, nor on what it forgot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ml_backend.extraction.lexicon import Lexicon, Looks

WORDS = [f"word{i}:" if i % 3 else f"${i},000.00" for i in range(3_000)]


def _same(a: Looks, b: Looks) -> bool:
    return (
        np.array_equal(a.hashes, b.hashes)
        and np.array_equal(a.traits, b.traits)
        and np.array_equal(a.values, b.values, equal_nan=True)
    )


def test_what_is_said_of_a_word_stays() -> None:
    lexicon = Lexicon()
    first = lexicon.look(["Total:", "1,250.00", "Total:"])
    lexicon.look(WORDS)
    assert _same(first, lexicon.look(["Total:", "1,250.00", "Total:"]))
    assert len(lexicon) == 2 + len(WORDS)
    assert first.traits[2].tolist() == [1, 0, 1]
    assert first.values[1, 0] == 1250


def test_it_forgets_rather_than_grow_without_end() -> None:
    lexicon = Lexicon(most=100)
    kept = lexicon.look(WORDS[:50])
    for start in range(0, len(WORDS), 50):
        lexicon.look(WORDS[start : start + 50])
        assert len(lexicon) <= 150
    assert _same(kept, lexicon.look(WORDS[:50]))


def test_no_words() -> None:
    looks = Lexicon().look([])
    assert looks.hashes.shape == (5, 0)
    assert looks.values.shape == (0, 3)


def test_threads_that_meet_new_words_together_get_their_own() -> None:
    lexicon = Lexicon()
    parts = [WORDS[k::7] + WORDS[k::5] for k in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lexicon.look, parts))
    fresh = Lexicon()
    assert all(_same(own, fresh.look(part)) for own, part in zip(found, parts, strict=True))
