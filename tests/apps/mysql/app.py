"""The MySQL test app: each route does one thing that databases do and answers with all that the driver made of it.

python app.py     with PORT, DB_DRIVER, DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME; DB_TLS=1, DB_SOCKET

Values are answered as [name of the Python type, its repr]. Nothing in an answer depends on the clock or on chance:
two runs with new tables answer alike.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import queue
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from drivers import Result, connect, error_as_data, warnings_of  # type: ignore[import-not-found]

POOL_SIZE = int(os.environ.get("POOL_SIZE", "3"))
MIB = 1 << 20


def told(value: Any) -> list[str]:
    """A value's type and text; a long one as its hash."""
    text = repr(sorted(value) if isinstance(value, set) else value)
    if len(text) > 500:
        text = f"{len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"
    return [type(value).__name__, text]


def as_data(results: Sequence[Result]) -> list[Any]:
    return [
        {
            "columns": result.columns,
            "rows": [[told(value) for value in row] for row in result.rows],
            "count": result.count,
            "last_id": result.last_id,
        }
        for result in results
    ]


def attempt(work: Callable[[], Any]) -> Any:
    """What came of it: data, or the error as data."""
    try:
        return work()
    except Exception as error:  # whatever a driver raises is what this app is about
        return error_as_data(error)


# -- the routes ----------------------------------------------------------------------------------------------------


def types(_argument: str) -> Any:
    with closing(connect()) as link:
        return as_data(link.run("SELECT * FROM every_type ORDER BY id"))


def prepared_types(_argument: str) -> Any:
    """Each column by a prepared statement of its own: a driver that cannot read one of them breaks its connection."""
    with closing(connect()) as link:
        names = link.run("SELECT * FROM every_type WHERE id = 0")[0].columns or ()
    answers = {}
    link = connect()
    for name in names:
        sql = f"SELECT id, `{name}` FROM every_type WHERE id <> %s ORDER BY id"
        answers[name] = attempt(lambda: as_data(link.run(sql, (2,), prepared=True)))  # noqa: B023
        if isinstance(answers[name], dict):
            attempt(link.close)
            link = connect()
    link.close()
    return answers


def prepared_again(_argument: str) -> Any:
    """One prepared statement several times, and values that have no column."""
    with closing(connect()) as link:
        one = "SELECT id, `varchar`, money FROM every_type WHERE id = %s"
        rows = [as_data(link.run(one, (number,), prepared=True)) for number in (1, 2, 3, 4, 9)]
        both = link.run("SELECT %s + 1 AS more, %s AS text, %s AS nothing", (41, "drei", None), prepared=True)
        return [*rows, as_data(both)]


ORDER = {
    "customer": "Zoë 'O\"Neill\\ 🍣",
    "total": Decimal("1234.50"),
    "ratio": 0.1,
    "note": "two\nlines\ttab % done",
    "picture": bytes(range(256)),
    "placed": datetime.datetime(2024, 2, 29, 12, 34, 56, 789012),
    "due": datetime.date(2024, 3, 31),
    "took": datetime.timedelta(hours=20, microseconds=5),
    "paid": True,
}
INSERT = f"INSERT INTO orders ({', '.join(ORDER)}) VALUES ({', '.join(['%s'] * len(ORDER))})"


def insert(how: str) -> Any:
    """A row of every Python type, and one of NULLs; by `text` or by `prepared` statement."""
    prepared = how == "prepared"
    with closing(connect()) as link:
        full = {**ORDER, "customer": f"{how} {ORDER['customer']}"}
        if prepared and os.environ["DB_DRIVER"] == "connector-c":
            full["took"] = None  # it sends hours that no server takes
        empty = [f"{how} nobody", *[None] * (len(ORDER) - 1)]
        done = [link.run(INSERT, list(full.values()), prepared=prepared), link.run(INSERT, empty, prepared=prepared)]
        link.commit()
        found = link.run("SELECT * FROM orders WHERE customer LIKE %s ORDER BY id", (f"{how}%",), prepared=prepared)
        gone = link.run("DELETE FROM orders WHERE customer LIKE %s", (f"{how}%",), prepared=prepared)
        link.commit()
        return [*map(as_data, done), as_data(found), as_data(gone)]


def many_rows(_argument: str) -> Any:
    with closing(connect()) as link:
        rows = [(f"bulk {number}", number) for number in range(50)]
        count = link.many("INSERT INTO orders (customer, total) VALUES (%s, %s)", rows)
        total = link.run("SELECT COUNT(*), SUM(total) FROM orders WHERE customer LIKE %s", ("bulk%",))
        link.rollback()
        return {"count": count, "total": as_data(total)}


