"""The state folder and the files of settings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from db.errors import ConfigError
from fieldloop.stack.errors import AlreadyRunning, StackError
from fieldloop.stack.folder import Secrets, StateFolder, rotate, tail
from fieldloop.stack.settings import (
    given_environment,
    home_folder,
    load_environment,
    read_env_file,
    write_env_file,
    write_private,
)


def test_a_long_log_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert rotate(log, limit=200)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    aside = tmp_path / "part.log.1"
    assert aside.read_bytes() == b"old\n" * 50
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert not rotate(log, limit=200)
    assert not rotate(tmp_path / "none", limit=200)


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo\n\xff\nthree\n")
    assert tail(log, 2) == "\ufffd\nthree"
    assert tail(log, 9, since=8) == "\ufffd\nthree"
    assert tail(tmp_path / "none", 3) == ""


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert not folder.is_locked()
    with folder.lock():
        assert folder.is_locked()
        with pytest.raises(AlreadyRunning), folder.lock():
            pass
    assert not folder.is_locked()


def test_a_folder_that_cannot_be_used_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="FIELDLOOP_HOME"):
        StateFolder(tmp_path / "file" / "state").create()


def test_damaged_secrets_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    Secrets.load_or_make(path)
    path.write_text("{")
    with pytest.raises(StackError, match="restore it from a backup"):
        Secrets.load_or_make(path)


def test_secrets_of_an_older_version_are_completed_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = Secrets.load_or_make(path)
    text = path.read_text().replace(f'"signing_key": "{first.signing_key}",', "")
    write_private(path, text)
    second = Secrets.load_or_make(path)
    assert second.signing_key != first.signing_key
    assert second.database_password == first.database_password


def test_an_env_file_is_read_as_a_shell_would(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        "# a comment\n\nexport A=1\nB='two words' # why\nC=\"x'y\"\nD=\nE=a=b\nF=$HOME\n",
        encoding="utf-8",
    )
    assert read_env_file(path) == {
        "A": "1",
        "B": "two words",
        "C": "x'y",
        "D": "",
        "E": "a=b",
        "F": "$HOME",
    }


@pytest.mark.parametrize(
    ("line", "what"), [("no sign", "line 1 is not"), ("1A=x", "line 1"), ("A='x", "line 1 of")]
)
def test_a_malformed_env_file_names_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / ".env"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match=what) as caught:
        read_env_file(path)
    assert str(path) in str(caught.value)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "env"
    made, given = {"A": 'it\'s "quoted" $x'}, {"B": "a b"}
    write_env_file(path, made, given)
    assert read_env_file(path) == made | given
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_settings_are_taken_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, then .env, then what `fieldloop up` wrote."""
    home = tmp_path / ".fieldloop"
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ONE=file\nTWO=file\n")
    write_env_file(home / "env", {"ONE": "made", "TWO": "made", "THREE": "made"}, {})
    environ = {"ONE": "shell"}
    load_environment(environ)
    assert environ == {"ONE": "shell", "TWO": "file", "THREE": "made"}
    assert given_environment(environ) == {"ONE": "shell", "TWO": "file"}


def test_the_state_folder_is_found_from_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert home_folder({}) == below / ".fieldloop"
    (tmp_path / ".fieldloop").mkdir()
    assert home_folder({}) == tmp_path / ".fieldloop"
    assert home_folder({"FIELDLOOP_HOME": "elsewhere"}) == below / "elsewhere"
