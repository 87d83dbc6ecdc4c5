"""The five Python drivers behind one face: a `Link` is a connection that runs a statement and returns all its results.

What differs between drivers is here; what the app does with them is in app.py.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")

DRIVERS = ("pymysql", "connector-pure", "connector-c", "mysqlclient", "aiomysql")


@dataclass(frozen=True, slots=True)
class Result:
    """One of a statement's results: rows, or what the server says of a change."""

    columns: Sequence[str] | None
    rows: Sequence[Sequence[Any]]
    count: int
    last_id: int | None


Parameters = Sequence[Any] | None


class Link:
    """A connection of PyMySQL, mysqlclient or Connector/Python."""

    def __init__(self, connection: Any, prepared: Mapping[str, Any] | None = None) -> None:
        self.connection = connection
        self._prepared = {} if prepared is None else prepared

    def run(self, sql: str, parameters: Parameters = None, *, prepared: bool = False) -> list[Result]:
        """`prepared` makes a difference to the drivers that have prepared statements."""
        cursor = self.connection.cursor(**(self._prepared if prepared else {}))
        try:
            cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
            results = [_result(cursor)]
            while getattr(cursor, "nextset", bool)():
                results.append(_result(cursor))
            return results
        finally:
            cursor.close()

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        cursor = self.connection.cursor()
        cursor.executemany(sql, rows)
        cursor.close()
        return int(cursor.rowcount)

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def ping(self) -> None:
        self.connection.ping()

    def close(self) -> None:
        self.connection.close()


def _result(cursor: Any) -> Result:
    columns = None if cursor.description is None else [str(column[0]) for column in cursor.description]
    return Result(columns, [] if columns is None else list(cursor.fetchall()), cursor.rowcount, cursor.lastrowid)


class AsyncLink(Link):
    """A connection of aiomysql: its loop runs in a thread of its own."""

    def run(self, sql: str, parameters: Parameters = None, *, prepared: bool = False) -> list[Result]:
        async def all_results() -> list[Result]:
            async with self.connection.cursor() as cursor:
                await cursor.execute(sql, parameters)
                results = [await one(cursor)]
                while await cursor.nextset():
                    results.append(await one(cursor))
                return results

        async def one(cursor: Any) -> Result:
            columns = None if cursor.description is None else [str(column[0]) for column in cursor.description]
            rows = [] if columns is None else list(await cursor.fetchall())
            return Result(columns, rows, cursor.rowcount, cursor.lastrowid)

        return in_loop(all_results())

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        async def all_rows() -> int:
            async with self.connection.cursor() as cursor:
                await cursor.executemany(sql, rows)
                return int(cursor.rowcount)

        return in_loop(all_rows())

    def commit(self) -> None:
        in_loop(self.connection.commit())

    def rollback(self) -> None:
        in_loop(self.connection.rollback())

    def ping(self) -> None:
        in_loop(self.connection.ping())

    def close(self) -> None:
        in_loop(self.connection.ensure_closed())


_LOOP = asyncio.new_event_loop()
_ONCE = threading.Lock()


def in_loop(work: Coroutine[Any, Any, Value]) -> Value:
    with _ONCE:
        if not _LOOP.is_running():
            threading.Thread(target=_LOOP.run_forever, daemon=True).start()
    return asyncio.run_coroutine_threadsafe(work, _LOOP).result()


def _where() -> dict[str, Any]:
    """Where the server is and who we are: the same words in all drivers but mysqlclient's. DB_PATIENCE: the seconds
    that an answer is waited for, by those who call that read_timeout."""
    place: dict[str, Any] = {"host": os.environ["DB_HOST"], "port": int(os.environ["DB_PORT"])}
    if "DB_SOCKET" in os.environ:
        place = {"unix_socket": os.environ["DB_SOCKET"]}
    if "DB_PATIENCE" in os.environ:
        place["read_timeout"] = int(os.environ["DB_PATIENCE"])
    return {**place, "user": os.environ["DB_USER"], "password": os.environ["DB_PASSWORD"]}


def _pymysql(tls: bool) -> Link:
    import pymysql
    from pymysql.constants import CLIENT

    how: dict[str, Any] = {"ssl": {"check_hostname": False}} if tls else {"ssl_disabled": True}
    flags = CLIENT.MULTI_STATEMENTS
    return Link(pymysql.connect(**_where(), database=os.environ["DB_NAME"], client_flag=flags, **how))


def _connector(pure: bool) -> Callable[[bool], Link]:
    def connect(tls: bool) -> Link:
        import mysql.connector

        options = {"database": os.environ["DB_NAME"], "use_pure": pure, "ssl_disabled": not tls}
        return Link(mysql.connector.connect(**_where(), **options), {"prepared": True})

    return connect


def _mysqlclient(tls: bool) -> Link:
    import MySQLdb

    mode = "REQUIRED" if tls else "DISABLED"
    return Link(MySQLdb.connect(**_where(), database=os.environ["DB_NAME"], charset="utf8mb4", ssl_mode=mode))


def _aiomysql(tls: bool) -> Link:
    import aiomysql.connection
    from pymysql.constants import CLIENT
    from pymysql.converters import encoders

    # aiomysql asks PyMySQL for a function that PyMySQL 1.2 no longer has
    aiomysql.connection.escape_bytes_prefixed = encoders[bytes]
    context = ssl.create_default_context() if tls else None
    if context is not None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    options = {
        "db": os.environ["DB_NAME"],
        "charset": "utf8mb4",
        "ssl": context,
        "client_flag": CLIENT.MULTI_STATEMENTS,
    }
    return AsyncLink(in_loop(aiomysql.connect(**_where(), **options)))


CONNECT: Mapping[str, Callable[[bool], Link]] = {
    "pymysql": _pymysql,
    "connector-pure": _connector(pure=True),
    "connector-c": _connector(pure=False),
    "mysqlclient": _mysqlclient,
    "aiomysql": _aiomysql,
}


def connect() -> Link:
    """A new connection of the driver that DB_DRIVER names; DB_TLS=1 with TLS, whose certificate nobody checks."""
    return CONNECT[os.environ["DB_DRIVER"]](os.environ.get("DB_TLS") == "1")


def error_as_data(error: Exception) -> dict[str, Any]:
    """An error of any of the drivers: its class, the server's number, SQLSTATE where the driver tells it, the text."""
    code, text = (*error.args, None, None)[:2]
    state = getattr(error, "sqlstate", None)
    message = getattr(error, "msg", None) or text
    number = getattr(error, "errno", None) or code
    return {"class": type(error).__name__, "number": number, "state": state, "message": str(message)}


def warnings_of(link: Link) -> list[Sequence[Any]]:
    return list(link.run("SHOW WARNINGS")[0].rows)
