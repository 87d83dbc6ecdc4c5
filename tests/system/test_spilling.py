"""What does not fit into the journal's memory waits on disk, encrypted, and is written in order like all else."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.harness.crash import recording
from tests.harness.mounts import Mounts, own_mounts
from tests.harness.recorded import recorded_tests
from tests.harness.rr_command import RR
from tests.harness.wire import MIB, answer, connect

pytestmark = pytest.mark.system

CANARY = b"a canary that no file may show in clear "
BODY = CANARY * (5 * MIB // 4 // len(CANARY))  # large enough for a file of its own
REQUESTS = 40  # with their answers: three times what the journal may have


class Spilled:
    """Watches rr's folder for state all the while: how much was spilled, and whether anything is in clear."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.most = 0
        self.clear: list[str] = []
        self._seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Spilled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            files = [path for path in self.folder.rglob("*") if path.is_file()]
            self.most = max(self.most, len(files))
            for path in files:
                if path.name in self._seen:
                    continue
                try:
                    data, mode = path.read_bytes(), path.stat().st_mode
                except FileNotFoundError:
                    continue
                if path.suffix == ".spill":
                    self._seen.add(path.name)
                if CANARY in data:
                    self.clear.append(path.name)
                if mode & 0o077:
                    self.clear.append(f"{path.name} may be read by others")


def load(port: int) -> None:
    with connect(port) as sock:
        for number in range(REQUESTS):
            head = f"POST /echo/{number} HTTP/1.1\r\nHost: app\r\nContent-Length: {len(BODY)}\r\n\r\n"
            sock.sendall(head.encode() + BODY)
            assert CANARY in answer(sock)


def check(rr: RR, mounts: Mounts, state: Path, spilled: Spilled) -> None:
    assert spilled.most > 1, "nothing was spilled: the test shows nothing"
    assert spilled.clear == []
    assert not [path for path in state.rglob("*") if path.is_file()], "the spill folder is empty afterwards"
    assert not list((state / "rr" / "spill").glob("*"))
    assert not mounts.sessions
    tests = recorded_tests(rr.keploy / "test-set-0")
    assert [test.line for test in tests] == [f"POST /echo/{number}" for number in range(REQUESTS)]
    assert all(test.request_body == BODY and CANARY in test.response_body for test in tests)


@pytest.mark.parametrize("killed", [False, True], ids=["to the end", "killed and recovered"])
def test_a_load_beyond_the_journal_s_memory(
    killed: bool, rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    state = tmp_path / "state"
    (rr.folder / "rr.yml").write_text("journal: {limit: 32MiB}\n")
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts, Spilled(state) as spilled:
        rr = rr.with_prefix(mounts.prefix).with_settings(XDG_STATE_HOME=str(state))
        with recording(rr, dependency, port) as running:
            load(port)
            if killed:
                os.kill(running.process.pid, signal.SIGKILL)
                running.process.wait(10)
            else:
                running.interrupt()
                assert running.wait(60) == 0, running.output
        if killed:
            done = rr.run("recover")
            assert done.code == 0, done.output
        check(rr, mounts, state, spilled)
