"""What stands in the way of a recording is said in one clear sentence with a remedy, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.apps.dependency import Dependency
from tests.harness.crash import APP, Load, gone, recording
from tests.harness.mounts import SHARED_MEMORY, Mounts, own_mounts
from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.programs import program
from tests.harness.recorded import recorded_tests
from tests.harness.rr_command import RR, Finished

pytestmark = pytest.mark.system

NO_NAMESPACES = "for kind in user net; do echo 0 > /proc/sys/user/max_${kind}_namespaces; done"


@dataclass(frozen=True, slots=True)
class Bad:
    """One thing that is wrong, and what rr has to say of it."""

    says: tuple[str, ...]
    remedy: str
    command: str = "true"
    options: tuple[str, ...] = ()
    settings: str = ""  # rr.yml
    sizes: Mapping[str, str] = field(default_factory=dict)  # of file systems: of "keploy", or in all
    prepare: Callable[[Path], None] = lambda project: None


def has_test_set(project: Path) -> None:
    folder = project / "keploy" / "orders" / "tests"
    folder.mkdir(parents=True)
    (folder / "test-1.yml").write_text("a person's own\n")


def is_no_program(project: Path) -> None:
    (project / "notes.txt").write_text("a person's own\n")
    (project / "notes.txt").chmod(0o644)


def is_a_file(project: Path) -> None:
    (project / "keploy").write_text("a person's own\n")


BAD = {
    "no command": Bad(("no command to run",), "rr record -c", command=""),
    "command not found": Bad(("no such command", "nosuchprogram"), "by itself", command="nosuchprogram --now"),
    "command that may not be executed": Bad(("may not be executed",), "by itself", command="./notes.txt",
                                             prepare=is_no_program),
    "broken rr.yml": Bad(("rr.yml:3",), "", settings="record:\n  filters: [\n"),
    "unknown key in rr.yml": Bad(("rr.yml", "recrod"), "", settings="recrod: {}\n"),
    "wrong value in rr.yml": Bad(("rr.yml", "limit"), "", settings="journal: {limit: much}\n"),
    "bad filter": Bad(("GET,/x",), "path=<regex>", options=("--include", "GET,/x")),
    "bad pattern": Bad(("path=(",), "path=<regex>", options=("--exclude", "path=(")),
    "bad time": Bad(("record",), "", options=("--record-timer", "soon")),
    "test set that is there": Bad(("orders", "already"), "another name", options=("--test-set", "orders"),
                                  prepare=has_test_set),
    "name that is no name": Bad(("../up",), "letters", options=("--test-set", "../up")),
    "a file in the way": Bad(("keploy",), "file away", prepare=is_a_file),
    "read-only folder": Bad(("read-only",), "--path", sizes={"keploy": "1m,ro"}),
    "full disk": Bad(("full",), "Free some space", sizes={"keploy": "4k"},
                     prepare=lambda project: None),
    "no memory for the journal": Bad(("no memory",), "remount", sizes={"/dev/shm": "8m"}),
}  # fmt: skip


def left_over(project: Path) -> list[str]:
    """Processes whose folder this is."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == project:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(done: Finished, *says: str) -> None:
    """Exit code 2, one sentence that says it, and a remedy; no traceback."""
    assert done.code == 2, done.output
    assert "Traceback" not in done.output
    for text in says:
        assert text in done.stderr, f"{text!r} is not in:\n{done.stderr}"
    assert len(done.stderr.strip().splitlines()) <= 6, f"that is more than a sentence and a remedy:\n{done.stderr}"


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_clear_sentence_and_nothing_left(bad: Bad, rr: RR, tmp_path: Path) -> None:
    project = rr.folder
    if bad.settings:
        (project / "rr.yml").write_text(bad.settings)
    bad.prepare(project)
    sizes = {}
    for name, size in bad.sizes.items():
        (project / name).mkdir(exist_ok=True)  # an absolute path stays what it is
        sizes[project / name] = size
    with own_mounts(project, tmp_path / "mounts.log", sizes) as mounts:
        if bad.sizes.get("keploy") == "4k":
            mounts.seen(project / "keploy" / "other").write_bytes(b"x" * 4096)
        before = files(mounts.seen(project))
        done = rr.with_prefix(mounts.prefix).run("record", *(("-c", bad.command) if bad.command else ()), *bad.options)
        refused(done, *bad.says, bad.remedy)
        assert files(mounts.seen(project)) == before, "something was left half-written"
        assert not mounts.sessions
    assert not left_over(project)


def test_a_port_that_another_program_holds(rr: RR, tmp_path: Path, port: int) -> None:
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        # started where rr is: an ordinary user may not look into processes of other user namespaces
        code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
        with Running([*mounts.prefix, sys.executable, "-c", code], log=tmp_path / "holder.log") as holder:
            holder.until(lambda: listens(port), "the port is held")
            done = rr.with_prefix(mounts.prefix).run("record", "-c", f"{sys.executable} {APP} {port}")
            pid = str(holder.process.pid)
        refused(done, str(port), "another program", "python", pid, "another port")
        assert not mounts.sessions
    assert files(rr.folder) == []
    assert not left_over(rr.folder)


