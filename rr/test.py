"""`rr test`: from a command line to verdicts, a report and an exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from intercept.containers.commands import parse
from replayer.conversation import WayOut
from replayer.coverage.kit import Kit
from replayer.loading import LoadedSet
from replayer.plan import Outcome, Plan
from replayer.report.as_json import as_json
from replayer.report.verdict import SetStatus, TestResult, Verdict
from replayer.report.writer import ReportWriter, new_run
from replayer.run import SetRun
from rr.console import Console
from rr.hooks import run_hook
from rr.keeping import Keeper
from rr.measuring import measuring
from rr.planning import Planner
from rr.record import KEPLOY
from rr.recover import many, sweep
from rr.settings import Settings, load_settings
from testset.errors import NoTestSetError, RRError, SecretError, UsageError
from testset.redaction import Redactor
from testset.secrets import FILE_NAME, Vault
from testset.store import TestSet, TestSetStore, natural


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    tests: tuple[str, ...]
    host: str | None
    port: int | None
    mocking: bool
    jobs: int
    fail_fast: bool
    with_deps: bool
    keep_alive: bool
    remove_unused_mocks: bool
    junit: Path | None
    as_json: bool
    debug: bool


def test(options: Options) -> int:
    """Replay test sets. Returns 0 when all passed, 1 when a test failed, 2 when rr could not do its work."""
    console = Console(out=sys.stderr if options.as_json else sys.stdout, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    sweep(console)
    store = TestSetStore(settings.path / KEPLOY)
    names = settings.test.test_sets or tuple(store.names())
    if not names:
        raise NoTestSetError(f"There is no test set in {store.root}.")
    sets = [store.get(name) for name in names]
    if not settings.test.test_sets:  # what `rr mock record` made has no tests, and is not meant
        sets = [each for each in sets if each.test_paths()] or sets
    sets = _with_tests(sets, frozenset(options.tests))
    run_folder = new_run(store.root / "reports")
    redactor = Redactor(_vault_to_hide(store, run_folder), settings.redact.rules())
    console.hide(redactor.redact_text)
    with (
        measuring(settings, elsewhere=parse(settings.command or "") is not None) as coverage,
        ReportWriter(
            run_folder,
            command=redactor.mask_command(settings.command or ""),
            redact=redactor.redact_text,
            junit_file=options.junit,
        ) as writer,
    ):
        run = _Run(console, settings, options, store, writer, run_folder, coverage.kit if coverage else None)
        with run.interruptible():
            asyncio.run(run.all(sets))
        result = writer.close()
        console.summary(result, _shown(run_folder))
        code = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.ERRORED: 2}[result.verdict]
        if coverage is not None:
            of_coverage = coverage.tell(console, run_folder, _shown(run_folder))
            code = code or of_coverage
    if options.as_json:
        print(as_json(result, indent=2, coverage=coverage.measured if coverage else None))
    return code


def _with_tests(sets: list[TestSet], wanted: frozenset[str]) -> list[TestSet]:
    """The sets that have a test of these names. Raises `UsageError` for a name that none has."""
    if not wanted:
        return sets
    names = {each.name: {path.stem for path in each.test_paths()} for each in sets}
    if not wanted <= set().union(*names.values()):  # a file may be called otherwise than its test
        names = {each.name: {document.name for document in each.tests()} for each in sets}
    unknown = sorted(wanted.difference(*names.values()), key=natural)
    if unknown:
        there = sorted(set().union(*names.values()), key=natural)
        raise UsageError(
            f"There is no test {', '.join(unknown)} in {', '.join(names)}.",
            remedy=f"There are: {', '.join(there[:8])}{', …' if len(there) > 8 else ''}.",
        )
    return [each for each in sets if names[each.name] & wanted]


def _vault_to_hide(store: TestSetStore, run_folder: Path) -> Vault:
    """The secrets that must not show. Without the key none of them is known, and so none can show; a test that has to
    send one says so itself."""
    vault = store.vault()
    try:
        vault.values()
    except SecretError:
        return Vault(run_folder / FILE_NAME)  # which is not there
    return vault


class _Run:
    """All sets of one run."""

    def __init__(
        self,
        console: Console,
        settings: Settings,
        options: Options,
        store: TestSetStore,
        writer: ReportWriter,
        folder: Path,
        kit: Kit | None,
    ) -> None:
        self._console = console
        self._settings = settings
        self._options = options
        self._store = store
        self._writer = writer
        self._folder = folder
        self._several = False
        self._interrupted = False
        self._not_green: set[str] = set()
        self._planner = Planner(
            settings,
            store,
            console,
            lambda: self._interrupted,
            kit=kit,
            moves_clock=options.mocking,
            debug=options.debug,
        )

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C ends the run in order: the test in hand is broken off, the app stopped, the report written."""

        def note(_number: int, _frame: object) -> None:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def all(self, sets: list[TestSet]) -> None:
        self._several = len(sets) > 1
        turns = asyncio.Semaphore(self._options.jobs)

        async def one(test_set: TestSet) -> None:
            async with turns:
                if not self._interrupted:
                    await self._set(test_set)

        await asyncio.gather(*(one(test_set) for test_set in sets))

    async def _set(self, test_set: TestSet) -> None:
        console, writer = self._console_of(test_set), self._writer
        writer.begin_set(test_set.name)
        rules, vault = self._settings.redact.rules(), self._store.vault()
        redactor = Redactor(_vault_to_hide(self._store, self._folder), rules)
        keeper = Keeper(self._store, test_set, Redactor(vault, rules), vault)
        try:
            if self._settings.test.on_miss == "record":
                vault.values()  # raises now rather than at the first secret that is to be kept
            loaded = LoadedSet(test_set, self._store.vault())
            plan = self._plan(loaded, test_set)
            console.headline(
                f"Replaying {test_set.name}", f"{len(loaded.tests)} tests, {redactor.mask_command(_where(plan))}"
            )
            way_out = _way_out(self._settings.test.on_miss, console, keeper)
            run = SetRun(loaded, plan, partial(self._told, console), lambda: self._interrupted, way_out)
            hooks = self._settings.hooks
            await asyncio.to_thread(run_hook, "pre", hooks.pre, test_set.name)
            try:
                with keeper:
                    outcome = await run.run()
            finally:
                await asyncio.to_thread(run_hook, "post", hooks.post, test_set.name)
        except RRError as error:
            console.error(error)
            writer.end_set(test_set.name, SetStatus.INTERNAL_ERR, reason=str(error))
            return
        if outcome.reason:
            console.error(outcome.reason)
        for line in outcome.log.splitlines():
            console.note(f"    {line}")
        for warning in outcome.warnings:
            console.warning(warning)
        if keeper.count:
            console.note(f"{many(keeper.count, 'mock')} added to {test_set.name}")
        self._unused(console, loaded, plan, outcome)
        writer.end_set(
            test_set.name,
            outcome.status,
            reason=outcome.reason,
            log=outcome.log,
            warnings=tuple(outcome.warnings),
        )

    def _console_of(self, test_set: TestSet) -> Console:
        """With several sets at once, each line says which it is about."""
        return self._console.of_set(test_set.name) if self._options.jobs > 1 and self._several else self._console

    def _unused(self, console: Console, loaded: LoadedSet, plan: Plan, outcome: Outcome) -> None:
        """Mocks that answered nothing say so only when all that could ask for them has run, and was right."""
        if not outcome.unused or outcome.status is not None or plan.only or plan.without:
            return
        mocks = "1 mock was" if len(outcome.unused) == 1 else f"{len(outcome.unused)} mocks were"
        names = ", ".join(outcome.unused[:8]) + (" …" if len(outcome.unused) > 8 else "")
        if not self._options.remove_unused_mocks:
            console.note(f"{mocks} not used: {names}")
        elif loaded.test_set.name in self._not_green:
            console.note(f"{mocks} not used, and not removed, because not every test passed: {names}")
        else:
            loaded.drop_mocks(outcome.unused)
            console.note(f"{mocks} not used, and removed: {names}")

    def _told(self, console: Console, result: TestResult) -> None:
        if result.verdict is not Verdict.PASSED:
            self._not_green.add(result.set)
        console.replayed(self._writer.add(result))

    def _plan(self, loaded: LoadedSet, test_set: TestSet) -> Plan:
        options, plan = self._options, self._planner.plan(loaded, test_set)
        return replace(
            plan,
            host=options.host,
            port=options.port,
            only=frozenset(options.tests) or plan.only,
            fail_fast=options.fail_fast,
            mocking=options.mocking,
            with_deps=options.with_deps,
            keep_alive=options.keep_alive,
        )


def _way_out(on_miss: str, console: Console, keeper: Keeper) -> WayOut | None:
    if on_miss == "fail":
        return None
    return WayOut(console.warning, keeper.keep if on_miss == "record" else None)


def _where(plan: Plan) -> str:
    if plan.base_path:
        return f"the app at {plan.base_path}, without mocks"
    return plan.command if plan.mocking else f"{plan.command}, without mocks"


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
