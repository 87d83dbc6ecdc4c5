"""The shop in containers: recorded through its gateway by the documented command, and replayed ten times with nothing
else there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.harness.engine import DockerEngine
from tests.harness.rr_command import RR
from tests.harness.shop_in_docker import GATEWAY, SHOP, ShopInDocker, shop_engine

pytestmark = [pytest.mark.gate, pytest.mark.timeout(1500)]

REPLAYS = 10


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with shop_engine() as running:
        yield running


def test_the_shop(rr: RR, engine: DockerEngine) -> None:
    shop = ShopInDocker.copied(rr, engine, "order_service")
    before = engine.there()
    with shop.recorded():
        traffic = subprocess.run(
            [sys.executable, "-m", "sample_app.traffic", "--base-url", GATEWAY],
            cwd=SHOP.parent, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert traffic.returncode == 0, traffic.stdout + traffic.stderr
    assert engine.there() == before
    for part in ("kind: MySQL", "url: http://user_service:8082/", "SendMessage"):
        assert part in shop.mocks, part
    for number in range(REPLAYS):
        done = shop.replayed()
        assert done.code == 0, f"replay {number + 1} of {REPLAYS}:\n{done.output}"
    assert engine.there() == before
    print(f"\n{shop.tests} tests, {REPLAYS} replays green; {done.stdout.splitlines()[-1]}")
