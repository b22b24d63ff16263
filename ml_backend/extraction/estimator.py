"""The estimator: fit on reviewed documents, predict values with boxes and confidences.

Text, number, date and identifier fields are learnt here, token by token; tables, checkboxes and
signatures have models of their own, which this one fits and asks along the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ml_backend.extraction.anchors import build_reference
from ml_backend.extraction.answers import answer
from ml_backend.extraction.calibration import Calibration
from ml_backend.extraction.delegates import Delegate, delegate_for
from ml_backend.extraction.document import Tokens
from ml_backend.extraction.encoding import Encoded, Sheet, SheetCache, encode
from ml_backend.extraction.errors import ExtractionError, NothingToLearn, UnknownField
from ml_backend.extraction.fields import (
    Document,
    Extraction,
    FieldSpec,
    FieldType,
    Labels,
    split_column,
)
from ml_backend.extraction.hints import hint_columns
from ml_backend.extraction.learning import Lessons, Settings, State, learn
from ml_backend.extraction.state import from_plain, to_plain
from ml_backend.extraction.upright import extraction_put_back, labels_placed, upright
from ml_backend.extraction.values import reads_day_first
from ml_backend.extraction.zero_shot import ZeroShotExtractor

TOKEN_TYPES = (FieldType.TEXT, FieldType.NUMBER, FieldType.DATE, FieldType.IDENTIFIER)
MOST_EDGE_PAGES = 12
MOST_POOL = 200


class FieldExtractor(BaseEstimator):  # type: ignore[misc]
    """Learns where a project's fields stand from a handful of reviewed documents.

    `self_train` also learns from the pool given to `fit`; without it the pool only tells print
    from variable words. `head_pages` and `tail_pages` are the pages looked at from the front and
    from the end; `fit` widens them to the pages labels stand on. `hints` uses the fields' own
    names and aliases.
    """

    def __init__(
        self,
        fields: Sequence[FieldSpec],
        *,
        seed: int = 0,
        self_train: bool = False,
        head_pages: int = 3,
        tail_pages: int = 1,
        c: float = 10.0,
        hints: bool = True,
    ) -> None:
        self.fields = fields
        self.seed = seed
        self.self_train = self_train
        self.head_pages = head_pages
        self.tail_pages = tail_pages
        self.c = c
        self.hints = hints

    def fit(
        self,
        documents: Sequence[Document],
        labels: Sequence[Labels],
        pool: Sequence[Document] = (),
        cache: SheetCache | None = None,
    ) -> FieldExtractor:
        """`pool`: unreviewed documents of the same kinds. Raises NothingToLearn or UnknownField."""
        self._check(documents, labels)
        specs = self._token_specs()
        documents = [upright(document) for document in documents]
        labels = [labels_placed(d, own) for d, own in zip(documents, labels, strict=True)]
        self.head_, self.tail_ = self._pages_needed(documents, labels)
        self.delegates_ = self._fit_delegates(documents, labels)
        cache = cache or SheetCache()
        unreviewed = [upright(document) for document in list(pool)[:MOST_POOL]]
        everything = [*documents, *unreviewed]
        self.day_first_ = self._day_first(
            [cache.tokens(d, self.head_, self.tail_) for d in everything]
        )
        sheets = [cache.get(d, self.head_, self.tail_, self.day_first_) for d in everything]
        reference = build_reference([sheet.print for sheet in sheets])
        settings = Settings(self.c, self.seed, self.self_train)
        lessons = Lessons(
            fields=tuple(specs),
            labels=tuple(labels),
            sheets=tuple(sheets[: len(documents)]),
            pool=tuple(sheets[len(documents) :]),
            reference=reference,
            cache=cache,
            hints=self._hints_by(cache),
            day_first=self.day_first_,
        )
        self.state_ = learn(lessons, settings)
        if self.state_.model is None and not self.delegates_:
            raise NothingToLearn(self._what_is_missing(labels, self.state_))
        return self

    def predict(self, documents: Sequence[Document]) -> list[Extraction]:
        if not hasattr(self, "state_"):
            raise ExtractionError("this extractor has not been fitted; call fit first")
        return [self._predict(document) for document in documents]

    def encode(self, document: Document) -> Encoded:
        """The document as the fitted model sees it; for benchmarks and explanations."""
        seen = upright(document)
        return self._encoded(SheetCache(1).get(seen, self.head_, self.tail_, self.day_first_))

    @property
    def calibration_(self) -> Calibration:
        calibration: Calibration = self.state_.calibration
        return calibration

    def _predict(self, document: Document) -> Extraction:
        encoded = self.encode(document)
        seen = encoded.sheet.document
        values, absent = answer(encoded, self.state_, self._token_specs())
        for name in sorted(self.delegates_):
            found = self.delegates_[name].predict(seen)
            values += found
            if not found:
                absent[name] = 0.5
        return extraction_put_back(seen, Extraction(document.id, tuple(values), absent))

    def _encoded(self, sheet: Sheet) -> Encoded:
        return encode(sheet, self.state_.reference, None, self._hints(sheet))

    def _hints(self, sheet: Sheet) -> np.ndarray[Any, np.dtype[np.float64]] | None:
        if not self.hints:
            return None
        if not hasattr(self, "_hint_source"):
            self._hint_source = ZeroShotExtractor(tuple(self._token_specs()))
        return hint_columns(sheet, self._hint_source)

    def _hints_by(
        self, cache: SheetCache
    ) -> Callable[[Sheet], np.ndarray[Any, np.dtype[np.float64]] | None]:
        """Hints of sheets the cache holds are made once, whatever the number of fits."""
        if not self.hints:
            return lambda sheet: None
        specs = tuple(self._token_specs())
        source = ZeroShotExtractor(specs)
        return lambda sheet: cache.hints(sheet, specs, lambda s: hint_columns(s, source))

    def _token_specs(self) -> list[FieldSpec]:
        return [spec for spec in self.fields if spec.type in TOKEN_TYPES]

    def _check(self, documents: Sequence[Document], labels: Sequence[Labels]) -> None:
        if len(documents) != len(labels):
            raise ExtractionError(
                f"{len(documents)} documents but {len(labels)} sets of labels; give one per document"
            )
        names = tuple(spec.name for spec in self.fields)
        if len(set(names)) != len(names):
            raise ExtractionError("two fields have the same name; names must differ")
        if not names:
            raise NothingToLearn("no fields to learn: the schema is empty")
        if not documents:
            raise NothingToLearn("no reviewed documents: label at least one before training")
        for answers in labels:
            for label in answers.labels:
                table, column = split_column(label.field)
                if label.field not in names and not (column and table in names):
                    raise UnknownField(label.field, names)

    def _what_is_missing(self, labels: Sequence[Labels], state: State) -> str:
        count = sum(len(answers.labels) for answers in labels)
        if not count:
            return (
                f"none of the {len(labels)} reviewed documents has a label: mark at least one value"
            )
        return (
            f"none of the {count} labels covers a word ({state.empty_boxes} boxes are empty): "
            "draw boxes around printed words, or read the documents with OCR first"
        )

    def _pages_needed(
        self, documents: Sequence[Document], labels: Sequence[Labels]
    ) -> tuple[int, int]:
        head, tail = self.head_pages, self.tail_pages
        for document, answers in zip(documents, labels, strict=True):
            position = {page.number: i for i, page in enumerate(document.pages)}
            for label in answers.labels:
                at = position.get(label.page)
                if at is None:
                    continue
                from_end = len(document.pages) - at
                if at + 1 > head and from_end > tail:
                    if at + 1 <= from_end:
                        head = min(at + 1, MOST_EDGE_PAGES)
                    else:
                        tail = min(from_end, MOST_EDGE_PAGES)
        return head, tail

    def _day_first(self, read: Sequence[Tokens]) -> bool:
        formats = [s.format for s in self.fields if s.type == FieldType.DATE and s.format]
        if formats:
            return formats.count("DMY") > formats.count("MDY")
        return reads_day_first(list(read))

    def _fit_delegates(
        self, documents: Sequence[Document], labels: Sequence[Labels]
    ) -> dict[str, Delegate]:
        fitted: dict[str, Delegate] = {}
        for spec in self.fields:
            if spec.type in TOKEN_TYPES:
                continue
            known = any(
                split_column(label.field)[0] == spec.name for a in labels for label in a.labels
            )
            if known:
                fitted[spec.name] = delegate_for(spec, self.seed).fit(documents, labels)
        return fitted

    def __getstate__(self) -> dict[str, Any]:
        return to_plain(self)

    def __setstate__(self, plain: dict[str, Any]) -> None:
        self.__dict__.update(from_plain(plain))
