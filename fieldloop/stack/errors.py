"""What can keep the local stack from running. Each names the part or the setting, and the fix."""

from __future__ import annotations

from pathlib import Path

from db.errors import RecordError


class StackError(RecordError):
    """Base of everything the local stack raises on purpose."""


class PortBusy(StackError):
    """Somebody else listens where a part should."""

    def __init__(self, part: str, port: int, setting: str, owner: str | None) -> None:
        super().__init__(
            f"Port {port}, meant for {part}, is taken{f' by {owner}' if owner else ''}. "
            f"End that program, or set {setting} to a free port."
        )
        self.part = part
        self.port = port
        self.setting = setting


class PartFailed(StackError):
    """A part ended or did not become ready while the stack was starting."""

    def __init__(self, part: str, problem: str, log: Path, tail: str) -> None:
        indented = "\n".join(f"    {line}" for line in tail.splitlines())
        super().__init__(
            f"{part} {problem}. The end of {log}:\n{indented or '    (it said nothing)'}"
        )
        self.part = part
        self.log = log


class AlreadyRunning(StackError):
    """Another supervisor holds the state folder."""

    def __init__(self, home: Path, pid: int | None) -> None:
        super().__init__(
            f"Fieldloop already runs on {home}{f' (process {pid})' if pid else ''}. "
            "`fieldloop status` shows it, `fieldloop down` stops it."
        )
        self.home = home
        self.pid = pid
