"""A Label Studio of our own, in an environment of its own: it pins other releases of what we use too.

``python -m fieldloop.stack.label_studio FOLDER`` installs it there from the lock file; a second run with the
same lock does nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fieldloop.stack.errors import StackError
from fieldloop.stack.folder import Secrets, StateFolder
from fieldloop.stack.parts import Part, http_answers, reachable

PORT_SETTING = "FIELDLOOP_LABEL_STUDIO_PORT"
VENV_SETTING = "FIELDLOOP_LABEL_STUDIO_VENV"
USER_SETTING = "FIELDLOOP_LABEL_STUDIO_USER"
DEFAULT_USER = "admin@fieldloop.local"
OPEN_PAGE = "open.html"
LOCK = "requirements-label-studio.lock"
_STAMP = "installed-from"

# R draws a smart rectangle: its words appear at once. The keys of the plain tools move aside for it.
KEYMAP = {"tool:auto-detect": {"key": "R"}, "tool:rect": {"key": "shift+M"}}


@dataclass(frozen=True)
class LocalLabelStudio:
    """Label Studio as the stack starts it."""

    folder: StateFolder
    secrets: Secrets
    port: int
    host: str
    public_url: str
    user: str
    database_url: str
    venv: Path
    installs: bool
    """Whether ``venv`` is ours to make; one that the operator names is used as it is."""

    @property
    def url(self) -> str:
        return f"http://{reachable(self.host)}:{self.port}"

    @property
    def served(self) -> Path:
        """The one folder it serves files from: our page that turns a reviewer's switches on, nothing else."""
        return self.folder.label_studio / "served" / "fieldloop"

    def place_page(self) -> None:
        self.served.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name(OPEN_PAGE), self.served / OPEN_PAGE)

    def parts(self, *, needs: tuple[str, ...]) -> list[Part]:
        program = self.venv / "bin" / "label-studio"
        if not self.installs and not program.exists():
            raise StackError(
                f"{VENV_SETTING}: there is no {program}. Install Label Studio there, or unset it to have it installed."
            )
        lock = lock_file() if self.installs else None
        installation = Part(
            name="label-studio-install",
            command=(sys.executable, "-m", "fieldloop.stack.label_studio", str(self.venv)),
            cwd=self.folder.path,
            step=True,
            is_done=lambda: lock is None or is_installed(self.venv, lock),
            ready_seconds=1800,  # a slow line
        )
        server = Part(
            name="label-studio",
            command=(
                *(str(program), "start", "--no-browser", "--port", str(self.port)),
                *("--internal-host", self.host, "--log-level", "WARNING"),
            ),
            cwd=self.folder.label_studio,
            needs=(installation.name, *needs),
            environ=self.environ(),
            inherits=False,
            prepare=self.place_page,
            is_ready=lambda: http_answers(f"{self.url}/health"),
            ready_seconds=600,  # hundreds of migrations on the first start
            adoptable=True,
            host=self.host,
            port=self.port,
            port_setting=PORT_SETTING,
            address=self.public_url,
        )
        return [installation, server]

    def environ(self) -> dict[str, str]:
        """Everything Label Studio is told; nothing of it is on its command line."""
        database = urlsplit(self.database_url)
        return {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder.label_studio),
            "LABEL_STUDIO_USERNAME": self.user,
            "LABEL_STUDIO_PASSWORD": self.secrets.label_studio_password,
            "LABEL_STUDIO_USER_TOKEN": self.secrets.label_studio_token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_HOST": self.public_url,
            "SECRET_KEY": self.secrets.label_studio_secret_key,
            "DJANGO_DB": "default",
            "POSTGRE_HOST": database.hostname or "127.0.0.1",
            "POSTGRE_PORT": str(database.port or 5432),
            "POSTGRE_USER": unquote(database.username or ""),
            "POSTGRE_PASSWORD": unquote(database.password or ""),
            "POSTGRE_NAME": database.path.removeprefix("/"),
            # Indexes for searching in text; the extensions are not part of every Postgres.
            "SKIP_TRIGRAM_EXTENSION": "full",
            "SKIP_BTREE_GIN_EXTENSION": "full",
            # The backend is at a local address; the address of cloud metadata stays refused.
            "USE_DEFAULT_BANNED_SUBNETS": "false",
            "USER_ADDITIONAL_BANNED_SUBNETS": "169.254.0.0/16",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(self.served.parent),
            "EDITOR_KEYMAP": json.dumps(KEYMAP),
            "DISABLE_SIGNUP_WITHOUT_LINK": "true",
            # No word to anybody outside.
            "COLLECT_ANALYTICS": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "LATEST_VERSION_CHECK": "false",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }


