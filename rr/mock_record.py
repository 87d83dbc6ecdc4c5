"""`rr mock record -- COMMAND`: what any command asks of others, kept as mocks. There are no tests, and no ports of the
command are opened on the host."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intercept import memory, unix_sockets
from intercept.capture import Capture
from recorder.recording import Recording, Wanted
from rr import recover
from rr.console import Console
from rr.record import KEPLOY, Signals, app_environment
from rr.recover import many, shown
from rr.settings import Settings, load_settings
from testset.errors import RelayError, RRError, UsageError
from testset.redaction import Redactor
from testset.store import TestSetStore, TestSetWriter

OWNER = "session"  # of all mocks: session.1, session.2, ...
_TURN = 0.01  # seconds
_LEFT_BEHIND = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
_STOP = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
_NEW = ".new"  # a recording has this behind its name until it is complete


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """What the command line said: of `rr mock record` and `rr mock replay`."""

    words: Sequence[str]
    name: str
    flags: Mapping[str, Any]
    config_folder: Path
    debug: bool


def record(options: CommandOptions) -> int:
    """Run the command, keep what it asks for. Returns the command's exit code."""
    console = Console(out=sys.stderr, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    store = TestSetStore(settings.path / KEPLOY)
    check_free(store, options.name)
    for error in recover.recover_abandoned(console) or ():
        console.warning(f"A recording that was cut off could not be finished: {error}")
    store.check_writable()
    store.vault().values()  # raises now rather than at the first secret of the recording
    fresh = options.name + _NEW
    shutil.rmtree(store.root / fresh, ignore_errors=True)
    command = shlex.join(options.words)
    facts = recover.facts(store, fresh, command, options.config_folder, options.flags, include=(), exclude=())
    session = memory.create({**facts, "owner": OWNER}, settings.journal.limit)
    run = _CommandRun(console, settings, store, session, command)
    try:
        code = run.run(fresh)
    finally:
        if session.path.exists() and not run.unfinished:
            shutil.rmtree(session.path)
    _sum_up(console, store, options.name, run.mocks)
    return code


def check_free(store: TestSetStore, name: str) -> None:
    """A set with tests is not what this command makes, and is not replaced by it."""
    if (store.root / name / "tests").is_dir():
        raise UsageError(f"{name} is a test set with tests.", remedy="Choose another name: --name NAME.")


def _sum_up(console: Console, store: TestSetStore, name: str, mocks: int) -> None:
    if mocks == 0:
        store.discard(name + _NEW)
        console.note("rr: nothing was recorded: the command asked nobody for anything.")
        return
    target = store.root / name
    shutil.rmtree(target, ignore_errors=True)
    (store.root / (name + _NEW)).rename(target)
    console.note(f"rr: {many(mocks, 'mock')} recorded in {shown(target)}")


class _CommandRun:
    """One run of the command."""

    def __init__(
        self, console: Console, settings: Settings, store: TestSetStore, session: memory.SessionFolder, command: str
    ) -> None:
        self._console = console
        self._settings = settings
        self._store = store
        self._session = session
        self._command = command
        self._failed: Exception | None = None
        self.mocks = 0
        self.unfinished = False  # the journal holds what could not be written

    def run(self, name: str) -> int:
        settings, vault, signals = self._settings, self._store.vault(), Signals()
        redactor = Redactor(vault, settings.redact.rules())
        redactor.expect(self._session.facts["environment"], self._command)
        self._console.hide(redactor.redact_text)
        with signals.caught(), self._store.create(name, vault) as writer:
            recording = Recording(
                self._session,
                writer,
                redactor,
                Wanted(mocks=recover.wanted(settings, (), ()).mocks),
                spill_limit=settings.journal.spill,
                memory_limit=settings.journal.limit,
            )
            try:
                with self._capture() as capture:
                    code = self._watch(capture, recording, signals)
                return self._finish(recording, writer, code)
            except BaseException:
                self.unfinished = recording.counts.mocks > 0 or self._failed is not None
                raise
            finally:
                recording.close(keep=self.unfinished)

    def _capture(self) -> Capture:
        known = (*unix_sockets.KNOWN, *self._settings.sockets.record)
        return Capture(
            self._session,
            self._settings.journal.limit,
            unix=unix_sockets.sockets(known),
            doors=False,
            on_notice=self._console.warning,
        )

    def _watch(self, capture: Capture, recording: Recording, signals: Signals) -> int:
        capture.start(f"exec {self._command}", app_environment(), os.getcwd())
        while capture.exit_code() is None and not signals.interrupts:
            capture.look()
            self._work(capture, recording)
            signals.wait(0 if self._failed is None and recording.behind() else _TURN)
        steps: Sequence[tuple[int, float]] = _LEFT_BEHIND
        if capture.exit_code() is None:
            steps = ((signals.number, 10.0), *_STOP[1:]) if signals.number != signal.SIGINT else _STOP

        def meanwhile() -> bool:
            capture.look()
            self._work(capture, recording)
            return signals.interrupts > 2

        code = capture.stop(steps, meanwhile)
        with contextlib.suppress(RelayError):
            capture.drain()
        return code if code >= 0 else 128 - code

    def _work(self, capture: Capture, recording: Recording) -> None:
        if self._failed is not None:
            return
        try:
            recording.make_room()
            recording.work(256 << 10)
        except Exception as error:  # whatever it is, a full disk or a bug: the command must not notice
            self._failed = error
            capture.stop_recording(str(error))
            self._console.warning(f"Recording has stopped, the command goes on: {error}")

    def _finish(self, recording: Recording, writer: TestSetWriter, code: int) -> int:
        if self._failed is None:
            recover.finish(self._console, recording)
            self.mocks = recording.counts.mocks
            if self.mocks:
                writer.write_config(recover.set_config(self._session.facts, recording))
            notes = recording.reading.notes
            for line in notes.gave_up + notes.gaps + recording.counts.lost:
                self._console.warning(line)
            return code
        self.unfinished = True
        writer.abandon()
        if isinstance(self._failed, RRError):
            raise type(self._failed)(str(self._failed), remedy=recover.AGAIN) from self._failed
        raise recover.as_bug(self._failed, recover.AGAIN)
