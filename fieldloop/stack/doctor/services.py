"""Postgres, Redis, the blob store, the workers and the mirror."""

from __future__ import annotations

import functools
import secrets
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import psycopg
import requests
from psycopg.rows import dict_row
from redis import Redis, RedisError

from db.blobs import open_blobs
from db.config import Settings
from db.migrate import head
from db.roles import READER
from db.session import libpq_conninfo
from fieldloop.stack.doctor.rows import Check, Finding, NotChecked, fail, ok, warn
from fieldloop.stack.probes import Record, read_record, workers
from fieldloop.stack.status import LEADER_SILENCE

OLDEST_POSTGRES = 15
# Leases of jobs and the mirror's cursor compare clocks of several machines.
CLOCK_WARN, CLOCK_FAIL = 5.0, 60.0
_START = "Start it with `fieldloop up`, or correct the setting."
T = TypeVar("T")


class Services:
    """What the checks share, asked once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @functools.cached_property
    def record(self) -> Record:
        """Raises NotChecked while Postgres does not answer or was not migrated."""
        need(self.settings.database_url, "DATABASE_URL is not set")
        try:
            found = read_record(self.settings.database_url)
        except psycopg.Error as error:
            raise NotChecked("the record cannot be read") from error
        if found.revision is None:
            raise NotChecked("the database was never migrated")
        return found

    def checks(self) -> list[Check]:
        return [
            Check("Postgres", self.postgres),
            Check("Schema", self.schema),
            Check("Reading role", self.reader),
            Check("Redis", self.redis),
            Check("Blob store", self.blobs),
            Check("Clocks", self.clocks),
            Check("Worker", self.worker),
            Check("Mirror", self.mirror),
            Check("Inbox", self.inbox),
            Check("Jobs", self.jobs),
        ]

    def postgres(self) -> Finding:
        need(self.settings.database_url, "DATABASE_URL is not set")
        try:
            with self._connect() as connection:
                version = connection.info.server_version // 10000
                row = connection.execute(
                    "SELECT current_setting('max_connections')::int AS most, count(*) AS used FROM pg_stat_activity"
                ).fetchone()
        except psycopg.OperationalError as error:
            return fail(f"DATABASE_URL: {first_line(error)}.", _START)
        if version < OLDEST_POSTGRES:
            return fail(
                f"Postgres {version} is too old.", f"Use Postgres {OLDEST_POSTGRES} or newer."
            )
        used, most = (row["used"], row["most"]) if row else (0, 1)
        said = f"Postgres {version}, {used} of {most} connections in use."
        if used > most * 0.8:
            return warn(said, "Raise max_connections, or run fewer workers and web processes.")
        return ok(said)

    def schema(self) -> Finding:
        try:
            found = self.record.revision
        except NotChecked as reason:
            if "never migrated" not in str(reason):
                raise
            found = None
        if found != head():
            return fail(
                f"The database is at revision {found or 'none'}, this program needs {head()}.",
                "Run `fieldloop migrate` with the newest of the two versions.",
            )
        return ok(f"Revision {found}.")

    def reader(self) -> Finding:
        self.record  # noqa: B018 - raises where there is nothing to read
        with self._connect() as connection:
            row = connection.execute(
                "SELECT rolcanlogin, has_table_privilege(rolname, 'documents', 'SELECT') AS reads,"
                " has_table_privilege(rolname, 'documents', 'INSERT') AS writes"
                " FROM pg_roles WHERE rolname = %s",
                [READER],
            ).fetchone()
        if row is None or not row["reads"]:
            return warn(
                f"The role {READER} {'cannot read the record' if row else 'does not exist'}.",
                "Run `fieldloop migrate` as a user that may create roles.",
            )
        if row["writes"]:
            return fail(
                f"The role {READER} may write.", f"REVOKE INSERT, UPDATE, DELETE … FROM {READER};"
            )
        login = (
            "may log in"
            if row["rolcanlogin"]
            else "cannot log in: FIELDLOOP_READER_PASSWORD is not set"
        )
        return ok(f"{READER} reads and cannot write; it {login}.")

    def redis(self) -> Finding:
        need(self.settings.redis_url, "REDIS_URL is not set")
        try:
            with self._redis() as client:
                info = client.info()
                policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "")
                limit = int(info.get("maxmemory", 0))
        except RedisError as error:
            return fail(f"REDIS_URL: {first_line(error)}.", _START)
        said = f"Redis protocol {info.get('redis_version', '?')}."
        if limit and policy not in {"noeviction", ""}:
            return warn(
                f"{said} It forgets keys when it is full ({policy}).",
                "Set maxmemory-policy noeviction; nothing is lost meanwhile, but jobs start late.",
            )
        return ok(said)

    def blobs(self) -> Finding:
        need(self.settings.blob_url, "BLOB_URL is not set")
        store = open_blobs(self.settings.blob_url)
        data = secrets.token_bytes(64)
        try:
            sha256 = store.put(data)
            same = store.get(sha256) == data
            store.delete(sha256)
        except Exception as error:  # noqa: BLE001 - obstore's errors are many, and all mean the same here
            return fail(
                f"BLOB_URL: {first_line(error)}.",
                "Check the folder's mode, or the bucket, its region and the AWS_… credentials.",
            )
        if not same:
            return fail("What was read back is not what was written.", "Check the disk or bucket.")
        where = self.settings.blob_url.partition("://")[0]
        return ok(f"Written, read and deleted by {where}://.")

    def clocks(self) -> Finding:
        """Ours against Postgres' and the web servers'."""
        differences = {}
        if self.settings.database_url:
            try:
                with self._connect() as connection:
                    row = connection.execute(
                        "SELECT extract(epoch FROM clock_timestamp())::float AS now"
                    ).fetchone()
                    if row:
                        differences["Postgres"] = row["now"] - time.time()
            except psycopg.Error:
                differences.pop("Postgres", None)
        for name, url in (
            ("Label Studio", self.settings.label_studio_url),
            ("the backend", self.settings.backend_url),
        ):
            moment = _date_of(f"{url}/health") if url else None
            if moment is not None:
                differences[name] = (moment - datetime.now(UTC)).total_seconds()
        if not differences:
            raise NotChecked("nobody answers who could tell the time")
        name, worst = max(differences.items(), key=lambda pair: abs(pair[1]))
        said = f"The clock of {name} is {abs(worst):.0f} s {'ahead' if worst > 0 else 'behind'}."
        fix = "Synchronize the clocks of all machines by NTP."
        if abs(worst) > CLOCK_FAIL:
            return fail(said, fix)
        if abs(worst) > CLOCK_WARN:
            return warn(said, fix)
        return ok(f"{', '.join(differences)}: within {max(1.0, abs(worst)):.0f} s of ours.")

    def worker(self) -> Finding:
        need(self.settings.redis_url, "REDIS_URL is not set")
        try:
            with self._redis() as client:
                seen = [one for one in workers(client) if one.alive]
        except RedisError as error:
            raise NotChecked("Redis does not answer") from error
        if not seen:
            return fail(
                "No worker was heard from in the last minute: no document is read, no model trained.",
                "Start one: `fieldloop worker`; why the last one ended: `fieldloop logs worker`.",
            )
        return ok(f"{len(seen)} heard from: {', '.join(one.name for one in seen)}.")

    def mirror(self) -> Finding:
        leader = self.record.leader
        start = "Start one: `fieldloop sync run`; why the last one ended: `fieldloop logs sync`."
        if leader is None or leader["silent_seconds"] > LEADER_SILENCE:
            return fail("Nobody mirrors Label Studio: corrections wait in the inbox.", start)
        if leader["message"]:
            return warn(
                f"The mirror waits: {leader['message']}", "It goes on by itself after that."
            )
        return ok(f"{leader['holder']} leads, {leader['state']}.")

    def inbox(self) -> Finding:
        record = self.record
        if record.inbox_dead:
            return warn(
                f"{record.inbox_dead} webhook events were given up.",
                "SELECT last_error FROM webhook_deliveries WHERE state = 'dead'; the sweep mirrors what they told of.",
            )
        return ok(f"{record.inbox_pending} events wait.")

    def jobs(self) -> Finding:
        record = self.record
        said = f"{record.jobs_open} open, {record.jobs_failed} failed for good."
        if record.jobs_failed:
            return warn(
                said,
                "SELECT kind, subject, error FROM jobs WHERE state = 'failed' ORDER BY finished_at DESC;",
            )
        return ok(said)

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(
            libpq_conninfo(self.settings.database_url),
            connect_timeout=5,
            autocommit=True,
            row_factory=dict_row,
            application_name="fieldloop-doctor",
        )

    def _redis(self) -> Redis:
        return Redis.from_url(self.settings.redis_url, socket_timeout=3, socket_connect_timeout=2)


def need(value: T | None, otherwise: str) -> T:
    """The value. Raises NotChecked where there is none."""
    if not value:
        raise NotChecked(otherwise)
    return value


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _date_of(url: str) -> datetime | None:
    try:
        date = requests.get(url, timeout=3).headers.get("Date")
    except requests.RequestException:
        return None
    return parsedate_to_datetime(date) if date else None
