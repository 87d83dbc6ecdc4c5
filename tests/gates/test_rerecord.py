"""`rr rerecord` of what has not changed, five times in a row: nothing to commit. With one field more: a few lines.

The sample shop over MySQL and MariaDB, as a whole and its order service alone, and the apps that were made to be hard.
Before each recording a `pre` hook brings the databases into the state in which the first one began.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sample_app import traffic
from tests.apps.hard.traffic import NAMES, record, world
from tests.harness.company import Company
from tests.harness.mysql_servers import PASSWORD, USER, Server, Servers
from tests.harness.rr_command import RR
from tests.sample_app.open_shop import REPOSITORY, OpenShop, open_shop, own_ports, shop_with
from tests.sample_app.test_recorded import NOT_NEEDED
from tests.system.conftest import company
from tests.system.test_rerecord import changed, changed_lines, commit

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]

__all__ = ["company"]  # a fixture

TIMES = 5
FLAVOURS = ("mysql", "mariadb")
CEILING = 180  # seconds for one recording

DATABASES = ("user_db", "product_db", "order_db")
FRESH = [f"{what} DATABASE {how} {name}" for name in DATABASES for what, how in (("DROP", "IF EXISTS"), ("CREATE", ""))]
KEPT = ("user_db.users", "user_db.addresses", "product_db.products")

# What somebody would write for a hook: the statements are in a file beside it.
HOOK = """
import json, pymysql, pathlib, sys
login, statements = json.loads(pathlib.Path("state.json").read_text())
with pymysql.connect(**login, autocommit=True) as connection, connection.cursor() as cursor:
    for statement in statements:
        cursor.execute(statement)
