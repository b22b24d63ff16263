"""The console: pages on the backend for people, in English and Brazilian Portuguese, without a build step."""

from __future__ import annotations

from ml_backend.console.views import blueprint

__all__ = ["blueprint"]
