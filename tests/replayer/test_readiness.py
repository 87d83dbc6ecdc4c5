"""An app is ready once it listens and is healthy; what is waited for in vain is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from replayer.plan import Plan
from replayer.readiness import until_ready
from replayer.scene import Elsewhere
from tests.harness.network import free_port
from testset.errors import AppNotReadyError


class Starting(BaseHTTPRequestHandler):
    """An app that listens before it can do anything: healthy from the third look on."""

    looks = 0

    def do_GET(self) -> None:
        type(self).looks += 1
        self.send_response(503 if self.path != "/health" or self.looks < 3 else 204)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def app() -> Iterator[int]:
    Starting.looks = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Starting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def wait(
    port: int, *others: int, health: str | None = None, delay: float = 30, stopped: Callable[[], bool] = lambda: False
) -> None:
    url = f"http://127.0.0.1:{port}"
    plan = Plan(
        command="", folder=".", environment={}, delay=delay, api_timeout=5, base_path=url,
        health_url=None if health is None else url + health,
    )  # fmt: skip

    async def look() -> None:
        async with Elsewhere(url) as scene:
            await until_ready(scene, plan, [port, *others], stopped)

    asyncio.run(look())


def test_it_is_ready_as_soon_as_it_listens(app: int) -> None:
    wait(app)
    assert Starting.looks == 0


def test_it_is_asked_until_it_is_healthy(app: int) -> None:
    wait(app, health="/health")
    assert Starting.looks == 3


def test_a_health_that_never_comes_is_told_with_the_last_answer(app: int) -> None:
    with pytest.raises(AppNotReadyError, match=r"/never answered 503 after 0\.2 s"):
        wait(app, health="/never", delay=0.2)


def test_nothing_listens() -> None:
    with pytest.raises(AppNotReadyError, match="Nothing answers at") as told:
        wait(free_port(), delay=0.05)
    assert told.value.remedy == "Start the app first."


def test_a_run_that_is_stopped_waits_no_longer() -> None:
    wait(free_port(), stopped=lambda: True)
