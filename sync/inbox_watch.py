"""Watching the door through which webhooks come: while nobody answers there, webhooks get lost.

Label Studio sends each once and tells nobody that it was refused. A state whose webhook arrived may have had
one before it whose webhook did not; that the inbox was away meanwhile is the only trace of it.
"""

from __future__ import annotations

import threading

import requests

EVERY_SECONDS = 1.0
ANSWERS_WITHIN = 1.0
"""As long as Label Studio itself waits."""


class InboxWatch:
    """Asks the backend for its health until stopped. What never answered here is not watched: perhaps it cannot
    be reached from where we are."""

    def __init__(self, url: str, *, every: float = EVERY_SECONDS) -> None:
        self._url = f"{url.rstrip('/')}/health"
        self._every = every
        self._stop = threading.Event()
        self._away = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="inbox-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def was_away(self) -> bool:
        """Whether the inbox was away at any time since this was last asked."""
        away = self._away.is_set()
        self._away.clear()
        return away

    def _watch(self) -> None:
        seen = False
        with requests.Session() as session:
            session.trust_env = False
            while not self._stop.wait(self._every):
                try:
                    up = session.get(self._url, timeout=ANSWERS_WITHIN).ok
                except requests.RequestException:
                    up = False
                seen = seen or up
                if seen and not up:
                    self._away.set()
