"""Killing rr under load, and what must be true then: nothing that a client has seen is lost, nothing is there twice.

Each request carries an id of its own; a client notes it once the whole answer has reached it.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.apps.dependency import Dependency
from tests.harness.mounts import Mounts
from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

LARGE = 1_500_000  # bytes: a few of these, and the journal goes on to its next segment
PAGES = ("call", "echo", "echo", "call", "echo", f"big/{LARGE}", "echo")
APP = Path(__file__).parent.parent / "apps" / "socket_app.py"


@dataclass(slots=True)
class Load:
    """Clients that go on until they are stopped: some keep their connection, others open one for each request."""

    port: int
    clients: int = 4
    pages: tuple[str, ...] = PAGES
    answered: list[str] = field(default_factory=list)  # `echo/ID` or `call/ID`: the whole answer is here
    failures: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self, number: int) -> None:
        keep = number % 2 == 0
        connection = self._new()
        for count in itertools.count():
            if self._stop.is_set():
                break
            page = self.pages[count % len(self.pages)]
            id = f"c{number}-{count}"
            try:
                body = f"body of {id}".encode() if count % 2 else None
                headers = {} if keep else {"Connection": "close"}
                connection.request("POST" if body else "GET", f"/{page}/{id}", body, headers)
                answer = connection.getresponse().read()
                if (
                    len(answer) == LARGE
                    if page.startswith("big")
                    else id.encode() in answer and b"failed" not in answer
                ):
                    self.answered.append(f"{page}/{id}")
                if not keep:
                    connection.close()
            except (OSError, http.client.HTTPException):
                self.failures += 1
                connection.close()
                connection = self._new()
                self._stop.wait(0.01)
        connection.close()

    def _new(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)


@dataclass(frozen=True, slots=True)
class Family:
    """rr's own processes and the app's, as they were before the kill."""

    rr: psutil.Process
    launcher: psutil.Process
    relay: psutil.Process
    app: list[psutil.Process]

    @property
    def own(self) -> list[psutil.Process]:
        return [self.rr, self.launcher, self.relay]

    def resident(self) -> int:
        """Bytes of memory that rr's processes hold."""
        total = 0
        for one in self.own:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        return total


def family(pid: int) -> Family:
    """rr's processes, by what each was started to be."""
    rr = psutil.Process(pid)

    def one(entry: str) -> psutil.Process | None:
        return next((child for child in rr.children() if any(entry in word for word in child.cmdline())), None)

    eventually(lambda: one("intercept.launcher") and one("intercept.relay"), "rr's launcher and relay run")
    launcher, relay = one("intercept.launcher"), one("intercept.relay")
    assert launcher is not None
    assert relay is not None
    return Family(rr, launcher, relay, launcher.children(recursive=True))


@contextlib.contextmanager
def recording(rr: RR, dependency: Dependency, port: int, *options: str) -> Iterator[Running]:
    """rr records the socket app."""
    rr = rr.with_settings(USERS_URL=dependency.url)
    with rr.record(f"{sys.executable} {APP} {port}", *options, port=port) as running:
        yield running


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def kill_round(
    rr: RR, mounts: Mounts, port: int, *, victim: str, after: float, again: bool = False
) -> tuple[int, list[str]]:
    """One round. Returns how many answers the clients saw, and what is wrong."""
    wrong: list[str] = []
    before = {path.name for path in rr.keploy.glob("test-set-*")}
    with Dependency() as dependency, recording(rr, dependency, port) as running, Load(port) as load:
        processes = family(running.process.pid)
        time.sleep(after)  # the moment of the kill, not a wait
        if victim == "rr":
            os.kill(processes.rr.pid, signal.SIGKILL)
            running.process.wait(10)
        else:
            os.kill(processes.relay.pid, signal.SIGKILL)
            seen = len(load.answered)
            running.until(lambda: len(load.answered) > seen + 50, "clients are served after the relay's death")
            running.interrupt()
            if running.wait(60) != 0:
                wrong.append(f"rr did not end well after its relay's death:\n{running.output}")
    eventually(lambda: gone([*processes.own, *processes.app]), "nothing of the app is left", 15)
    if victim == "rr":
        if again:  # the recovery is killed as well
            with Running(
                [*rr.prefix, sys.executable, "-m", "rr", "recover"],
                log=rr.home / "again.log",
                cwd=rr.folder,
                env=rr.env,
            ) as recovery:
                time.sleep(random.uniform(0.2, 0.8))
                recovery.process.kill()
                recovery.process.wait(10)
        recovered = rr.run("recover")
        if recovered.code != 0:
            wrong.append(f"rr recover:\n{recovered.output}")
    if mounts.sessions:
        wrong.append(f"left in memory: {[path.name for path in mounts.sessions]}")
    if listens(port):
        wrong.append(f"somebody listens on {port}")
    new = sorted(path for path in rr.keploy.glob("test-set-*") if path.name not in before)
    if not new and not load.answered:
        return 0, wrong
    if len(new) != 1:
        return len(load.answered), [*wrong, f"{len(load.answered)} answers, and new test sets: {new}"]
    return len(load.answered), wrong + missing(new[0], load.answered)


def missing(test_set: Path, answered: list[str]) -> list[str]:
    """What of these answers is not there exactly once. Reads every file of the test set."""
    wrong = []
    tests = recorded_tests(test_set)
    count = Counter(test.line.partition(" /")[2] for test in tests)
    wrong += [f"{line} is there {number} times" for line, number in count.items() if number > 1]
    wrong += [f"{line} had reached the client, and is not there" for line in answered if line not in count]
    for test in tests:
        page, _, id = test.line.partition(" /")[2].partition("/")
        if page == "echo" and f'"id": "{id}"'.encode() not in test.response_body:
            wrong.append(f"{test.name} {test.line} has another's answer: {test.response_body!r}")
    mocks = Counter(mock.line.rpartition("/")[2] for mock in recorded_mocks(test_set))
    wrong += [f"the mock for {id} is there {number} times" for id, number in mocks.items() if number > 1]
    calls = [line.partition("/")[2] for line in answered if line.startswith("call/")]
    wrong += [f"the mock for {id} is not there" for id in calls if id not in mocks]
    wrong += [f"half-written: {path}" for path in test_set.rglob(".rr-*")]
    return wrong
