"""What can go wrong in extraction, as exceptions that carry their data."""

from __future__ import annotations


class ExtractionError(Exception):
    """Base of every error this package raises on purpose."""


class NothingToLearn(ExtractionError):
    """No label could be used; the sentence says which labels are missing."""


class UnknownField(ExtractionError):
    """A label or a specification names a field the schema does not have."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(
            f"field {name!r} is not in the schema (known: {', '.join(known) or 'none'}); "
            "add it to the schema or drop its labels"
        )
