"""The settings of a process, read once from its environment.

The only reader of the environment in ``db``, ``ml_backend`` and ``sync``: entry points call
:meth:`Settings.from_environ` and pass the result down.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from db.errors import ConfigError

# What each setting is for, and where its value comes from: the text of the error when it is missing.
_FIXES = {
    "DATABASE_URL": "the Postgres of the record, e.g. postgresql://user:password@host/fieldloop",
    "REDIS_URL": "the Redis that carries job nudges, e.g. redis://host:6379/0",
    "BLOB_URL": "where files are kept, e.g. file:///var/lib/fieldloop/blobs or s3://bucket/prefix",
    "LABEL_STUDIO_URL": "how services reach Label Studio, e.g. http://127.0.0.1:8080",
    "LABEL_STUDIO_API_KEY": "a token from Label Studio, Account & Settings; legacy or personal access token",
    "FIELDLOOP_WEBHOOK_SECRET": "a random string of at least 16 characters that Label Studio sends with every webhook",
    "FIELDLOOP_SIGNING_KEY": "a random string of at least 16 characters that signs page image addresses",
}
REQUIRED = tuple(_FIXES)
_SCHEMES = {
    "DATABASE_URL": ("postgresql", "postgres", "postgresql+psycopg"),
    "REDIS_URL": ("redis", "rediss", "unix"),
    "BLOB_URL": ("file", "s3"),
    "LABEL_STUDIO_URL": ("http", "https"),
    "LABEL_STUDIO_PUBLIC_URL": ("http", "https"),
    "FIELDLOOP_BACKEND_URL": ("http", "https"),
    "FIELDLOOP_PUBLIC_URL": ("http", "https"),
}
DEFAULT_BACKEND_URL = "http://127.0.0.1:9090"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the parts of Fieldloop are, and the secrets they share. Secrets stay out of its ``repr``."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    blob_url: str
    label_studio_url: str
    label_studio_public_url: str
    """How browsers reach Label Studio."""
    label_studio_api_key: str = field(repr=False)
    backend_url: str
    """How Label Studio reaches ``ml_backend``."""
    public_url: str
    """How browsers reach ``ml_backend``: console and page images."""
    webhook_secret: str = field(repr=False)
    signing_key: str = field(repr=False)
    reader_password: str | None = field(default=None, repr=False)
    """Password of the role ``fieldloop_reader``; without one the role cannot log in."""
    fields_path: Path | None = None
    """The field schema file; None: the demo's."""
    label_studio_files: Path | None = None
    """Folder with our ``open.html`` as Label Studio sees it, in its document root; None: it serves none."""
    api_token: str | None = field(default=None, repr=False)
    """What the console and the documents API ask for; None: they are open to whoever reaches them."""
    max_file_bytes: int = 50 * 1024 * 1024
    """Largest file taken in."""
    max_pages: int = 1000
    """Longest document read."""
    page_seconds: float = 10.0
    """Computing time that reading one page may take, OCR apart."""
    read_seconds: float = 3600.0
    """Time that reading one document may take, OCR included."""
    read_memory_bytes: int = 1024 * 1024 * 1024
    """Memory that reading one document may take."""

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        needs: Collection[str] = REQUIRED,
    ) -> Settings:
        """Read and check the settings; ``environ`` defaults to the process environment.

        ``needs`` names the settings this process cannot do without; the others are empty when absent.
        Raises ConfigError for the first one that is missing or malformed.
        """
        values = os.environ if environ is None else environ

        def get(name: str, default: str = "") -> str:
            value = values.get(name, "").strip() or default
            if not value and name in needs:
                raise ConfigError(name, f"is not set; it names {_FIXES[name]}.")
            schemes = _SCHEMES.get(name)
            if value and schemes and urlsplit(value).scheme not in schemes:
                raise ConfigError(
                    name,
                    f"must be an address beginning with {' or '.join(f'{s}:' for s in schemes)}"
                    f"; it begins with {urlsplit(value).scheme or 'no scheme'!r}.",
                )
            return value

        label_studio_url = get("LABEL_STUDIO_URL").rstrip("/")
        backend_url = get("FIELDLOOP_BACKEND_URL", DEFAULT_BACKEND_URL).rstrip("/")
        fields_path = get("FIELDLOOP_FIELDS")
        studio_files = get("FIELDLOOP_LABEL_STUDIO_FILES")
        return cls(
            database_url=get("DATABASE_URL"),
            redis_url=get("REDIS_URL"),
            blob_url=get("BLOB_URL"),
            label_studio_url=label_studio_url,
            label_studio_public_url=get("LABEL_STUDIO_PUBLIC_URL", label_studio_url).rstrip("/"),
            label_studio_api_key=get("LABEL_STUDIO_API_KEY"),
            backend_url=backend_url,
            public_url=get("FIELDLOOP_PUBLIC_URL", backend_url).rstrip("/"),
            webhook_secret=_secret("FIELDLOOP_WEBHOOK_SECRET", get("FIELDLOOP_WEBHOOK_SECRET")),
            signing_key=_secret("FIELDLOOP_SIGNING_KEY", get("FIELDLOOP_SIGNING_KEY")),
            reader_password=get("FIELDLOOP_READER_PASSWORD") or None,
            fields_path=Path(fields_path) if fields_path else None,
            label_studio_files=Path(studio_files) if studio_files else None,
            api_token=get("FIELDLOOP_API_TOKEN") or None,
            max_file_bytes=_megabytes("FIELDLOOP_MAX_FILE_MB", get("FIELDLOOP_MAX_FILE_MB", "50")),
            max_pages=int(
                _number("FIELDLOOP_MAX_PAGES", get("FIELDLOOP_MAX_PAGES", "1000"), 1, 100_000)
            ),
            page_seconds=_number(
                "FIELDLOOP_PAGE_SECONDS", get("FIELDLOOP_PAGE_SECONDS", "10"), 0.1, 3600
            ),
            read_seconds=_number(
                "FIELDLOOP_READ_SECONDS", get("FIELDLOOP_READ_SECONDS", "3600"), 1, 86_400
            ),
            read_memory_bytes=_megabytes(
                "FIELDLOOP_READ_MEMORY_MB", get("FIELDLOOP_READ_MEMORY_MB", "1024")
            ),
        )


def _secret(name: str, value: str) -> str:
    if value and len(value) < 16:
        raise ConfigError(name, f"has {len(value)} characters; use a random string of at least 16.")
    return value


def _number(name: str, value: str, least: float, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ConfigError(name, f"must be a number from {least:g} to {most:g}; it is {value!r}.")
    return number


def _megabytes(name: str, value: str) -> int:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number <= 4096:
        raise ConfigError(name, f"must be a number of megabytes from 1 to 4096; it is {value!r}.")
    return int(number * 1024 * 1024)
