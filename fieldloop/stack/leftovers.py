"""What a supervisor that was killed has left running: found by three traces, stopped in reverse order.

The run file says what was started; every process carries the mark of its stack in its environment; and
Postgres leaves a note of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from fieldloop.stack.folder import StateFolder
from fieldloop.stack.processes import Identity, marked, stop


def leftovers(
    folder: StateFolder, survivors: Mapping[str, Identity]
) -> list[tuple[Identity, str, str | None]]:
    """Living processes of an earlier stack: which, of which part, and the fingerprint it was started with."""
    found: dict[Identity, tuple[str, str | None]] = {}
    for name, row in folder.read_run().get("parts", {}).items():
        if row.get("pid") and row.get("started"):
            identity = Identity(row["pid"], row["started"])
            if identity.is_alive():
                found[identity] = (name, row.get("fingerprint"))
    known = {identity.pid for identity in found}
    for name, identity in survivors.items():
        if identity.pid not in known:
            found[identity] = (name, None)
            known.add(identity.pid)
    for identity, name in marked(folder.path).items():
        if identity.pid not in known:
            found[identity] = (name, "")  # never adopted by itself: it may be a child of the part
    return [(identity, name, wanted) for identity, (name, wanted) in found.items()]


def stop_leftovers(
    folder: StateFolder, left: Sequence[tuple[Identity, str, str | None]]
) -> list[str]:
    """Stop them, those first that were started last. Returns the names of their parts."""
    rows: Mapping[str, Any] = folder.read_run().get("parts", {})
    ranked = sorted(left, key=lambda row: -row[0].started)
    for identity, name, _ in ranked:
        row = rows.get(name, {})
        how = signal.Signals(row.get("stop_signal", _default_signal(name)))
        stop([(identity, how)], seconds=row.get("stop_seconds", 15.0))
    return list(dict.fromkeys(name for _, name, _ in ranked))


def _default_signal(name: str) -> signal.Signals:
    return signal.SIGINT if name == "postgres" else signal.SIGTERM
