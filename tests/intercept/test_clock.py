"""The moved clock in real programs: what they read, what they wait for, and that it moves while they run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from intercept.clock import Clock, MovedClock
from intercept.clock_library import Kind, Library, build
from intercept.unmoved import static_program
from tests.conftest import APPS
from tests.harness.java_class import now_class
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.programs import program

pytestmark = pytest.mark.system

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
THEN = 1_700_000_000 * SECOND  # in November 2023
TAI = 37  # seconds that atomic time may be ahead


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """rr's own, made without a warning."""
    path = tmp_path_factory.mktemp("clock") / "clock.so"
    build(path, [program("gcc")], "-Wall", "-Wextra", "-Werror")
    return Library(path, Kind.OWN)


@pytest.fixture
def clock(library: Library, tmp_path: Path) -> Iterator[MovedClock]:
    """A clock that stands in November 2023."""
    made = MovedClock(library, tmp_path, THEN)
    yield made
    made.close()


class Dialogue:
    """A program that answers a line of input with lines of output."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, f"the program ended: {self.process.wait()}"
        return said.strip()


@contextmanager
def talking(clock: Clock, *command: str | Path, **more: str) -> Iterator[Dialogue]:
    environment = {**os.environ, **more}
    with subprocess.Popen(
        [str(part) for part in command], env={**environment, **clock.environment(environment)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield Dialogue(process)
        finally:
            process.kill()


def about(found: float, clock: Clock, slack: float = 1.5) -> bool:
    """`slack`: some read whole seconds, and coarse clocks lag."""
    return abs(found - clock.now_ns() / SECOND) <= slack


# -- C: every way to read the clock, every way to wait ------------------------------------------------------------


@pytest.fixture(scope="session", params=["gcc", "musl-gcc"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`clock_probe.c`, for the one and for the other C library."""
    binary = tmp_path_factory.mktemp("probe") / f"clock_probe_{request.param}"
    source = APPS / "clock_probe.c"
    subprocess.run([program(request.param), "-O1", "-pthread", "-o", str(binary), str(source), "-lrt"], check=True)
    return binary


def rounds(dialogue: Dialogue, order: str = "r\n") -> Mapping[str, list[str]]:
    """One round of the probe: what it found, by name."""
    dialogue.ask(order)
    lines = iter(dialogue.line, "done")
    return {name: found for name, *found in map(str.split, lines)}


def test_whatever_reads_the_wall_clock_reads_the_moved_one(clock: MovedClock, probe: Path) -> None:
    with talking(clock, probe) as dialogue:
        for days in (0, 1, 400):
            clock.move_to(THEN + days * DAY)
            for name, (found,) in rounds(dialogue).items():
                slack = 1.5 + (TAI if name.endswith("tai") else 0)
                assert about(float(found), clock, slack), f"{name} after {days} days: {found}"


def test_whatever_waits_for_a_moment_waits_for_as_long_as_it_means(clock: MovedClock, probe: Path) -> None:
    with talking(clock, probe) as dialogue:
        for days in (0, 400, 4000):  # in the past, and in the future
            clock.move_to(THEN + days * DAY)
            found = rounds(dialogue, "waits\n")
            waits = {name: told for name, told in found.items() if len(told) == 2}
            assert len(waits) >= 18, "the probe knows fewer ways to wait than it did"
            assert waits.pop("invalid")[1] == "failed"
            over, _ = waits.pop("over")
            assert float(over) < 40
            for name, (took, how) in waits.items():
                assert how == "ended", f"{name} after {days} days"
                assert 49 <= float(took) < 500, f"{name} took {took} ms of 50 after {days} days"


def test_a_clock_of_the_future(library: Library, tmp_path: Path, probe: Path) -> None:
    clock = MovedClock(library, tmp_path, time.time_ns() + 3650 * DAY)
    with talking(clock, probe) as dialogue:
        assert about(float(rounds(dialogue)["time"][0]), clock)


# -- what stands in its way -------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"1234567"], ids=["missing", "empty", "too short"])
def test_without_a_number_the_time_is_the_true_one(
    library: Library, tmp_path: Path, probe: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "clock").write_bytes(content)
    with talking(Clock(), probe, LD_PRELOAD=str(library.path), RR_CLOCK=str(tmp_path / "clock")) as dialogue:
        assert about(float(rounds(dialogue)["time"][0]), Clock())


def test_what_runs_goes_on_when_the_file_is_gone(clock: MovedClock, tmp_path: Path, probe: Path) -> None:
    with talking(clock, probe) as dialogue:
        rounds(dialogue)
        (tmp_path / "clock").unlink()
        assert about(float(rounds(dialogue)["time"][0]), clock)


