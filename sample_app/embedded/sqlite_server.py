"""A MySQL server for machines that have none: the wire by mysql-mimic, the data in SQLite, SQL through sqlglot.

    python -m sample_app.embedded.sqlite_server --port 13306 --folder shop-data --user shop user_db product_db order_db

It understands what an ordinary web app says: DDL, prepared statements, transactions. It is there for trying the shop
out: it knows one user, and a lock is a lock on the whole database. The user's password is in MYSQL_PASSWORD.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlglot
from mysql_mimic import packets
from mysql_mimic.auth import IdentityProvider, NativePasswordAuthPlugin, User
from mysql_mimic.connection import Connection
from mysql_mimic.constants import DEFAULT_SERVER_CAPABILITIES
from mysql_mimic.control import LocalControl
from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.server import MysqlServer
from mysql_mimic.session import Session
from mysql_mimic.stream import ConnectionClosed, MysqlStream
from mysql_mimic.types import Capabilities, ColumnType, ServerStatus, uint_len
from mysql_mimic.variables import SYSTEM_VARIABLES, GlobalVariables, SessionVariables
from sqlglot import exp

BUSY_SECONDS = 10.0
MOST_DECIMALS = 30
UNKNOWN_DATABASE, DUPLICATE_ENTRY, SYNTAX, UNKNOWN_TABLE, FOREIGN_KEY = 1049, 1062, 1064, 1146, 1452
SQLSTATES = {
    UNKNOWN_DATABASE: b"42000",
    DUPLICATE_ENTRY: b"23000",
    SYNTAX: b"42000",
    UNKNOWN_TABLE: b"42S02",
    FOREIGN_KEY: b"23000",
}
NOW = "(STRFTIME('%Y-%m-%d %H:%M:%f', 'now'))"

# SQLite keeps what it is given and remembers how the column was declared: that is how values get their type back.
sqlite3.register_converter("DATETIME", lambda text: datetime.fromisoformat(text.decode()))
sqlite3.register_converter("DATE", lambda text: date.fromisoformat(text.decode()))


def decimal_reader(scale: int) -> Callable[[bytes], Decimal]:
    unit = Decimal(1).scaleb(-scale)
    return lambda text: Decimal(text.decode()).quantize(unit)


for _scale in range(MOST_DECIMALS + 1):
    sqlite3.register_converter(f"DECIMAL_{_scale}", decimal_reader(_scale))

COLUMN_TYPES: tuple[tuple[type, ColumnType], ...] = (
    (Decimal, ColumnType.NEWDECIMAL),
    (datetime, ColumnType.DATETIME),  # before date, which it is as well
    (date, ColumnType.DATE),
    (int, ColumnType.LONGLONG),
    (float, ColumnType.DOUBLE),
    (bytes, ColumnType.BLOB),
)


@lru_cache(maxsize=1000)
def translated(sql: str) -> tuple[tuple[type[exp.Expr], str], ...]:
    """What kind of statement each is, and how SQLite says it."""
    try:
        parsed = sqlglot.parse(sql, read="mysql")
    except sqlglot.errors.SqlglotError as error:
        raise MysqlError(f"You have an error in your SQL syntax: {error}", SYNTAX) from error
    return tuple((type(one), _for_sqlite(one).sql("sqlite")) for one in parsed if one is not None)


def _for_sqlite(statement: exp.Expr) -> exp.Expr:
    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.CurrentTimestamp):
            return sqlglot.parse_one(NOW, read="sqlite")
        if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
            scale = node.expressions[1].name if len(node.expressions) > 1 else "0"
            return exp.DataType.build(f"DECIMAL_{scale}", udt=True)
        return node

    if isinstance(statement, exp.Create):
        statement.set("properties", None)  # the engine, the character set
    statement.set("locks", None)
    return statement.transform(rewritten)


def is_on(value: object) -> bool:
    """A switch as drivers set it: 0, OFF, False …"""
    return str(value).lower() not in ("0", "off", "false")


class SqliteSession(Session):  # type: ignore[misc]
    """A client's own connection to SQLite. A transaction begins with the first statement that changes something."""

    def __init__(self, folder: Path) -> None:
        super().__init__(SessionVariables(GlobalVariables({**SYSTEM_VARIABLES, "autocommit": (is_on, True, True)})))
        self._folder = folder
        self._sqlite: sqlite3.Connection | None = None
        self._begun = False
        self.affected_rows = 0

    async def init(self, connection: Connection) -> None:
        await super().init(connection)
        await self.use(self.database or "")

    async def use(self, database: str) -> None:
        if not (self._folder / f"{database}.sqlite").exists():
            raise MysqlError(f"Unknown database '{database}'", UNKNOWN_DATABASE)
        await self.close_sqlite()
        await super().use(database)
        self._sqlite = sqlite3.connect(
            self._folder / f"{database}.sqlite", timeout=BUSY_SECONDS, isolation_level=None,
            detect_types=sqlite3.PARSE_DECLTYPES, check_same_thread=False,
        )  # fmt: skip
        self._sqlite.execute("PRAGMA foreign_keys = ON")

    async def reset(self) -> None:
        self._begun = False
        await self._end("ROLLBACK")

    async def close(self) -> None:
        await self.close_sqlite()
        await super().close()

    async def close_sqlite(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
            self._sqlite = None

    @property
    def status(self) -> ServerStatus:
        status = ServerStatus(0)
        if self.variables.get("autocommit"):
            status |= ServerStatus.SERVER_STATUS_AUTOCOMMIT
        if self._sqlite is not None and self._sqlite.in_transaction:
            status |= ServerStatus.SERVER_STATUS_IN_TRANS
        return status

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> ResultSet:
        return await self.execute(sql, ())

    async def execute(self, sql: str, values: Sequence[object]) -> ResultSet:
        self.affected_rows = 0
        result = ResultSet([], [])
        for kind, statement in translated(sql):
            if issubclass(kind, exp.Transaction):
                await self._end("COMMIT")
                self._begun = True
            elif issubclass(kind, exp.Commit | exp.Rollback):
                self._begun = False
                await self._end("COMMIT" if issubclass(kind, exp.Commit) else "ROLLBACK")
            elif issubclass(kind, exp.Set | exp.Use | exp.Show) or (kind is exp.Select and " FROM " not in sql.upper()):
                rows = await super().handle_query(sql, {})
                return rows if isinstance(rows, ResultSet) else _result_set(*rows)
            else:
                result = await asyncio.to_thread(self._run, kind, statement, values)
        return result

    async def _end(self, how: str) -> None:
        if self._sqlite is not None and self._sqlite.in_transaction:
            await asyncio.to_thread(self._sqlite.execute, how)

    def _run(self, kind: type[exp.Expr], sql: str, values: Sequence[object]) -> ResultSet:
        if self._sqlite is None:
            raise MysqlError("No database selected", ErrorCode.NO_DB_ERROR)
        changes = issubclass(kind, exp.Insert | exp.Update | exp.Delete)
        try:
            if changes and not self._sqlite.in_transaction and (self._begun or not self.variables.get("autocommit")):
                self._sqlite.execute("BEGIN IMMEDIATE")
            cursor = self._sqlite.execute(sql, values)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise MysqlError(str(error), _code(error)) from error
        self.affected_rows = max(cursor.rowcount, 0) if changes else 0
        if cursor.description is None:
            return ResultSet([], [])
        return _result_set(rows, [column[0] for column in cursor.description])


def _result_set(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> ResultSet:
    columns = []
    for position, name in enumerate(names):
        known = next((row[position] for row in rows if row[position] is not None), None)
        kind = next((mysql for python, mysql in COLUMN_TYPES if isinstance(known, python)), ColumnType.VAR_STRING)
        columns.append(ResultColumn(str(name), kind))
    return ResultSet(list(rows), columns)


def _code(error: sqlite3.Error) -> int:
    said = str(error)
    if "UNIQUE constraint failed" in said:
        return DUPLICATE_ENTRY
    if "FOREIGN KEY constraint failed" in said:
        return FOREIGN_KEY
    if "no such table" in said:
        return UNKNOWN_TABLE
    return SYNTAX if "syntax error" in said else int(ErrorCode.UNKNOWN_ERROR)


class SqliteConnection(Connection):  # type: ignore[misc]
    """mysql-mimic's, with what it leaves out: counts of changed rows, the status, values bound to a statement."""

    session: SqliteSession

    def ok(self, **kwargs: Any) -> bytes:
        self.status_flags = self.session.status
        answer: bytes = super().ok(**{"affected_rows": self.session.affected_rows, **kwargs})
        return answer

    def error(self, **kwargs: Any) -> bytes:
        """With the SQLSTATE, by which drivers tell one error from another."""
        packet: bytes = super().error(**kwargs)
        state = SQLSTATES.get(int(kwargs.get("code", 0)))
        return packet if state is None else packet[:4] + state + packet[9:]

    async def handle_reset_connection(self, data: bytes) -> None:
        await self.session.reset()
        self.prepared_stmts.clear()
        await super().handle_reset_connection(data)

    async def handle_stmt_reset(self, data: bytes) -> None:
        statement = self.get_stmt(packets.parse_com_stmt_reset(data).stmt_id)
        statement.param_buffers, statement.cursor = None, None
        await self.stream.write(self.ok())

    async def handle_stmt_execute(self, data: bytes) -> None:
        reader = io.BytesIO(data)
        statement = self.get_stmt(int.from_bytes(reader.read(4), "little"))
        reader.read(5)  # no cursor; one iteration
        read = packets._read_params(
            self.capabilities, self.client_charset, reader, statement.num_params, statement.param_buffers
        )
        statement.param_buffers = None
        result = await self.session.execute(statement.sql, [value for _, value in read])
        if not result.columns:
            await self.stream.write(self.ok())
            return
        await self.stream.write(uint_len(len(result.columns)))
        for column in result.columns:
            await self.stream.write(
                packets.make_column_definition_41(
                    server_charset=self.server_charset, name=column.name, column_type=column.type,
                    character_set=column.character_set,
                )
            )  # fmt: skip
        if not self.deprecate_eof():
            await self.stream.write(self.eof())
        for row in result.rows:
            await self.stream.write(packets.make_binary_resultrow(row, result.columns))
        await self.stream.write(self.ok_or_eof())


class OneUser(IdentityProvider):  # type: ignore[misc]
    def __init__(self, name: str, password: str) -> None:
        self._user = User(name, NativePasswordAuthPlugin.create_auth_string(password), NativePasswordAuthPlugin.name)

    async def get_user(self, username: str) -> User:
        return self._user if username == self._user.name else User(username, "0" * 40, self._user.auth_plugin)


class SqliteServer(MysqlServer):  # type: ignore[misc]
    def __init__(self, folder: Path, user: OneUser) -> None:
        # without query attributes: drivers disagree on how they are sent
        capabilities = DEFAULT_SERVER_CAPABILITIES & ~Capabilities.CLIENT_QUERY_ATTRIBUTES
        super().__init__(capabilities=capabilities, control=LocalControl(server_id=1), identity_provider=user)
        self.folder = folder

    async def _client_connected_cb(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = SqliteConnection(
            MysqlStream(reader, writer), SqliteSession(self.folder), self.control, self.identity_provider,
            self.capabilities,
        )  # fmt: skip
        connection.status_flags = ServerStatus.SERVER_STATUS_AUTOCOMMIT  # as drivers find it when they log in
        connection.connection_id = await self.control.add(connection)
        try:
            await connection.start()
        except (ConnectionClosed, ConnectionError):
            pass
        finally:
            writer.close()
            await self.control.remove(connection.connection_id)


def make_databases(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        database = sqlite3.connect(folder / f"{name}.sqlite")
        database.execute("PRAGMA journal_mode = WAL")
        database.close()


async def serve(folder: Path, port: int, user: OneUser) -> None:
    """Until SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = SqliteServer(folder, user)
    await server.start_server(host="127.0.0.1", port=port)
    await ended.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A small MySQL server over SQLite.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where the databases are kept")
    parser.add_argument("--user", required=True)
    parser.add_argument("database", nargs="+")
    options = parser.parse_args()
    make_databases(options.folder, options.database)
    user = OneUser(options.user, os.environ.get("MYSQL_PASSWORD", ""))
    asyncio.run(serve(options.folder, options.port, user))


if __name__ == "__main__":
    main()
