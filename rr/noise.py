"""`rr noise`, and the end of `rr record`: replays of a recording tell what differs although nothing has changed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replayer.compare.finding import Finding
from replayer.compare.text_body import first_difference
from replayer.learning import Lesson, learn
from replayer.loading import LoadedSet
from replayer.names_kept import is_named
from replayer.plan import Outcome
from replayer.report.verdict import TestResult, Verdict
from replayer.run import SetRun
from rr.console import Console
from rr.hooks import run_hook
from rr.planning import Planner
from rr.record import KEPLOY
from rr.recover import many
from rr.settings import Settings, load_settings
from testset.errors import NoTestSetError, RRError
from testset.files import write_whole
from testset.rewrite import edit
from testset.store import TestSet, TestSetStore
from testset.text import iter_documents

_REPLAYS = 2
_WIDEST = 120  # characters of a value that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    debug: bool


def noise(options: Options) -> int:
    """Learn what differs in test sets that are there. Returns 0, or 2 if one could not be replayed."""
    console = Console(out=sys.stderr, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    store = TestSetStore(settings.path / KEPLOY)
    names = settings.test.test_sets or tuple(store.names())
    sets = [each for each in map(store.get, names) if each.test_paths()]
    if not sets:
        raise NoTestSetError(f"There is no test set with tests in {store.root}.")
    done = [learn_of(each, settings, store, console, lambda: False) for each in sets]
    return 0 if all(done) else 2


def learn_of(
    test_set: TestSet, settings: Settings, store: TestSetStore, console: Console, interrupted: Callable[[], bool]
) -> bool:
    """Replay a set and write its noise into its tests. False: it could not be replayed; the recording is as it was."""
    planner = Planner(settings, store, console, interrupted)
    replays: list[list[TestResult]] = []
    for number in range(_REPLAYS):
        results: list[TestResult] = []

        def tell(result: TestResult, number: int = number, results: list[TestResult] = results) -> None:
            results.append(result)
            console.counter(f"learning what differs by itself: replay {number + 1} of {_REPLAYS}, {result.name} …")

        try:
            loaded = LoadedSet(test_set, store.vault())
            plan = replace(planner.plan(loaded, test_set), outbound_fails=True)
            run_hook("pre", settings.hooks.pre, test_set.name)
            try:
                outcome = asyncio.run(SetRun(loaded, plan, tell, interrupted).run())
            finally:
                run_hook("post", settings.hooks.post, test_set.name)
        except RRError as error:
            outcome = Outcome(reason=f"{error}\n  {error.remedy}")
        console.counter("")
        if interrupted():
            return False
        if outcome.reason:
            for line in outcome.log.splitlines():
                console.note(f"    {line}")
            console.warning(f"What differs by itself could not be learned: {outcome.reason}")
            console.note("  `rr noise` learns it when that is mended.")
            return False
        replays.append(results)
        if not any(one.findings for one in results):
            break  # what was answered is as recorded: nothing to learn

    def named(test: str, place: str) -> bool:
        document = loaded.as_written(test)
        return document is not None and is_named(document.spec.get("resp") or {}, place)

    lessons = learn(_findings(replays), named)
    _write(test_set, lessons)
    _tell(console, lessons, replays[-1])
    return True


def _findings(replays: Sequence[Sequence[TestResult]]) -> list[dict[str, Sequence[Finding]]]:
    """By test. An answer to a request that no mock answered teaches nothing: it says that something went wrong."""
    astray = {one.name for results in replays for one in results if one.misses}
    return [{one.name: one.findings for one in results if one.name not in astray} for results in replays]


def _write(test_set: TestSet, lessons: Mapping[str, Lesson]) -> None:
    for path in test_set.test_paths():
        for _, document in iter_documents(path):
            lesson = lessons.get(document.name)
            if lesson is None or not lesson.noise:
                continue
            changes: dict[tuple[Any, ...], Any] = {}
            for one in lesson.noise:
                changes["spec", "assertions", "noise", one.place] = [one.pattern]
                changes["spec", "rr", "learned", one.place] = one.evidence
            write_whole(path, edit(path.read_text("utf-8"), changes, path=path).encode())


def _around_difference(values: Sequence[str]) -> list[str]:
    """Values to be shown beside each other: of long ones, what is around the first character that is not the same. Of
    these the first two: the recording is worded as the first replay calls things."""
    if max(map(len, values)) <= _WIDEST and not any("\n" in one for one in values):
        return list(values)
    values = values[:2]
    same = first_difference(min(values), max(values))
    begin = max(values[0].rfind("\n", 0, same) + 1, same - _WIDEST // 3)
    shown = []
    for one in values:
        end = min(begin + _WIDEST, one.find("\n", same) % (len(one) + 1))
        shown.append(f"{'…' if begin else ''}{one[begin:end].strip()}{'…' if end < len(one) else ''}")
    return shown


def _tell(console: Console, lessons: Mapping[str, Lesson], results: Sequence[TestResult]) -> None:
    learned = [(name, one) for name, lesson in lessons.items() for one in lesson.noise]
    unstable = [(name, one) for name, lesson in lessons.items() for one in lesson.unstable]
    others = [one for one in results if one.verdict is not Verdict.PASSED and _beside_its_answer(one)]
    if not learned and not unstable and not others:
        console.note(f"Replayed as recorded: {many(len(results), 'test')}.")
    for name, noise in learned:
        console.note(f"{name}: {noise.place} differs each time and looks generated: noted as noise ({noise.evidence})")
    for name, one in unstable:
        recorded, *then = _around_difference(one.values)
        console.warning(f"{name}: {one.place} is unstable: recorded {recorded}, replayed {' and '.join(then)}")
    if unstable:
        console.note(
            f"{many(len(unstable), 'place')} will fail again. Is it the app's own doing? Else say so in the test: "
            "assertions.noise."
        )
    for result in others:
        why = _beside_its_answer(result)
        more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
        console.warning(f"{result.name} is not green, although nothing has changed: {why[0]}{more}")
    if any(one.misses or one.effects for one in others):
        console.note(
            "The app does not send the same each time. What it chooses by chance needs a fixed seed, or a name in the "
            "tests (`rr templatize`)."
        )


def _beside_its_answer(result: TestResult) -> list[str]:
    """What else speaks against a test, in sentences; what was sent first, as the rest may follow from it."""
    return [*map(str, result.misses), *map(str, result.effects), *result.reasons]
