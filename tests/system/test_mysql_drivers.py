"""Every driver with real servers: under rr the app answers as it does alone, and replays green without the server."""

from __future__ import annotations

import pytest

from tests.apps.mysql import traffic
from tests.apps.mysql.traffic import record_and_compare, replay_without_the_server
from tests.harness.mysql_servers import Servers
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

# What takes long, once for each driver.
MORE = {("mysql", True): ("large/17",), ("mariadb", False): ("at-once/200",)}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
@pytest.mark.parametrize("driver", traffic.DRIVERS)
def test_recorded_as_it_is_and_replayed_green(
    driver: str, flavour: str, tls: bool, rr: RR, databases: Servers, port: int
) -> None:
    server = databases[flavour]
    server.remember_logins()
    rr = rr.with_settings(**traffic.settings(server, driver, port, tls=tls))
    pages = traffic.steps(*traffic.pages(driver, tls=tls), *MORE.get((flavour, tls), ()))
    record_and_compare(rr, server, driver, pages, port)
    replay_without_the_server(rr, server)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("driver", traffic.DRIVERS)
def test_a_full_login(driver: str, tls: bool, rr: RR, databases: Servers, port: int) -> None:
    """The server has forgotten everyone: the password goes over TLS or is encrypted with the server's key.

    In clear, both drivers of Connector/Python fail, with rr as without.
    """
    server = databases["mysql"]
    rr = rr.with_settings(**traffic.settings(server, driver, port, tls=tls))
    record_and_compare(rr, server, driver, traffic.steps("rows/2", "rows/3"), port, prepare=server.forget_logins)
    replay_without_the_server(rr, server)


@pytest.mark.parametrize("driver", traffic.DRIVERS)
def test_a_unix_socket(driver: str, rr: RR, databases: Servers, port: int) -> None:
    server = databases["mariadb"]
    (rr.folder / "rr.yml").write_text(f"sockets: {{record: [{server.socket}]}}\n")
    rr = rr.with_settings(**traffic.settings(server, driver, port, socket=True))
    record_and_compare(rr, server, driver, traffic.steps("types", "errors", "pool"), port)
    replay_without_the_server(rr, server)


def test_a_pool_that_is_larger_at_replay(rr: RR, databases: Servers, port: int) -> None:
    server = databases["mariadb"]
    rr = rr.with_settings(**traffic.settings(server, "pymysql", port))
    record_and_compare(rr, server, "pymysql", traffic.steps("pool", "types", "pool"), port)
    replay_without_the_server(rr.with_settings(POOL_SIZE="8"), server)


def test_one_test_alone(rr: RR, databases: Servers, port: int) -> None:
    """Each of them, though what it needs was opened or prepared by those before it."""
    server = databases["mariadb"]
    rr = rr.with_settings(**traffic.settings(server, "mysql2", port))
    pages = traffic.steps("pool", "prepared-again", "pool", "insert/prepared", "errors")
    record_and_compare(rr, server, "mysql2", pages, port)
    for number in range(1, len(pages) + 1):
        replay_without_the_server(rr, server, "--tests", f"test-{number}")
