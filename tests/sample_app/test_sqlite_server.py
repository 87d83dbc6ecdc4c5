"""The embedded MySQL server: the shop's SQL as SQLite says it, and results with the types that MySQL gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread

import mysql.connector
import pymysql
import pytest
from sqlglot import exp

from sample_app.embedded.sqlite_server import OneUser, SqliteServer, make_databases, translated
from sample_app.shared.connector_pool import ConnectorPool
from sample_app.shared.database import Duplicate, Pool, migrate, statements
from sample_app.shared.errors import DatabaseUnavailable
from sample_app.shared.pymysql_pool import PyMySQLPool
from sample_app.shared.settings import Database
from tests.harness.network import free_port

TABLE = """CREATE TABLE things (
  id CHAR(36) NOT NULL PRIMARY KEY, name VARCHAR(50) UNIQUE, price DECIMAL(10, 2) NOT NULL,
  made DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""
INSERT = "INSERT INTO things (id, name, price) VALUES (%s, %s, %s)"


@contextmanager
def server(folder: Path) -> Iterator[Database]:
    """In a thread of the test's."""
    make_databases(folder, ["things_db"])
    settings = Database("127.0.0.1", free_port(), "shop", "a password", "things_db", 3)
    loop = asyncio.new_event_loop()
    mysqld = SqliteServer(folder, OneUser(settings.user, settings.password))
    loop.run_until_complete(mysqld.start_server(host=settings.host, port=settings.port))
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield settings
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        mysqld.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Database]:
    with server(tmp_path) as running:
        yield running


@pytest.fixture(params=[PyMySQLPool, ConnectorPool])
def pool(request: pytest.FixtureRequest, settings: Database) -> Iterator[Pool]:
    """Each of the two drivers: literals in the statement, and prepared statements."""
    made: Pool = request.param(settings)
    with closing(made):
        with made.transaction() as work:
            work.change(TABLE)
        yield made


def test_values_come_back_as_they_went(pool: Pool) -> None:
    for name in ("O'Hara", 'say "cheese"', "what?", "back\\slash", "Kaffeemühle 😀", "", None):
        with pool.transaction() as work:
            assert work.change("DELETE FROM things WHERE id = %s", ("a",)) in (0, 1)
            assert work.change(INSERT, ("a", name, "12.5")) == 1
            [row] = work.rows("SELECT id, name, price, made FROM things WHERE id = %s", ("a",))
        assert row["name"] == name
        assert row["price"] == Decimal("12.50")
        assert isinstance(row["made"], datetime)


def add(pool: Pool, *things: tuple[str, str, int]) -> None:
    with pool.transaction() as work:
        for thing in things:
            work.change(INSERT, thing)


def test_an_error_undoes_the_whole_transaction(pool: Pool) -> None:
    with pool.transaction() as work:
        work.change(INSERT, ("a", "one", 1))
    with pytest.raises(Duplicate):
        add(pool, ("b", "two", 2), ("c", "one", 3))
    with pool.transaction() as work:
        assert [row["id"] for row in work.rows("SELECT id FROM things")] == ["a"]


def test_changes_are_counted(pool: Pool) -> None:
    with pool.transaction() as work:
        for name in ("a", "b", "c"):
            work.change(INSERT, (name, name, 1))
        assert work.change("UPDATE things SET price = %s WHERE id > %s", ("2.00", "a")) == 2
        assert work.change("UPDATE things SET price = %s WHERE id = %s", ("2.00", "z")) == 0


def test_transactions_wait_for_one_another(pool: Pool) -> None:
    with pool.transaction() as work:
        work.change(INSERT, ("a", "a", 0))

    def add() -> None:
        for _ in range(5):
            with pool.transaction() as work:
                work.change("UPDATE things SET price = price + %s WHERE id = %s", (1, "a"))

    threads = [Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with pool.transaction() as work:
        assert work.rows("SELECT price FROM things")[0]["price"] == 15


def test_a_database_that_goes_away_is_said_so(tmp_path: Path) -> None:
    with server(tmp_path) as settings:
        pools: list[Pool] = [PyMySQLPool(settings), ConnectorPool(settings)]
        for pool in pools:
            with pool.transaction() as work:
                work.rows("SELECT 1 AS alive")
    for pool in pools:
        with pytest.raises(DatabaseUnavailable), pool.transaction() as work:
            work.rows("SELECT 1 AS alive")
        pool.close()


def test_a_wrong_password_is_refused(settings: Database) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(host=settings.host, port=settings.port, user="shop", password="no", database="things_db")
    with pytest.raises(mysql.connector.Error, match="Access denied"):
        mysql.connector.connect(host=settings.host, port=settings.port, user="other", password="no", use_pure=True)


def test_migrations_run_once_each(tmp_path: Path, pool: Pool) -> None:
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    (scripts / "001_more.sql").write_text("-- why;\nALTER TABLE things ADD COLUMN colour VARCHAR(9);\n")
    migrate(pool, scripts)
    (scripts / "002_first.sql").write_text("INSERT INTO things (id, price, colour)\n  VALUES ('x', 1, 'red');\n")
    migrate(pool, scripts)
    migrate(pool, scripts)
    with pool.transaction() as work:
        assert [dict(row) for row in work.rows("SELECT id, colour FROM things")] == [{"id": "x", "colour": "red"}]


def test_a_script_is_a_list_of_statements() -> None:
    assert statements("-- about;\nA\n  (';');\n\nB;\n") == ["A\n  (';')", "B"]


def test_what_sqlite_has_no_word_for_is_left_out() -> None:
    [(kind, sql)] = translated("SELECT a FROM t WHERE b = ? FOR UPDATE")
    assert (kind, sql) == (exp.Select, "SELECT a FROM t WHERE b = ?")
