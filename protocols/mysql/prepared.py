"""The statements that a connection has prepared, and what was sent for each of them before it is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from protocols.furniture import Limits
from protocols.mysql.messages import Cell, Column
from protocols.mysql.statement import Statement
from testset.errors import LimitError

LAST = 0xFFFFFFFF  # MariaDB: the statement that was prepared last
MOST = 16382  # max_prepared_stmt_count
_COLUMN = 1024  # bytes that a column takes in memory, apart from its names: as it is, and as JSON


@dataclass(slots=True)
class PreparedStatement:
    """One statement of a connection."""

    id: int
    sql: str
    statement: Statement
    parameters: int  # how many the client was told of, and sends
    types: tuple[tuple[int, int], ...] | None = None  # of the parameters, as they were sent last
    long_data: dict[int, bytearray] = field(default_factory=dict)  # by parameter
    columns: tuple[Column, ...] = ()  # as they were described last: MariaDB need not do it again
    bound: tuple[Cell, ...] = ()  # by the last EXECUTE: what a FETCH goes on with
    _described: tuple[tuple[Column, ...], list[dict[str, Any]]] | None = None  # columns, and as JSON

    def to_json(self) -> list[Any]:
        """It is asked for after each command: columns are described once."""
        if self._described is None or self._described[0] is not self.columns:
            as_json = [{**asdict(column), "extra": column.extra.hex()} for column in self.columns]
            self._described = self.columns, as_json
        return [self.id, self.sql, self.parameters, self.types, self._described[1]]


class PreparedStatements:
    """All of a connection's, by the ids that a server gave them, or by ids of rr's own: the first is 1."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._statements: dict[int, PreparedStatement] = {}
        self._last = 0
        self._sql = 0  # characters, of all
        self._columns = 0  # bytes that they take, of all
        self._long_data = 0  # bytes, of all
        self._waiting: set[int] = set()  # statements that some was sent for

    def __len__(self) -> int:
        return len(self._statements)

    def add(
        self, sql: str, statement: Statement, parameters: int, statement_id: int | None = None
    ) -> PreparedStatement:
        """`statement_id`: as a real server has called it."""
        self._last = self._last + 1 if statement_id is None else statement_id
        self.close(self._last)
        self._sql += len(sql)
        if self._sql > self._limits.message:
            raise LimitError(f"prepared statements of more than {self._limits.message} characters")
        made = self._statements[self._last] = PreparedStatement(self._last, sql, statement, parameters)
        return made

    def find(self, statement_id: int) -> PreparedStatement | None:
        return self._statements.get(self._last if statement_id == LAST else statement_id)

    def describe(self, statement: PreparedStatement, columns: tuple[Column, ...]) -> None:
        """As the server has described its columns now. More than there is room for are not remembered: a MariaDB that
        does not describe them again is the only one to miss them."""
        if columns == statement.columns:
            return
        self._columns += _weight(columns) - _weight(statement.columns)
        statement.columns = columns
        if self._columns > self._limits.message:
            self._columns -= _weight(columns)
            statement.columns = ()

    def append(self, statement_id: int, parameter: int, data: bytes) -> None:
        """COM_STMT_SEND_LONG_DATA. Nobody is told when there is no such statement or parameter."""
        found = self.find(statement_id)
        if found is None or parameter >= found.parameters:
            return
        self._long_data += len(data)
        if self._long_data > self._limits.message:
            raise LimitError(f"parameters of more than {self._limits.message} bytes")
        found.long_data.setdefault(parameter, bytearray()).extend(data)
        self._waiting.add(found.id)

    def forget_long_data(self, statement: PreparedStatement) -> None:
        """It was executed, or reset."""
        self._long_data -= sum(len(data) for data in statement.long_data.values())
        statement.long_data.clear()
        self._waiting.discard(statement.id)

    def close(self, statement_id: int) -> None:
        found = self.find(statement_id)
        if found is not None:
            self.forget_long_data(found)
            self._sql -= len(found.sql)
            self._columns -= _weight(found.columns)
            del self._statements[found.id]

    @property
    def has_long_data(self) -> bool:
        """Whether something was sent that no EXECUTE has used yet: nothing at all may have been sent as well."""
        return bool(self._waiting)

    def to_json(self) -> dict[str, Any]:
        return {
            "last": self._last,
            "statements": [one.to_json() for one in self._statements.values()],
        }

    def restore(self, state: Mapping[str, Any], parse: Callable[[str], Statement]) -> None:
        """As they were when `to_json` was asked."""
        for statement_id, sql, parameters, types, columns in state["statements"]:
            made = self.add(sql, parse(sql), parameters, statement_id)
            described = tuple(Column(**{**column, "extra": bytes.fromhex(column["extra"])}) for column in columns)
            self.describe(made, described)
            made.types = tuple((kind, sign) for kind, sign in types) if types is not None else None
        self._last = state["last"]

    def clear(self) -> None:
        """The connection begins anew. Ids go on."""
        self._statements.clear()
        self._waiting.clear()
        self._sql = self._long_data = self._columns = 0


def _weight(columns: tuple[Column, ...]) -> int:
    return sum(
        [
            _COLUMN + 2 * (len(one.name) + len(one.org_name) + len(one.table) + len(one.org_table) + len(one.schema))
            + 3 * len(one.extra)
            for one in columns
        ]
    )  # fmt: skip
