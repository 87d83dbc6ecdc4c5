"""Now, everywhere: in bodies, headers and SQL, as the app's clock and the database's say it.

python -m hard.now PORT HTTPS_DEPENDENCY, and DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from .serving import Answer, Asked, serve

DAY = timedelta(days=1)
TABLE = (
    "CREATE TABLE IF NOT EXISTS visits (id INT AUTO_INCREMENT PRIMARY KEY, who VARCHAR(40), at DATETIME(6),"
    " kept DATETIME DEFAULT CURRENT_TIMESTAMP, good DATETIME)"
)


def database() -> pymysql.Connection[Cursor]:
    known = os.environ
    return pymysql.connect(
        host=known["DB_HOST"], port=int(known["DB_PORT"]), user=known["DB_USER"], password=known["DB_PASSWORD"],
        database=known["DB_NAME"], autocommit=True,
    )  # fmt: skip


def rows(sql: str, *values: Any) -> tuple[tuple[Any, ...], ...]:
    with database() as connection, connection.cursor() as cursor:
        cursor.execute(sql, values)
        return tuple(cursor.fetchall())


def said(now: datetime, body: dict[str, Any]) -> Answer:
    return Answer(
        {**body, "at": now.isoformat(), "unix": int(now.timestamp()), "ms": time.time_ns() // 1_000_000},
        {
            "Date": format_datetime(now, usegmt=True),
            "Last-Modified": format_datetime(now - DAY, usegmt=True),
            "Expires": format_datetime(now + DAY, usegmt=True),
            "X-Served-At": f"{now.timestamp():.6f}",
        },
    )


def visit(asked: Asked) -> Answer:
    now = datetime.now(UTC)
    moment, later = now.replace(tzinfo=None), now + 30 * DAY
    rows("INSERT INTO visits (who, at, good) VALUES (%s, %s, %s)", asked.body["who"], moment, later.date())
    [(number, stored, until)] = rows("SELECT id, kept, good FROM visits WHERE at = %s", moment)
    return said(now, {"id": number, "who": asked.body["who"], "stored": str(stored), "until": str(until.date())})


def today(_: Asked) -> Answer:
    now = datetime.now(UTC)
    since = (now - DAY).replace(tzinfo=None)
    found = rows("SELECT who, at FROM visits WHERE at > %s AND at <= NOW(6) + INTERVAL 1 DAY ORDER BY id", since)
    [(clock, day)] = rows("SELECT NOW(), CURDATE()")
    visits = [{"who": who, "at": at.isoformat()} for who, at in found]
    return said(now, {"visits": visits, "clock": str(clock), "day": str(day), "weekday": f"{now:%A}"})


def quote(asked: Asked) -> Answer:
    """Over TLS, whose certificate is good for a while only."""
    now = datetime.now(UTC)
    sent = json.dumps({"what": asked.rest, "at": now.isoformat(), "until": (now + DAY).isoformat()}).encode()
    with urllib.request.urlopen(f"{SECURE}/quotes?at={int(now.timestamp())}", data=sent, timeout=10) as answer:
        told = json.load(answer)
    return said(now, {"offer": told["offer"], "until": (now + DAY).isoformat(timespec="seconds")})


if __name__ == "__main__":
    SECURE = sys.argv[2]
    rows(TABLE)
    serve(int(sys.argv[1]), {"POST /visits": visit, "GET /today": today, "GET /quotes/*": quote})
