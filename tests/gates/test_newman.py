"""The Postman collection, run by newman through a recording rr: all assertions pass, and the recording replays green.

The shop is recorded as one app, with its databases in it or beside it; each of its services by itself; and in
containers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.engine import DockerEngine
from tests.harness.mysql_servers import PASSWORD, USER, Servers
from tests.harness.network import listens
from tests.harness.newman import Passed, collection
from tests.harness.rr_command import RR
from tests.harness.shop_in_docker import ShopInDocker, shop_engine
from tests.sample_app.open_shop import KINDS, REPOSITORY, OpenShop, own_ports, run_newman
from tests.sample_app.test_recorded import NOT_NEEDED, record

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]

REPLAYS = 3
SERVICES = KINDS[:4]
ASSERTIONS = 24


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    """For one test, since what starts while it is there is in its network: the databases of the others must not be."""
    with shop_engine() as running:
        yield running


def told(what: str, passed: Passed, mocks: str, tests: int, last_line: str) -> None:
    assert passed.assertions == passed.requests == ASSERTIONS
    print(
        f"\n{what}: {passed.assertions} assertions passed in {passed.seconds:.1f} s; {tests} tests, "
        f"{mocks.count('kind: ')} mocks, {REPLAYS} replays green; {last_line}"
    )


def replays_green(rr: RR, what: str, passed: Passed, tests: int) -> None:
    test_set = rr.keploy / "test-set-0"
    assert len(list((test_set / "tests").iterdir())) == tests
    for number in range(REPLAYS):
        replayed = rr.test("--delay", "60", ceiling=200)
        assert replayed.code == 0, f"replay {number + 1} of {REPLAYS}:\n{replayed.output}"
    told(what, passed, (test_set / "mocks.yml").read_text("utf-8"), tests, replayed.stdout.splitlines()[-1])


def record_whole(rr: RR, *options: str) -> Passed:
    """The whole shop is the app: what its services say to each other stays inside."""
    shutil.copytree(REPOSITORY / "sample_app", rr.folder / "sample_app", ignore=NOT_NEEDED)
    ports = own_ports()
    words = ["python", "-m", "sample_app", *options]
    words += [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    with rr.record(" ".join(words)) as recording:
        recording.until_says("The shop is open", 90)
        passed = collection({name: f"http://localhost:{ports[name]}" for name in SERVICES})
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    assert not [name for name, port in ports.items() if listens(port)]
    return passed


def test_the_whole_shop_with_its_databases(rr: RR) -> None:
    passed = record_whole(rr, "--mysql", "embedded")
    replays_green(rr, "the whole shop", passed, ASSERTIONS)


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_the_whole_shop_beside_its_databases(rr: RR, databases: Servers, flavour: str) -> None:
    rr = rr.with_settings(DB_USER=USER, DB_PASSWORD=PASSWORD)
    passed = record_whole(rr, "--mysql", f"127.0.0.1:{databases[flavour].port}")
    assert "kind: MySQL" in (rr.keploy / "test-set-0" / "mocks.yml").read_text("utf-8")
    databases[flavour].stop()
    replays_green(rr, f"the whole shop beside {flavour}", passed, ASSERTIONS)


@pytest.mark.parametrize(
    ("service", "tests"), [("user_service", 22), ("product_service", 14), ("order_service", 10), ("gateway_service", 5)]
)
def test_each_service_by_itself(rr: RR, tmp_path: Path, service: str, tests: int) -> None:
    seen: list[Passed] = []

    def visit(shop: OpenShop) -> None:
        seen.append(run_newman(shop))

    rr = record(rr, tmp_path, service, "embedded", visit)
    replays_green(rr, f"{service} by itself", seen[0], tests)


def test_a_service_in_containers(rr: RR, engine: DockerEngine) -> None:
    shop = ShopInDocker.copied(rr, engine, "order_service")
    before = engine.there()
    with shop.recorded():
        passed = collection()
    assert engine.there() == before
    for number in range(REPLAYS):
        done = shop.replayed()
        assert done.code == 0, f"replay {number + 1} of {REPLAYS}:\n{done.output}"
    assert engine.there() == before
    told("order_service in containers", passed, shop.mocks, shop.tests, done.stdout.splitlines()[-1])
