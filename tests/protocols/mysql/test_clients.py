"""Real drivers against the responder, on a socket: they are the judges of every byte."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import mysql.connector
import MySQLdb
import pymysql
import pytest

from protocols.mysql.messages import Column, Err, MysqlRequest, Ok, Operation, Result, ResultSet
from tests.protocols.mysql.loopback import Loopback

ITEMS = ResultSet(
    columns=(
        Column(name="id", type=3, length=11, schema="shop", table="items", org_table="items", org_name="id"),
        Column(name="name", type=253, charset=255, length=400),
        Column(name="price", type=246, length=12, decimals=2),
        Column(name="made", type=12, length=26, decimals=6),
        Column(name="weight", type=5, length=22, decimals=31),
        Column(name="ready", type=11, length=10),
    ),
    rows=(
        (1, "höhe ♥", "12.50", "2024-01-02 03:04:05.000006", 1.5, "26:13:14"),
        (-2, None, "-1.00", "2024-01-02 00:00:00", 1e-7, "00:00:01"),
    ),
)
ROWS = [
    (1, "höhe ♥", Decimal("12.50"), datetime.datetime(2024, 1, 2, 3, 4, 5, 6), 1.5, datetime.timedelta(1, 7994)),
    (-2, None, Decimal("-1.00"), datetime.datetime(2024, 1, 2), 1e-7, datetime.timedelta(seconds=1)),
]


def recorded(request: MysqlRequest) -> tuple[Result, ...] | None:
    if request.operation in (Operation.QUERY, Operation.EXECUTE):
        verb = request.query.split()[0].upper()
        if verb == "INSERT":
            return (Ok(affected_rows=3, last_insert_id=7, status=1),)
        if verb == "COMMIT":
            return (Ok(status=0),)
        if verb == "CALL":
            return (ITEMS, ITEMS, Ok())
        if verb == "SELECT" and "missing" not in request.query:
            return (ITEMS,)
        if verb == "BROKEN":
            return (Err(code=1064, sqlstate="42000", message="You have an error in your SQL syntax"),)
    return None


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(recorded) as loopback:
        yield loopback


def by_pymysql(port: int) -> Any:
    return pymysql.connect(host="127.0.0.1", port=port, user="app", password="any", database="shop", ssl_disabled=True)


def by_connector(port: int, *, pure: bool = True) -> Any:
    return mysql.connector.connect(
        host="127.0.0.1", port=port, user="app", password="any", database="shop", ssl_disabled=True, use_pure=pure
    )


def by_connector_in_c(port: int) -> Any:
    return by_connector(port, pure=False)


def by_mysqlclient(port: int) -> Any:
    return MySQLdb.connect(
        host="127.0.0.1", port=port, user="app", password="any", database="shop", ssl_mode="DISABLED", charset="utf8mb4"
    )


CLIENTS = [by_pymysql, by_connector, by_connector_in_c, by_mysqlclient]


@pytest.mark.parametrize("connect", CLIENTS)
def test_rows_writes_and_errors(server: Loopback, connect: Callable[[int], Any]) -> None:
    with closing(connect(server.port)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM items")
        assert list(cursor.fetchall()) == ROWS
        cursor.execute("INSERT INTO items VALUES (1)")
        assert (cursor.rowcount, cursor.lastrowid) == (3, 7)
        connection.commit()
        with pytest.raises(Exception, match="You have an error in your SQL syntax"):
            cursor.execute("BROKEN")
        with pytest.raises(Exception, match="rr: nothing was recorded"):
            cursor.execute("SELECT * FROM missing")
        cursor.execute("SELECT * FROM items")
        assert list(cursor.fetchall()) == ROWS
    commits = [request.transaction for request in server.asked if request.query.upper() == "COMMIT"]
    assert commits == [("INSERT items",)]


@pytest.mark.parametrize("connect", [by_pymysql, by_mysqlclient])
def test_several_results(server: Loopback, connect: Callable[[int], Any]) -> None:
    with closing(connect(server.port)) as connection:
        cursor = connection.cursor()
        cursor.execute("CALL report()")
        assert list(cursor.fetchall()) == ROWS
        assert cursor.nextset()
        assert list(cursor.fetchall()) == ROWS


@pytest.mark.parametrize("connect", [by_connector, by_connector_in_c])
def test_prepared_statements(server: Loopback, connect: Callable[[int], Any]) -> None:
    with closing(connect(server.port)) as connection:
        cursor = connection.cursor(prepared=True)
        for parameters in ((5, "x"), (6, None), (2**40, "ö" * 300)):
            cursor.execute("SELECT * FROM items WHERE id = %s AND name = %s", parameters)
            rows = cursor.fetchall()
            assert [row[:3] for row in rows] == [row[:3] for row in ROWS]
    executed = [request.parameters for request in server.asked if request.operation is Operation.EXECUTE]
    assert executed == [(5, "x"), (6, None), (2**40, "ö" * 300)]


@pytest.mark.parametrize("connect", [by_connector, by_connector_in_c])
def test_a_connection_that_begins_anew(server: Loopback, connect: Callable[[int], Any]) -> None:
    with closing(connect(server.port)) as connection:
        connection.cmd_change_user("other", "any", "stock")
        connection.cmd_reset_connection()
        connection.ping()
        assert connection.cmd_statistics()["Threads"] == 1
        connection.cmd_init_db("shelf")
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM items")
        assert len(cursor.fetchall()) == 2
    last = server.asked[-1]
    assert (last.query, last.session.database) == ("SELECT * FROM items", "shelf")
    assert [one.user for one in server.asked if one.operation is Operation.CONNECT] == ["app", "other"]
