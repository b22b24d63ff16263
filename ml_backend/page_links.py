"""Signed addresses of page images. Pure.

Label Studio keeps a task's addresses for ever and the reviewer's browser fetches them without a login, so an
address names its page by document version and number, never expires, and is worth nothing without its
signature. A new FIELDLOOP_SIGNING_KEY makes all old ones void.
"""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

_LENGTH = 32


def page_path(signing_key: str, version_id: UUID, page: int) -> str:
    """Path and query of a page's image; ``page`` 0-based."""
    return f"/pages/{version_id}/{page}?sig={_signature(signing_key, version_id, page)}"


def is_signed(signing_key: str, version_id: UUID, page: int, signature: str) -> bool:
    """Whether the signature was made with this key for this page."""
    wanted = _signature(signing_key, version_id, page)
    return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))


def _signature(signing_key: str, version_id: UUID, page: int) -> str:
    message = f"page/{version_id}/{page}".encode()
    return hmac.new(signing_key.encode(), message, hashlib.sha256).hexdigest()[:_LENGTH]
