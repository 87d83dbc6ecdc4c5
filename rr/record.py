"""`rr record` and `rr recover`: from a command line to a test set on disk."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intercept import memory, unix_sockets
from intercept.capture import Capture
from intercept.doors import Door
from protocols.registry import room_named
from recorder import filters
from recorder.recording import Recording, Wanted
from rr import __version__
from rr.console import Console
from rr.settings import Settings, load_settings, remember
from testset.config import SetConfig
from testset.errors import CommandError, UsageError
from testset.model import Exchange
from testset.redaction import Redactor
from testset.store import TestSetStore, TestSetWriter

KEPLOY = "keploy"
HASH_SEED = "0"
_TURN = 0.01  # seconds between two looks at the app's ports
_STOP = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    test_set: str | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    debug: bool


class _Signals:
    """Notes the signals that end a recording, and wakes its loop."""

    def __init__(self) -> None:
        self.interrupts = 0
        self.number = signal.SIGINT
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> None:
        select.select([self._read], [], [], seconds)
        try:
            os.read(self._read, 1024)
        except BlockingIOError:
            pass

    @contextmanager
    def caught(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._note) for number in numbers}
        wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        self.interrupts += 1
        self.number = signal.Signals(number)


def record(options: Options) -> int:
    """Record until Ctrl-C, the timer, or the app's end. Returns the exit code."""
    console = Console(out=sys.stderr, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    if not settings.command:
        remedy = 'Say how the app is started: rr record -c "python app.py".'
        raise UsageError("There is no command to run.", remedy=remedy)
    wanted = _wanted(settings, options.include, options.exclude)
    _recover_abandoned(console)
    store = TestSetStore(settings.path / KEPLOY)
    store.check_writable()
    name = options.test_set or store.next_name()
    session = memory.create(
        {
            "store": str(store.root.resolve()),
            "test_set": name,
            "command": settings.command,
            "config_folder": str(options.config_folder.resolve()),
            "flags": {name: value for name, value in options.flags.items() if value is not None},
            "include": list(options.include),
            "exclude": list(options.exclude),
        },
        settings.journal.limit,
    )
    try:
        return _Session(console, settings, options, store, name, session, wanted).run()
    except BaseException:
        if session.path.exists():
            shutil.rmtree(session.path)
        raise


class _Session:
    """One run of `rr record`."""

    def __init__(
        self,
        console: Console,
        settings: Settings,
        options: Options,
        store: TestSetStore,
        name: str,
        session: memory.SessionFolder,
        wanted: Wanted,
    ) -> None:
        self._console = console
        self._settings = settings
        self._options = options
        self._store = store
        self._name = name
        self._session = session
        self._wanted = wanted
        self._mocks = 0
        self._ports: set[int] = set()
        self._told_stop = False

    def run(self) -> int:
        settings, console = self._settings, self._console
        signals = _Signals()
        assert settings.command is not None
        with signals.caught():
            capture = Capture(
                self._session,
                settings.journal.limit,
                unix=unix_sockets.sockets((*unix_sockets.KNOWN, *settings.sockets.record)),
                sync=settings.record.sync,
                on_door=self._door,
                on_notice=console.warning,
            )
            with capture:
                vault = self._store.vault()
                with self._store.create(self._name, vault) as writer:
                    recording = Recording(
                        self._session,
                        writer,
                        Redactor(vault, settings.redact.rules()),
                        self._wanted,
                        spill_limit=settings.journal.spill,
                        memory_limit=settings.journal.limit,
                        on_test=self.on_test,
                        on_mock=self.on_mock,
                    )
                    try:
                        return self._record(capture, recording, writer, signals)
                    except BaseException:
                        recording.close(keep=True)
                        raise

    def _record(self, capture: Capture, recording: Recording, writer: TestSetWriter, signals: _Signals) -> int:
        console, settings = self._console, self._settings
        assert settings.command is not None
        environment = app_environment()
        console.headline(f"Recording {settings.command}", f"into {_shown(writer.path)}; Ctrl-C ends it")
        if not capture.namespace.inside.has_queue:
            console.note("This kernel cannot hold connections back: a refused connection looks like one that is reset.")
        capture.start(["/bin/sh", "-c", settings.command], environment, os.getcwd())
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # what rr does from here on can wait; the app cannot
        began = time.monotonic()
        timer = settings.record.record_timer
        while capture.namespace.exit_code() is None and not signals.interrupts:
            if timer and time.monotonic() - began >= timer:
                break
            capture.look()
            self._work(capture, recording)
            signals.wait(0 if recording.behind() and not recording.is_rushed() else _TURN)
        code = self._stop_app(capture, recording, signals)
        capture.drain()
        capture.close()
        with contextlib.suppress(PermissionError):  # an ordinary user may stay in the back row: the app is gone anyway
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        _finish(console, recording)
        return self._sum_up(recording, writer, code, by_itself=not signals.interrupts and not timer)

    def _work(self, capture: Capture, recording: Recording) -> None:
        recording.make_room()
        if not recording.is_rushed():
            recording.work(256 << 10)
        if capture.stopped is not None and not self._told_stop:
            self._told_stop = True
            self._console.warning(f"Recording has stopped, the app goes on: {capture.stopped}.")

    def _stop_app(self, capture: Capture, recording: Recording, signals: _Signals) -> int:
        namespace = capture.namespace
        if namespace.exit_code() is None:
            before = signals.interrupts
            steps = list(_STOP)
            if signals.interrupts and signals.number != signal.SIGINT:
                steps[0] = (signals.number, 10.0)

            def meanwhile() -> bool:
                capture.look()
                self._work(capture, recording)
                return signals.interrupts > before + 1  # a second Ctrl-C: no more patience

            return namespace.stop(steps, meanwhile)
        return namespace.stop([(signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)])  # what it has left in the background

    def _sum_up(self, recording: Recording, writer: TestSetWriter, code: int, *, by_itself: bool) -> int:
        console, settings, counts = self._console, self._settings, recording.counts
        notes = recording.reading.notes
        if counts.tests == 0 and counts.mocks == 0:
            recording.close(keep=False)
            self._store.discard(self._name)
            if by_itself and code != 0:
                raise CommandError(f"The command ended with exit code {code} before anything was recorded.")
        else:
            writer.write_config(
                SetConfig(
                    command=settings.command,
                    app_ports=tuple(sorted(self._ports)),
                    hash_seed=int(os.environ.get("PYTHONHASHSEED", HASH_SEED)) if _seed_is_number() else None,
                    time_zone=_time_zone(),
                    recorded_by=__version__,
                )
            )
            recording.close(keep=False)
            remember(self._options.config_folder / "rr.yml", {"command": settings.command, **self._remembered()})
        console.blank()
        for port, number in sorted(notes.not_http.items()):
            console.note(f"{number} connections to port {port} were not HTTP: passed on, not recorded.")
        for line in notes.gave_up:
            console.note(line)
        for line in notes.gaps + counts.lost:
            console.warning(line)
        for destination, number in sorted(notes.udp.items()):
            console.note(f"UDP to {destination}: {number} datagrams passed on, not recorded.")
        if self._told_stop:
            console.warning("The recording is incomplete: it stopped while the app went on.")
        if counts.tests == 0 and counts.mocks == 0:
            console.note("Nothing was recorded: the app got no request, and made none.")
            return 0 if not by_itself else max(code, 0)
        console.headline(
            f"{_many(counts.tests, 'test case')} and {_many(counts.mocks, 'mock')} recorded",
            f"in {_shown(writer.path)}",
        )
        console.next([("rr test", "replays them, with nothing but the mocks to talk to")])
        return 0 if not by_itself else code if code >= 0 else 128 - code

    def _remembered(self) -> dict[str, Any]:
        return {"path": str(self._settings.path)} if self._settings.path != Path() else {}

    # -- what the recorder tells -----------------------------------------------------------------------------------

    def on_test(self, name: str, exchange: Exchange[Any, Any]) -> None:
        room = room_named(exchange.protocol)
        self._ports.add(exchange.server.port)
        status = getattr(exchange.response, "status", None)
        took = (exchange.ended_ns - exchange.started_ns) / 1e9
        title = f"{exchange.request.method} {exchange.request.target}" if exchange.protocol == "http" else room.name
        self._console.recorded(name, title, status, 0, took)

    def on_mock(self, count: int) -> None:
        self._mocks = count
        self._console.counter(_many(count, "mock"))

    def _door(self, door: Door, opened: bool) -> None:
        if opened:
            self._console.note(f"The app listens on {door.address}" + (f" ({door.moved})" if door.moved else ""))


def recover(debug: bool) -> int:
    """Finish what crashed recordings left in memory."""
    console = Console(out=sys.stderr, debug=debug)
    if not _recover_abandoned(console):
        console.note("There is nothing to recover.")
    return 0


def _recover_abandoned(console: Console) -> int:
    found = memory.abandoned()
    for session in found:
        _recover_one(console, session)
    return len(found)


def _recover_one(console: Console, session: memory.SessionFolder) -> None:
    store = TestSetStore(Path(session.facts["store"]))
    facts = session.facts
    settings = load_settings(Path(facts["config_folder"]), facts["flags"])
    wanted = _wanted(settings, facts["include"], facts["exclude"])
    vault = store.vault()
    console.note(f"Recovering a recording of {facts['command']} that was cut off …")
    with store.reopen(facts["test_set"], vault) as writer:
        recording = Recording(
            session,
            writer,
            Redactor(vault, settings.redact.rules()),
            wanted,
            spill_limit=settings.journal.spill,
            memory_limit=settings.journal.limit,
        )
        try:
            _finish(console, recording)
        except BaseException:
            recording.close(keep=True)
            raise
        counts = recording.counts
        if counts.tests or counts.mocks:
            writer.write_config(
                SetConfig(
                    command=facts["command"],
                    app_ports=(),
                    hash_seed=int(HASH_SEED),
                    time_zone=_time_zone(),
                    recorded_by=__version__,
                )
            )
        else:
            store.discard(facts["test_set"])
        recording.close(keep=False)
    console.note(
        f"Recovered a recording that was cut off: {_many(counts.tests, 'test case')} and "
        f"{_many(counts.mocks, 'mock')} in {_shown(writer.path)}"
    )


def _finish(console: Console, recording: Recording) -> None:
    """Decode and write the rest of the journal, with progress."""
    shown = time.monotonic()
    while recording.work():
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            console.counter(f"finishing: {recording.counts.tests} tests, {recording.counts.mocks} mocks …")
    recording.finish()
    console.counter("")


def _wanted(settings: Settings, include: Sequence[str], exclude: Sequence[str]) -> Wanted:
    tests = [filters.parse(text, include=True) for text in include]
    tests += [filters.parse(text, include=False) for text in exclude]
    for one in settings.record.filters:
        tests.append(
            filters.from_settings(
                path=one.path,
                host=one.host,
                port=one.port,
                methods=one.methods,
                include=one.filter_policy == "include",
                any_of=one.match_type == "or",
            )
        )
    mocks = [
        filters.from_settings(path=None, host=one.host and f"^{one.host}$", port=one.port, methods=(), include=False)
        for one in settings.record.pass_through
    ]
    return Wanted(tests=tests, mocks=mocks, app_ports=frozenset(settings.record.app_ports))


def app_environment() -> dict[str, str]:
    """The user's environment, with what must be the same at record and replay."""
    environment = dict(os.environ)
    environment.setdefault("PYTHONHASHSEED", HASH_SEED)
    return environment


def _seed_is_number() -> bool:
    return os.environ.get("PYTHONHASHSEED", HASH_SEED).isdigit()


def _time_zone() -> str | None:
    if os.environ.get("TZ"):
        return os.environ["TZ"]
    try:
        target = os.readlink("/etc/localtime")
    except OSError:
        return None
    return target.partition("zoneinfo/")[2] or None


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
