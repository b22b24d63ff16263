"""Why a document cannot be read: one sentence that says what, which limit, and how to change it."""

from __future__ import annotations


class DocumentError(Exception):
    """A document cannot be read. ``code`` is for programs, the message for people; neither quotes the document."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return type(self), (self.code, self.message)
