"""Documents → feature matrices, in two steps: what the document alone gives (kept, so that a
retrain costs the fit), and what comparing it with the reference adds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.anchors import Familiarity, Print, Reference, familiarity, print_of
from ml_backend.extraction.document import Floats, Tokens, tokenise
from ml_backend.extraction.features import Context, anchor_columns, base_columns, context_of
from ml_backend.extraction.fields import Document


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document read once: tokens, context, columns that need no other document."""

    document: Document
    tokens: Tokens
    context: Context | None  # None for a document without words
    base: NDArray[np.int32]
    print: Print


def sheet_of(
    document: Document, head: int, tail: int, day_first: bool, tokens: Tokens | None = None
) -> Sheet:
    """`tokens`: the document's tokens, where the caller has them already."""
    if tokens is None:
        tokens = tokenise(document, head, tail)
    own = print_of(tokens)
    if not len(tokens):
        return Sheet(document, tokens, None, np.zeros((0, 0), dtype=np.int32), own)
    context = context_of(tokens)
    return Sheet(document, tokens, context, base_columns(tokens, context, day_first), own)


class SheetCache:
    """The last `size` documents' sheets, so that a retrain costs the fit alone.

    Keyed by document id and word count: ids must change with the content.
    """

    def __init__(self, size: int = 400) -> None:
        self._size = size
        self._sheets: OrderedDict[tuple[object, ...], Sheet] = OrderedDict()
        self._hints: OrderedDict[int, tuple[Sheet, Hashable, Floats]] = OrderedDict()

    def get(
        self,
        document: Document,
        head: int,
        tail: int,
        day_first: bool,
        tokens: Tokens | None = None,
    ) -> Sheet:
        words = sum(len(page.texts) for page in document.pages)
        key = (document.id, len(document.pages), words, head, tail, day_first)
        if key in self._sheets:
            self._sheets.move_to_end(key)
        else:
            self._sheets[key] = sheet_of(document, head, tail, day_first, tokens)
            while len(self._sheets) > self._size:
                self._sheets.popitem(last=False)
        return self._sheets[key]

    def hints(self, sheet: Sheet, key: Hashable, make: Callable[[Sheet], Floats]) -> Floats:
        """`make(sheet)`, once per sheet and `key`; for sheets of this cache."""
        kept = self._hints.get(id(sheet))
        if kept is None or kept[0] is not sheet or kept[1] != key:
            kept = self._hints[id(sheet)] = (sheet, key, make(sheet))
            while len(self._hints) > self._size:
                self._hints.popitem(last=False)
        return kept[2]


@dataclass(frozen=True, slots=True)
class Encoded:
    """`columns` (tokens, features) in [0, WIDTH); `dense` (tokens, d) numeric features, d may be 0."""

    sheet: Sheet
    columns: NDArray[np.int32]
    dense: Floats
    known: Familiarity | None

    @property
    def tokens(self) -> Tokens:
        return self.sheet.tokens

    def __len__(self) -> int:
        return len(self.sheet.tokens)


def encode(
    sheet: Sheet, reference: Reference, skip: int | None, dense: Floats | None = None
) -> Encoded:
    """`skip`: the document's place in the reference, None where it is not part of it."""
    n = len(sheet.tokens)
    extra = np.zeros((n, 0)) if dense is None else dense
    if sheet.context is None:
        return Encoded(sheet, sheet.base, extra, None)
    if not reference.size:
        return Encoded(sheet, sheet.base, extra, None)
    known = familiarity(sheet.tokens, sheet.print, reference, skip)
    anchors = anchor_columns(sheet.tokens, sheet.context, known)
    return Encoded(sheet, np.concatenate((sheet.base, anchors), axis=1), extra, known)
