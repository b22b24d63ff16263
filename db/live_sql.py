"""The functions, views and triggers of the record as they are now, in the order they need each other.

Migrations hold frozen copies and never read these files; a test compares what both build.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"
# A function stands after the ones it calls.
_FUNCTIONS = (
    "forbid_change",
    "set_last_state",
    "as_of_clock",
    "documents_as_of",
    "annotations_as_of",
    "field_values_as_of",
    "live_model_as_of",
    "extractions_as_of",
    "extracted_values_as_of",
    "predictions_as_of",
)


def live_sql() -> str:
    """All of it as one script, to run after the tables are there."""
    functions = sorted(
        (_FOLDER / "functions").glob("*.sql"), key=lambda p: _FUNCTIONS.index(p.stem)
    )
    files = [
        *functions,
        *sorted((_FOLDER / "views").glob("*.sql")),
        *sorted((_FOLDER / "triggers").glob("*.sql")),
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
