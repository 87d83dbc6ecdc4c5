"""How a test set's app is started and its tests are sent: a `Plan` from the settings, for whoever replays."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from intercept.clock_library import Library, NoLibrary, find
from intercept.containers.commands import parse
from replayer.compare import Noise, noise_of_settings
from replayer.coverage.kit import NOT_FOR_THE_APP, Kit
from replayer.loading import LoadedSet
from replayer.plan import Plan
from rr.command import for_replay, is_stored
from rr.console import Console
from rr.recover import HASH_SEED
from rr.settings import Settings
from testset.errors import UsageError
from testset.store import TestSet, TestSetStore

if TYPE_CHECKING:
    from intercept.containers.app import ContainerApp


class Planner:
    """Plans for the sets of one project."""

    def __init__(
        self,
        settings: Settings,
        store: TestSetStore,
        console: Console,
        interrupted: Callable[[], bool],
        *,
        kit: Kit | None = None,
        moves_clock: bool = True,
        debug: bool = False,
    ) -> None:
        """`kit`: to measure the app with. `moves_clock`: unless the settings say no."""
        self._settings = settings
        self._store = store
        self._console = console
        self._interrupted = interrupted
        self._kit = kit
        self._moves_clock = moves_clock and settings.test.time_travel and not settings.test.base_path
        self._debug = debug
        self._library: Library | NoLibrary | None = None  # which moves the app's clock; None: not looked for

    def plan(self, loaded: LoadedSet, test_set: TestSet) -> Plan:
        """Raises `UsageError` where nothing says how the app is started."""
        settings, config = self._settings, loaded.config
        command, missing = settings.command or config.command or "", list[str]()
        if not settings.command or is_stored(settings):
            command, missing = for_replay(command, self._store.vault())
        loaded.stand_ins = frozenset(missing)
        for name in missing:
            self._console.warning(
                f"The command's {name} cannot be unsealed here: the app gets the word {name!r} instead."
            )
        base_path = settings.test.base_path
        if not command and not base_path:
            raise UsageError(
                f"Neither the command line nor rr.yml nor {test_set.name} says how the app is started.",
                remedy='Say it: rr test -c "python app.py".',
            )
        environment = dict(os.environ)
        if self._kit is not None:
            for name in NOT_FOR_THE_APP:
                environment.pop(name, None)
        if config.hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(config.hash_seed)
        else:
            environment.setdefault("PYTHONHASHSEED", HASH_SEED)
        if config.time_zone:
            environment["TZ"] = config.time_zone
        return Plan(
            command=command,
            folder=os.getcwd(),
            environment=environment,
            delay=settings.test.delay,
            health_url=settings.test.health_url,
            api_timeout=settings.test.api_timeout,
            noise=_noise(settings, test_set.name),
            outbound_fails=settings.test.outbound == "fail",
            only=frozenset(settings.test.selected_tests.get(test_set.name, ())),
            without=frozenset(settings.test.ignored_tests.get(test_set.name, ())),
            allowed_sockets=settings.sockets.allow,
            show_output=self._debug,
            base_path=base_path,
            library=self._clock_library(),
            kit=self._kit,
            container=container_of(settings, command, self._console, self._interrupted, quiet=not self._debug),
            told=self._console.note,
        )

    def _clock_library(self) -> Library | None:
        """What moves the app's clock; that there is nothing is said once."""
        if not self._moves_clock:
            return None
        if self._library is None:
            self._library = find()
            if isinstance(self._library, NoLibrary):
                self._console.warning(
                    f"The app's clock cannot be moved: {self._library.why}. The tests run at today's time, and what "
                    f"was recorded and expires (a token, a signed address) may have expired. {self._library.remedy}"
                )
        return self._library if isinstance(self._library, Library) else None


def container_of(
    settings: Settings, command: str, console: Console, interrupted: Callable[[], bool], *, quiet: bool
) -> Callable[[], ContainerApp] | None:
    """How the app is opened, if the command starts it in a container. `quiet`: without docker's own output."""
    parsed = parse(command)
    if parsed is None:
        return None
    from intercept.containers.app import Around
    from intercept.containers.apps import open_app
    from intercept.containers.image import default_base

    around = Around(
        told=console.note,
        interrupted=interrupted,
        agent_base=settings.agent_image or default_base(),
        ceiling=settings.build_delay,
        quiet=quiet,
    )
    return partial(open_app, parsed, settings.container_name, around)


def _noise(settings: Settings, name: str) -> Noise:
    noise = settings.test.global_noise
    found = Noise()
    for places in (noise.everywhere, noise.test_sets.get(name)):
        if places is not None:
            found = found | noise_of_settings({"body": dict(places.body), "header": dict(places.header)})
    return found
