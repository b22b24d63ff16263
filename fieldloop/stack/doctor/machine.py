"""The machine: Python, ports, the state folder, disk, OCR and fonts."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fieldloop.stack import postgres, valkey
from fieldloop.stack.doctor.rows import Check, Finding, NotChecked, fail, ok, warn
from fieldloop.stack.folder import StateFolder
from fieldloop.stack.label_studio import PORT_SETTING as LABEL_STUDIO_PORT
from fieldloop.stack.parts import reachable
from fieldloop.stack.plan import BACKEND_PORT_SETTING, HOST_SETTING, ports_of
from fieldloop.stack.processes import is_free, listener
from fieldloop.stack.settings import HOME

LOW_DISK, NO_DISK = 5 * 1024**3, 1024**3
LANGUAGES = ("eng", "por")
# The setting that makes each local part unnecessary, and with it its port.
_REPLACED_BY = {
    LABEL_STUDIO_PORT: "LABEL_STUDIO_URL",
    postgres.PORT_SETTING: "DATABASE_URL",
    valkey.PORT_SETTING: "REDIS_URL",
}
_CJK_FONTS = ("NotoSansCJK", "NotoSerifCJK", "wqy", "SourceHan", "ipag", "TakaoP", "uming", "ukai")
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


def checks(folder: StateFolder, given: Mapping[str, str], *, supervised: bool) -> list[Check]:
    """``given``: what the operator set, without what ``fieldloop up`` made."""
    return [
        Check("Python", python),
        Check("State folder", lambda: state_folder(folder)),
        Check("Ports", lambda: ports(folder, given, supervised=supervised)),
        Check("Disk space", lambda: disk(folder.path)),
        Check("OCR", ocr),
        Check("Fonts", fonts),
    ]


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may have forced an installation
        return fail(f"Python {version} is too old.", "Install Python 3.11 or newer.")
    return ok(f"Python {version} at {sys.executable}.")


def state_folder(folder: StateFolder) -> Finding:
    """Who may look into it: there are passwords in it, and documents."""
    path = folder.path
    if not folder.secrets_file.exists():
        raise NotChecked(f"no local stack is kept in {path}")
    if path.stat().st_uid != os.geteuid():
        return fail(
            f"{path} belongs to another user (number {path.stat().st_uid}).",
            f"Run as that user, or name another folder in {HOME}.",
        )
    if not os.access(path, os.W_OK):
        return fail(
            f"{path} cannot be written to.", f"Correct its mode, or name another one in {HOME}."
        )
    # Root's may be passed through, since Postgres does not run as root.
    wanted = {path: 0o711 if os.geteuid() == 0 else 0o700}
    wanted |= dict.fromkeys((folder.logs, folder.blobs, folder.redis, folder.label_studio), 448)
    wanted |= dict.fromkeys((folder.secrets_file, folder.env_file, *folder.logs.glob("*")), 384)
    loose = [
        one
        for one, mode in wanted.items()
        if one.exists() and stat.S_IMODE(one.stat().st_mode) & ~mode
    ]
    if loose:
        names = ", ".join(str(one.relative_to(path.parent)) for one in loose)
        return fail(
            f"Others may look into {names}.", f"chmod -R go-rwx {path}, then start it again."
        )
    return ok(f"{path}, closed to others.")


def ports(folder: StateFolder, given: Mapping[str, str], *, supervised: bool) -> Finding:
    """Whether the local parts can listen where they would; one that is replaced needs no port."""
    if given.get("DATABASE_URL") and not folder.secrets_file.exists():
        raise NotChecked(f"no local stack is kept in {folder.path}")
    host = given.get(HOST_SETTING, "").strip() or "127.0.0.1"
    wanted = {
        name: port
        for name, port in ports_of(given).items()
        if not given.get(_REPLACED_BY.get(name, ""), "")
    }
    if supervised:
        parts = folder.read_run().get("parts", {}).values()
        addresses = ", ".join(part["address"] for part in parts if part.get("address"))
        return ok(f"The stack listens: {addresses}.")
    for name, port in wanted.items():
        where = host if name in {BACKEND_PORT_SETTING, LABEL_STUDIO_PORT} else "127.0.0.1"
        if not is_free(reachable(where), port):
            owner = listener(port)
            return fail(
                f"Port {port} is taken{f' by {owner}' if owner else ''}.",
                f"End that program, or set {name} to a free port.",
            )
    return ok(f"{', '.join(map(str, wanted.values()))} are free.")


def disk(path: Path) -> Finding:
    """Where the state folder is; Postgres stops when it is full."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    said = f"{free / 1024**3:.1f} GB free at {there}."
    if free < NO_DISK:
        return fail(said, f"Make room, or name a folder on a larger disk in {HOME}.")
    if free < LOW_DISK:
        return warn(said, "Make room: documents, page images and models grow.")
    return ok(said)


def ocr() -> Finding:
    """Scans are read by tesseract, where there is one."""
    program = shutil.which("tesseract")
    install = "apt install tesseract-ocr tesseract-ocr-por (or brew install tesseract tesseract-lang), then upload the scans again."
    if program is None:
        return warn("tesseract is not installed: scanned pages stay without words.", install)
    try:
        answer = subprocess.run(
            [program, "--list-langs"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return fail(f"tesseract does not run: {error}", install)
    there = set(answer.stdout.split("\n")[1:])
    missing = [language for language in LANGUAGES if language not in there]
    if missing:
        return warn(f"tesseract lacks the languages {', '.join(missing)}.", install)
    return ok(f"tesseract at {program}, with {', '.join(sorted(there - {'', 'osd'}))}.")


def fonts() -> Finding:
    """Pages whose Chinese, Japanese or Korean fonts are not embedded show empty boxes otherwise."""
    folders = [Path(folder).expanduser() for folder in _FONT_FOLDERS]
    for folder in folders:
        for file in folder.rglob("*") if folder.is_dir() else ():
            if any(name.lower() in file.name.lower() for name in _CJK_FONTS):
                return ok(f"Chinese, Japanese and Korean by {file.name}.")
    if sys.platform == "darwin":
        return ok("The system has them.")
    return warn(
        "No Chinese, Japanese or Korean fonts: pages that do not embed theirs lose that text.",
        "apt install fonts-noto-cjk; not needed for other documents.",
    )
