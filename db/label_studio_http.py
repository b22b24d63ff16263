"""HTTP with Label Studio: tokens, time limits, and patience where asking again changes nothing.

A token is either a legacy one (``Authorization: Token``) or a personal access token, a JWT that is exchanged
for an access token of five minutes.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from db.json_values import read_answer
from db.label_studio_errors import BadAnswer, LabelStudioError, Unauthorized, Unreachable, refusal

CONNECT_SECONDS = 3.0
FIRST_PAUSE = 0.5
_ACCESS_MARGIN = 60.0
_RETRIED = {429, 500, 502, 503, 504}


class Connection:
    """One Label Studio's address and token. Safe to share between threads; connects when first used."""

    def __init__(self, url: str, api_key: str, *, attempts: int, read_seconds: float) -> None:
        self.url = url
        self._api_key = api_key
        self._attempts = attempts
        self._read_seconds = read_seconds
        self._local = threading.local()
        self._lock = threading.Lock()
        self._access: tuple[str, float] | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        read_seconds: float | None = None,
    ) -> Any:
        """Ask, with patience: what changes nothing is asked again after a failure on the way, the rest only
        where Label Studio cannot have seen it."""
        pause = FIRST_PAUSE
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._session().request(
                    method,
                    self.url + path,
                    params=params,
                    json=body,
                    headers={"Authorization": self._authorization()},
                    timeout=(CONNECT_SECONDS, read_seconds or self._read_seconds),
                    allow_redirects=False,
                )
                if answer.status_code == 401 and self._is_personal:
                    self._access = None
                    if not last:
                        continue
            except requests.exceptions.ConnectTimeout as error:
                failure: LabelStudioError = self.unreachable(error)
                repeatable = True
            except requests.exceptions.ConnectionError as error:
                failure = self.unreachable(error)
                repeatable = method == "GET" or _never_sent(error)
            except requests.exceptions.RequestException as error:
                failure = self.unreachable(error)
                repeatable = method == "GET"
            else:
                if answer.status_code not in _RETRIED or (last or method != "GET"):
                    return _read(answer, path)
                failure = refusal(answer, path)
                repeatable = True
                pause = max(pause, _retry_after(answer))
            if last or not repeatable:
                raise failure
            time.sleep(pause)
            pause *= 2
        raise self.unreachable(None)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            # Proxies and .netrc of the machine are not meant for a service beside us.
            session.trust_env = False
            self._local.session = session
        return session

    @property
    def _is_personal(self) -> bool:
        return self._api_key.count(".") == 2

    def _authorization(self) -> str:
        if not self._is_personal:
            return f"Token {self._api_key}"
        with self._lock:
            if self._access is None or self._access[1] < time.time():
                self._access = self._exchange()
            return f"Bearer {self._access[0]}"

    def _exchange(self) -> tuple[str, float]:
        """An access token for the personal access token, and when to get the next one."""
        answer = self._session().post(
            f"{self.url}/api/token/refresh/",
            json={"refresh": self._api_key},
            timeout=(CONNECT_SECONDS, self._read_seconds),
            allow_redirects=False,
        )
        if answer.status_code in _RETRIED:
            raise refusal(answer, "/api/token/refresh/")
        if answer.status_code != 200:
            raise Unauthorized(
                "LABEL_STUDIO_API_KEY: Label Studio refuses this personal access token; it was revoked or is "
                "of another Label Studio. Make a new one under Account & Settings.",
                status=answer.status_code,
            )
        access = str(_read(answer, "/api/token/refresh/").get("access", ""))
        return access, _expiry(access) - _ACCESS_MARGIN

    def unreachable(self, error: Exception | None) -> Unreachable:
        what = (
            "does not answer in time"
            if isinstance(error, requests.Timeout)
            else "cannot be reached"
        )
        return Unreachable(
            f"Label Studio {what} at {_without_user(self.url)}; is it running, and is LABEL_STUDIO_URL right?"
        )


def _never_sent(error: requests.exceptions.ConnectionError) -> bool:
    """Whether the connection was refused before anything of the request went out."""
    return "NewConnectionError" in repr(error) or "Connection refused" in repr(error)


def _read(answer: requests.Response, path: str) -> Any:
    if answer.status_code >= 300:
        raise refusal(answer, path)
    if answer.status_code == 204 or not answer.content:
        return None
    try:
        return read_answer(answer.content)
    except ValueError as error:
        raise BadAnswer(
            f"Label Studio answered {path} with something else than JSON; is LABEL_STUDIO_URL right?",
            status=answer.status_code,
        ) from error


def _retry_after(answer: requests.Response) -> float:
    try:
        return min(float(answer.headers.get("Retry-After", 0)), 30.0)
    except ValueError:
        return 0.0


def _expiry(token: str) -> float:
    """``exp`` of a JWT in seconds since the epoch; 5 minutes from now where it cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return datetime.now(UTC).timestamp() + 300.0


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
