"""Where a command on this machine finds its settings: the environment, then ``.env``, then what ``up`` wrote.

``fieldloop up`` writes the effective settings to ``<state folder>/env``; that is how ``fieldloop upload``
in another terminal reaches the same parts without a word of configuration.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from db.errors import ConfigError

HOME = "FIELDLOOP_HOME"
FOLDER = ".fieldloop"
ENV_FILE = "env"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GIVEN = "# Taken from the environment or .env of `fieldloop up`:"
_MADE = "# Made by `fieldloop up`:"

# What load_environment() put into the environment of this process out of `<state folder>/env`.
_added: dict[str, str] = {}


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The state folder: FIELDLOOP_HOME, else the nearest ``.fieldloop`` upwards, else one right here."""
    values = os.environ if environ is None else environ
    named = values.get(HOME, "").strip()
    if named:
        return Path(named).expanduser().resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir() and _is_ours(folder / FOLDER):
            return (folder / FOLDER).resolve()
    return here.resolve() / FOLDER


def load_environment(environ: MutableMapping[str, str] | None = None) -> None:
    """Complete the environment from ``.env`` and from the state folder; what is set already stays.

    ``.env`` lies beside the state folder, or here. Call it once, before any command reads a setting.
    Raises ConfigError where a file cannot be read as NAME=value lines.
    """
    values = os.environ if environ is None else environ
    for path in dict.fromkeys((Path.cwd() / ".env", home_folder(values).parent / ".env")):
        if path.is_file() and _is_ours(path):
            for name, value in read_env_file(path).items():
                values.setdefault(name, value)
    made = home_folder(values) / ENV_FILE
    if made.is_file() and _is_ours(made):
        for name, value in read_env_file(made).items():
            if name not in values:
                values[name] = value
                _added[name] = value


def given_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what an earlier ``up`` made: what the operator asked for, nothing else.

    Addresses of local parts that a shell has sourced from the file do not count as a wish either:
    otherwise the second ``up`` would take its own Postgres for somebody else's.
    """
    values = dict(os.environ if environ is None else environ)
    made = home_folder(values) / ENV_FILE
    ours = _made_values(made) if made.is_file() and _is_ours(made) else {}
    return {
        name: value
        for name, value in values.items()
        if _added.get(name) != value and ours.get(name) != value
    }


def write_env_file(path: Path, made: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Write both kinds of settings to ``path``, readable by its owner only; a shell can source it."""
    lines = [
        "# Written by `fieldloop up` at every start: change settings in .env, not here.",
        _MADE,
    ]
    lines += [f"{name}={shlex.quote(value)}" for name, value in sorted(made.items())]
    lines += [_GIVEN]
    lines += [f"{name}={shlex.quote(value)}" for name, value in sorted(given.items())]
    write_private(path, "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Put ``text`` in place in one step, mode 600."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines, ``export`` allowed, quotes as in a shell, ``#`` begins a comment; nothing is expanded."""
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        try:
            words = shlex.split(value, comments=True)
        except ValueError as error:
            raise ConfigError(name.strip(), f"line {number} of {path}: {error}.") from None
        if not equals or not _NAME.fullmatch(name.strip()):
            raise ConfigError(
                str(path), f"line {number} is not of the form NAME=value; correct or remove it."
            )
        values[name.strip()] = " ".join(words)
    return values


def _made_values(path: Path) -> dict[str, str]:
    head, _, _ = path.read_text(encoding="utf-8").partition(_GIVEN)
    pairs = (line.partition("=") for line in head.splitlines() if not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, equals, value in pairs if equals}


def _is_ours(path: Path) -> bool:
    # A folder above may belong to somebody else (think of a shared temporary folder): their file must
    # not decide where our documents go.
    return path.stat().st_uid == os.geteuid()
