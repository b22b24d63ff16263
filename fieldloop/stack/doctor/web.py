"""Label Studio and the backend: whether each reaches the other, and knows what it must know of it."""

from __future__ import annotations

import functools
import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import requests

from db.config import Settings
from db.label_studio import LabelStudio
from db.label_studio_errors import Forbidden, LabelStudioError, NotFound
from db.session import libpq_conninfo
from fieldloop.stack.doctor.rows import Check, Finding, NotChecked, fail, ok, warn
from fieldloop.stack.doctor.services import Services, need
from ml_backend.auth import SECRET_HEADER
from ml_backend.page_links import page_path

TESTED = "1.23"
ROUND_TRIP_SECONDS = 5.0
_TIMEOUT = 5
_INIT = "Run `fieldloop init`."
_GUARD = (
    "If Label Studio refuses private addresses, start it with USE_DEFAULT_BANNED_SUBNETS=false, "
    "or give a public address in FIELDLOOP_BACKEND_URL."
)


class Web:
    """What the checks share, asked once."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings = settings
        self.services = services
        self.studio = LabelStudio(
            settings.label_studio_url, settings.label_studio_api_key, attempts=1, read_seconds=15
        )

    def checks(self) -> list[Check]:
        return [
            Check("Backend", self.backend),
            Check("Secret", self.secret),
            Check("Label Studio", self.label_studio),
            Check("Token", self.token),
            Check("Project", self.project),
            Check("ML backend", self.ml_backend),
            Check("Model version", self.model_version),
            Check("Webhook", self.webhook),
            Check("Webhook round trip", self.round_trip),
            Check("Page images", self.page_images),
            Check("Browser addresses", self.addresses),
        ]

    # What several checks need.

    @functools.cached_property
    def _backend_answers(self) -> bool:
        return _status(f"{self.settings.backend_url}/health") == 200

    @functools.cached_property
    def _studio_answers(self) -> bool:
        return _status(f"{self.settings.label_studio_url}/health") == 200

    @functools.cached_property
    def _who(self) -> dict[str, Any]:
        if not self._studio_answers:
            raise NotChecked("Label Studio does not answer")
        return self.studio.whoami()

    @functools.cached_property
    def _ours(self) -> dict[str, Any]:
        """Our project as the record knows it, if it is set up."""
        row = self._row(
            "SELECT id, title, label_studio_id, label_studio_url, label_config FROM projects"
            " WHERE label_studio_id IS NOT NULL ORDER BY id LIMIT 1"
        )
        if row is None:
            raise NotChecked("no project is set up; run `fieldloop init`")
        return row

    @functools.cached_property
    def _theirs(self) -> dict[str, Any]:
        """The same project as Label Studio knows it."""
        self._logged_in()
        return self.studio.project(int(self._ours["label_studio_id"]))

    @functools.cached_property
    def _ml_backends(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.studio.get("/api/ml/", {"project": self._theirs["id"]})
        return rows

    def _connected(self) -> dict[str, Any] | None:
        """Our backend as Label Studio knows it."""
        url = f"{self.settings.backend_url}/ml/{self.settings.webhook_secret}"
        return next((row for row in self._ml_backends if row.get("url") == url), None)

    def _project_there(self) -> dict[str, Any]:
        try:
            return self._theirs
        except LabelStudioError as error:
            raise NotChecked("the project is not in Label Studio") from error

    def _logged_in(self) -> None:
        try:
            self._who  # noqa: B018 - raises where the token does not work
        except LabelStudioError as error:
            raise NotChecked("the token does not work") from error

    def _row(self, query: str) -> dict[str, Any] | None:
        self.services.record  # noqa: B018 - raises where there is nothing to ask
        with psycopg.connect(
            libpq_conninfo(self.settings.database_url),
            connect_timeout=5,
            autocommit=True,
            row_factory=psycopg.rows.dict_row,
            application_name="fieldloop-doctor",
        ) as connection:
            return connection.execute(query).fetchone()

    # The backend.

    def backend(self) -> Finding:
        url = self.settings.backend_url
        if not self._backend_answers:
            return fail(
                f"Nothing answers at {url}/health (FIELDLOOP_BACKEND_URL).",
                "Start it with `fieldloop up`, or correct the setting; see `fieldloop logs backend`.",
            )
        return ok(f"Answers at {url}.")

    def secret(self) -> Finding:
        """Whether the running backend has the secret and the key that we have."""
        if not self._backend_answers:
            raise NotChecked("the backend does not answer")
        secret = need(self.settings.webhook_secret, "FIELDLOOP_WEBHOOK_SECRET is not set")
        url = f"{self.settings.backend_url}/versions"
        right = _status(url, headers={SECRET_HEADER: secret})
        wrong = _status(url, headers={SECRET_HEADER: "not the secret"})
        if right in {401, 404}:
            return fail(
                "The backend runs with another FIELDLOOP_WEBHOOK_SECRET than this command.",
                "Give all parts the same secret, restart them, and run `fieldloop init`.",
            )
        if wrong == 200:
            return fail(
                f"{self.settings.backend_url} answers without the secret: it is not our backend.",
                "Correct FIELDLOOP_BACKEND_URL.",
            )
        return ok("The backend asks for it, and ours is right.")

    # Label Studio.

    def label_studio(self) -> Finding:
        url = need(self.settings.label_studio_url, "LABEL_STUDIO_URL is not set")
        if not self._studio_answers:
            return fail(
                f"Nothing answers at {url}/health (LABEL_STUDIO_URL).",
                "Start it, or correct the setting; see `fieldloop logs label-studio`.",
            )
        try:
            self._logged_in()
            version = self.studio.version()
        except (LabelStudioError, NotChecked):
            return ok(f"Answers at {url}.")
        if version and not version.startswith(f"{TESTED}."):
            return warn(
                f"Label Studio {version} at {url}.",
                f"Fieldloop is tested with {TESTED}; run the checks below after every update of it.",
            )
        return ok(f"Label Studio {version} at {url}.")

    def token(self) -> Finding:
        key = need(self.settings.label_studio_api_key, "LABEL_STUDIO_API_KEY is not set")
        kind = "personal access token" if key.count(".") == 2 else "legacy token"
        try:
            who = self._who
        except LabelStudioError as error:
            hint = (
                "Switch legacy tokens on under Organization → API tokens settings, or make a personal access token."
                if "legacy" in str(error)
                else "Make a token under Account & Settings and put it into LABEL_STUDIO_API_KEY."
            )
            return fail(str(error), hint)
        return ok(f"A {kind} of {who.get('email') or who.get('username') or 'somebody'}.")

    def project(self) -> Finding:
        ours = self._ours
        if ours["label_studio_url"] != self.settings.label_studio_url:
            return fail(
                f"The project was set up for {ours['label_studio_url']}, not for LABEL_STUDIO_URL.",
                _INIT,
            )
        try:
            theirs = self._theirs
        except NotFound:
            return fail(
                f"Project {ours['label_studio_id']} is no longer in Label Studio, or the token's user may not see it.",
                f"{_INIT} It makes a new one.",
            )
        if _squeezed(theirs.get("label_config")) != _squeezed(ours["label_config"]):
            return fail("Its labelling interface was changed in Label Studio.", _INIT)
        return ok(f"{ours['title']!r} is project {ours['label_studio_id']}.")

    def ml_backend(self) -> Finding:
        self._project_there()
        ours = self._connected()
        if ours is None:
            return fail("Our backend is not connected to the project.", f"{_INIT} {_GUARD}")
        if not ours.get("is_interactive"):
            return fail(
                "It is connected, but not for interactive use: drawn boxes stay empty.", _INIT
            )
        if ours.get("state") != "CO":
            return fail(
                f"Label Studio does not reach it ({ours.get('error_message') or ours.get('state')}).",
                f"Check that {self.settings.backend_url} is reachable from where Label Studio runs. {_GUARD}",
            )
        if self._ml_backends[0] != ours:
            return warn(
                "Another ML backend was connected first: Label Studio asks only that one when a task opens.",
                "Remove the other one under Settings → Model.",
            )
        return ok("Connected, interactive.")

    def model_version(self) -> Finding:
        theirs = self._project_there()
        live = self._row(
            f"SELECT model_version FROM live_models WHERE project_id = {int(self._ours['id'])}"  # noqa: S608
        )
        if live is None:
            return fail("No model is live.", _INIT)
        name = live["model_version"]
        answer = requests.post(
            f"{self.settings.backend_url}/setup",
            json={"project": f"{theirs['id']}.0", "schema": ""},
            headers={SECRET_HEADER: self.settings.webhook_secret},
            timeout=_TIMEOUT,
        )
        said = answer.json().get("model_version") if answer.status_code == 200 else None
        if said != name:
            return fail(
                f"The backend's /setup says {said or answer.status_code}, the record {name}.",
                "Restart the backend; both must use the same DATABASE_URL.",
            )
        # The backend's title stands for whatever it answers: so it is until the first training.
        ours = self._connected()
        if theirs.get("model_version") not in {name, ours.get("title") if ours else name}:
            return warn(
                f"Label Studio orders tasks by {theirs.get('model_version')}, live is {name}.",
                f"{_INIT} After a training it follows by itself within a minute.",
            )
        return ok(f"{name}, in the record and in /setup.")

    def webhook(self) -> Finding:
        project = int(self._project_there()["id"])
        url = f"{self.settings.backend_url}/webhook"
        rows = self.studio.get("/api/webhooks/", {"project": project})
        ours = [row for row in rows if row.get("url") == url]
        if not ours:
            return fail(f"There is no webhook to {url}.", f"{_INIT} {_GUARD}")
        row = ours[0]
        if (row.get("headers") or {}).get(SECRET_HEADER) != self.settings.webhook_secret:
            return fail("It sends another secret than FIELDLOOP_WEBHOOK_SECRET.", _INIT)
        if not (
            row.get("is_active") and row.get("send_payload") and row.get("send_for_all_actions")
        ):
            return fail("It is switched off, or does not send everything.", _INIT)
        twice = [one for one in rows if "/ml/" in str(one.get("url"))]
        if twice or len(ours) > 1:
            return warn("Every event is sent twice, while the reviewer waits.", _INIT)
        return ok("Active, with the right secret.")

    def round_trip(self) -> Finding:
        """Changes the project to what it is; Label Studio must tell the inbox so."""
        theirs = self._project_there()
        project = int(theirs["id"])
        newest = "SELECT coalesce(max(id), 0) AS id, coalesce(sum(seen), 0) AS seen FROM webhook_deliveries"
        before = self._row(newest)
        began = time.monotonic()
        try:
            self.studio.update_project(
                project, {"show_skip_button": theirs.get("show_skip_button")}
            )
        except Forbidden as error:
            return fail(str(error), "Give the token's user the right to change the project.")
        while time.monotonic() - began < ROUND_TRIP_SECONDS:
            if self._row(newest) != before:
                return ok(f"An event came back in {time.monotonic() - began:.1f} s.")
            time.sleep(0.1)
        private = _is_private(self.settings.backend_url)
        return fail(
            f"Label Studio changed the project, and nothing came to {self.settings.backend_url}/webhook.",
            f"Check that this address is reachable from where Label Studio runs. {_GUARD if private else ''}".strip(),
        )

    # The reviewer's browser.

    def page_images(self) -> Finding:
        """The browser fetches them from Label Studio's page: without the CORS header it shows nothing."""
        if not self._backend_answers:
            raise NotChecked("the backend does not answer")
        key = need(self.settings.signing_key, "FIELDLOOP_SIGNING_KEY is not set")
        row = self._row(
            "SELECT document_version_id AS version, page FROM page_images ORDER BY document_version_id LIMIT 1"
        )
        if row is None:
            raise NotChecked("there is no document yet")
        path = page_path(key, UUID(str(row["version"])), int(row["page"]))
        url = self.settings.public_url
        origin = _origin(self.settings.label_studio_public_url)
        try:
            answer = requests.get(f"{url}{path}", headers={"Origin": origin}, timeout=_TIMEOUT)
        except requests.RequestException:
            return fail(
                f"Nothing answers at {url} (FIELDLOOP_PUBLIC_URL).",
                "Give the address under which browsers reach the backend.",
            )
        if answer.status_code == 403:
            return fail(
                "The backend runs with another FIELDLOOP_SIGNING_KEY than this command.",
                "Give all parts the same key. Addresses signed with another one are void.",
            )
        if answer.status_code != 200:
            return fail(
                f"A page image answers {answer.status_code}.",
                "See `fieldloop logs backend`; is BLOB_URL the store the image was written to?",
            )
        if answer.headers.get("Access-Control-Allow-Origin") not in {"*", origin}:
            return fail(
                f"Something between {url} and here takes away the header Access-Control-Allow-Origin.",
                "Let the proxy pass it on: without it Label Studio shows no page.",
            )
        return ok(f"Readable from {origin}.")

    def addresses(self) -> Finding:
        """What a browser makes of the two public addresses together."""
        studio, ours = self.settings.label_studio_public_url, self.settings.public_url
        need(studio, "LABEL_STUDIO_URL is not set")
        if urlsplit(studio).scheme == "https" and urlsplit(ours).scheme == "http":
            return fail(
                f"Label Studio is on https, the page images on http ({ours}): browsers block them.",
                "Serve the backend by https too, and set FIELDLOOP_PUBLIC_URL.",
            )
        local = [url for url in (studio, ours) if _is_loopback(url)]
        if len(local) == 1:
            return warn(
                f"{local[0]} works only in a browser on this machine, the other address everywhere.",
                "Set FIELDLOOP_PUBLIC_URL and LABEL_STUDIO_PUBLIC_URL to addresses reviewers can reach.",
            )
        return ok(f"{studio} and {ours}.")


def _status(url: str, headers: dict[str, str] | None = None) -> int | None:
    try:
        return requests.get(url, headers=headers, timeout=_TIMEOUT).status_code
    except requests.RequestException:
        return None


def _squeezed(text: object) -> str:
    return "".join(str(text).split())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _addresses_of(url: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, None)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _is_private(url: str) -> bool:
    return any(address.is_private for address in _addresses_of(url))


def _is_loopback(url: str) -> bool:
    return any(address.is_loopback for address in _addresses_of(url))