"""

DETAILS = "**ordering.details(order, [item_as_json(row) for row in items])})"


@dataclass(frozen=True, slots=True)
class Project:
    """A recording of the shop, committed, with a hook that restores the databases."""

    rr: RR
    shopping: float  # seconds

    def figures(self) -> str:
        documents = (self.rr.keploy / "test-set-0" / "mocks.yml").read_text("utf-8").count("\nkind: ")
        tests = len(list((self.rr.keploy / "test-set-0" / "tests").iterdir()))
        return f"{tests} tests, {documents} mocks, recorded in {self.shopping:.0f} s"

    def more(self, old: str, new: str) -> None:
        """A change of the order service."""
        source = self.rr.folder / "sample_app" / "order_service" / "routes.py"
        text = source.read_text("utf-8")
        assert old in text
        source.write_text(text.replace(old, new), "utf-8")


def with_hook(rr: RR, server: Server, statements: list[str]) -> None:
    login = {"host": "127.0.0.1", "port": server.port, "user": USER, "password": PASSWORD}
    (rr.folder / "state.json").write_text(json.dumps([login, statements]), "utf-8")
    (rr.folder / "restore.py").write_text(HOOK, "utf-8")
    settings = rr.folder / "rr.yml"
    before = settings.read_text("utf-8") if settings.exists() else ""
    settings.write_text(before + "hooks:\n  pre: python restore.py\n", "utf-8")


def a_few_lines_at_last(project: Project, title: str) -> None:
    """Five times no change, then one field more."""
    print(f"\n{title}: {project.figures()}")
    for number in range(TIMES):
        began = time.monotonic()
        done = project.rr.run("rerecord", ceiling=CEILING)
        print(f"  {number + 1}: {time.monotonic() - began:.1f} s")
        assert done.code == 0, done.output
        assert changed(project.rr) == "", f"{done.output}\n{changed(project.rr)}"
    project.more(DETAILS, '**{"currency": "EUR"}, ' + DETAILS)
    done = project.rr.run("rerecord", ceiling=CEILING)
    assert done.code == 0, done.output
    lines = changed_lines(project.rr)
    print("  a field more:", *lines, sep="\n    ")
    assert 0 < len(lines) < 10, "\n".join(lines)


# -- the whole shop, which is one app to rr ----------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_whole_shop(rr: RR, tmp_path: Path, databases: Servers, flavour: str) -> None:
    server = databases[flavour]
    server.sql(*FRESH)
    shutil.copytree(REPOSITORY / "sample_app", rr.folder / "sample_app", ignore=NOT_NEEDED)
    rr = rr.with_settings(DB_USER=USER, DB_PASSWORD=PASSWORD)
    ports = {name: port for name, port in own_ports().items() if name != "mysql"}
    options = " ".join(f"--{name}-port {port}" for name, port in ports.items())
    began = time.monotonic()
    with rr.record(f"python -m sample_app {options} --mysql 127.0.0.1:{server.port}") as recording:
        recording.until_says("The shop is open", 90)
        assert shop_with(OpenShop(recording, ports, tmp_path)) == []
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    project = Project(rr, time.monotonic() - began)
    with_hook(rr, server, FRESH)
    commit(rr.folder)
    a_few_lines_at_last(project, f"the shop on {flavour}")


# -- the order service alone, the others are what it depends on --------------------------------------------------------


@contextmanager
def order_service(rr: RR, folder: Path, server: Server) -> Iterator[Project]:
    """Recorded, while the others go on. What they know is what they knew when the customer had logged in."""
    server.sql(*FRESH)
    env = {"DB_USER": USER, "DB_PASSWORD": PASSWORD}
    shutil.copytree(REPOSITORY / "sample_app", rr.folder / "sample_app", ignore=NOT_NEEDED)
    mysql = f"127.0.0.1:{server.port}"
    with open_shop(folder, "--mysql", mysql, "--without", "order_service", env=env) as shop:
        settings, command = shop.how_to_start("order_service")
        rr = rr.with_settings(**{**settings, **env})
        began = time.monotonic()
        with rr.record(" ".join(command), port=shop.ports["order"]) as recording:
            go_shopping(shop, server)
            recording.interrupt()
            assert recording.wait(60) == 0, recording.output
        took = time.monotonic() - began
        forget_what_others_decide(rr)
        with_hook(rr, server, STATE)
        commit(rr.folder)
        yield Project(rr, took)


STATE = [
    "DROP DATABASE order_db",
    "CREATE DATABASE order_db",
    *[f"DELETE FROM {table}" for table in reversed(KEPT)],
    *[f"INSERT INTO {table} SELECT * FROM kept.{table.partition('.')[2]}" for table in KEPT],
]


def go_shopping(shop: OpenShop, server: Server) -> None:
    """The whole visit; what the other services know is kept aside once the customer is complete."""
    where, shopper = traffic.chosen([*shop.traffic, "--quiet"])

    def said(step: str) -> None:
        if step.endswith(" list the addresses"):
            copies = [f"CREATE TABLE kept.{table.partition('.')[2]} AS SELECT * FROM {table}" for table in KEPT]
            server.sql("DROP DATABASE IF EXISTS kept", "CREATE DATABASE kept", *copies)

    shopper.say = said
    assert traffic.play(where, shopper).wrong == []


def forget_what_others_decide(rr: RR) -> None:
    """The customer's first try, when there was no address yet: no state of the other services is right for this test
    and for those after it as well, so it is taken out."""
    tests = (rr.keploy / "test-set-0" / "tests").iterdir()
    [first] = [path for path in tests if "the user has no default address" in path.read_text("utf-8")]
    first.unlink()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_order_service(rr: RR, tmp_path: Path, databases: Servers, flavour: str) -> None:
    with order_service(rr, tmp_path, databases[flavour]) as project:
        a_few_lines_at_last(project, f"the order service on {flavour}")


# -- the apps that were made to be hard --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_hard_apps(name: str, company: Company, databases: Servers, tmp_path: Path) -> None:
    with world(tmp_path, company, databases["mysql"]) as around:
        app = record(name, tmp_path / name, around)
        commit(app.rr.folder)
        for _ in range(TIMES):
            around.reset()
            done = app.rr.run("rerecord", ceiling=CEILING)
            assert done.code == 0, done.output
            assert changed(app.rr) == "", f"{done.output}\n{changed(app.rr)}"