def test_another_preloaded_library_stays_and_is_asked_as_well(tmp_path: Path, clock: MovedClock, probe: Path) -> None:
    """Two that move the clock, one upon the other: rr started under faketime, say."""
    outer = tmp_path / "outer.so"
    build(outer, [program("gcc")], '-DCLOCK_FILE="OUTER_CLOCK"')
    (tmp_path / "outer").write_bytes((700 * DAY).to_bytes(8, sys.byteorder, signed=True))
    with talking(clock, probe, LD_PRELOAD=str(outer), OUTER_CLOCK=str(tmp_path / "outer")) as dialogue:
        found = float(rounds(dialogue)["gettimeofday"][0])
        assert about(found - 700 * DAY / SECOND, clock)
        took, how = rounds(dialogue, "waits\n")["cond_timedwait"]
        assert how == "ended"
        assert 49 <= float(took) < 500


AROUND = """
import os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from intercept.clock import MovedClock
from intercept.clock_library import Kind, Library
clock = MovedClock(Library(Path(sys.argv[2]), Kind.OWN), Path(sys.argv[3]), int(sys.argv[4]))
told = "import os, time; print(time.time(), os.environ['LD_PRELOAD'])"
environment = {**os.environ, **clock.environment(os.environ)}
print(time.time(), subprocess.check_output([sys.executable, "-c", told], env=environment, text=True))
"""


def test_faketime_around_rr_moves_rr_and_not_the_app(library: Library, tmp_path: Path) -> None:
    outer = tmp_path / "libfaketime.so.1"
    build(outer, [program("gcc")], '-DCLOCK_FILE="OUTER_CLOCK"')
    (tmp_path / "outer").write_bytes((700 * DAY).to_bytes(8, sys.byteorder, signed=True))
    (tmp_path / "app").mkdir()
    environment = {**os.environ, "LD_PRELOAD": f"{outer}:libm.so.6", "OUTER_CLOCK": str(tmp_path / "outer")}
    root = Path(__file__).parent.parent.parent
    words = [sys.executable, "-c", AROUND, *map(str, (root, library.path, tmp_path / "app", THEN))]
    said = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    of_rr, of_app, preloaded = said.split()
    assert abs(float(of_rr) - time.time() - 700 * DAY / SECOND) < 20
    assert abs(float(of_app) - THEN / SECOND) < 20
    assert preloaded == f"{tmp_path / 'app' / 'clock.so'}:libm.so.6"


def test_the_clock_never_goes_back(clock: MovedClock) -> None:
    assert clock.move_to(THEN + DAY) == 0
    late = clock.move_to(THEN)
    assert DAY <= late < DAY + 5 * SECOND
    assert clock.now_ns() >= THEN + DAY


def test_a_path_with_a_blank_in_it(library: Library, tmp_path: Path, probe: Path) -> None:
    """LD_PRELOAD knows no quotes: the app gets a copy, or a link where nothing may be executed from memory."""
    odd = tmp_path / "a b:c.so"
    shutil.copy(library.path, odd)
    clock = MovedClock(Library(odd, Kind.OWN), tmp_path, THEN)
    with talking(clock, probe) as dialogue:
        assert about(float(rounds(dialogue)["time"][0]), clock)


