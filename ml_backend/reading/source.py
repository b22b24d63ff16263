"""The pages of a file of any kind that can be read, as the reading process goes through them."""

from __future__ import annotations

from typing import Protocol

from ml_backend.reading.page_read import PageRead, Warned


class Source(Protocol):
    """An open file."""

    reader: str
    """Name and version of what reads it."""

    def __len__(self) -> int: ...

    def warnings(self) -> list[Warned]:
        """What is odd about the whole document."""
        ...

    def size(self, number: int) -> tuple[float, float]:
        """A page's size as displayed, in points, before anything else of it is looked at."""
        ...

    def read(self, number: int, *, draw: bool, picture: bool) -> PageRead:
        """A page; without ``draw`` nothing is drawn, without ``picture`` no picture is made of what is drawn."""
        ...
