"""Import once, before a process forks, what is slow to import: its children start at once and share the pages."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# scikit-learn and skops take these up where they are installed, and do without where they are not. We hand
# them arrays only, so that would be 70 MB and two seconds for nothing.
NOT_NEEDED = ("pandas", "polars", "pyarrow", "pytest")


def preload(*modules: str) -> None:
    """Import ``modules``, leave out what they would only look for, and keep all of it out of the collector's way."""
    with _hidden(NOT_NEEDED):
        for module in modules:
            importlib.import_module(module)
    gc.collect()
    # A collection writes into every object it visits, and each page written to is copied for the process.
    gc.freeze()


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Importing any of ``names`` fails inside the block, unless it was imported before."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to say: not there
    try:
        yield
    finally:
        # Not for longer: scikit-learn asks sys.modules whether somebody hands it a data frame.
        for name in hidden:
            del sys.modules[name]