@pytest.mark.parametrize("name", ["plain.so", "a b.so"])
def test_where_memory_is_not_for_programs(
    name: str, library: Library, tmp_path: Path, probe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/shm in a container: the library stays where it is, and the app gets a name for it."""
    shutil.copy(library.path, tmp_path / name)
    monkeypatch.setattr(os, "statvfs", lambda _folder: SimpleNamespace(f_flag=os.ST_NOEXEC))
    clock = MovedClock(Library(tmp_path / name, Kind.OWN), tmp_path, THEN)
    preloaded = Path(clock.environment({})["LD_PRELOAD"])
    assert preloaded.resolve() == tmp_path / name
    with talking(clock, probe) as dialogue:
        assert about(float(rounds(dialogue)["time"][0]), clock)


# -- runtimes -----------------------------------------------------------------------------------------------------

PYTHON = """
import datetime, os, queue, sys, threading, time, asyncio
for line in sys.stdin:
    print(time.time(), datetime.datetime.now(datetime.timezone.utc).timestamp())
    began = time.monotonic()
    time.sleep(0.02)
    threading.Event().wait(0.02)
    threading.Lock().acquire(timeout=0.02) and None
    held = threading.Lock(); held.acquire(); held.acquire(timeout=0.02)
    try:
        queue.Queue().get(timeout=0.02)
    except queue.Empty:
        pass
    asyncio.run(asyncio.sleep(0.02))
    print(time.monotonic() - began, flush=True)
"""
NODE = """
require('readline').createInterface({input: process.stdin}).on('line', () => {
  console.log(Date.now() / 1000, new Date().getTime() / 1000);
  const began = process.hrtime.bigint();
  setTimeout(() => console.log(Number(process.hrtime.bigint() - began) / 1e9), 100);
});
"""


@pytest.mark.parametrize("command", [[sys.executable, "-c", PYTHON], ["node", "-e", NODE]], ids=["python", "node"])
def test_a_runtime_s_clock_moves_while_it_runs_and_its_sleeps_stay(clock: MovedClock, command: list[str]) -> None:
    with talking(clock, *command) as dialogue:
        for days in (0, 1, 400):
            clock.move_to(THEN + days * DAY)
            dialogue.ask("\n")
            for found in dialogue.line().split():
                assert about(float(found), clock), f"after {days} days: {found}"
            assert 0.09 <= float(dialogue.line()) < 1.5


def test_java(clock: MovedClock, tmp_path: Path) -> None:
    java = shutil.which("java")
    assert java is not None, "apt install openjdk-17-jre-headless"
    (tmp_path / "Now.class").write_bytes(now_class())
    with talking(clock, java, "-cp", tmp_path, "Now") as dialogue:
        for days in (0, 1, 400):
            clock.move_to(THEN + days * DAY)
            dialogue.ask("x")
            assert about(int(dialogue.line()) / 1000, clock)
            assert 49 <= int(dialogue.line()) < 500, "LockSupport.parkUntil"


WSGI = """
import os, time
def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getpid()} {time.time()}".encode()]
"""


def test_every_worker_of_gunicorn(clock: MovedClock, tmp_path: Path) -> None:
    from urllib.request import urlopen

    (tmp_path / "wsgi.py").write_text(WSGI)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "wsgi:app"]
    environment = {**os.environ, **clock.environment(os.environ)}
    with Running(command, log=tmp_path / "log", cwd=tmp_path, env=environment) as running:
        running.until(lambda: listens(port), "gunicorn listens")
        for days in (0, 1, 400):
            clock.move_to(THEN + days * DAY)
            workers: set[str] = set()
            deadline = time.monotonic() + 20
            while len(workers) < 2 and time.monotonic() < deadline:
                with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    pid, found = answer.read().decode().split()
                assert about(float(found), clock)
                workers.add(pid)
            assert len(workers) == 2
        assert clock.left_behind([running.process.pid, *map(int, workers)]) == []
        assert not re.search("WORKER TIMEOUT|Traceback", running.output), "its watchdog sees the clock move"


# -- who is left behind --------------------------------------------------------------------------------------------


def test_a_static_program_is_named(clock: MovedClock, static_server: Path, tmp_path: Path) -> None:
    environment = {**os.environ, **clock.environment(os.environ)}
    with Running([static_server, str(free_port())], log=tmp_path / "log", env=environment) as running:
        (found,) = clock.left_behind([running.process.pid])
    assert str(found) == "static_server (statically linked, as Go's programs are)"


def test_a_program_of_go_s_is_named_although_the_library_is_in_it(clock: MovedClock, tmp_path: Path) -> None:
    """One with a C library, of which it makes other uses. Go's linker leaves a note in all that it makes."""
    source, binary = tmp_path / "go.c", tmp_path / "go_server"
    note = r".section .note.go.buildid,\"a\",@note\n.long 4,4,4\n.ascii \"Go\\0\\0abcd\"\n.text\n"
    source.write_text(f'__asm__("{note}");\nint pause(void);\nint main(void) {{ return pause(); }}\n')
    subprocess.run([program("gcc"), "-o", binary, source], check=True)
    environment = {**os.environ, **clock.environment(os.environ)}
    with subprocess.Popen([binary], env=environment) as process:
        try:
            (found,) = clock.left_behind([process.pid])
        finally:
            process.kill()
    assert str(found) == "go_server (written in Go, which asks the kernel itself)"


@pytest.mark.parametrize("environment", [{}, {"LD_PRELOAD": "libm.so.6"}], ids=["none", "another"])
def test_a_program_that_lost_its_environment_is_named(clock: MovedClock, environment: Mapping[str, str]) -> None:
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        try:
            (found,) = clock.left_behind([process.pid])
        finally:
            process.kill()
    assert str(found) == "sleep (rr's LD_PRELOAD was taken out of its environment)"


def test_who_has_ended_is_not_named(clock: MovedClock) -> None:
    process = subprocess.Popen(["true"], env={})
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert clock.left_behind([process.pid]) == []
    process.wait()
    assert clock.left_behind([process.pid]) == []


def test_a_program_is_known_by_its_file(static_server: Path, probe: Path) -> None:
    """As in a container, whose processes cannot be looked at."""
    assert [one.program for one in static_program("server", static_server.read_bytes())] == ["server"]
    for content in (probe.read_bytes(), b"#!/bin/sh\n", b"", b"\x7fELF\x02" + b"\xff" * 200):
        assert static_program("it", content) == []
