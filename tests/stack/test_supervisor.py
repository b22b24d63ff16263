"""The supervisor over real processes: order, crashes, kill -9, busy ports, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fieldloop.stack.folder import StateFolder
from fieldloop.stack.processes import Identity, identify, marked, stop
from tests.stack.programs import free_port

HERE = Path(__file__).parent


class Stack:
    """A supervisor in its own process, with two servers and a step between them."""

    def __init__(self, folder: Path, *, code: str = "pass") -> None:
        self.folder = StateFolder(folder)
        self.base, self.top = free_port(), free_port()
        self.code = code
        self.output = folder.parent / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(HERE / "supervise.py"), str(self.folder.path)),
                    *(str(self.base), str(self.top), self.code),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(timeout=30)

    def lines(self) -> list[str]:
        return [line.strip() for line in self.output.read_text().splitlines()]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}\n{self.output.read_text()}"
            time.sleep(0.02)

    def until_ready(self) -> None:
        self.until(lambda: "all ready" in self.lines(), "ready")

    def pid(self, part: str) -> int | None:
        pid = self.folder.read_run().get("parts", {}).get(part, {}).get("pid")
        return int(pid) if pid else None


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path / "state")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    stop([(identity, signal.SIGKILL) for identity in marked(made.folder.path)], seconds=5)


def test_parts_start_after_what_they_need_and_stop_before_it(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    order = [line for line in stack.lines() if line.endswith(("ready", "done"))]
    assert order == ["base ready", "prepare done", "top ready", "all ready"]
    assert stack.process is not None
    stack.process.send_signal(signal.SIGINT)
    assert stack.wait() == 0
    assert [line for line in stack.lines() if "stopped" in line] == ["top stopped", "base stopped"]
    assert stack.folder.log("top").read_text().splitlines() == ["listening", "stopped"]
    assert marked(stack.folder.path) == {}
    assert not stack.folder.run_file.exists()


def test_a_crashed_part_comes_back_and_the_others_stay(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    base, top = stack.pid("base"), stack.pid("top")
    assert top is not None
    os.kill(top, signal.SIGKILL)
    stack.until(lambda: stack.lines().count("top ready") == 2, "ready again")
    stack.until(lambda: stack.pid("top") not in {None, top}, "written down")
    assert stack.pid("base") == base
    assert stack.folder.read_run()["parts"]["top"]["restarts"] == 1


def test_after_kill_9_the_next_start_adopts_servers_and_restarts_our_own(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    base, top = stack.pid("base"), stack.pid("top")
    assert stack.process is not None
    stack.process.kill()
    stack.wait()
    assert base is not None
    assert psutil.pid_exists(base)
    stack.start()
    stack.until_ready()
    assert stack.pid("base") == base
    assert "base ready was still running" in stack.lines()
    assert stack.pid("top") not in {None, top}
    stack.process.send_signal(signal.SIGTERM)
    assert stack.wait() == 0
    assert marked(stack.folder.path) == {}


def test_a_survivor_that_nobody_wrote_down_is_found_and_stopped(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    base = stack.pid("base")
    assert stack.process is not None
    assert base is not None
    stack.process.kill()
    stack.wait()
    stack.folder.run_file.unlink()
    stack.start()
    stack.until_ready()
    assert stack.pid("base") not in {None, base}


def test_a_survivor_with_other_settings_is_stopped(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    base = stack.pid("base")
    assert stack.process is not None
    stack.process.kill()
    stack.wait()
    stack.base = free_port()
    stack.start()
    stack.until_ready()
    assert stack.pid("base") not in {None, base}


def test_the_process_of_somebody_else_under_an_old_number_is_left_alone(stack: Stack) -> None:
    stack.folder.create()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        stack.folder.write_run(
            {"parts": {"base": {"pid": bystander.pid, "started": 12345.0, "stop_signal": 15}}}
        )
        stack.start()
        stack.until_ready()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_busy_port_names_the_setting_and_the_other_program(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.top)):
        stack.start()
        assert stack.wait() == 1
    [line] = stack.lines()
    assert f"Port {stack.top}, meant for top, is taken" in line
    assert f"process {os.getpid()}" in line
    assert "set FIELDLOOP_TOP_PORT" in line


def test_a_step_that_fails_ends_the_start_with_its_words(stack: Stack) -> None:
    stack.code = "raise SystemExit('the disk is full')"
    stack.start()
    assert stack.wait() == 1
    text = stack.output.read_text()
    assert "prepare failed (exit code 1)" in text
    assert "the disk is full" in text
    assert marked(stack.folder.path) == {}


def test_the_words_of_an_earlier_run_are_not_taken_for_those_of_this_one(stack: Stack) -> None:
    stack.folder.create()
    stack.folder.log("prepare").write_text("an older story\n")
    stack.code = "raise SystemExit(3)"
    stack.start()
    assert stack.wait() == 1
    assert "(it said nothing)" in stack.output.read_text()
    assert "an older story" not in stack.output.read_text()


def test_only_one_supervisor_per_folder(stack: Stack) -> None:
    stack.start()
    stack.until_ready()
    first = stack.process
    assert first is not None
    stack.output = stack.output.with_name("second")
    stack.start()
    assert stack.wait() == 1
    assert f"already runs on {stack.folder.path} (process {first.pid})" in stack.lines()[0]
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=30) == 0


def test_an_identity_is_more_than_a_number() -> None:
    here = identify(os.getpid())
    assert here is not None
    assert here.is_alive()
    assert not Identity(here.pid, here.started - 60).is_alive()