def lock_file() -> Path:
    """The lock of Label Studio's environment: of the checkout, or as the wheel carries it."""
    here = Path(__file__).parent
    for folder in (here.parents[1], here):
        if (folder / LOCK).exists():
            return folder / LOCK
    raise StackError(
        f"{LOCK} is missing from this installation; install Label Studio yourself and name its environment in {VENV_SETTING}."
    )


def default_venv(folder: StateFolder) -> Path:
    """Where its environment goes: beside ours in a checkout, where tests use it too; else in the state folder."""
    checkout = Path(__file__).parents[2]
    beside = checkout / ".venv-label-studio"
    lock = checkout / LOCK
    if lock.exists() and (os.access(checkout, os.W_OK) or is_installed(beside, lock)):
        return beside
    return folder.path / "label-studio-venv"


def is_installed(venv: Path, lock: Path) -> bool:
    """Whether ``venv`` was made from this very lock."""
    stamp = venv / _STAMP
    return stamp.exists() and stamp.read_text().strip() == _digest(lock)


def install(venv: Path, lock: Path) -> None:
    """Make or update the environment from the lock, every file checked against its hash."""
    if is_installed(venv, lock):
        return
    with _held(venv.with_name(f"{venv.name}.lock")):  # the tests may be at it too
        if is_installed(venv, lock):
            return
        uv = _uv()
        python = venv / "bin" / "python"
        (venv / _STAMP).unlink(missing_ok=True)
        if not python.exists():
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
        _run([uv, "pip", "sync", "--python", str(python), "--require-hashes", str(lock)])
        (venv / _STAMP).write_text(_digest(lock) + "\n")


@contextmanager
def _held(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StackError(
            f"Label Studio cannot be installed in {path.parent}: {error.strerror}. Name a folder you may write to in "
            f"{VENV_SETTING}, with Label Studio in it."
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def locked_version(lock: Path, package: str = "label-studio") -> str | None:
    """The release of a package that the lock names."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, pinned, rest = line.partition("==")
        if pinned and name.strip() == package:
            return rest.split()[0]
    return None


def external(environ: Mapping[str, str]) -> bool:
    """Whether the operator brings a Label Studio; then both settings are needed."""
    url, key = environ.get("LABEL_STUDIO_URL"), environ.get("LABEL_STUDIO_API_KEY")
    if url and not key:
        raise StackError(
            "LABEL_STUDIO_URL is set but LABEL_STUDIO_API_KEY is not: create a token there under Account & Settings, "
            "or unset LABEL_STUDIO_URL to have a Label Studio started."
        )
    if key and not url:
        raise StackError(
            "LABEL_STUDIO_API_KEY is set but LABEL_STUDIO_URL is not: name the address of that Label Studio, "
            "or unset the key to have a Label Studio started."
        )
    return bool(url)


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise StackError(
            f"uv is needed to install Label Studio: pip install uv, or name a ready environment in {VENV_SETTING}."
        )
    return found


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, check=False)
    if answer.returncode != 0:
        raise StackError(
            "Label Studio could not be installed; see the lines above. Check the network or the package index."
        )


def _digest(lock: Path) -> str:
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{hashlib.sha256(lock.read_bytes()).hexdigest()} python{release}"


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]), lock_file())
    except StackError as problem:
        sys.exit(str(problem))
