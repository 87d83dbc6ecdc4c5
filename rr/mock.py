"""`rr mock`: mocks without tests. Serves them on ports; records them from any command, and replays them to it."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replayer.loading import LoadedSet
from replayer.mock_server import MockServer, MockSet
from rr.console import Console
from rr.record import KEPLOY
from rr.settings import load_settings
from testset.errors import NoTestSetError, UsageError
from testset.store import TestSet, TestSetStore

_PROGRESS_EVERY = 0.2  # seconds


# -- rr mock serve ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    test_set: str | None
    host: str
    ports: Sequence[str]  # NAME=PORT
    debug: bool


def serve(options: ServeOptions) -> int:
    """Serve a set's mocks until Ctrl-C."""
    console = Console(debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    ports = dict(_port(text) for text in options.ports)
    store = TestSetStore(settings.path / KEPLOY)
    loaded = LoadedSet(_chosen(store, options.test_set), store.vault())
    mocks = MockSet.read(loaded, console.warning, _progress(console))
    console.counter("")
    if not mocks.destinations:
        raise NoTestSetError(f"{loaded.test_set.name} has no mocks to serve.")
    gc.collect()
    gc.freeze()  # what was read stays: looking through it again and again would cost more than all else
    asyncio.run(_serve(console, mocks, options.host, ports))
    return 0


async def _serve(console: Console, mocks: MockSet, host: str, ports: Mapping[str, int]) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with MockServer(mocks, host, ports) as server:
        count = sum(mocks.destinations.values())
        console.headline(
            f"Serving the mocks of {mocks.loaded.test_set.name}", f"{_many(count, 'mock')}; Ctrl-C ends it"
        )
        names = [str(stand.destination) for stand in server.stands]
        places = [stand.address or "refuses connections, as recorded" for stand in server.stands]
        wide, wider = max(map(len, names)), max(map(len, places))
        for name, place, stand in zip(names, places, server.stands, strict=True):
            console.line(f"  {name:<{wide}} → {place + ',':<{wider + 1}} {_many(stand.mocks, 'mock')}")
        unknown = [name for name in ports if name not in server.names]
        for name in unknown:
            console.warning(f"--port {name}=…: the recording knows no destination of that name")
        await ended.wait()
    console.note("Ended.")


def _chosen(store: TestSetStore, name: str | None) -> TestSet:
    if name is not None:
        return store.get(name)
    sets = [one for one in store.test_sets() if one.mocks_path() is not None]
    if not sets:
        raise NoTestSetError(f"There are no mocks in {store.root}.")
    if len(sets) > 1:
        names = ", ".join(one.name for one in sets)
        raise UsageError(f"There are several test sets: {names}.", remedy=f"Say which: rr mock serve {sets[0].name}")
    return sets[0]


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isdigit() or int(number) > 65535:
        raise UsageError(f"--port {text}: not NAME=PORT", remedy="For example: --port users:8000=18000")
    return name, int(number)


def _progress(console: Console) -> Any:
    shown = time.monotonic()

    def progress(count: int) -> None:
        nonlocal shown
        if not count % 64 and time.monotonic() - shown > _PROGRESS_EVERY:
            shown = time.monotonic()
            console.counter(f"reading the mocks: {count:,} …")

    return progress


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
