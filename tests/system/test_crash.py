"""rr is killed under load: nothing that a client has seen is lost. `make gates` does a hundred rounds of this."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.apps.dependency import Dependency
from tests.harness.crash import Load, family, gone, kill_round, missing, recording
from tests.harness.mounts import own_mounts
from tests.harness.recorded import recorded_mocks
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("victim", "after", "again"),
    [("rr", 0.1, False), ("rr", 0.4, False), ("rr", 0.7, True), ("relay", 0.1, False), ("relay", 0.4, False)],
)
def test_killed_under_load(victim: str, after: float, again: bool, rr: RR, tmp_path: Path, port: int) -> None:
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        rr = rr.with_prefix(mounts.prefix)
        answers, wrong = kill_round(rr, mounts, port, victim=victim, after=after, again=again)
    assert not wrong, "\n".join(wrong)
    assert answers > 10, "there was no load to speak of"


def test_after_the_relay_s_death_mocks_still_have_their_owners(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    with (
        own_mounts(rr.folder, tmp_path / "mounts.log") as mounts,
        recording(rr.with_prefix(mounts.prefix), dependency, port) as running,
    ):
        with Load(port, clients=2) as load:
            eventually(lambda: len(load.answered) > 20, "the clients are served")
            os.kill(family(running.process.pid).relay.pid, signal.SIGKILL)
            seen = len(load.answered)
            eventually(lambda: len(load.answered) > seen + 20, "the clients are served again")
        running.interrupt()
        assert running.wait() == 0, running.output
    assert "relay process ended unexpectedly" in running.output
    owners = {mock.owner.partition("-")[0] for mock in recorded_mocks(rr.keploy / "test-set-0")}
    assert owners == {"test"}, "calls belong to tests, not to the start or the background"


def test_the_next_recording_recovers_what_the_last_one_left(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        rr = rr.with_prefix(mounts.prefix)
        with recording(rr, dependency, port, "--exclude", "/call/*") as running, Load(port) as load:
            eventually(lambda: len(load.answered) > 30, "the clients are served")
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(10)
        done = rr.run("record", "-c", "true")
        assert "Recovered a recording" in done.output
        assert not mounts.sessions
    kept = [line for line in load.answered if line.startswith("echo/")]
    assert not missing(rr.keploy / "test-set-0", kept)
    tests = list((rr.keploy / "test-set-0" / "tests").iterdir())
    assert not [path for path in tests if "/call/" in path.read_text("utf-8")], "a recovery knows the filters"
    assert [path.name for path in rr.keploy.iterdir() if path.is_dir()] == ["test-set-0"]


def test_a_killed_launcher_takes_the_app_with_it_and_the_recording_is_completed(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        with recording(rr.with_prefix(mounts.prefix), dependency, port) as running, Load(port) as load:
            eventually(lambda: len(load.answered) > 30, "the clients are served")
            processes = family(running.process.pid)
            os.kill(processes.launcher.pid, signal.SIGKILL)
            running.wait(20)
        eventually(lambda: gone([*processes.own, *processes.app]), "nothing of the app is left")
        assert not missing(rr.keploy / "test-set-0", load.answered)
        assert not mounts.sessions


def test_a_command_that_leaves_a_process_behind_leaves_none(rr: RR, tmp_path: Path) -> None:
    """`sleep` in the background, in a session of its own, deaf to everything but SIGKILL."""
    note = tmp_path / "pid"
    deaf = f"""setsid sh -c 'trap "" TERM INT HUP; echo $$ > {note}; while :; do sleep 1; done' &"""
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        done = rr.with_prefix(mounts.prefix).run("record", "-c", f"{deaf} while [ ! -s {note} ]; do sleep 0.05; done")
    assert done.code == 0, done.output
    assert not psutil.pid_exists(int(note.read_text())), "the command's background process still runs"
