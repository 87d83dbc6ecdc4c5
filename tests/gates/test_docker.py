"""The shop in containers, as its `docker-compose.yml` says: recorded through its gateway by the documented command, and
replayed ten times with nothing else there.

Images that cannot be pulled have equivalents: MySQL is the real server, the queue is moto.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.harness.engine import MYSQL_IMAGE, PYTHON, QUEUE, DockerEngine, docker_engine, mysql_image
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.gate, pytest.mark.timeout(1500)]

SHOP = Path(__file__).parent.parent.parent / "sample_app"
REPLAYS = 10
CHECK = {
    "mysql": "import socket; s = socket.create_connection(('127.0.0.1', 3306), 2); assert s.recv(5)",
    "queue": "import socket; socket.create_connection(('127.0.0.1', 4566), 2)",
}
WHERE = ("--path=./order_service", "--config-path=./order_service")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with docker_engine() as running:
        mysql_image(running)
        yield running


def compose_files(folder: Path) -> str:
    """The shop's own file, and one beside it with the checks that these images can answer."""

    def check(code: str) -> dict[str, object]:
        return {"test": ["CMD", "python", "-c", code], "interval": "1s", "timeout": "5s", "retries": 90}

    services = {
        name: {"healthcheck": check(CHECK["mysql"])} for name in ("mysql-users", "mysql-products", "mysql-orders")
    }
    services["localstack"] = {"healthcheck": check(CHECK["queue"])}
    (folder / "tests.yml").write_text(yaml.safe_dump({"services": services}))
    return "docker compose -f docker-compose.yml -f tests.yml up"


def is_open() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8083/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_shop(rr: RR, engine: DockerEngine) -> None:
    shutil.copytree(SHOP, rr.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "keploy"))
    rr = rr.with_settings(
        **engine.env, BASE_IMAGE=PYTHON, MYSQL_IMAGE=MYSQL_IMAGE, LOCALSTACK_IMAGE=QUEUE, RR_RECORD_LEARN="true"
    )
    command = compose_files(rr.folder)
    before = engine.there()
    with rr.record(command, "--container-name=order_service", "--build-delay", "300", *WHERE, ceiling=400) as recording:
        eventually(is_open, lambda: f"the shop: {recording.output[-3000:]}", 300)
        traffic = subprocess.run(
            [sys.executable, "-m", "sample_app.traffic", "--base-url", "http://127.0.0.1:8083"],
            cwd=SHOP.parent, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert traffic.returncode == 0, traffic.stdout + traffic.stderr
        recording.interrupt()
        assert recording.wait(400) == 0, recording.output
    assert engine.there() == before
    test_set = rr.folder / "order_service" / "keploy" / "test-set-0"
    mocks = (test_set / "mocks.yml").read_text()
    for part in ("kind: MySQL", "url: http://user_service:8082/", "SendMessage"):
        assert part in mocks, part
    for number in range(REPLAYS):
        done = rr.run(
            "test", "-c", command, "--containerName=order_service", "--delay", "30", "--build-delay", "100", *WHERE,
            ceiling=200,
        )  # fmt: skip
        assert done.code == 0, f"replay {number + 1} of {REPLAYS}:\n{done.output}"
    assert engine.there() == before
    print(
        f"\n{len(list((test_set / 'tests').iterdir()))} tests, {REPLAYS} replays green; {done.stdout.splitlines()[-1]}"
    )
