"""Doctor on a world where everything is right, and then wrong one thing at a time.

Label Studio and the backend are small servers here; the acceptance test asks the real ones.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from flask import Flask, Response, jsonify, request
from sqlalchemy import text
from werkzeug.serving import make_server

from db.config import Settings
from fieldloop.commands.doctor import doctor
from fieldloop.stack.doctor import machine
from fieldloop.stack.doctor.rows import Check, NotChecked, Verdict, examine
from fieldloop.stack.doctor.services import Services
from fieldloop.stack.doctor.web import Web
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.settings import write_private
from ml_backend.auth import SECRET_HEADER
from ml_backend.page_links import is_signed
from tests import factories
from tests.conftest import Database
from tests.stack.programs import free_port

SECRET = "a-webhook-secret-of-tests"
KEY = "a-signing-key-of-tests"
TOKEN = "0123456789abcdef0123456789abcdef01234567"


class World:
    """Label Studio and the backend in one server, with what a test may break in plain attributes."""

    def __init__(self, database: Database, redis_url: str, blobs: Path) -> None:
        self.database = database
        self.secret, self.key = SECRET, KEY
        self.token_answer: tuple[dict[str, Any], int] = ({"email": "ana@example.org"}, 200)
        self.version = "1.23.2"
        self.delivers = True
        self.cors: str | None = "*"
        self.setup_version = "orders-1"
        self.project: dict[str, Any] = {
            "id": 12,
            "label_config": "<View/>",
            "model_version": "orders-1",
            "show_skip_button": True,
        }
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.backends = [
            {
                "url": f"{self.url}/ml/{SECRET}",
                "title": "Fieldloop",
                "is_interactive": True,
                "state": "CO",
            }
        ]
        self.webhooks = [
            {
                "url": f"{self.url}/webhook",
                "headers": {SECRET_HEADER: SECRET},
                "is_active": True,
                "send_payload": True,
                "send_for_all_actions": True,
            }
        ]
        self.settings = {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_url,
            "BLOB_URL": blobs.as_uri(),
            "LABEL_STUDIO_URL": self.url,
            "LABEL_STUDIO_API_KEY": TOKEN,
            "FIELDLOOP_BACKEND_URL": self.url,
            "FIELDLOOP_WEBHOOK_SECRET": SECRET,
            "FIELDLOOP_SIGNING_KEY": KEY,
        }
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rows(self) -> dict[str, tuple[Verdict, str, str]]:
        settings = Settings.from_environ(self.settings, needs=())
        services = Services(settings)
        checks = [*services.checks(), *Web(settings, services).checks()]
        return {row.name: (row.verdict, row.what, row.fix) for row in examine(checks)}

    def _app(self) -> Flask:
        app = Flask(__name__)

        @app.get("/health")
        def health() -> str:
            return "UP"

        @app.get("/versions")
        def versions() -> tuple[str, int]:
            right = request.headers.get(SECRET_HEADER) == self.secret
            return ("{}", 200) if right else ("{}", 401)

        @app.post("/setup")
        def setup() -> dict[str, str]:
            return {"model_version": self.setup_version}

        @app.get("/pages/<uuid:version>/<int:page>")
        def page(version: Any, page: int) -> Response:
            if not is_signed(self.key, version, page, request.args["sig"]):
                return Response(status=403)
            answer = Response(b"image")
            if self.cors:
                answer.headers["Access-Control-Allow-Origin"] = self.cors
            return answer

        @app.get("/api/current-user/whoami")
        def whoami() -> tuple[Response, int]:
            return jsonify(self.token_answer[0]), self.token_answer[1]

        @app.get("/api/version")
        def version() -> dict[str, str]:
            return {"release": self.version}

        @app.route("/api/projects/<int:number>/", methods=["GET", "PATCH"])
        def project(number: int) -> tuple[dict[str, Any], int]:
            if number != self.project["id"]:
                return {"detail": "Not found."}, 404
            if request.method == "PATCH" and self.delivers:
                with self.database.session_factory.begin() as session:
                    session.execute(
                        text(
                            "INSERT INTO webhook_deliveries (action, payload, key)"
                            " VALUES ('PROJECT_UPDATED', '{}', :key)"
                        ),
                        {"key": str(uuid4())},
                    )
            return self.project, 200

        @app.get("/api/ml/")
        def backends() -> Response:
            return jsonify(self.backends)

        @app.get("/api/webhooks/")
        def webhooks() -> Response:
            return jsonify(self.webhooks)

        return app


@pytest.fixture
def world(
    committed_database: Database, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr("fieldloop.stack.doctor.web.ROUND_TRIP_SECONDS", 0.5)
    made = World(committed_database, redis_url, tmp_path / "blobs")
    with committed_database.session_factory.begin() as session:
        project = factories.project(
            session,
            title="Orders",
            label_studio_id=12,
            label_studio_url=made.url,
            label_config="<View/>",
        )
        factories.point_live(session, factories.model_version(session, project, name="orders-1"))
        document = factories.document(session, project)
        version = factories.document_version(session, document)
        session.execute(
            text(
                "INSERT INTO page_images (document_version_id, page, sha256, media_type, width_px, height_px,"
                " width_pt, height_pt) VALUES (:version, 0, :sha256, 'image/png', 1, 1, 1, 1)"
            ),
            {"version": version.id, "sha256": "0" * 64},
        )
    yield made
    made.close()


def test_all_rows_of_a_world_that_is_right(world: World) -> None:
    rows = world.rows()
    wrong = {name: row for name, row in rows.items() if row[0] is not Verdict.OK}
    # Nobody works and nobody mirrors in this world; a reading role is the server's business.
    assert set(wrong) <= {"Worker", "Mirror", "Reading role"}
    assert rows["Worker"][0] is rows["Mirror"][0] is Verdict.FAIL


def broken(world: World, name: str, verdict: Verdict, what: str, fix: str) -> None:
    found, said, way = world.rows()[name]
    assert found is verdict
    assert what in said
    assert fix in way


def test_a_database_that_is_away(world: World) -> None:
    world.settings["DATABASE_URL"] = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    rows = world.rows()
    assert rows["Postgres"][0] is Verdict.FAIL
    assert rows["Postgres"][1].startswith("DATABASE_URL: ")
    assert rows["Inbox"][0] is Verdict.SKIPPED


def test_a_database_that_was_never_migrated(world: World, empty_database: str) -> None:
    world.settings["DATABASE_URL"] = empty_database
    broken(world, "Schema", Verdict.FAIL, "revision none", "fieldloop migrate")


def test_a_redis_that_is_away(world: World) -> None:
    world.settings["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    broken(world, "Redis", Verdict.FAIL, "REDIS_URL: ", "fieldloop up")


def test_a_blob_store_that_refuses(world: World) -> None:
    world.settings["BLOB_URL"] = "file:///proc/fieldloop"
    broken(world, "Blob store", Verdict.FAIL, "BLOB_URL: ", "")


def test_events_that_were_given_up(world: World) -> None:
    with world.database.session_factory.begin() as session:
        session.execute(
            text(
                "INSERT INTO webhook_deliveries (action, payload, key, state)"
                " VALUES ('X', '{}', 'k', 'dead')"
            )
        )
    broken(world, "Inbox", Verdict.WARN, "1 webhook events were given up", "last_error")


def test_a_backend_that_is_away(world: World) -> None:
    world.settings["FIELDLOOP_BACKEND_URL"] = f"http://127.0.0.1:{free_port()}"
    broken(world, "Backend", Verdict.FAIL, "(FIELDLOOP_BACKEND_URL)", "fieldloop logs backend")


def test_a_backend_with_another_secret(world: World) -> None:
    world.secret = "another"
    broken(world, "Secret", Verdict.FAIL, "another FIELDLOOP_WEBHOOK_SECRET", "fieldloop init")


def test_a_label_studio_that_is_away(world: World) -> None:
    world.settings["LABEL_STUDIO_URL"] = f"http://127.0.0.1:{free_port()}"
    rows = world.rows()
    assert rows["Label Studio"][0] is Verdict.FAIL
    assert "(LABEL_STUDIO_URL)" in rows["Label Studio"][1]
    assert rows["Webhook"][0] is Verdict.SKIPPED


def test_a_release_that_was_not_tested(world: World) -> None:
    world.version = "1.99.0"
    broken(world, "Label Studio", Verdict.WARN, "Label Studio 1.99.0", "tested with 1.23")


def test_a_legacy_token_where_they_are_off(world: World) -> None:
    detail = "legacy token authentication has been disabled for this organization"
    world.token_answer = ({"detail": detail}, 401)
    broken(world, "Token", Verdict.FAIL, "legacy tokens are switched off", "Organization")


def test_a_token_that_is_wrong(world: World) -> None:
    world.token_answer = ({"detail": "Invalid token."}, 401)
    broken(world, "Token", Verdict.FAIL, "LABEL_STUDIO_API_KEY", "Account & Settings")


def test_a_project_that_is_gone(world: World) -> None:
    world.project["id"] = 13
    rows = world.rows()
    assert rows["Project"][0] is Verdict.FAIL
    assert "no longer in Label Studio" in rows["Project"][1]
    assert rows["ML backend"][0] is Verdict.SKIPPED


def test_an_interface_changed_by_hand(world: World) -> None:
    world.project["label_config"] = "<View><Header/></View>"
    broken(world, "Project", Verdict.FAIL, "was changed in Label Studio", "fieldloop init")


def test_no_backend_connected(world: World) -> None:
    world.backends.clear()
    broken(world, "ML backend", Verdict.FAIL, "not connected", "USE_DEFAULT_BANNED_SUBNETS")


def test_a_backend_that_is_not_interactive(world: World) -> None:
    world.backends[0]["is_interactive"] = False
    broken(world, "ML backend", Verdict.FAIL, "drawn boxes stay empty", "fieldloop init")


def test_another_backend_before_ours(world: World) -> None:
    world.backends.insert(0, {"url": "http://other", "is_interactive": False, "state": "CO"})
    broken(world, "ML backend", Verdict.WARN, "Another ML backend", "Settings → Model")


def test_two_model_versions(world: World) -> None:
    world.setup_version = "orders-0"
    broken(world, "Model version", Verdict.FAIL, "orders-0", "Restart the backend")


def test_label_studio_orders_by_an_old_version(world: World) -> None:
    world.project["model_version"] = "orders-0"
    broken(world, "Model version", Verdict.WARN, "orders tasks by orders-0", "fieldloop init")


def test_label_studio_names_the_backend_until_the_first_training(world: World) -> None:
    world.project["model_version"] = "Fieldloop"
    assert world.rows()["Model version"][0] is Verdict.OK


def test_a_webhook_with_an_old_secret(world: World) -> None:
    world.webhooks[0]["headers"] = {SECRET_HEADER: "old"}
    broken(world, "Webhook", Verdict.FAIL, "another secret", "fieldloop init")


def test_a_webhook_that_is_switched_off(world: World) -> None:
    world.webhooks[0]["is_active"] = False
    broken(world, "Webhook", Verdict.FAIL, "switched off", "fieldloop init")


def test_the_webhook_label_studio_adds_by_itself(world: World) -> None:
    world.webhooks.append({"url": f"{world.url}/ml/{SECRET}/webhook"})
    broken(world, "Webhook", Verdict.WARN, "sent twice", "fieldloop init")


def test_events_that_do_not_arrive(world: World) -> None:
    world.delivers = False
    broken(world, "Webhook round trip", Verdict.FAIL, "nothing came", "USE_DEFAULT_BANNED_SUBNETS")


def test_a_proxy_that_takes_away_the_cors_header(world: World) -> None:
    world.cors = None
    broken(world, "Page images", Verdict.FAIL, "Access-Control-Allow-Origin", "proxy")


def test_a_backend_with_another_signing_key(world: World) -> None:
    world.key = "another key of the backend"
    broken(world, "Page images", Verdict.FAIL, "another FIELDLOOP_SIGNING_KEY", "same key")


def test_images_by_http_in_a_page_by_https(world: World) -> None:
    world.settings["LABEL_STUDIO_PUBLIC_URL"] = "https://labels.example.com"
    world.settings["FIELDLOOP_PUBLIC_URL"] = "http://fieldloop.example.com"
    broken(world, "Browser addresses", Verdict.FAIL, "browsers block", "https")


def test_a_state_folder_that_others_may_read(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    folder.create()
    Secrets.load_or_make(folder.secrets_file)
    write_private(folder.env_file, "")
    assert machine.state_folder(folder)[0] is Verdict.OK
    folder.secrets_file.chmod(0o644)
    verdict, what, fix = machine.state_folder(folder)
    assert verdict is Verdict.FAIL
    assert "state/secrets.json" in what
    assert "chmod" in fix


def test_a_busy_port_names_the_setting(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = {"FIELDLOOP_REDIS_PORT": str(server.getsockname()[1])}
        others = {
            name: str(free_port())
            for name in (
                "FIELDLOOP_LABEL_STUDIO_PORT",
                "FIELDLOOP_BACKEND_PORT",
                "FIELDLOOP_POSTGRES_PORT",
            )
        }
        verdict, _, fix = machine.ports(folder, given | others, supervised=False)
        assert verdict is Verdict.FAIL
        assert "FIELDLOOP_REDIS_PORT" in fix
        given["REDIS_URL"] = "redis://elsewhere:6379/0"
        assert machine.ports(folder, given | others, supervised=False)[0] is Verdict.OK


def test_a_check_that_fails_by_itself_is_a_row() -> None:
    def look() -> Any:
        raise ZeroDivisionError

    def wait() -> Any:
        raise NotChecked("something else is wrong")

    first, second = examine([Check("one", look), Check("two", wait)])
    assert (first.verdict, second.verdict) == (Verdict.FAIL, Verdict.SKIPPED)
    assert "ZeroDivisionError" in first.what


def test_the_command_tells_by_its_exit_code_and_keeps_secrets_to_itself(
    world: World, tmp_path: Path
) -> None:
    environ = {"FIELDLOOP_HOME": str(tmp_path / "home"), **world.settings}
    result = CliRunner(env=environ).invoke(doctor, ["--json"])
    assert result.exit_code == 1  # no worker, no mirror
    rows = json.loads(result.stdout)
    assert {row["name"] for row in rows} >= {"Python", "Settings", "Postgres", "Webhook"}
    for secret in (SECRET, KEY, TOKEN):
        assert secret not in result.output


def test_a_malformed_setting_is_a_row(tmp_path: Path) -> None:
    environ = {"FIELDLOOP_HOME": str(tmp_path), "DATABASE_URL": "mysql://here"}
    result = CliRunner(env=environ).invoke(doctor, ["--json"])
    assert result.exit_code == 1
    [row] = [row for row in json.loads(result.stdout) if row["name"] == "Settings"]
    assert row["what"].startswith("DATABASE_URL: must be an address")
