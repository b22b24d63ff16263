from __future__ import annotations

import numpy as np

from ml_backend.extraction.anchors import build_reference
from ml_backend.extraction.document import tokenise
from ml_backend.extraction.encoding import encode, sheet_of
from ml_backend.extraction.fields import Document
from ml_backend.extraction.spans import (
    PRIOR,
    Case,
    chances,
    choices,
    length_shares,
    marks_of,
    teach,
    untaught,
    value_hash,
)
from tests.extraction.forms import page, placed

NAMES = list(PRIOR)


def encoded(*lines: str):
    words = [w for i, line in enumerate(lines) for w in placed(line, 50, 50 + 30 * i)]
    document = Document("a", (page(words),))
    sheet = sheet_of(document, tokenise(document, 3, 1), day_first=False)
    return encode(sheet, build_reference([]), None)


NOTHING = np.zeros(0, dtype=np.uint64)


def picked(e, start: int, longest: int = 4) -> str:
    marks = marks_of(e)
    chain = np.flatnonzero(e.tokens.segment == e.tokens.segment[start])
    odds = np.asarray([-4.0 if text.endswith(":") else -1.0 for text in e.tokens.texts])
    lengths = length_shares([2, 2, 3], longest)
    found = choices(marks, chain, int(start - chain[0]), longest, lengths)
    p = chances(found.judged(odds, NOTHING), np.asarray(list(PRIOR.values())))
    best = int(np.argmax(p))
    return " ".join(e.tokens.texts[i] for i in chain[found.first[best] : found.last[best] + 1])


def test_a_name_ends_where_its_run_ends():
    assert picked(encoded("Client: Elm Street Bakers"), 1) == "Elm Street Bakers"


def test_a_copy_with_another_neighbour_shows_the_end():
    e = encoded("Elm Street Invoice", "Elm Street", "nothing more")
    marks = marks_of(e)
    chain = np.arange(3)
    found = choices(marks, chain, 0, 3, length_shares([2], 3))
    ends = found.features[:, NAMES.index("a copy ends here")]
    assert ends.tolist() == [0.0, 1.0, 0.0]


def test_a_known_value_is_recognised():
    e = encoded("Elm Street Bakers")
    marks = marks_of(e)
    known = np.asarray([value_hash(marks.squeezed[:2])], dtype=np.uint64)
    found = choices(marks, np.arange(3), 0, 3, length_shares([2], 3))
    assert found.judged(np.zeros(3), known)[:, NAMES.index("known value")].tolist() == [
        0.0,
        1.0,
        0.0,
    ]


def test_the_weights_move_to_what_reviewers_do():
    """Reviewers who leave the closing word out teach that values end before the run does."""
    e = encoded("Elm Street Bakers Inc")
    marks, lengths = marks_of(e), length_shares([3, 3, 3], 4)
    found = choices(marks, np.arange(4), 0, 4, lengths)
    model = untaught(1, [lengths], [NOTHING])
    before = chances(found.features, model.weights[0])
    taught = teach(model, [Case(0, found.features, 2)] * 15)
    after = chances(found.features, taught.weights[0])
    assert int(np.argmax(after)) == 2
    assert after[2] > before[2]
    assert teach(model, []) is model


def column_of(name: str, words, chain) -> list[float]:
    document = Document("a", (page(words),))
    sheet = sheet_of(document, tokenise(document, 3, 1), day_first=False)
    e = encode(sheet, build_reference([]), None)
    run = np.asarray([e.tokens.texts.index(text) for text in chain])
    n = len(run)
    found = choices(marks_of(e), run, 0, n, length_shares([2], n))
    return found.features[:, NAMES.index(name)].tolist()


def test_a_word_at_the_edge_of_the_runs_below_opens_a_column():
    words = placed("Elm Street Invoice 1", 50, 50)
    edge = words[2][1][0]
    for i, text in enumerate(("Date today", "Month May")):
        words += placed(text, edge, 64 + 14 * i)
    chain = ["Elm", "Street", "Invoice"]
    assert column_of("column opens inside", words, chain) == [0.0, 0.0, 1.0]
    assert column_of("last: before a column", words, chain) == [0.0, 1.0, 0.0]


def test_a_line_broken_for_want_of_room_goes_on_below():
    """Two columns, so that the second line of the first is not the first run of its line."""
    words = placed("Friends of Elm", 50, 50) + placed("Market: Johnson", 145, 50)
    words += placed("Street", 50, 64) + placed("Bristol", 145, 64)
    chain = ["Friends", "of", "Elm", "Street"]
    assert column_of("line break inside", words, chain) == [0.0, 0.0, 0.0, 1.0]
    for name in ("gap inside", "line broken early", "line after print", "line goes on elsewhere"):
        assert column_of(name, words, chain) == [0.0] * 4, name
    roomy = [*words, *placed("A line of the column that is longer", 50, 78)]
    assert column_of("line broken early", roomy, chain) == [0.0, 0.0, 0.0, 1.0]
    told = [*words, *placed("Road:", 5, 64)]
    assert column_of("line after print", told, chain) == [0.0, 0.0, 0.0, 1.0]
    aside = [(t, (b[0] + 12 * (t == "Street"), b[1], b[2], b[3])) for t, b in words]
    assert column_of("line goes on elsewhere", aside, chain) == [0.0, 0.0, 0.0, 1.0]


def test_a_date_printed_straight_after_a_name_is_not_part_of_it():
    e = encoded("Client: Elm Street Bakers02/11/20")
    assert e.tokens.texts == ("Client:", "Elm", "Street", "Bakers", "02/11/20")
    assert picked(e, 1) == "Elm Street Bakers"
