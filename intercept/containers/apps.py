"""From a docker command to an app in a container that can be recorded or replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from intercept.containers import leftovers
from intercept.containers.app import Around, ContainerApp
from intercept.containers.commands import ComposeUp, DockerRun
from intercept.containers.compose_app import ComposeApp
from intercept.containers.engine import Engine
from intercept.containers.run_app import RunApp
from testset.errors import ContainerError


def sweep(told: Callable[[str], None]) -> None:
    """Remove what an rr that was killed has left, in the engine that it used. Costs nothing where there is nothing."""
    for one in leftovers.abandoned():
        try:
            with closing(Engine(one.facts.get("engine") or "")) as engine:
                removed = leftovers.clean(engine, one)
        except ContainerError as error:
            told(f"What an rr that was cut off has left in Docker is still there: {error}")
            one.leave()
            continue
        one.release()
        if removed:
            told("Removed what an rr that was cut off had left in Docker.")


def open_app(command: ComposeUp | DockerRun, wanted: Sequence[str], around: Around) -> ContainerApp:
    """Look at what a docker command would start; `wanted`: names of the app's containers. Nothing is changed yet."""
    engine = Engine()
    try:
        claim = leftovers.claim(engine.host)
    except BaseException:
        engine.close()
        raise
    try:
        app: ContainerApp
        if isinstance(command, DockerRun):
            app = RunApp(around, engine, claim, command=command)
        else:
            app = ComposeApp(around, engine, claim, command=command)
        app.prepare(wanted)
    except BaseException:
        engine.close()
        claim.release()
        raise
    return app
