"""From a docker command to an app in a container that can be recorded or replayed."""

from __future__ import annotations

from intercept.containers import leftovers
from intercept.containers.app import Around, ContainerApp
from intercept.containers.commands import ComposeUp, DockerRun
from intercept.containers.compose_app import ComposeApp
from intercept.containers.engine import Engine
from intercept.containers.run_app import RunApp


def open_app(command: ComposeUp | DockerRun, wanted: str | None, around: Around) -> ContainerApp:
    """Look at what a docker command would start; `wanted`: the name of the app. Nothing is changed yet, but
    what an earlier rr has left behind is removed."""
    engine = Engine()
    try:
        for one in leftovers.abandoned():
            if leftovers.clean(engine, one):
                around.told("Removed what an rr that was cut off had left in Docker.")
            one.release()
        claim = leftovers.claim()
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
