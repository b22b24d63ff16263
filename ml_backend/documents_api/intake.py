"""Taking documents in: each file by itself is stored, registered and queued for reading, or refused with a reason."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy.exc
from obstore.exceptions import BaseError as BlobStoreError

from db import documents as record
from db.jobs import enqueue
from db.nudges import nudge
from ml_backend.documents_api.incoming import IncomingFile, Part, megabytes
from ml_backend.errors import BadRequest
from ml_backend.reading.media import sniff
from ml_backend.services import Services

LONGEST_NAME = 255
"""Characters of a file name; what file systems allow."""
REFUSED = "refused"
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")

log = logging.getLogger(__name__)


class Refused(Exception):
    """This file is not taken in; ``status`` is the HTTP status if it were alone."""

    def __init__(self, code: str, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Sender:
    """Who sends files, and what they say about all of them."""

    by: str
    source: str
    collection: str | None = None
    notes: str | None = None


@dataclass(frozen=True)
class Taken:
    """What became of one file."""

    name: str
    outcome: str
    document_id: UUID | None = None
    version_id: UUID | None = None
    version: int | None = None
    error: Refused | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "outcome": self.outcome,
            "document_id": self.document_id and str(self.document_id),
            "version_id": self.version_id and str(self.version_id),
            "version": self.version,
            "error": self.error and {"code": self.error.code, "message": str(self.error)},
        }


def take(services: Services, project_id: int, parts: Sequence[Part], sender: Sender) -> list[Taken]:
    """Take files in, in order. A file that is refused, or cannot be stored, disturbs no other.

    Raises BadRequest if there is none at all.
    """
    if not parts:
        raise BadRequest("no_files", "The form holds no file; name the fields 'files'.")
    results: list[Taken] = []
    jobs: list[UUID] = []
    for part in parts:
        try:
            result, job = _take_one(services, project_id, part, sender)
        except Refused as error:
            results.append(Taken(shown_name(part.name), REFUSED, error=error))
            continue
        results.append(result)
        if job is not None:
            jobs.append(job)
    nudge(services.redis, jobs)
    return results


def _take_one(
    services: Services, project_id: int, part: Part, sender: Sender
) -> tuple[Taken, UUID | None]:
    name = file_name(part.name)
    media_type = check_file(part.file, limit=services.settings.max_file_bytes)
    try:
        sha256 = services.blobs.put(part.file.content())
        with services.sessions.begin() as session:
            done = record.register(
                session,
                project_id,
                record.Upload(
                    name=name,
                    sha256=sha256,
                    size_bytes=part.file.size,
                    media_type=media_type,
                    by=sender.by,
                    source=sender.source,
                    collection=sender.collection,
                    notes=sender.notes,
                ),
            )
            job = None
            # Whoever brings a file again that could not be read wants it tried again.
            again = record.read_again(session, done.version.id)
            if again or done.outcome is not record.Outcome.UNCHANGED:
                job = enqueue(
                    session,
                    kind="read_document",
                    subject=str(done.version.id),
                    project_id=project_id,
                    created_by=sender.by,
                ).id
    except (OSError, BlobStoreError) as error:
        log.warning("a file could not be stored: %s", type(error).__name__)
        raise Refused(
            "storage_unavailable",
            "The blob store (BLOB_URL) does not take the file; free its disk or restore it, then upload again.",
            503,
        ) from error
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.TimeoutError) as error:
        log.warning("the database does not answer: %s", type(error).__name__)
        raise Refused(
            "database_unavailable",
            "The database does not answer; this file was not registered. Upload it again.",
            503,
        ) from error
    return (
        Taken(
            done.document.name,
            done.outcome.value,
            done.document.id,
            done.version.id,
            done.version.number,
        ),
        job,
    )


def check_file(file: IncomingFile, *, limit: int) -> str:
    """The media type of a file that may come in. Raises Refused."""
    if file.too_large:
        raise Refused(
            "too_large",
            f"The file has {megabytes(file.size)}; the limit is {megabytes(limit)} (FIELDLOOP_MAX_FILE_MB).",
            413,
        )
    if not file.size:
        raise Refused("empty", "The file is empty.")
    head = file.head()
    media_type = sniff(head)
    if media_type is None and head.startswith(_ARCHIVES):
        raise Refused(
            "unsupported_type",
            "The file is an archive or an office document. Unpack an archive and upload the files in it; "
            "save an office document as PDF.",
            415,
        )
    if media_type is None:
        raise Refused(
            "unsupported_type",
            "The file is no PDF, PNG, JPEG or TIFF, whatever its name says; save or scan it as one of these.",
            415,
        )
    return media_type


def file_name(sent: str) -> str:
    """The name a document goes by: the last part of the path it was sent under. Raises Refused."""
    parts = sent.replace("\\", "/").split("/")
    if ".." in parts:
        raise Refused(
            "bad_name", "The name climbs out of its folder ('..'); send the file's own name."
        )
    name = unicodedata.normalize("NFC", parts[-1]).strip()
    if not name or name == ".":
        raise Refused("bad_name", "The file has no name; send it with one.")
    if any(_is_control(character) for character in name):
        raise Refused("bad_name", "The name holds control characters; rename the file.")
    if len(name) > LONGEST_NAME:
        raise Refused(
            "name_too_long",
            f"The name has {len(name)} characters; the limit is {LONGEST_NAME}. Rename the file.",
        )
    return name


def shown_name(sent: str) -> str:
    """A refused name in a form that can be printed."""
    clean = "".join("\ufffd" if _is_control(character) else character for character in sent)
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 1] + "…"


def _is_control(character: str) -> bool:
    # Cc: control characters. Cs: lone surrogates, which Postgres refuses. The others reverse the direction
    # of the text that follows, so that "exe.pdf" can be made to look like another name.
    return (
        unicodedata.category(character) in {"Cc", "Cs"}
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )
