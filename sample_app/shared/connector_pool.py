"""Pooled connections with mysql-connector-python: statements are prepared by the server, values travel beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import mysql.connector
from mysql.connector.pooling import MySQLConnectionPool

from sample_app.shared.database import DUPLICATE_ENTRY, Duplicate, Row, Work
from sample_app.shared.errors import DatabaseUnavailable
from sample_app.shared.settings import Database

TIMEOUT_SECONDS = 10
BROKEN = (mysql.connector.OperationalError, mysql.connector.InterfaceError)


class ConnectorPool:
    """`settings.connections` connections, made with the first transaction."""

    def __init__(self, settings: Database) -> None:
        self._settings = settings
        self._free = threading.BoundedSemaphore(settings.connections)
        self._making = threading.Lock()
        self._pool: MySQLConnectionPool | None = None

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        if not self._free.acquire(timeout=TIMEOUT_SECONDS):
            raise DatabaseUnavailable("all connections to the database are in use")
        try:
            with closing(self._connection()) as connection:
                try:
                    yield ConnectorWork(connection)
                    connection.commit()
                except BROKEN:
                    raise  # there is nothing left that could be rolled back
                except BaseException:
                    connection.rollback()
                    raise
        except BROKEN as error:
            raise DatabaseUnavailable(f"the database {self._settings.name} does not answer") from error
        finally:
            self._free.release()

    def close(self) -> None:
        # a pool of this driver has no public way of closing what it holds
        with self._making:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool._remove_connections()

    def _connection(self) -> Any:  # PooledMySQLConnection hands on what it wraps, which its types do not know
        try:
            with self._making:
                if self._pool is None:
                    self._pool = self._make()
            return self._pool.get_connection()
        except mysql.connector.Error as error:
            raise DatabaseUnavailable(f"the database {self._settings.name} cannot be reached") from error

    def _make(self) -> MySQLConnectionPool:
        settings = self._settings
        return MySQLConnectionPool(
            pool_name=settings.name, pool_size=settings.connections,
            host=settings.host, port=settings.port, user=settings.user, password=settings.password,
            database=settings.name, charset="utf8mb4", use_pure=True, connection_timeout=TIMEOUT_SECONDS,
        )  # fmt: skip


class ConnectorWork:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        try:
            with closing(self._cursor(values)) as cursor:
                cursor.execute(sql, tuple(values))
                changed: int = cursor.rowcount
                return changed
        except mysql.connector.IntegrityError as error:
            if error.errno == DUPLICATE_ENTRY:
                raise Duplicate from error
            raise

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        with closing(self._cursor(values)) as cursor:
            cursor.execute(sql, tuple(values))
            return list(cursor.fetchall())

    def _cursor(self, values: Sequence[object]) -> Any:
        """Statements with values are prepared; the others need not be."""
        return self._connection.cursor(prepared=bool(values), dictionary=True)
