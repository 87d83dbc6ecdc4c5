"""What a client does to the MySQL test app, and the app itself, started with or without rr in between.

There is no list of right answers: what the app answers under rr, and what it answers when it is replayed, must be what
it answers with the server alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.apps.traffic import Answer, Step, send
from tests.harness.mysql_servers import Server
from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.recorded import recorded_tests
from tests.harness.rr_command import RR

HERE = Path(__file__).parent

DRIVERS = ("pymysql", "connector-pure", "connector-c", "mysqlclient", "aiomysql", "mysql2")

PAGES = (
    "types", "prepared", "prepared-again", "insert/text", "insert/prepared", "many", "several", "procedures", "errors",
    "transactions", "facts", "pool", "own-pool", "reconnect", "pool", "rows/60",
)  # fmt: skip
WRITES = ("insert", "many", "large", "several", "transactions", "facts")


# These look whether the connection is there before they ask anything, and a replay ends none of its own accord.
LOOK_FIRST = ("connector-pure", "connector-c", "mysql2")


def pages(driver: str, *, tls: bool) -> tuple[str, ...]:
    """The pages that a driver can show."""
    looks = driver in LOOK_FIRST or (driver == "aiomysql" and tls)
    return tuple(page for page in PAGES if page != "reconnect" or not looks)


def steps(*pages: str) -> list[Step]:
    return [Step(method="POST" if page.split("/")[0] in WRITES else "GET", path=f"/{page}") for page in pages]


def command(driver: str) -> str:
    return f"node {HERE / 'server.js'}" if driver == "mysql2" else f"{sys.executable} {HERE / 'app.py'}"


def settings(server: Server, driver: str, port: int, *, tls: bool = False, socket: bool = False) -> dict[str, str]:
    place = {"DB_SOCKET": str(server.socket)} if socket else {}
    return {**server.settings, **place, "DB_DRIVER": driver, "DB_TLS": str(int(tls)), "PORT": str(port)}


def new_schema(server: Server) -> None:
    """The tables as they are at first; the ids of rows begin again."""
    parts = (HERE / "schema.sql").read_text("utf-8").split(";;\n")
    server.sql(*(part for part in parts if part.strip()))


def answers(pages: Sequence[Step], port: int) -> list[Answer]:
    return [send(page, port, ceiling=60) for page in pages]


def alone(driver: str, pages: Sequence[Step], env: Mapping[str, str], port: int, log: Path) -> list[Answer]:
    """What the app answers without rr."""
    with Running(command(driver).split(), log=log, env=env) as app:
        app.until(lambda: listens(port), f"the app listens on {port}")
        return answers(pages, port)


def different(pages: Sequence[Step], expected: Sequence[Answer], got: Sequence[Answer]) -> list[str]:
    """The pages whose answers differ, with what is around the first difference."""
    found = []
    for page, one, other in zip(pages, expected, got, strict=True):
        if (one.status, one.body) != (other.status, other.body):
            at = next((n for n, (a, b) in enumerate(zip(one.body, other.body, strict=False)) if a != b), 0)
            near = slice(max(at - 150, 0), at + 150)
            found.append(f"{page}: {one.status} {one.body[near]!r}\n  but {other.status} {other.body[near]!r}")
    return found


def record_and_compare(
    rr: RR,
    server: Server,
    driver: str,
    pages: Sequence[Step],
    port: int,
    *,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Alone, then under rr, each with new tables and after `prepare`; every answer must be the same, and recorded."""
    new_schema(server)
    prepare()
    expected = alone(driver, pages, rr.env, port, rr.home / "alone.log")
    new_schema(server)
    prepare()
    with rr.record(command(driver), port=port) as recording:
        got = answers(pages, port)
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    wrong = different(pages, expected, got)
    assert not wrong, "the app answers otherwise under rr:\n" + "\n".join(wrong)
    recorded = [(test.line, test.response_body) for test in recorded_tests(rr.keploy / "test-set-0")]
    assert recorded == [(str(page), answer.body) for page, answer in zip(pages, expected, strict=True)]


def replay_without_the_server(rr: RR, server: Server, *options: str) -> None:
    """The server runs, and sees nothing of the replay."""
    before = server.connections
    replay = rr.test(*options, ceiling=120)
    assert replay.code == 0, replay.output
    assert server.connections == before, "a connection of the replay has reached the server"
