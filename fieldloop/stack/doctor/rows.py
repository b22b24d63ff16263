"""A row of the examination, and how checks are run: one that fails in a way nobody thought of is a row too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from db.errors import RecordError


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, with less than could be had
    FAIL = "fail"
    SKIPPED = "skipped"  # could not be looked at; ``what`` says why


@dataclass(frozen=True)
class Row:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    what: str
    fix: str = ""


class NotChecked(Exception):
    """Something else must be mended first."""


Finding = tuple[Verdict, str, str]


@dataclass(frozen=True)
class Check:
    """A name and how to look. ``look`` returns what it found, or raises NotChecked or RecordError."""

    name: str
    look: Callable[[], Finding]


def ok(what: str) -> Finding:
    return Verdict.OK, what, ""


def warn(what: str, fix: str) -> Finding:
    return Verdict.WARN, what, fix


def fail(what: str, fix: str) -> Finding:
    return Verdict.FAIL, what, fix


def examine(checks: Iterable[Check]) -> Iterator[Row]:
    """Run the checks in order."""
    for check in checks:
        try:
            verdict, what, fix = check.look()
        except NotChecked as reason:
            yield Row(check.name, Verdict.SKIPPED, f"Not checked: {reason}.")
        except RecordError as error:
            yield Row(check.name, Verdict.FAIL, str(error))
        except Exception as error:  # noqa: BLE001 - the next check may find out why
            yield Row(
                check.name,
                Verdict.FAIL,
                f"The check itself failed: {type(error).__name__}: {error}",
                "See `fieldloop logs`; if they say nothing, report this line.",
            )
        else:
            yield Row(check.name, verdict, what, fix)
