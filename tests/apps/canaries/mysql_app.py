"""Runs statements that a file outside the project holds, so that no canary stands in the app's own source.

    STEPS=steps.json PORT=… DB_… python mysql_app.py

`GET /3` runs the fourth step: {driver, sql, parameters, how}. It answers with a checksum of all that came of it (a
small number: no one takes it for made up), so that a replay is green only if the app got the secrets as they were.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
from pymysql.constants import CLIENT

STEPS = json.loads(Path(os.environ["STEPS"]).read_text())


def checksum(rows: Any) -> int:
    return zlib.crc32(repr(rows).encode()) % 997


def pymysql_() -> Any:
    """Writes literals into the statement itself."""
    return pymysql.connect(
        host="127.0.0.1", port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"], database="shop",
        password=os.environ["DB_PASSWORD"], charset="utf8mb4", autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS,
        ssl={"check_hostname": False} if os.environ["DB_TLS"] == "1" else None,
        ssl_disabled=os.environ["DB_TLS"] != "1",
    )  # fmt: skip


def connector() -> Any:
    """Prepares statements, and binds."""
    return mysql.connector.connect(
        host="127.0.0.1", port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"], database="shop", use_pure=True,
        password=os.environ["DB_PASSWORD"], charset="utf8mb4", autocommit=True,
        ssl_disabled=os.environ["DB_TLS"] != "1", ssl_verify_cert=False,
    )  # fmt: skip


CONNECTIONS: dict[str, Callable[[], Any]] = {"pymysql": pymysql_, "connector": connector}


def value(given: Any) -> Any:
    return bytes.fromhex(given["hex"]) if isinstance(given, dict) else given


def run(driver: str, sql: str, parameters: list[Any], how: str) -> list[Any]:
    connection = CONNECTIONS[driver]()
    cursor = connection.cursor(prepared=True) if driver == "connector" else connection.cursor()
    results: list[Any] = []
    try:
        if how == "many":
            cursor.executemany(sql, [tuple(map(value, row)) for row in parameters])
        else:
            cursor.execute(sql, tuple(map(value, parameters)) or None)
        if cursor.description is not None:
            results.append(list(cursor.fetchall()))
        while driver == "pymysql" and cursor.nextset():
            results.append(list(cursor.fetchall()))
        results.append(cursor.rowcount)
    except (pymysql.MySQLError, mysql.connector.Error) as error:
        results.append(str(error))
    finally:
        connection.close()
    return results


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        data = json.dumps({"got": checksum(run(**STEPS[int(self.path.strip("/"))]))}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
