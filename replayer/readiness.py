"""Waiting for an app that has been started: until it listens and is healthy, or has ended, or time is up."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from protocols.http.wire import HttpRequest
from replayer.plan import Plan
from replayer.scene import Scene
from replayer.sending import send_to_app
from testset.errors import AppDiedError, AppNotReadyError

_POLL = 0.005  # seconds between two looks whether the app listens
_HEALTH_POLL = 0.05
_NOT_FOUND = 127  # a shell's exit code


async def until_ready(stage: Scene, plan: Plan, ports: Iterable[int], stopped: Callable[[], bool]) -> None:
    """Wait until the app listens on the ports that the tests go to, and answers the health URL if there is one.

    Where the first test goes it has to listen. Another port that does not open in time is for its tests to tell.
    """
    deadline = time.monotonic() + plan.delay
    first, *others = dict.fromkeys(ports)
    if not await _listens(stage, first, deadline, stopped):
        if plan.base_path:
            raise AppNotReadyError(f"Nothing answers at {plan.base_path}.", remedy="Start the app first.")
        seen = ", ".join(sorted(f"{one.host}:{one.port}" for one in stage.listeners()))
        raise AppNotReadyError(
            f"The app did not listen on port {first} within {plan.delay:g} s"
            + (f"; it listens on {seen}." if seen else ".")
        )
    for port in others:
        await _listens(stage, port, deadline, stopped)
    if plan.health_url and not stopped():
        await _healthy(stage, plan, plan.health_url, deadline)


def check_alive(stage: Scene) -> None:
    """Raises `AppDiedError` where the app has ended."""
    code = stage.exit_code()
    if code is None:
        return
    how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    if code == _NOT_FOUND:
        remedy = "The shell does not find the command, or a part of it: check --command."
        raise AppDiedError(f"The app ended with {how}.", remedy=remedy)
    raise AppDiedError(f"The app ended with {how}.")


async def _listens(stage: Scene, port: int, deadline: float, stopped: Callable[[], bool]) -> bool:
    """Whether the app listens there in time; a run that is stopped waits no longer."""
    while True:
        check_alive(stage)
        if stage.listens(port) or stopped():
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)


async def _healthy(stage: Scene, plan: Plan, url: str, deadline: float) -> None:
    parts = urlsplit(url)
    port = parts.port or 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = (("Host", parts.netloc), ("Connection", "close"))
    request = HttpRequest(method="GET", target=target, headers=headers, scheme=parts.scheme or "http")
    while True:
        check_alive(stage)
        try:
            got = await send_to_app(await stage.connect(stage.address(port), port), request, plan.api_timeout)
        except OSError:
            got = None
        if got is not None and got.response is not None and got.response.status < 400:
            return
        if time.monotonic() > deadline:
            said = "nothing" if got is None or got.response is None else str(got.response.status)
            raise AppNotReadyError(f"{url} answered {said} after {plan.delay:g} s.")
        await asyncio.sleep(_HEALTH_POLL)
