"""Where webhooks enter the record, within the time Label Studio gives them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from typing import Any

import sqlalchemy.exc

from db import inbox
from db.session import SessionFactory

# Label Studio asks from within the reviewer's request and hangs up after one second.
SECONDS = 0.8
_THREADS = 8


class Intake:
    """Commits events from threads of its own: a Postgres that hangs holds those up and never a request.

    They start with the first event, so a server may fork after making this.
    """

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="intake")

    def store(self, event: dict[str, Any]) -> int:
        """Id of the delivery, once it is committed. Raises sqlalchemy's TimeoutError after ``SECONDS``.

        An event given up on may still be committed later; told again, it is the same delivery.
        """
        storing = self._threads.submit(self._store, event)
        try:
            return storing.result(SECONDS)
        except TooLong:
            storing.cancel()
            raise sqlalchemy.exc.TimeoutError("the inbox") from None

    def _store(self, event: dict[str, Any]) -> int:
        with self._sessions.begin() as session:
            return inbox.store(session, event)
