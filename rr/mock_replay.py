"""`rr mock replay -- COMMAND`: any command with nothing but its mocks to talk to."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence

from intercept.clock_library import Library, find
from replayer.conversation import Answers, WayOut
from replayer.loading import LoadedSet, room_of
from replayer.stage import Stage
from replayer.story import Options, Replay, Story
from replayer.time_travel import TimeTravel
from rr.console import Console
from rr.keeping import Keeper
from rr.mock_record import OWNER, CommandOptions
from rr.record import KEPLOY, Signals, app_environment
from rr.recover import many
from rr.settings import Settings, load_settings
from testset.config import SetConfig
from testset.errors import NoTestSetError
from testset.redaction import Redactor
from testset.store import TestSetStore

_TURN = 0.005  # seconds
_LEFT_BEHIND = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))


def replay(options: CommandOptions) -> int:
    """Run the command against its mocks. Returns its exit code; 1 if it is content and a request found no mock."""
    console = Console(out=sys.stderr, debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    store = TestSetStore(settings.path / KEPLOY)
    if options.name not in store.names():
        remedy = f"Record them first: rr mock record {_named(options.name)}-- {shlex.join(options.words)}"
        raise NoTestSetError(f"There are no mocks named {options.name} in {store.root}.", remedy=remedy)
    vault = store.vault()
    loaded = LoadedSet(store.get(options.name), vault)
    story = Story(loaded.tests, loaded.mocks(), room_of, Options(recall=loaded.recall))
    redactor = Redactor(vault, settings.redact.rules())
    with Keeper(store, loaded.test_set, redactor, vault) as keeper:
        answers = Answers(loaded, Replay(story), console.warning, _way_out(console, settings, keeper))
        library = find() if settings.test.time_travel else None
        travel = TimeTravel(story, loaded.config.clock, library if isinstance(library, Library) else None, 0.0)
        signals = Signals()
        with signals.caught():
            code = asyncio.run(_run(loaded, answers, signals, shlex.join(options.words), settings, travel))
    return _sum_up(console, answers, keeper, code)


def _way_out(console: Console, settings: Settings, keeper: Keeper) -> WayOut | None:
    match settings.test.on_miss:
        case "passthrough":
            return WayOut(console.warning)
        case "record":
            return WayOut(console.warning, lambda owner, exchange: keeper.keep(owner or OWNER, exchange))
    return None


async def _run(
    loaded: LoadedSet, answers: Answers, signals: Signals, command: str, settings: Settings, travel: TimeTravel
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, facts: answers.faults.append(str(facts.get("exception") or facts)))
    async with Stage(loaded.unix_sockets(), settings.sockets.allow, travel.clock) as stage:
        travel.depart(stage, answers.replay)
        answers.replay.begin_all(stage.clock.now_ns())
        stage.serve(answers)
        stage.start(f"exec {command}", _environment(loaded.config), os.getcwd(), None)
        namespace = stage.namespace
        while namespace.exit_code() is None and not signals.interrupts:
            await asyncio.sleep(_TURN)
        steps: Sequence[tuple[int, float]] = _LEFT_BEHIND
        if namespace.exit_code() is None:
            steps = ((signals.number, 10.0), *_LEFT_BEHIND)
        code = await loop.run_in_executor(None, namespace.stop, steps, lambda: signals.interrupts > 2)
    return code if code >= 0 else 128 - code


def _environment(config: SetConfig) -> Mapping[str, str]:
    environment = app_environment()
    if config.hash_seed is not None:
        environment["PYTHONHASHSEED"] = str(config.hash_seed)
    if config.time_zone:
        environment["TZ"] = config.time_zone
    return environment


def _sum_up(console: Console, answers: Answers, keeper: Keeper, code: int) -> int:
    for fault in answers.faults:
        console.error(f"rr itself failed while it served the command ({fault}); please report it.")
    if keeper.count:
        console.note(f"rr: {many(keeper.count, 'mock')} added")
    times: dict[str, int] = {}
    for _, miss in answers.misses:
        text = miss.text.removeprefix("rr: ")
        times[text] = times.get(text, 0) + 1
    if times:
        console.error(f"{many(len(answers.misses), 'request')} of the command found no mock:")
        for text, count in times.items():
            console.warning(text + (f" ({count} times)" if count > 1 else ""))
    return 1 if code == 0 and (times or answers.faults) else code


def _named(name: str) -> str:
    return "" if name == "default" else f"--name {name} "
