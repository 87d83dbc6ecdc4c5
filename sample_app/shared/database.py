"""What a service asks of its database: pooled connections, a transaction around each piece of work, migrations.

Two drivers do this in two ways, `pymysql_pool` and `connector_pool`; a service takes the one that it prefers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sample_app.shared.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

DUPLICATE_ENTRY = 1062
Row = Mapping[str, Any]


class Duplicate(Exception):
    """A row with this key is there already."""


class Work(Protocol):
    """Statements of one transaction."""

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """How many rows were changed."""

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]: ...


class Pool(Protocol):
    def transaction(self) -> AbstractContextManager[Work]:
        """Committed when the block is left, rolled back when it is left with an error."""

    def close(self) -> None: ...


def first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None


def wait_until_reachable(pool: Pool, seconds: int) -> None:
    """A database that starts together with the service is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with pool.transaction() as work:
                work.rows("SELECT 1 AS alive")
            return
        except DatabaseUnavailable as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"{error.message} (waited {seconds} s)") from error
            time.sleep(0.5)


def migrate(pool: Pool, folder: Path) -> None:
    """Run each script of `folder` that this database has not seen, in the order of their names."""
    with pool.transaction() as work:
        work.change("CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR(64) NOT NULL PRIMARY KEY)")
        seen = {row["name"] for row in work.rows("SELECT name FROM schema_migrations")}
    for script in sorted(folder.glob("*.sql")):
        if script.stem in seen:
            continue
        log.info("migration %s", script.stem)
        with pool.transaction() as work:
            for statement in statements(script.read_text("utf-8")):
                work.change(statement)
            work.change("INSERT INTO schema_migrations (name) VALUES (%s)", (script.stem,))


def statements(script: str) -> list[str]:
    """A script's statements. Each ends with a semicolon at the end of a line."""
    without_comments = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    return [part.strip() for part in f"{without_comments}\n".split(";\n") if part.strip()]
