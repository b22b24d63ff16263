"""Files, kept under the hash of their bytes: in a folder or in an S3 bucket, by one interface.

Writing a blob before the row that names it is always safe: what no row names is garbage, never corruption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, S3Store

from db.errors import BlobCorrupt, BlobMissing, ConfigError

_HEX = frozenset("0123456789abcdef")


class BlobStore:
    """Blobs by their SHA-256, as 64 hexadecimal digits. Safe to share between threads and processes."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def put(self, data: bytes) -> str:
        """Keep ``data`` and return its hash. The same bytes again change nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = _key(sha256)
        try:
            self._store.put(key, data, mode="create")
        except AlreadyExistsError:
            # A crash of the machine can leave a name without its bytes; writing again mends it.
            if self._store.head(key)["size"] != len(data):
                self._store.put(key, data)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes, checked against the hash. Raises BlobMissing or BlobCorrupt."""
        try:
            data = bytes(self._store.get(_key(sha256)).bytes())
        except FileNotFoundError as error:
            raise BlobMissing(sha256) from error
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise BlobCorrupt(sha256, found, len(data))
        return data

    def exists(self, sha256: str) -> bool:
        """Whether the store has this blob; says nothing about the state of its bytes."""
        try:
            self._store.head(_key(sha256))
        except FileNotFoundError:
            return False
        return True

    def delete(self, sha256: str) -> None:
        """Remove the blob; one that is not there counts as removed."""
        try:
            self._store.delete(_key(sha256))
        except FileNotFoundError:
            return

    def iterate(self) -> Iterator[str]:
        """The hash of every blob, in no promised order. Other objects in the bucket are passed over."""
        for batch in self._store.list():
            for entry in batch:
                name = entry["path"].rpartition("/")[2]
                if _is_hash(name) and entry["path"] == _key(name):
                    yield name


def open_blobs(url: str) -> BlobStore:
    """The store at ``file:///folder`` (made when missing) or ``s3://bucket/prefix``.

    An S3 store takes its credentials, region and endpoint from the usual ``AWS_…`` variables
    (``AWS_ENDPOINT_URL`` for servers other than Amazon's). Raises ConfigError for other addresses.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise ConfigError(
                "BLOB_URL",
                f"names the host {parts.netloc!r}; write file:///path with three slashes.",
            )
        folder = Path(url2pathname(unquote(parts.path)))
        if not folder.is_absolute() or folder == Path(folder.anchor):
            raise ConfigError(
                "BLOB_URL", "must name a folder, e.g. file:///var/lib/fieldloop/blobs."
            )
        try:
            return BlobStore(LocalStore(folder, mkdir=True))
        except OSError as error:
            raise ConfigError(
                "BLOB_URL", f"the folder {folder} cannot be made: {error}."
            ) from error
    if parts.scheme == "s3":
        if not parts.netloc:
            raise ConfigError(
                "BLOB_URL", "names no bucket; write s3://bucket or s3://bucket/prefix."
            )
        prefix = unquote(parts.path).strip("/") or None
        # Plain http is refused by default; it is right for a store on the same host.
        return BlobStore(S3Store(parts.netloc, prefix=prefix, client_options={"allow_http": True}))
    raise ConfigError(
        "BLOB_URL", f"cannot use {parts.scheme or 'no scheme'!r}; use file:// or s3://."
    )


def _key(sha256: str) -> str:
    # Two levels of folders: no folder grows beyond what file systems list quickly.
    if not _is_hash(sha256):
        raise ValueError(f"not a SHA-256 in lower-case hexadecimal: {sha256!r}")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _is_hash(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)
