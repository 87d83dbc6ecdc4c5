"""`rr rerecord`: a test set's requests once more, to the app and its real dependencies; what changed goes to the files.

The new recording is made in memory, as any other; then it is merged into the old one (`replayer/merging`).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from intercept import memory, unix_sockets
from intercept.capture import Capture
from intercept.sockdiag import Listener
from recorder.recording import Recording
from replayer.given_up import as_far
from replayer.loading import LoadedSet
from replayer.merging.alignment import follow
from replayer.merging.files import write
from replayer.merging.names import Names
from replayer.merging.reached import unreached
from replayer.merging.sets import Merged, Side, merge
from replayer.plan import Outcome, Plan
from replayer.report.verdict import TestResult
from replayer.run import STOP, SetRun
from replayer.scene import Scene, Steps
from replayer.sending import connected
from rr import recover
from rr.console import Console
from rr.hooks import run_hook
from rr.planning import Planner
from rr.record import KEPLOY
from rr.recover import many, shown
from rr.settings import Settings, load_settings
from testset import placeholders
from testset.config import edit_config
from testset.errors import DependencyError, NoTestSetError, RelayError, RRError, UsageError
from testset.model import Document, Ending
from testset.redaction import Redactor
from testset.secrets import FILE_NAME, Vault
from testset.store import TestSet, TestSetStore

if TYPE_CHECKING:
    from intercept.containers.app import ContainerApp
    from intercept.containers.capture import ContainerCapture

_TURN = 0.005  # seconds between two looks at what the app does
_LONGEST_PAUSE = 10.0  # seconds that a call after a response is waited for
_SETTLE = 0.05  # seconds after each test: what it has set off begins in them


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    debug: bool


def rerecord(options: Options) -> int:
    """Returns 0 when all sets have been recorded anew, changed or not; 2 when one could not."""
    console = Console(out=sys.stderr, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    store = TestSetStore(settings.path / KEPLOY)
    recover.sweep(console)
    names = settings.test.test_sets or tuple(store.names())
    sets = [each for each in map(store.get, names) if each.test_paths()]
    if not sets:
        raise NoTestSetError(f"There is no test set with tests in {store.root}.")
    code = 0
    with _interruptible() as interrupted:
        for each in sets:
            if interrupted():
                return 130
            try:
                _Rerecording(console, settings, options, store, each, interrupted).run()
            except RRError as error:
                if options.debug:
                    raise
                console.error(error)
                code = 2
    return code


class _Rerecording:
    """One test set."""

    def __init__(
        self,
        console: Console,
        settings: Settings,
        options: Options,
        store: TestSetStore,
        test_set: TestSet,
        interrupted: Callable[[], bool],
    ) -> None:
        self._console = console
        self._settings = settings
        self._options = options
        self._store = store
        self._set = test_set
        self._interrupted = interrupted
        self._sent: list[str] = []
        self._opened: set[int] = set()  # the app's ports
        self._planner = Planner(settings, store, console, interrupted, moves_clock=False, debug=options.debug)

    def run(self) -> None:
        console, name = self._console, self._set.name
        loaded = LoadedSet(self._set, self._store.vault())
        plan = self._planner.plan(loaded, self._set)
        if loaded.stand_ins:
            raise UsageError("The real dependencies want the real secrets.", remedy="Set RR_KEY.")
        folder = memory.scratch()
        try:
            scratch = TestSetStore(folder / KEPLOY)
            scratch.root.mkdir()
            if (sealed := self._store.root / FILE_NAME).exists():
                shutil.copy(sealed, scratch.root / FILE_NAME)
            vault = scratch.vault()
            vault.values()  # raises now rather than at the first secret
            redactor = Redactor(vault, self._settings.redact.rules())
            console.hide(redactor.redact_text)
            console.headline(
                f"Recording {name} anew", f"{many(len(loaded.tests), 'test')}, {redactor.mask_command(plan.command)}"
            )
            hooks = self._settings.hooks
            run_hook("pre", hooks.pre, name)
            try:
                outcome = self._record(loaded, plan, scratch, redactor)
            finally:
                run_hook("post", hooks.post, name)
            fresh = scratch.get(name) if name in scratch.names() else None
            down = unreached(loaded.mocks(), LoadedSet(fresh, vault).mocks()) if fresh is not None else {}
            if outcome.reason or down or fresh is None:
                self._refuse(outcome, down)
            opened = self._opened - loaded.own_ports
            self._merge(fresh, vault, Names(loaded.config.template, outcome.names), opened)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _refuse(self, outcome: Outcome, down: Mapping[str, Ending]) -> NoReturn:
        """Say why nothing is written."""
        if outcome.reason:
            self._console.error(outcome.reason)
        for line in outcome.log.splitlines():
            self._console.note(f"    {line}")
        as_it_was = f"{self._set.name} was not recorded anew, and is as it was."
        if down:
            places = ", ".join(f"{place} ({ending})" for place, ending in down.items())
            raise DependencyError(f"What the app depends on is not there: {places}. {as_it_was}")
        raise UsageError(
            as_it_was, remedy="The app must start, with its real dependencies there, and answer all the tests."
        )

    # -- the new recording ---------------------------------------------------------------------------------------

    def _record(self, loaded: LoadedSet, plan: Plan, scratch: TestSetStore, redactor: Redactor) -> Outcome:
        settings, name = self._settings, self._set.name
        command = plan.command
        app = plan.container() if plan.container is not None else None
        facts = recover.facts(
            scratch,
            name,
            command,
            self._options.config_folder,
            self._options.flags,
            container=(app.name, app.environment) if app is not None else None,
        )
        facts["passing"] = True
        session = memory.create(facts, settings.journal.limit)
        redactor.expect(facts["environment"], command)
        try:
            with contextlib.ExitStack() as stack:
                if app is not None:
                    stack.callback(app.close)
                capture = self._capture(session, app)
                stack.enter_context(capture)
                writer = stack.enter_context(scratch.create(name, redactor.vault))
                recording = Recording(
                    session,
                    writer,
                    redactor,
                    recover.wanted(settings, (), ()),
                    spill_limit=settings.journal.spill,
                    memory_limit=settings.journal.limit,
                    listeners=lambda: capture.listeners,
                )
                try:
                    scene = _Recorded(capture, recording, app)
                    planned = replace(plan, scene=scene, pauses=_pauses(loaded), container=None)
                    outcome = asyncio.run(SetRun(loaded, planned, self._told, self._interrupted).run())
                    with contextlib.suppress(RelayError):
                        capture.drain()
                    capture.close()
                    recover.finish(self._console, recording)
                    self._opened = recording.ports
                finally:
                    recording.close(keep=False)
        finally:
            shutil.rmtree(session.path, ignore_errors=True)
        return outcome

    def _capture(self, session: memory.SessionFolder, app: ContainerApp | None) -> Capture | ContainerCapture:
        settings = self._settings
        if app is not None:
            from intercept.containers.capture import ContainerCapture

            return ContainerCapture(session, settings.journal.limit, app, sync=False, on_notice=self._console.warning)
        return Capture(
            session,
            settings.journal.limit,
            unix=unix_sockets.sockets((*unix_sockets.KNOWN, *settings.sockets.record)),
            on_notice=self._console.warning,
        )

    def _told(self, result: TestResult) -> None:
        self._sent.append(result.name)
        self._console.counter(f"{result.name} sent …")

    # -- and what it changes -----------------------------------------------------------------------------------------

    def _merge(self, fresh: TestSet, vault: Vault, names: Names, opened: AbstractSet[int]) -> None:
        """`opened`: ports of the app that the set does not know."""
        self._console.counter("")
        old = names.written(_side(self._set))
        new = names.in_old_words(_side(fresh))
        sent = [old.tests[name] for name in self._sent if name in old.tests]
        answered = sorted(new.tests.values(), key=lambda one: new.started_ns[one.name])
        new_of = {sent[a].name: answered[b].name for a, b in follow(names.sent(sent), answered)}
        lost = [one.name for one in sent if one.name not in new_of]
        if lost:
            self._console.warning(f"not recorded anew, and left as they were: {', '.join(lost)}")
        new, gone = names.put(old, new, new_of)
        for one in gone:
            self._console.warning(one)
        tests = {name: as_far(old.tests[was], new.tests[name], self._set, fresh) for was, name in new_of.items()}
        new = replace(new, tests={**new.tests, **tests})
        merged = names.unwritten(merge(old, new, new_of, names.numbers))
        merged = _with_secrets(merged, self._store.vault(), vault)
        if merged.is_empty and not opened:
            self._console.headline(
                f"{self._set.name}: nothing has changed", f"{many(len(new_of), 'test')} recorded anew"
            )
            return
        write(self._set, merged, fresh)
        if opened:
            edit_config(self._set.config_path(), {("app_ports",): sorted({*opened, *self._set.config().app_ports})})
        changes = [
            (len(merged.tests), "test changed", "tests changed"),
            (len(merged.changed), "mock changed", "mocks changed"),
            (len(merged.added), "mock new", "mocks new"),
            (len(merged.removed), "mock gone", "mocks gone"),
            (len(opened), "port new", "ports new"),
        ]
        for name, document in merged.tests.items():
            was, now = _status(old.tests[name]), _status(document)
            if was != now:
                self._console.warning(f"{name} is answered with {now}; it was {was}")
        told = ", ".join(f"{count} {one if count == 1 else several}" for count, one, several in changes if count)
        self._console.headline(f"{self._set.name}: {told}", f"in {shown(self._set.path)}")
        self._console.next([("git diff", "shows what has changed in meaning, and nothing else")])


class _Recorded(Scene):
    """The app under recording, with its real dependencies."""

    def __init__(self, capture: Capture | ContainerCapture, recording: Recording, app: ContainerApp | None) -> None:
        self._capture = capture
        self._recording = recording
        self._container = app
        self._pumping: asyncio.Task[None] | None = None
        self._stopping = False

    async def __aenter__(self) -> _Recorded:
        self._pumping = asyncio.get_running_loop().create_task(self._pump())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._pumping is not None
        self._pumping.cancel()

    async def _pump(self) -> None:
        while True:
            if not self._stopping:
                self._work()
            await asyncio.sleep(_TURN)

    def _work(self) -> None:
        self._capture.look()
        self._recording.make_room()
        self._recording.work(256 << 10)

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        self._capture.start(command, environment, folder, output)

    def exit_code(self) -> int | None:
        if self._pumping is not None and self._pumping.done() and not self._pumping.cancelled():
            self._pumping.result()  # a port that is taken, a disk that is full: raised here, where somebody asks
        return self._capture.exit_code()

    def stop(self, steps: Steps) -> int:
        self._stopping = True  # from here on it is this thread that looks

        def meanwhile() -> bool:
            self._work()
            return False

        return self._capture.stop(STOP, meanwhile)

    def listeners(self) -> frozenset[Listener]:
        return self._capture.listeners  # a published port would take connections before the app does

    async def connect(self, host: str, port: int) -> socket.socket:
        if isinstance(self._capture, Capture):
            door = next((one for one in self._capture.doors() if one.inside.port == port), None)
            if door is None:
                raise ConnectionRefusedError
            host, port = door.listener.getsockname()[:2]
            return await connected({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)
        assert self._container is not None
        return await connected(*self._container.published(port))


def _side(test_set: TestSet) -> Side:
    tests = {one.name: one for one in test_set.tests()}
    return Side(tests, [document for _, document in test_set.mocks()], _beginnings(test_set))


def _status(test: Document) -> str:
    return str((test.spec.get("resp") or {}).get("status_code", test.spec.get("ending", "nothing")))


def _beginnings(test_set: TestSet) -> dict[str, int]:
    loaded = LoadedSet(test_set, Vault(test_set.path / FILE_NAME))
    return {one.name: one.exchange.started_ns for one in loaded.tests}


def _pauses(loaded: LoadedSet) -> dict[str, float]:
    """How long each test is to be left alone after its response: as long as its last call took to end, twice."""
    ended = {test.name: test.exchange.ended_ns for test in loaded.tests}
    later: dict[str, int] = {}
    for mock in loaded.mocks():
        if mock.owner in ended:
            later[mock.owner] = max(later.get(mock.owner, 0), mock.exchange.ended_ns - ended[mock.owner])
    return {name: min(_LONGEST_PAUSE, _SETTLE + 2 * max(0, later.get(name, 0)) / 1e9) for name in ended}


def _with_secrets(merged: Merged, vault: Vault, fresh: Vault) -> Merged:
    """Secrets that are new get their names in the set's own vault."""
    known = set(vault.names())
    names: dict[str, str] = {}

    def own(name: str) -> str:
        if name in known:
            return placeholders.placeholder(name)
        if name not in names:
            names[name] = vault.seal(fresh.value(name), name.rpartition("-")[0])
        return names[name]

    def renamed(tree: Any) -> Any:
        if isinstance(tree, str):
            return placeholders.replace(tree, own) if "{{" in tree else tree
        if isinstance(tree, Mapping):
            return {key: renamed(value) for key, value in tree.items()}
        return [renamed(one) for one in tree] if isinstance(tree, list) else tree

    tests = {name: replace(one, spec=renamed(one.spec)) for name, one in merged.tests.items()}
    mocks = [
        one
        if one.document == one.old
        else replace(one, document=replace(one.document, spec=renamed(one.document.spec)))
        for one in merged.mocks
    ]
    vault.save()
    return Merged(tests, mocks, merged.removed)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C ends the recording in order, and leaves the files as they were; the second at once."""
    interrupts: list[int] = []

    def note(number: int, _frame: object) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(interrupts)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
