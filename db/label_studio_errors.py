"""What can go wrong with Label Studio, and the sentence that says it and names the setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from db.errors import RecordError

_PASSING = {429, 502, 503, 504}


class LabelStudioError(RecordError):
    """Label Studio could not be asked, or refused. ``status`` is the HTTP status, None where there was no answer."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later, once Label Studio is back or a setting is mended."""
        return isinstance(self, Unreachable | Unauthorized) or self.status in _PASSING


class Unreachable(LabelStudioError):
    """Nothing answers at LABEL_STUDIO_URL, or not in time."""


class Unauthorized(LabelStudioError):
    """The token is wrong, expired, or of a kind the organization has switched off."""


class Forbidden(LabelStudioError):
    """The token is right, but Label Studio does not allow this; also addresses its SSRF guard refuses."""


class NotFound(LabelStudioError):
    """No such project, task or annotation."""


class BadAnswer(LabelStudioError):
    """An answer that is not what the API promises: no JSON, cut short, keys missing."""


def refusal(answer: requests.Response, path: str) -> LabelStudioError:
    return refused(answer.status_code, _detail(answer), path)


def refused(status: int, detail: str, path: str) -> LabelStudioError:
    if 300 <= status < 400:
        return Unauthorized(
            f"Label Studio sends {path} to a login page; LABEL_STUDIO_URL may lack a prefix or https.",
            status=status,
        )
    if status == 401:
        hint = (
            "legacy tokens are switched off in this organization; use a personal access token"
            if "legacy" in detail.lower()
            else "it is wrong or expired; copy one from Account & Settings"
        )
        return Unauthorized(
            f"LABEL_STUDIO_API_KEY: Label Studio refuses this token: {hint}.", status=status
        )
    kind = {403: Forbidden, 404: NotFound}.get(status, LabelStudioError)
    return kind(f"Label Studio answered {path} with {status}: {detail}", status=status)


def _detail(answer: requests.Response) -> str:
    """What Label Studio says is wrong, in one line; never the request."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason or "no reason given"
    return said(body if isinstance(body, dict) else {}) or answer.reason or "no reason given"


def said(body: Mapping[str, Any]) -> str:
    for key in ("detail", "validation_errors", "non_field_errors"):
        if body.get(key):
            return str(body[key])[:300]
    return ""
