"""The session's folder: private, held while its rr lives, found by a recovery when it does not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intercept import memory
from testset.errors import JournalError


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base folder of the test's own."""
    monkeypatch.setattr(memory, "base_folder", lambda: tmp_path)
    return tmp_path


def end(folder: memory.SessionFolder) -> None:
    """As if its process had ended."""
    os.close(folder.lock)


def test_a_session_that_lives_is_not_abandoned(base: Path) -> None:
    session = memory.create({"test_set": "a"}, 1 << 20)
    assert session.path.stat().st_mode & 0o777 == 0o700
    assert memory.abandoned() == []
    session.remove()
    assert list(base.iterdir()) == []


def test_a_session_whose_process_has_ended_is_found_with_its_facts() -> None:
    end(memory.create({"test_set": "a"}, 1 << 20))
    assert memory.abandoned_count() == 1
    [found] = memory.abandoned()
    assert found.facts == {"test_set": "a"}
    assert memory.abandoned() == [], "whoever found it holds it"
    found.remove()
    assert memory.abandoned_count() == 0


def test_a_session_that_ended_before_it_began_is_swept(base: Path) -> None:
    (base / "session-1-x").mkdir()
    assert memory.abandoned() == []
    assert list(base.iterdir()) == []


def test_a_recovery_waits_for_a_relay_that_still_writes() -> None:
    session = memory.create({}, 1 << 20)
    code = (
        "import pathlib, sys; from intercept import memory; memory.hold(pathlib.Path(sys.argv[1])); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(session.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as relay:
        assert relay.stdout is not None
        relay.stdout.readline()
        end(session)
        timer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {relay.pid}"])
        [found] = memory.abandoned()
        assert relay.wait(5) == -signal.SIGKILL, "it had ended before the session was given out"
        timer.wait(5)
    found.remove()


def test_too_little_memory_is_said_before_anything_begins(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    monkeypatch.setattr(memory, "_SMALLEST", 1 << 60)
    with pytest.raises(JournalError, match="no memory for the journal") as raised:
        memory.create({}, 1 << 20)
    assert "remount" in raised.value.remedy
    assert list(base.iterdir()) == []


def test_a_full_memory_gives_up_its_reserve_first(tmp_path: Path) -> None:
    session = memory.create({}, 1 << 20)
    reserve = session.path / "reserve"
    assert reserve.stat().st_blocks * 512 >= 4 << 20
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(JournalError, match="No space left"):
        memory.write(session.path, full.fileno(), b"text")
    assert not reserve.exists(), "the reserve was given up before it was said that nothing can be written"
    session.remove()


def test_release_is_what_the_relay_reads() -> None:
    session = memory.create({}, 1 << 20)
    for amount in (5, 123456789, 7):
        session.release(amount)
        assert int((session.path / "released").read_bytes()) == amount
    session.remove()


def test_the_lock_goes_with_its_process() -> None:
    session = memory.create({}, 1 << 20)
    other = os.open(session.path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    end(session)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_only_a_private_folder_in_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    folder = memory.base_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == os.getuid()
    monkeypatch.setattr(memory, "_in_memory", lambda _folder: False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(JournalError, match="not in memory") as raised:
        memory.base_folder()
    assert "--shm-size" in raised.value.remedy