def large(megabytes: str) -> Any:
    """A value of that size in and out: more than one packet from 16 on."""
    body = bytes(range(256)) * (int(megabytes) * MIB // 256)
    with closing(connect()) as link:
        written = link.run("REPLACE INTO large VALUES (%s, %s)", (int(megabytes), body))
        link.commit()
        (value,) = link.run("SELECT body FROM large WHERE id = %s", (int(megabytes),))[0].rows[0]
        read = hashlib.sha256(value).hexdigest()
        link.run("DELETE FROM large")
        link.commit()
        return {"written": written[0].count, "size": len(value), "same": value == body, "read": read}


def several(_argument: str) -> Any:
    """Several statements at once, with a change among them; and an error in the midst."""
    with closing(connect()) as link:
        good = "SELECT 1 AS a; UPDATE accounts SET balance = 100 WHERE id = 1; SELECT 'ü' AS b, NULL AS c"
        bad = "SELECT 1 AS a; SELECT nothing FROM nowhere; SELECT 3"
        answers = [attempt(lambda: as_data(link.run(good)))]
    with closing(connect()) as link:
        return [*answers, attempt(lambda: as_data(link.run(bad)))]


def procedures(_argument: str) -> Any:
    with closing(connect()) as link:
        answers = [attempt(lambda: as_data(link.run("CALL two_results(%s)", (2,))))]
    with closing(connect()) as link:
        return [*answers, attempt(lambda: as_data(link.run("CALL half_an_answer()")))]


def errors(_argument: str) -> Any:
    statements = {
        "duplicate": "INSERT INTO accounts VALUES (1, 5)",
        "syntax": "SELEC 1",
        "no table": "SELECT * FROM nowhere",
        "no column": "SELECT nothing FROM accounts",
        "signal": "CALL refuse('nein, danke 🍣')",
        "null": "INSERT INTO accounts VALUES (9, NULL)",
        "range": "SELECT 9223372036854775807 + 1",
        "denied": "SET PASSWORD FOR 'nobody'@'nowhere' = 'x'",
        "empty": " ",
    }
    with closing(connect()) as link:
        answers = {name: attempt(lambda: as_data(link.run(sql))) for name, sql in statements.items()}  # noqa: B023
        answers["prepared"] = attempt(
            lambda: as_data(link.run("SELECT * FROM nowhere WHERE a = %s", (1,), prepared=True))
        )
        return {**answers, "and then": as_data(link.run("SELECT 1"))}


def transactions(_argument: str) -> Any:
    """Commit, rollback, a savepoint; and two connections whose statements take turns."""

    def balances(which: Any) -> list[Any]:
        return [list(row) for row in which.run("SELECT id, balance FROM accounts ORDER BY id")[0].rows]

    seen = []
    with closing(connect()) as one, closing(connect()) as two:
        one.run("UPDATE accounts SET balance = balance - 30 WHERE id = 1")
        seen.append(["before the commit", balances(one), balances(two)])
        two.rollback()
        one.commit()
        seen.append(["committed", balances(one), balances(two)])
        two.rollback()
        one.run("UPDATE accounts SET balance = 0")
        one.rollback()
        seen.append(["rolled back", balances(one)])
        one.run("BEGIN")
        one.run("UPDATE accounts SET balance = balance + 30 WHERE id = 1")
        one.run("SAVEPOINT half")
        one.run("UPDATE accounts SET balance = 7 WHERE id = 2")
        one.run("ROLLBACK TO half")
        two.run("START TRANSACTION READ ONLY")
        seen.append(["to the savepoint", balances(one), balances(two)])
        one.run("COMMIT")
        two.run("ROLLBACK")
        seen.append(["at the end", balances(one), balances(two)])
    return seen


def facts(_argument: str) -> Any:
    """Warnings, counts, ids, and settings of the session."""
    with closing(connect()) as link:
        link.run("SET SESSION sql_mode = ''")
        cut = link.run("INSERT INTO orders (customer, due) VALUES (%s, %s)", ("c" * 60, "2024-13-45"))
        warnings = warnings_of(link)
        id = link.run("SELECT LAST_INSERT_ID()")
        changed = link.run("UPDATE orders SET ratio = 1.5")
        same = link.run("UPDATE orders SET ratio = 1.5")
        gone = link.run("DELETE FROM orders")
        link.commit()
        link.run("SET time_zone = '+05:30'")
        zone = link.run("SELECT stamp, @@time_zone FROM every_type WHERE id = 4")
        link.run("SET NAMES latin1")
        named = link.run("SELECT @@character_set_client, @@collation_connection")
        link.run("USE information_schema")
        place = link.run("SELECT DATABASE()")
        link.ping()
        parts = [cut, id, changed, same, gone, zone, named, place]
        return {"warnings": [[told(value) for value in row] for row in warnings], "parts": [*map(as_data, parts)]}


POOL: queue.LifoQueue[Any] = queue.LifoQueue()


def pool(_argument: str) -> Any:
    """POOL_SIZE connections that stay open between requests, each of them used."""
    if POOL.empty():
        for _ in range(POOL_SIZE):
            POOL.put(connect())
    held = [POOL.get() for _ in range(3)]
    answers = []
    for number, link in enumerate(held):
        link.ping()
        answers.append(as_data(link.run("SELECT %s AS number, balance FROM accounts WHERE id = 1", (number,))))
        link.rollback()
    for link in held:
        POOL.put(link)
    return answers


def own_pool(_argument: str) -> Any:
    """The pool that Connector/Python brings along, which resets a connection that comes back."""
    if not os.environ["DB_DRIVER"].startswith("connector"):
        return "no pool of its own"
    import mysql.connector.pooling

    pooled = mysql.connector.pooling.MySQLConnectionPool(
        pool_name="orders", pool_size=3, pool_reset_session=True, host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"], password=os.environ["DB_PASSWORD"],
        database=os.environ["DB_NAME"], use_pure=os.environ["DB_DRIVER"] == "connector-pure",
        ssl_disabled=os.environ.get("DB_TLS") != "1",
    )  # fmt: skip
    answers = []
    for _ in range(5):
        connection = pooled.get_connection()
        cursor = connection.cursor()
        cursor.execute("SELECT @kept, balance FROM accounts WHERE id = 2")
        answers.append([[told(value) for value in row] for row in cursor.fetchall()])
        cursor.execute("SET @kept = 5")
        cursor.close()
        connection.close()
    return answers


def reconnect(_argument: str) -> Any:
    """A connection that the server ends, and the next. The error's number depends on how the end of TLS looked."""
    with closing(connect()) as other:
        link = connect()
        (own,) = link.run("SELECT CONNECTION_ID()")[0].rows[0]
        other.run(f"KILL {own}")
        lost = attempt(lambda: as_data(link.run("SELECT 1")))
    with closing(connect()) as link:
        return {"lost": lost["class"], "and then": as_data(link.run("SELECT 'back'"))}


def at_once(count: str) -> Any:
    """So many connections are open together; each answers with its own number."""
    links = [connect() for _ in range(int(count))]
    numbers = [int(link.run("SELECT %s + 0 AS number", (number,))[0].rows[0][0]) for number, link in enumerate(links)]
    for link in links:
        link.close()
    return {"connections": len(links), "sum": sum(numbers), "in order": numbers == list(range(len(links)))}


def rows(count: str) -> Any:
    """A large result: the square of so many rows."""
    with closing(connect()) as link:
        sql = (
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)"
            " SELECT a.n, b.n, CONCAT('row ', a.n, '.', b.n), a.n / b.n FROM numbers a, numbers b ORDER BY a.n, b.n"
        )
        found = link.run(sql, (int(count),))[0].rows
        return {"rows": len(found), "read": hashlib.sha256(repr(found).encode()).hexdigest()}


def slow(seconds: str) -> Any:
    """A statement that takes so long."""
    with closing(connect()) as link:
        return as_data(link.run("SELECT SLEEP(%s)", (int(seconds),)))


ROUTES: dict[str, Callable[[str], Any]] = {
    "types": types,
    "prepared": prepared_types,
    "prepared-again": prepared_again,
    "insert": insert,
    "many": many_rows,
    "large": large,
    "several": several,
    "procedures": procedures,
    "errors": errors,
    "transactions": transactions,
    "facts": facts,
    "pool": pool,
    "own-pool": own_pool,
    "reconnect": reconnect,
    "at-once": at_once,
    "rows": rows,
    "slow": slow,
}


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_request(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        route, _, argument = self.path.lstrip("/").partition("/")
        if route in ROUTES:
            answer = attempt(lambda: ROUTES[route](argument))
            status = 500 if isinstance(answer, dict) and "class" in answer else 200
        else:
            status, answer = (200, "ok") if route == "health" else (404, "no such page")
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = handle_request

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    try:
        Server(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
