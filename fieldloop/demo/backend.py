"""The backend's HTTP API as an uploading program uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import requests

from db.config import Settings
from db.errors import RecordError
from fieldloop.demo.generator import Sample

UPLOADER = "fieldloop demo"
_SECONDS = 60.0


class BackendDown(RecordError):
    """Nothing answers where the backend should be, or something else does."""


class UploadRefused(RecordError):
    """The backend did not take a document; the message is its own."""


@dataclass(frozen=True)
class Uploaded:
    name: str
    outcome: str
    version_id: UUID


class Backend:
    """``POST /api/documents`` and the question whether anybody is there."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.backend_url
        self._http = requests.Session()
        self._http.trust_env = False
        if settings.api_token:
            self._http.headers["Authorization"] = f"Bearer {settings.api_token}"

    def check(self) -> None:
        """Raises BackendDown."""
        try:
            answer = self._http.get(f"{self._url}/health", timeout=5)
            healthy = answer.ok and isinstance(answer.json(), dict)
        except (requests.RequestException, ValueError):
            healthy = False
        if not healthy:
            raise BackendDown(
                f"No backend answers at {self._url} (FIELDLOOP_BACKEND_URL). Start the stack with `fieldloop up`, "
                "or see `fieldloop status` and `fieldloop logs backend`."
            )

    def upload(self, project: str, samples: Sequence[Sample]) -> list[Uploaded]:
        """Upload these in one request. Raises BackendDown, UploadRefused."""
        try:
            answer = self._http.post(
                f"{self._url}/api/documents",
                data={"project": project, "by": UPLOADER, "source": "cli", "collection": "demo"},
                files=[("files", (one.name, one.pdf, "application/pdf")) for one in samples],
                timeout=_SECONDS,
            )
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise BackendDown(
                f"The upload to {self._url} broke off ({type(error).__name__}); see `fieldloop logs backend`."
            ) from error
        files = body.get("files") or []
        refused = [one for one in files if one.get("error")]
        if refused or not files:
            reason = (refused[0]["error"] if refused else body.get("error")) or {}
            raise UploadRefused(
                f"The backend refused {len(refused) or len(samples)} of {len(samples)} documents: "
                f"{reason.get('message', f'HTTP status {answer.status_code}')}"
            )
        return [Uploaded(one["name"], one["outcome"], UUID(one["version_id"])) for one in files]
