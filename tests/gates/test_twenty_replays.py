"""Each app of the system tests, recorded once: twenty replays in a row without its dependency, each of them green."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps import traffic
from tests.apps.dependency import Dependency
from tests.harness.network import NamedHost
from tests.harness.rr_command import RR
from tests.system.test_every_app import COMMANDS, STEPS

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]


def twenty_green(rr: RR, dependency: Dependency) -> None:
    received = len(dependency.requests)
    dependency.stop()
    codes = []
    for _ in range(20):
        replay = rr.test("--delay", "30", ceiling=120)
        codes.append(replay.code)
        assert replay.code == 0, f"replay {len(codes)}:\n{replay.output}"
    assert len(dependency.requests) == received, "a request of a replay has left the namespace"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_twenty_in_a_row(
    command: str, rr: RR, app_files: Path, dependency: Dependency, stock: NamedHost, port: int
) -> None:
    rr = rr.with_prefix(stock.prefix).with_settings(
        PORT=str(port), USERS_URL=dependency.url, STOCK_URL=dependency.url_as(stock.name)
    )
    with rr.record(command.format(port=port), port=port):
        traffic.play(STEPS, port)
    twenty_green(rr, dependency)


def test_twenty_of_a_static_binary(rr: RR, static_server: Path, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(PORT=str(port), USERS_PORT=str(dependency.port))
    with rr.record(str(static_server), port=port):
        traffic.play(traffic.SMALL, port)
    twenty_green(rr, dependency)
