"""Sending files to the backend's HTTP API, one request per file, and following what becomes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Self
from uuid import uuid4

import requests

from db.config import Settings
from db.errors import RecordError

REFUSED = "refused"
WAITING_STAGES = ("processing",)
_PIECE = 256 * 1024
_TIMEOUT = (5.0, 300.0)


class BackendUnusable(RecordError):
    """Nothing answers where the backend should be, or it does not let us in; the message names the setting."""


@dataclass(frozen=True)
class Sent:
    """What became of one file. ``stage`` is known after waiting."""

    path: str
    outcome: str
    document_id: str | None = None
    version_id: str | None = None
    error: Mapping[str, str] | None = None
    stage: str | None = None
    task_url: str | None = None

    @property
    def bad(self) -> bool:
        return self.outcome == REFUSED or self.stage == "failed"

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "outcome": self.outcome,
            "document_id": self.document_id,
            "version_id": self.version_id,
            "stage": self.stage,
            "task_url": self.task_url,
            "error": dict(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class About:
    """What is said about all files of an upload."""

    by: str
    collection: str | None = None
    notes: str | None = None
    project: str | None = None

    def fields(self) -> dict[str, str]:
        values = {
            "by": self.by,
            "source": "cli",
            "collection": self.collection,
            "notes": self.notes,
            "project": self.project,
        }
        return {name: value for name, value in values.items() if value}


class Uploader:
    """The API as one who uploads sees it."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.backend_url
        self._http = requests.Session()
        # The backend is ours, at the address that is set: no proxy of the surroundings stands between.
        self._http.trust_env = False
        if settings.api_token:
            self._http.headers["Authorization"] = f"Bearer {settings.api_token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check(self, project: str | None = None) -> None:
        """Raises BackendUnusable if uploads cannot work, before the first byte is sent."""
        query = {"limit": "1"} | ({"project": project} if project else {})
        self._get("/api/documents", query)

    def send(self, path: Path, about: About, told: Callable[[int], None]) -> Sent:
        """Upload one file; ``told`` hears how many bytes more are on their way. Raises BackendUnusable."""
        try:
            file = path.open("rb")
        except OSError as error:
            reason = {"code": "unreadable", "message": f"cannot be opened: {error.strerror}."}
            return Sent(str(path), REFUSED, error=reason)
        with file:
            form = _Form(path.name, file, about.fields(), told)
            try:
                answer = self._http.post(
                    f"{self._url}/api/documents",
                    data=form,
                    headers={"Content-Type": form.content_type},
                    timeout=_TIMEOUT,
                )
            except requests.RequestException as error:
                # Who refuses a request before reading it hangs up. If it still answers, it was this file.
                self.check(about.project)
                return Sent(str(path), REFUSED, error=_broken_off(error))
        body = self._read(answer)
        files = body.get("files")
        if answer.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not files:
            return Sent(str(path), REFUSED, error=body.get("error"))
        if not isinstance(files, list) or len(files) != 1:
            # Not about this file: a wrong project, a text that is too long.
            raise BackendUnusable(_message(body, answer.status_code))
        (one,) = files
        return Sent(str(path), one["outcome"], one["document_id"], one["version_id"], one["error"])

    def stand(self, document_id: str) -> Mapping[str, Any]:
        """How far a document is: its stage, error and task_url. Raises BackendUnusable."""
        return self._get(f"/api/documents/{document_id}", {})

    def _get(self, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer = self._http.get(f"{self._url}{path}", params=query, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise self._away(error) from error
        body = self._read(answer)
        if not answer.ok:
            raise BackendUnusable(_message(body, answer.status_code))
        return body

    def _read(self, answer: requests.Response) -> Mapping[str, Any]:
        if answer.status_code == 401:
            raise BackendUnusable(
                f"The backend at {self._url} asks for a token; set FIELDLOOP_API_TOKEN to the one it was started with."
            )
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise BackendUnusable(
                f"What answers at {self._url} (FIELDLOOP_BACKEND_URL) is not the backend of Fieldloop: "
                f"HTTP {answer.status_code} without JSON."
            )
        return body

    def _away(self, error: Exception) -> BackendUnusable:
        return BackendUnusable(
            f"No backend answers at {self._url} (FIELDLOOP_BACKEND_URL): {type(error).__name__}. "
            "Start the stack with `fieldloop up`, or see `fieldloop status`."
        )


def _broken_off(error: Exception) -> dict[str, str]:
    return {
        "code": "broken_off",
        "message": f"the upload broke off ({type(error).__name__}); the file may be far beyond FIELDLOOP_MAX_FILE_MB "
        "of the backend. Upload it again by itself.",
    }


def _message(body: Mapping[str, Any], status: int) -> str:
    error = body.get("error")
    return (
        str(error.get("message"))
        if isinstance(error, Mapping)
        else f"The backend answers {status}."
    )


def files_under(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those in the folders named, at any depth, by name; hidden ones only if named."""
    found: dict[Path, None] = {}
    for path in paths:
        for one in _walk(path) if path.is_dir() else [path]:
            found.setdefault(one)
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    # os.walk does not follow links to folders: a link to a parent would never end.
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(top, name).is_file():
                yield Path(top, name)


@dataclass
class Following:
    """Documents that are still being processed, and what is known of the others."""

    uploader: Uploader
    sent: list[Sent]
    patience: float
    """Seconds without any change after which waiting ends."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _changed: float = field(default=0.0, init=False)

    def until_done(self, told: Callable[[int], None]) -> list[Sent]:
        """Ask until every document has its task or failed; ``told`` hears how many are done.

        A document that goes nowhere keeps its stage "processing".
        """
        self._changed = self.clock()
        while True:
            for at, one in enumerate(self.sent):
                if self._is_open(one):
                    self._look(at)
            left = sum(map(self._is_open, self.sent))
            told(len(self.sent) - left)
            if not left or self.clock() - self._changed > self.patience:
                return self.sent
            self.sleep(1.0)

    def _is_open(self, one: Sent) -> bool:
        return one.document_id is not None and one.stage in (None, *WAITING_STAGES)

    def _look(self, at: int) -> None:
        old = self.sent[at]
        seen = self.uploader.stand(str(old.document_id))
        if seen["stage"] != old.stage:
            self._changed = self.clock()
        self.sent[at] = Sent(
            old.path,
            old.outcome,
            old.document_id,
            old.version_id,
            seen["error"],
            seen["stage"],
            seen["task_url"],
        )


class _Form:
    """A multipart form with one file, read from disk piece by piece as it is sent."""

    def __init__(
        self,
        name: str,
        file: BinaryIO,
        fields: Mapping[str, str],
        told: Callable[[int], None],
    ) -> None:
        boundary = uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        )
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{_quoted(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head = head.encode("utf-8", "surrogateescape")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._told = told

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        left = self._size
        # Never more than was announced, should the file grow meanwhile.
        while left and (piece := self._file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece
            self._told(len(piece))
        yield self._tail


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "%0D").replace("\n", "%0A")


def counted(sent: Sequence[Sent]) -> str:
    """ "3 new, 1 unchanged, 2 refused" """
    names = ("new", "new_version", "unchanged", REFUSED)
    numbers = {name: sum(one.outcome == name for one in sent) for name in names}
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in numbers.items() if count]
    return ", ".join(parts) or "nothing"
