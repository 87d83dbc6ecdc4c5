"""Pooled connections with PyMySQL: values are put into the statement on the client's side."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import DictCursor

from sample_app.shared.database import DUPLICATE_ENTRY, Duplicate, Row, Work
from sample_app.shared.errors import DatabaseUnavailable
from sample_app.shared.settings import Database

TIMEOUT_SECONDS = 10


class PyMySQLPool:
    """At most `settings.connections` connections, made when they are needed."""

    def __init__(self, settings: Database) -> None:
        self._settings = settings
        self._idle: queue.LifoQueue[Connection[DictCursor] | None] = queue.LifoQueue()
        for _ in range(settings.connections):
            self._idle.put(None)

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        connection = self._take()
        kept: Connection[DictCursor] | None = connection
        try:
            with connection.cursor() as cursor:
                yield PyMySQLWork(cursor)
            connection.commit()
        except BaseException as error:
            kept = self._given_up(connection)
            if isinstance(error, pymysql.err.OperationalError | pymysql.err.InterfaceError):
                raise DatabaseUnavailable(f"the database {self._settings.name} does not answer") from error
            raise
        finally:
            self._idle.put(kept)

    def close(self) -> None:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return
            if connection is not None and connection.open:
                connection.close()

    def _take(self) -> Connection[DictCursor]:
        try:
            connection = self._idle.get(timeout=TIMEOUT_SECONDS)
        except queue.Empty as error:
            raise DatabaseUnavailable("all connections to the database are in use") from error
        try:
            if connection is not None:
                return self._alive(connection)
            return self._connect()
        except pymysql.err.Error as error:
            self._idle.put(None)
            raise DatabaseUnavailable(f"the database {self._settings.name} cannot be reached") from error

    def _alive(self, connection: Connection[DictCursor]) -> Connection[DictCursor]:
        """This one, or a new one if the server has hung up in the meantime."""
        try:
            connection.ping(reconnect=False)
        except pymysql.err.Error:
            return self._connect()
        return connection

    def _connect(self) -> Connection[DictCursor]:
        settings = self._settings
        return pymysql.connect(
            host=settings.host, port=settings.port, user=settings.user, password=settings.password,
            database=settings.name, charset="utf8mb4", cursorclass=DictCursor,
            connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, write_timeout=TIMEOUT_SECONDS,
        )  # fmt: skip

    @staticmethod
    def _given_up(connection: Connection[DictCursor]) -> Connection[DictCursor] | None:
        try:
            connection.rollback()
        except pymysql.err.Error:  # it is broken: the next one is made anew
            return None
        return connection


class PyMySQLWork:
    def __init__(self, cursor: DictCursor) -> None:
        self._cursor = cursor

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        try:
            return self._cursor.execute(sql, values or None)
        except pymysql.err.IntegrityError as error:
            if error.args[0] == DUPLICATE_ENTRY:
                raise Duplicate from error
            raise

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        self._cursor.execute(sql, values or None)
        return list(self._cursor.fetchall())