def test_where_namespaces_are_forbidden(rr: RR, tmp_path: Path) -> None:
    forbidden = [program("unshare"), "-Ur", "sh", "-c", f'{NO_NAMESPACES}; exec "$@"', "sh"]
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        done = rr.with_prefix([*mounts.prefix, *forbidden]).run("record", "-c", "true")
        refused(done, "unshare", "forbids", "rr doctor")
        assert not mounts.sessions
    assert files(rr.folder) == []
    assert not left_over(rr.folder)


def test_a_settings_file_that_cannot_be_written_is_no_reason_to_lose_a_recording(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    """The project is read-only, --path is elsewhere: the recording is complete, and rr says what it could not do."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with own_mounts(rr.folder, tmp_path / "mounts.log", {rr.folder: "1m,ro"}) as mounts:
        with recording(rr.with_prefix(mounts.prefix), dependency, port, "--path", str(elsewhere)) as running:
            with Load(port, clients=1) as load:
                running.until(lambda: len(load.answered) > 5, "the client is served")
            running.interrupt()
            assert running.wait() == 0, running.output
        assert "rr.yml cannot be written: the file system is read-only" in running.output
        assert not mounts.sessions
    assert len(recorded_tests(elsewhere / "keploy" / "test-set-0")) >= 5


@contextmanager
def full_disk(rr: RR, tmp_path: Path, left: int) -> Iterator[tuple[RR, Mounts, Path]]:
    """A disk on which so many bytes are left, and the file that fills it."""
    size = 200 << 20
    rr.keploy.mkdir()
    with own_mounts(rr.folder, tmp_path / "mounts.log", {rr.keploy: f"{size}"}) as mounts:
        filler = mounts.seen(rr.keploy) / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size - left)
        yield rr.with_prefix(mounts.prefix), mounts, filler


def recorded_of(test_set: Path) -> set[str]:
    tests = [test.line.partition(" /")[2] for test in recorded_tests(test_set)]
    assert len(tests) == len(set(tests)), "something is there twice"
    return set(tests)


def test_a_disk_that_becomes_full_stops_the_recording_and_not_the_app(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    with ExitStack() as stack:
        rr, mounts, filler = stack.enter_context(full_disk(rr, tmp_path, 400 << 10))
        with recording(rr, dependency, port) as running:
            with Load(port, clients=2, pages=("echo", "call", "echo")) as load:
                running.until_says("Recording has stopped, the app goes on")
                seen = len(load.answered)
                running.until(lambda: len(load.answered) > seen + 50, "the app goes on")
                assert load.failures == 0, "a client has noticed"
            running.interrupt()
            assert running.wait() == 2, running.output
        assert "the disk is full" in running.output
        assert "rr recover" in running.output
        assert "Traceback" not in running.output
        assert len(mounts.sessions) == 1, "what could not be written waits in memory"

        again = rr.run("recover")
        refused(again, "the disk is full")
        assert len(mounts.sessions) == 1

        filler.unlink()
        done = rr.run("recover")
        assert done.code == 0, done.output
        assert not mounts.sessions
        there = recorded_of(mounts.seen(rr.keploy / "test-set-0"))
        for client in ("c0", "c1"):
            answered = [line for line in load.answered if line.rpartition("/")[2].startswith(client + "-")]
            kept = [line in there for line in answered]
            assert True in kept
            assert kept == sorted(kept, reverse=True), "a hole before the end of the recording"
    assert not left_over(rr.folder)


def test_memory_that_becomes_full_stops_the_recording_and_not_the_app(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    """The journal's file system is filled by somebody else."""
    with own_mounts(rr.folder, tmp_path / "mounts.log", {SHARED_MEMORY: "48m"}) as mounts:
        with recording(rr.with_prefix(mounts.prefix), dependency, port) as running:
            with Load(port, clients=2) as load:
                running.until(lambda: len(load.answered) > 20, "the clients are served")
                subprocess.run(
                    [*mounts.prefix, "sh", "-c", "cat /dev/zero > /dev/shm/other"], stderr=subprocess.DEVNULL
                )
                running.until_says("Recording has stopped, the app goes on")
                seen = len(load.answered)
                running.until(lambda: len(load.answered) > seen + 50, "the app goes on")
                assert load.failures == 0, "a client has noticed"
            running.interrupt()
            code = running.wait()
        assert "The recording is incomplete" in running.output
        assert "Traceback" not in running.output
        assert code == 0
        assert not mounts.sessions
        assert len(recorded_of(rr.keploy / "test-set-0")) > 20
    assert not left_over(rr.folder)
    assert gone([])
