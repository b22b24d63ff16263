"""What can be wrong with the record, its blobs or its settings. Errors carry data; none carries a field value."""

from __future__ import annotations


class RecordError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(RecordError):
    """A setting is missing or cannot be used.

    ``setting`` is the environment variable to look at.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class BlobMissing(RecordError):
    """The store has no blob under this hash."""

    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"The blob {sha256} is not in the store; restore it from a backup, or upload its document again."
        )
        self.sha256 = sha256


class BlobCorrupt(RecordError):
    """The bytes stored under this hash hash to something else."""

    def __init__(self, sha256: str, found: str, size: int) -> None:
        super().__init__(
            f"The blob {sha256} is damaged: its {size} bytes have the hash {found}. Restore it from a backup."
        )
        self.sha256 = sha256
        self.found = found
        self.size = size


class SchemaMismatch(RecordError):
    """The database is at another revision than this program."""

    def __init__(self, found: str | None, expected: str) -> None:
        super().__init__(
            f"The database is at revision {found or 'none'}, this program needs {expected}; "
            "run `fieldloop migrate` with the newest of the two versions."
        )
        self.found = found
        self.expected = expected


class MigrationBusy(RecordError):
    """Another process holds the migration lock for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Another process has been migrating this database for more than {seconds:.0f} s; "
            "let it end, or look for it in pg_stat_activity (application_name 'fieldloop-migrate')."
        )
        self.seconds = seconds


class UnknownDocument(RecordError):
    """No document goes by this id or name."""

    def __init__(
        self, wanted: str, problem: str = "there is no document of this id or name"
    ) -> None:
        super().__init__(f"{wanted!r}: {problem}.")
        self.wanted = wanted
