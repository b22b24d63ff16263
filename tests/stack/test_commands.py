"""``fieldloop down`` and ``fieldloop logs`` on a stack of plain programs, and settings that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fieldloop.cli import main
from fieldloop.stack.processes import marked
from tests.stack.test_supervisor import Stack
from tests.stack.test_supervisor import stack as stack


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .env of this machine."""
    monkeypatch.chdir(tmp_path)


def run(stack: Stack, *arguments: str, **environ: str) -> Result:
    return CliRunner(env={"FIELDLOOP_HOME": str(stack.folder.path), **environ}).invoke(
        main, arguments
    )


def test_down_stops_a_running_stack(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    answer = run(stack, "down")
    assert (answer.exit_code, answer.stdout) == (0, "Stopped.\n")
    assert stack.wait() == 0
    assert marked(stack.folder.path) == {}


def test_down_stops_what_a_killed_supervisor_left_behind(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    assert stack.process is not None
    stack.process.kill()
    stack.wait()
    answer = run(stack, "down")
    assert answer.exit_code == 0
    assert answer.stdout == "Stopped what was left: top, base.\n"
    assert marked(stack.folder.path) == {}
    assert run(stack, "down").stdout == "Nothing runs.\n"


def test_down_without_a_folder(stack: Stack) -> None:
    assert run(stack, "down").stdout.startswith("Nothing runs: there is no ")


def test_logs_name_their_part(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    answer = run(stack, "logs", "top", "base")
    assert answer.exit_code == 0
    assert sorted(answer.stdout.splitlines()) == ["base │ listening", "top  │ listening"]
    wrong = run(stack, "logs", "bottom")
    assert wrong.exit_code == 1
    assert "There is no log of 'bottom'" in wrong.stderr


def test_logs_before_the_first_start(stack: Stack) -> None:
    answer = run(stack, "logs")
    assert answer.exit_code == 1
    assert "start with `fieldloop up`" in answer.stderr


@pytest.mark.parametrize("command", ["worker", "serve", "migrate", "init"])
def test_a_missing_setting_is_a_sentence(stack: Stack, command: str) -> None:
    answer = run(stack, command)
    assert answer.exit_code == 1
    assert re.match(r"Error: [A-Z_]+_URL: is not set; it names ", answer.stderr)


def test_up_says_which_setting_is_wrong(stack: Stack) -> None:
    answer = run(stack, "up", FIELDLOOP_BACKEND_PORT="ninety")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("Error: FIELDLOOP_BACKEND_PORT: must be a port")
    assert not marked(stack.folder.path)
