"""Documents → feature matrices, in two steps: what the document alone gives (kept, so that a
retrain costs the fit), and what comparing it with the reference adds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml_backend.extraction.anchors import Familiarity, Print, Reference, familiarity, print_of
from ml_backend.extraction.document import Floats, Tokens, tokenise
from ml_backend.extraction.features import Context, anchor_columns, base_columns, context_of
from ml_backend.extraction.fields import Document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document read once: tokens, context, columns that need no other document."""

    document: Document
    tokens: Tokens
    context: Context | None  # None for a document without words
    base: NDArray[np.int32]
    print: Print


def sheet_of(document: Document, tokens: Tokens, day_first: bool) -> Sheet:
    """`tokens`: the document's."""
    own = print_of(tokens)
    if not len(tokens):
        return Sheet(document, tokens, None, np.zeros((0, 0), dtype=np.int32), own)
    context = context_of(tokens)
    return Sheet(document, tokens, context, base_columns(tokens, context, day_first), own)


class SheetCache:
    """The last `size` documents' tokens and sheets, so that a retrain costs the fit alone.

    Keyed by document id and word count: ids must change with the content.
    """

    def __init__(self, size: int = 400) -> None:
        self._tokens: _Recent[Tokens] = _Recent(size)
        self._sheets: _Recent[Sheet] = _Recent(size)
        self._masked: _Recent[tuple[Sheet, Sheet]] = _Recent(size)
        self._hints: _Recent[tuple[Sheet, Hashable, Floats]] = _Recent(2 * size)

    def tokens(self, document: Document, head: int, tail: int) -> Tokens:
        key = (*_key_of(document), head, tail)
        return self._tokens.get(key, lambda: tokenise(document, head, tail))

    def get(self, document: Document, head: int, tail: int, day_first: bool) -> Sheet:
        tokens = self.tokens(document, head, tail)
        key = (*_key_of(document), head, tail, day_first)
        return self._sheets.get(key, lambda: sheet_of(document, tokens, day_first))

    def masked(self, sheet: Sheet, gone: frozenset[str], make: Callable[[], Sheet]) -> Sheet:
        """`make()`: the sheet without the words `gone`, once; for sheets of this cache."""
        key = (id(sheet), gone)
        kept = self._masked.get(key, lambda: (sheet, make()))
        if kept[0] is not sheet:
            kept = self._masked.put(key, (sheet, make()))
        return kept[1]

    def hints(self, sheet: Sheet, key: Hashable, make: Callable[[Sheet], Floats]) -> Floats:
        """`make(sheet)`, once per sheet and `key`; for sheets of this cache."""
        kept = self._hints.get(id(sheet), lambda: (sheet, key, make(sheet)))
        if kept[0] is not sheet or kept[1] != key:
            kept = self._hints.put(id(sheet), (sheet, key, make(sheet)))
        return kept[2]


def _key_of(document: Document) -> tuple[object, ...]:
    words = sum(len(page.texts) for page in document.pages)
    return (document.id, len(document.pages), words)


class _Recent(Generic[T]):
    """The last `size` things asked for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._kept:
            return self.put(key, make())
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, key: Hashable, value: T) -> T:
        self._kept[key] = value
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value


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
