"""A database that refuses, turns away, breaks off or goes away: the app sees at replay what it saw then."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.apps.mysql import traffic
from tests.apps.mysql.traffic import record_and_compare, replay_without_the_server
from tests.harness.mysql_servers import MYSQL, Server, Servers, mysql_server
from tests.harness.network import free_port
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

SOME = ("pymysql", "connector-c", "mysqlclient", "mysql2")


@pytest.mark.parametrize("driver", SOME)
def test_nobody_listens(driver: str, rr: RR, databases: Servers, port: int) -> None:
    server = databases["mariadb"]
    rr = rr.with_settings(**traffic.settings(server, driver, port)).with_settings(DB_PORT=str(free_port()))
    pages = traffic.steps("rows/2", "rows/2")
    record_and_compare(rr, server, driver, pages, port)
    replay_without_the_server(rr, server)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
@pytest.mark.parametrize("driver", SOME)
def test_a_wrong_password(driver: str, flavour: str, tls: bool, rr: RR, databases: Servers, port: int) -> None:
    server = databases[flavour]
    rr = rr.with_settings(**traffic.settings(server, driver, port, tls=tls)).with_settings(DB_PASSWORD="wr0ng")
    record_and_compare(rr, server, driver, traffic.steps("rows/2", "rows/3"), port)
    replay_without_the_server(rr, server)
    everything = b"".join(path.read_bytes() for path in rr.keploy.rglob("*") if path.is_file())
    assert b"wr0ng" not in everything


@pytest.mark.parametrize("driver", SOME)
def test_a_server_that_is_full(driver: str, rr: RR, port: int) -> None:
    """Error 1040 comes in place of the greeting."""
    with mysql_server(MYSQL, "--max-connections=1") as server:
        server.remember_logins()
        rr = rr.with_settings(**traffic.settings(server, driver, port))
        record_and_compare(rr, server, driver, traffic.steps("at-once/3", "rows/2"), port)
        replay_without_the_server(rr, server)


@pytest.mark.parametrize("rude", [False, True], ids=["ended", "reset"])
@pytest.mark.parametrize("driver", SOME)
def test_an_answer_that_breaks_off(driver: str, rude: bool, rr: RR, databases: Servers, port: int) -> None:
    server = databases["mariadb"]
    with cutting(server, 20_000, rude=rude) as between:
        rr = rr.with_settings(**traffic.settings(server, driver, port)).with_settings(DB_PORT=str(between))
        record_and_compare(rr, server, driver, traffic.steps("rows/2", "rows/60", "rows/3"), port)
        replay_without_the_server(rr, server)


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
@pytest.mark.parametrize("driver", ["pymysql", "connector-pure", "connector-c", "mysqlclient"])
def test_an_answer_that_takes_longer_than_the_app_has_patience(
    driver: str, flavour: str, rr: RR, databases: Servers, port: int
) -> None:
    """It gives up when it is replayed, as it did: a connection that ended by itself would be another error."""
    server = databases[flavour]
    server.remember_logins()
    rr = rr.with_settings(**traffic.settings(server, driver, port)).with_settings(DB_PATIENCE="1")
    record_and_compare(rr, server, driver, traffic.steps("rows/2", "slow/3", "rows/3"), port)
    assert "ending: given up" in (rr.keploy / "test-set-0" / "mocks.yml").read_text("utf-8")
    replay_without_the_server(rr, server)


def test_a_server_that_goes_away_and_comes_back(rr: RR, databases: Servers, port: int) -> None:
    """What was open is dead, and a connection is refused in between."""
    server = databases["mariadb"]
    rr = rr.with_settings(**traffic.settings(server, "pymysql", port))
    pages = traffic.steps("pool", "rows/3")
    traffic.new_schema(server)
    with rr.record(traffic.command("pymysql"), port=port) as recording:
        answers = traffic.answers(pages[:1], port)
        server.stop()
        answers += traffic.answers(traffic.steps("rows/2"), port)
        server.start()
        answers += traffic.answers(pages[1:], port)
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    assert [answer.status for answer in answers] == [200, 500, 200], answers
    server.stop()
    replay = rr.test(ceiling=60)
    assert replay.code == 0, replay.output


@contextmanager
def cutting(server: Server, most: int, *, rude: bool) -> Iterator[int]:
    """A port before the server's. A connection is cut after so many bytes from the server: at a word, or reset."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def carry(client: socket.socket, upstream: socket.socket) -> None:
        left = most
        with suppress(OSError), client, upstream:
            while left:
                for one in select.select([client, upstream], [], [])[0]:
                    data = one.recv(min(65536, left) if one is upstream else 65536)
                    if not data:
                        return
                    (upstream if one is client else client).sendall(data)
                    left -= len(data) if one is upstream else 0
            if rude:
                select.select([client], [], [], 0.05)  # a reset that overtakes what was said is seen as an end by some
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection(("127.0.0.1", server.port))
                threads.append(threading.Thread(target=carry, args=(client, upstream), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(5)
