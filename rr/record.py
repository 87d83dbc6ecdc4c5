"""`rr record`: from a command line to a test set on disk. How a recording is finished is in `recover`."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercept import memory, unix_sockets
from intercept.capture import Capture
from intercept.doors import Door
from protocols.registry import room_named
from recorder.recording import Recording, Wanted
from rr import recover
from rr.command import with_command
from rr.console import Console
from rr.recover import HASH_SEED, many, shown
from rr.settings import Settings, load_settings, remember
from testset.errors import CommandError, RelayError, RRError, StorageError, UsageError
from testset.model import Exchange
from testset.redaction import Redactor
from testset.store import TestSetStore, TestSetWriter

if TYPE_CHECKING:
    from intercept.containers.app import ContainerApp
    from intercept.containers.capture import ContainerCapture

    AnyCapture = Capture | ContainerCapture

KEPLOY = "keploy"
_TURN = 0.01  # seconds between two looks at the app's ports
_NO_COMMAND = {126: "it may not be executed", 127: "there is no such command"}  # exit codes of the shell
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


class Signals:
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
    store = TestSetStore(settings.path / KEPLOY)
    settings = with_command(settings, store.vault())
    wanted = recover.wanted(settings, options.include, options.exclude)
    recover.sweep(console)
    for error in recover.recover_abandoned(console) or ():
        console.warning(f"A recording that was cut off could not be finished: {error}")
    name = options.test_set or store.next_name()
    store.check_new(name)
    store.vault().values()  # raises now rather than at the first secret of the recording
    signals = Signals()
    with _nothing_half_written(store), signals.caught():
        store.check_writable()
        assert settings.command is not None
        from rr.planning import container_of

        opened = container_of(settings, settings.command, console, lambda: signals.interrupts > 0, quiet=False)
        app = opened() if opened is not None else None
        facts = recover.facts(
            store,
            name,
            settings.command,
            options.config_folder,
            options.flags,
            container=(app.name, app.environment) if app is not None else None,
            include=options.include,
            exclude=options.exclude,
        )
        session = memory.create(facts, settings.journal.limit)
        run = _Session(console, settings, options, store, name, session, wanted)
        try:
            code = run.run(signals, app)
        finally:
            if session.path.exists() and not run.unfinished:
                shutil.rmtree(session.path)
            if app is not None:
                app.close()
        if settings.record.dedup and run.has_tests:
            from rr.dedup import drop_doubles

            doubles = drop_doubles(store.get(name), store.vault())
            if doubles:
                console.note(
                    f"{many(len(doubles), 'test')} removed, because the set has the same: {', '.join(doubles)}"
                )
        if settings.record.learn and run.has_tests and signals.interrupts <= 1:
            from rr.noise import learn_of

            before = signals.interrupts
            learn_of(store.get(name), settings, store, console, lambda: signals.interrupts > before)
        return code


@contextmanager
def _nothing_half_written(store: TestSetStore) -> Iterator[None]:
    """A folder for test sets that was made for nothing is not left behind."""
    there = store.root.exists()
    try:
        yield
    except BaseException:
        if not there:
            with contextlib.suppress(OSError):
                store.root.rmdir()  # fails if something was recorded
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
        self._redactor = Redactor(store.vault(), settings.redact.rules())
        self._redactor.expect(session.facts["environment"], session.facts["command"])
        console.hide(self._redactor.redact_text)
        self._mocks = 0
        self._told_stop = False
        self._stopped_by: Exception | None = None  # decoding or writing failed: nothing more is recorded
        self.unfinished = False  # the journal holds what could not be written
        self.has_tests = False

    def run(self, signals: Signals, app: ContainerApp | None) -> int:
        """`app`: an app in a container; else one of this machine."""
        settings = self._settings
        with self._capture(app) as capture, self._store.create(self._name, self._redactor.vault) as writer:
            recording = Recording(
                self._session,
                writer,
                self._redactor,
                self._wanted,
                spill_limit=settings.journal.spill,
                memory_limit=settings.journal.limit,
                on_test=self.on_test,
                on_mock=self.on_mock,
                listeners=lambda: capture.listeners,
            )
            try:
                return self._record(capture, recording, writer, signals)
            except BaseException:
                if not (recording.counts.tests or recording.counts.mocks or self.unfinished):
                    self._store.discard(self._name)
                raise
            finally:
                recording.close(keep=self.unfinished)

    def _capture(self, app: ContainerApp | None) -> AnyCapture:
        settings = self._settings
        if app is not None:
            from intercept.containers.capture import ContainerCapture

            return ContainerCapture(
                self._session,
                settings.journal.limit,
                app,
                sync=settings.record.sync,
                on_notice=self._console.warning,
            )
        return Capture(
            self._session,
            settings.journal.limit,
            unix=unix_sockets.sockets((*unix_sockets.KNOWN, *settings.sockets.record)),
            sync=settings.record.sync,
            on_door=self._door,
            on_notice=self._console.warning,
        )

    def _record(self, capture: AnyCapture, recording: Recording, writer: TestSetWriter, signals: Signals) -> int:
        console, settings = self._console, self._settings
        assert settings.command is not None
        environment = app_environment()
        console.headline(f"Recording {self._shown_command()}", f"into {shown(writer.path)}; Ctrl-C ends it")
        if not capture.has_queue:
            console.note("This kernel cannot hold connections back: a refused connection looks like one that is reset.")
        capture.start(settings.command, environment, os.getcwd())
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # what rr does from here on can wait; the app cannot
        ended_by: RRError | None = None
        code = 2
        try:
            self._watch(capture, recording, signals)
            code = self._stop_app(capture, recording, signals)
        except Exception as error:  # of what surrounds the app: a port is taken, the relay is gone
            ended_by = error if isinstance(error, RRError) else recover.as_bug(error, "Report what --debug prints.")
        with contextlib.suppress(RelayError):
            capture.drain()
        capture.close()
        with contextlib.suppress(PermissionError):  # an ordinary user may stay in the back row: the app is gone anyway
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if self._stopped_by is None:
            try:
                recover.finish(console, recording)
            except Exception as error:
                self._stopped_by = error
        if self._stopped_by is not None:
            self._finish_anew(recording, writer, self._stopped_by)
        timer = settings.record.record_timer
        code = self._sum_up(recording, writer, code, ended_by, by_itself=not signals.interrupts and not timer)
        if ended_by is not None:
            raise ended_by
        return code

    def _watch(self, capture: AnyCapture, recording: Recording, signals: Signals) -> None:
        """Until the app ends, or somebody wants it to."""
        began = time.monotonic()
        timer = self._settings.record.record_timer
        while capture.exit_code() is None and not signals.interrupts:
            if timer and time.monotonic() - began >= timer:
                break
            capture.look()
            self._work(capture, recording)
            is_busy = self._stopped_by is None and recording.behind() and not recording.is_rushed()
            signals.wait(0 if is_busy else _TURN)

    def _work(self, capture: AnyCapture, recording: Recording) -> None:
        if self._stopped_by is None:
            try:
                recording.make_room()
                if not recording.is_rushed():
                    recording.work(256 << 10)
            except Exception as error:  # whatever it is, a full disk or a bug: the app must not notice
                self._stopped_by = error
                capture.stop_recording(str(error))
        if capture.stopped is not None and not self._told_stop:
            self._told_stop = True
            self._console.warning(f"Recording has stopped, the app goes on: {capture.stopped}")

    def _finish_anew(self, recording: Recording, writer: TestSetWriter, error: Exception) -> None:
        """What could not be written is still in the journal: try once more from there, or leave it to `rr recover`."""
        self.unfinished = True
        recording.close(keep=True)
        writer.abandon()
        try:
            recover.recover_one(self._console, self._session)
        except Exception as again:
            if isinstance(again, StorageError):
                raise StorageError(str(again), remedy=f"Free some space. {recover.AGAIN}") from again
            if isinstance(again, RRError):
                raise
            raise recover.as_bug(again, f"Run it with --debug and report what it prints. {recover.AGAIN}") from again
        self.unfinished = False
        if not isinstance(error, RRError):
            error = recover.as_bug(error, "What was recorded until then is complete. Report what --debug prints.")
        raise error

    def _stop_app(self, capture: AnyCapture, recording: Recording, signals: Signals) -> int:
        if capture.exit_code() is None:
            before = signals.interrupts
            steps = list(_STOP)
            if signals.interrupts and signals.number != signal.SIGINT:
                steps[0] = (signals.number, 10.0)

            def meanwhile() -> bool:
                capture.look()
                self._work(capture, recording)
                return signals.interrupts > before + 1  # a second Ctrl-C: no more patience

            return capture.stop(steps, meanwhile)
        return capture.stop([(signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)])  # what it has left in the background

    def _sum_up(
        self, recording: Recording, writer: TestSetWriter, code: int, ended_by: RRError | None, *, by_itself: bool
    ) -> int:
        console, counts = self._console, recording.counts
        self.has_tests = counts.tests > 0
        notes = recording.reading.notes
        nothing = counts.tests == 0 and counts.mocks == 0
        if nothing:
            self._store.discard(self._name)
            if ended_by is not None:
                raise ended_by
            if by_itself and code in _NO_COMMAND:
                raise CommandError(f"The command could not be started ({_NO_COMMAND[code]}): {self._shown_command()}")
        else:
            writer.write_config(recover.set_config(self._session.facts, recording))
            self._remember()
        console.blank()
        for port, number in sorted(notes.not_http.items()):
            console.note(f"{number} connections to port {port} were not HTTP: passed on, not recorded.")
        for name, number in sorted(notes.tls.items()):
            console.warning(f"{many(number, 'TLS connection')} to {name} passed on unread, not recorded.")
        for line in notes.gave_up:
            console.note(line)
        for line in notes.gaps + counts.lost:
            console.warning(line)
        for destination, number in sorted(notes.udp.items()):
            console.note(f"UDP to {destination}: {number} datagrams passed on, not recorded.")
        if self._told_stop:
            console.warning("The recording is incomplete: it stopped while the app went on.")
        code = 0 if not by_itself else code if code >= 0 else 128 - code
        if nothing:
            console.note("Nothing was recorded: the app got no request, and made none.")
            return code
        console.headline(
            f"{many(counts.tests, 'test case')} and {many(counts.mocks, 'mock')} recorded",
            f"in {shown(writer.path)}",
        )
        console.next([("rr test", "replays them, with nothing but the mocks to talk to")])
        return code

    def _remember(self) -> None:
        """So that a bare `rr test` knows the command. The recording is complete without."""
        command = self._redactor.redact_command(self._session.facts["command"])
        self._redactor.vault.save()
        known: dict[str, Any] = {"command": command}
        containers = self._settings.container_name
        if containers:
            known["container_name"] = containers[0] if len(containers) == 1 else list(containers)
        if self._settings.path != Path():
            known["path"] = str(self._settings.path)
        try:
            remember(self._options.config_folder / "rr.yml", known)
        except StorageError as error:
            self._console.warning(f'{error}. Say the command again: rr test -c "{self._shown_command()}".')

    # -- what the recorder tells -----------------------------------------------------------------------------------

    def on_test(self, name: str, exchange: Exchange[Any, Any]) -> None:
        room = room_named(exchange.protocol)
        status = getattr(exchange.response, "status", None)
        took = (exchange.ended_ns - exchange.started_ns) / 1e9
        title = f"{exchange.request.method} {exchange.request.target}" if exchange.protocol == "http" else room.name
        self._console.recorded(name, self._redactor.redact_text(title), status, 0, took)

    def on_mock(self, count: int) -> None:
        self._mocks = count
        self._console.counter(many(count, "mock"))

    def _shown_command(self) -> str:
        return self._redactor.mask_command(self._session.facts["command"])

    def _door(self, door: Door, opened: bool) -> None:
        if opened:
            self._console.note(f"The app listens on {door.address}" + (f" ({door.moved})" if door.moved else ""))


def app_environment() -> dict[str, str]:
    """The user's environment, with what must be the same at record and replay."""
    environment = dict(os.environ)
    environment.setdefault("PYTHONHASHSEED", HASH_SEED)
    return environment
