"""The sample shop in containers, as its `docker-compose.yml` says, on the tests' own engine.

Images that cannot be pulled have equivalents: MySQL is the real server, the queue is moto.
"""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.harness.engine import MYSQL_IMAGE, PYTHON, QUEUE, DockerEngine, docker_engine, mysql_image
from tests.harness.processes import Running
from tests.harness.rr_command import RR, Finished
from tests.harness.waiting import eventually

SHOP = Path(__file__).parent.parent.parent / "sample_app"
GATEWAY = "http://127.0.0.1:8083"
CHECK = {
    "mysql": "import socket; s = socket.create_connection(('127.0.0.1', 3306), 2); assert s.recv(5)",
    "queue": "import socket; socket.create_connection(('127.0.0.1', 4566), 2)",
}


@contextmanager
def shop_engine() -> Iterator[DockerEngine]:
    with docker_engine() as engine:
        mysql_image(engine)
        yield engine


def is_open() -> bool:
    try:
        with urllib.request.urlopen(f"{GATEWAY}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class ShopInDocker:
    """A copy of the shop in a project of rr's, and one of its services that is recorded and replayed."""

    rr: RR
    service: str
    command: str

    @classmethod
    def copied(cls, rr: RR, engine: DockerEngine, service: str) -> ShopInDocker:
        shutil.copytree(SHOP, rr.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "keploy"))
        rr = rr.with_settings(
            **engine.env, BASE_IMAGE=PYTHON, MYSQL_IMAGE=MYSQL_IMAGE, LOCALSTACK_IMAGE=QUEUE, RR_RECORD_LEARN="true"
        )
        return cls(rr, service, _compose(rr.folder))

    @property
    def test_set(self) -> Path:
        return self.rr.folder / self.service / "keploy" / "test-set-0"

    @property
    def tests(self) -> int:
        return len(list((self.test_set / "tests").iterdir()))

    @property
    def mocks(self) -> str:
        return (self.test_set / "mocks.yml").read_text("utf-8")

    @contextmanager
    def recorded(self) -> Iterator[Running]:
        """`rr record` runs while the block does, which begins once the shop is open; Ctrl-C ends it."""
        assert not is_open(), f"another shop answers at {GATEWAY}"
        options = [f"--container-name={self.service}", "--build-delay", "300", *self._where]
        with self.rr.record(self.command, *options, ceiling=400) as recording:
            eventually(is_open, lambda: f"the shop: {recording.output[-3000:]}", 300)
            yield recording
            recording.interrupt()
            assert recording.wait(400) == 0, recording.output

    def replayed(self) -> Finished:
        options = [f"--containerName={self.service}", "--delay", "30", "--build-delay", "100", *self._where]
        return self.rr.run("test", "-c", self.command, *options, ceiling=200)

    @property
    def _where(self) -> tuple[str, ...]:
        return (f"--path=./{self.service}", f"--config-path=./{self.service}")


def _compose(folder: Path) -> str:
    """The shop's own file, and one beside it with the checks that these images can answer."""

    def check(code: str) -> dict[str, object]:
        return {"test": ["CMD", "python", "-c", code], "interval": "1s", "timeout": "5s", "retries": 90}

    services = {
        name: {"healthcheck": check(CHECK["mysql"])} for name in ("mysql-users", "mysql-products", "mysql-orders")
    }
    services["localstack"] = {"healthcheck": check(CHECK["queue"])}
    (folder / "tests.yml").write_text(yaml.safe_dump({"services": services}))
    return "docker compose -f docker-compose.yml -f tests.yml up"
