"""What a client that has logged in asks for: a command's packet becomes a question, or is answered at once.

Answered at once is what no recording can say more about than the session itself: a ping, a reset, the end of a prepared
statement. What only changes the session is a question with an answer of its own: the recording may have an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from protocols.furniture import Limits
from protocols.mysql.answers import Dialect, Shape, answer, end, err, ok
from protocols.mysql.messages import (
    Cell,
    Column,
    Err,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
    Prepared,
    Result,
    ResultSet,
    Session,
)
from protocols.mysql.parameters import Types, query_starts, read_bulk, read_execute
from protocols.mysql.prepared import MOST, PreparedStatement, PreparedStatements
from protocols.mysql.session import SessionState
from protocols.mysql.statement import Kind, Statement
from testset.errors import ProtocolError


class Command(IntEnum):
    """The first byte of a command, as the manual names it."""

    QUIT = 0x01
    INIT_DB = 0x02
    QUERY = 0x03
    FIELD_LIST = 0x04
    STATISTICS = 0x09
    DEBUG = 0x0D
    PING = 0x0E
    CHANGE_USER = 0x11
    STMT_PREPARE = 0x16
    STMT_EXECUTE = 0x17
    STMT_SEND_LONG_DATA = 0x18
    STMT_CLOSE = 0x19
    STMT_RESET = 0x1A
    SET_OPTION = 0x1B
    STMT_FETCH = 0x1C
    RESET_CONNECTION = 0x1F
    STMT_BULK_EXECUTE = 0xFA  # MariaDB's


_OTHERS = {
    0x05: "COM_CREATE_DB",
    0x06: "COM_DROP_DB",
    0x07: "COM_REFRESH",
    0x08: "COM_SHUTDOWN",
    0x0A: "COM_PROCESS_INFO",
    0x0C: "COM_PROCESS_KILL",
}

_ENDS = frozenset((Kind.COMMIT, Kind.ROLLBACK))
_OK = MysqlResponse(results=(Ok(),))
_PLACEHOLDER = Column(name="?", type=253, charset=63)
_UNKNOWN_COMMAND = Err(code=1047, sqlstate="08S01", message="Unknown command")
_UNKNOWN_STATEMENT = Err(code=1243, sqlstate="HY000", message="Unknown prepared statement handler")
_TOO_MANY = Err(
    code=1461,
    sqlstate="42000",
    message=f"Can't create more than max_prepared_stmt_count statements (current value: {MOST})",
)
_STATISTICS = b"Uptime: 1  Threads: 1  Questions: 1  Slow queries: 0  Opens: 1  Flush tables: 1  Open tables: 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A command that a recording answers."""

    request: MysqlRequest
    shape: Shape = Shape.TEXT
    otherwise: MysqlResponse | None = None
    statement: Statement | None = None
    prepared: PreparedStatement | None = None  # of EXECUTE
    types: Types | None = None  # of its parameters, before they were sent again
    alone: bool = True  # nothing of it came before, as long data


@dataclass(frozen=True, slots=True)
class AtOnce:
    """A command that needs no recording; `payload` is None where no answer is due."""

    payload: bytes | None = None


class Quit:
    """COM_QUIT."""


class Scope(NamedTuple):
    """See `Commands.scope`."""

    dialect: Dialect
    session: Session
    status: int
    charset: str


Read = Question | AtOnce | Quit
_SILENT = AtOnce()


class Commands:
    """The commands of one client, and what they make of its session and its prepared statements."""

    def __init__(self, session: SessionState, dialect: Dialect, limits: Limits) -> None:
        self.session = session
        self.prepared = PreparedStatements(limits)
        self.dialect = dialect

    def read(self, payload: bytes) -> Read:
        """One command. It is to be answered before the next is read."""
        if not payload:
            raise ProtocolError("a command without a byte")
        read = _READERS.get(payload[0])
        if read is not None:
            return read(self, payload)
        name = _OTHERS.get(payload[0])
        if name is None:
            return self._error(_UNKNOWN_COMMAND)
        return Question(request=self._request(Operation.OTHER, name))

    def scope(self) -> Scope:
        """All that an answer depends on, but the command and the recording."""
        session = self.session
        return Scope(self.dialect, session.whole(), session.status, session.charset)

    def answer(self, question: Question, results: Sequence[Result], *, whole: bool) -> list[bytes]:
        """The payloads that answer a question. `whole`: these results are all that the server said."""
        statement_id = self._take_note(question, results)
        status = self.session.status
        return answer(results, question.shape, self.dialect, status, statement_id=statement_id, whole=whole)

    def recorded(self, question: Question, results: Sequence[Result], statement_id: int) -> None:
        """A real server has answered so. `statement_id`: what it calls a statement that it has prepared."""
        self._take_note(question, results, statement_id, replayed=False)

    def _take_note(
        self, question: Question, results: Sequence[Result], statement_id: int | None = None, *, replayed: bool = True
    ) -> int:
        """What an answer means for the commands that follow. Returns the id of a statement that it has prepared."""
        request, statement = question.request, question.statement
        if request.operation is Operation.PREPARE:
            result = results[0] if results else None
            if statement is not None and isinstance(result, Prepared):
                made = self.prepared.add(request.query, statement, len(result.parameters), statement_id)
                self.prepared.describe(made, result.columns)
                return made.id
        elif request.operation is Operation.INIT_DB:
            if results and isinstance(results[-1], Ok):
                self.session.use(request.query)
        elif statement is not None:
            if question.prepared is not None and results and isinstance(results[0], ResultSet):
                self.prepared.describe(question.prepared, results[0].columns)
            self.session.after(statement, results, replayed=replayed)
        return 0

    # -- statements -----------------------------------------------------------------------------------------------

    def _query(self, payload: bytes) -> Read:
        at = query_starts(payload) if self.dialect.query_attributes else 1
        sql = self._text(payload[at:])
        statement = self.session.parse(sql)
        request = self._asked(Operation.QUERY, sql, statement)
        return Question(request=request, otherwise=self._otherwise(statement), statement=statement)

    def _prepare(self, payload: bytes) -> Read:
        if len(self.prepared) >= MOST:
            return self._error(_TOO_MANY)
        sql = self._text(payload[1:])
        statement = self.session.parse(sql)
        placeholders = sum(slot.placeholder for slot in statement.slots)
        return Question(
            request=self._request(Operation.PREPARE, sql),
            shape=Shape.PREPARED,
            otherwise=MysqlResponse(results=(Prepared(parameters=(_PLACEHOLDER,) * placeholders),)),
            statement=statement,
        )

    def _execute(self, payload: bytes) -> Read:
        prepared = self.prepared.find(_id(payload))
        if prepared is None:
            return self._error(_UNKNOWN_STATEMENT)
        if payload[0] == Command.STMT_BULK_EXECUTE:
            bound = read_bulk(payload, prepared.parameters, prepared.types)
        else:
            named = self.dialect.query_attributes
            bound = read_execute(payload, prepared.parameters, prepared.types, prepared.long_data, named=named)
        types, prepared.types = prepared.types, bound.types
        alone = not prepared.long_data
        if not alone:
            self.prepared.forget_long_data(prepared)
        request = self._asked(Operation.EXECUTE, prepared.sql, prepared.statement, bound.parameters)
        return Question(
            request=request,
            shape=Shape.BINARY,
            otherwise=self._otherwise(prepared.statement),
            statement=prepared.statement,
            prepared=prepared,
            types=types,
            alone=alone,
        )

    def _fetch(self, payload: bytes) -> Read:
        prepared = self.prepared.find(_id(payload))
        if prepared is None:
            return self._error(_UNKNOWN_STATEMENT)
        request = self._request(Operation.FETCH, prepared.sql)
        return Question(request=request, shape=Shape.BINARY)

    def _send_long_data(self, payload: bytes) -> Read:
        if len(payload) < 7:
            raise ProtocolError("COM_STMT_SEND_LONG_DATA is too short")
        self.prepared.append(_id(payload), int.from_bytes(payload[5:7], "little"), payload[7:])
        return _SILENT

    def _close(self, payload: bytes) -> Read:
        self.prepared.close(_id(payload))
        return _SILENT

    def _reset(self, payload: bytes) -> Read:
        prepared = self.prepared.find(_id(payload))
        if prepared is None:
            return self._error(_UNKNOWN_STATEMENT)
        self.prepared.forget_long_data(prepared)
        return self._fine()

    # -- the session ----------------------------------------------------------------------------------------------

    def _init_db(self, payload: bytes) -> Read:
        return Question(request=self._request(Operation.INIT_DB, self._text(payload[1:])), otherwise=_OK)

    def _reset_connection(self, payload: bytes) -> Read:
        self.session.reset()
        self.prepared.clear()
        return self._fine()

    def _ping(self, payload: bytes) -> Read:
        return self._fine()

    def _set_option(self, payload: bytes) -> Read:
        return AtOnce(end(self.dialect, self.session.status))

    def _statistics(self, payload: bytes) -> Read:
        return AtOnce(_STATISTICS)

    def _quit(self, payload: bytes) -> Read:
        return Quit()

    def _field_list(self, payload: bytes) -> Read:
        table = self._text(payload[1:].partition(b"\0")[0])
        return Question(request=self._request(Operation.FIELD_LIST, table), shape=Shape.FIELDS)

    # -- within ---------------------------------------------------------------------------------------------------

    def _otherwise(self, statement: Statement) -> MysqlResponse | None:
        return _OK if self.session.is_chatter(statement) else None

    def _asked(
        self, operation: Operation, sql: str, statement: Statement, parameters: tuple[Cell, ...] | None = None
    ) -> MysqlRequest:
        session = self.session
        return MysqlRequest(
            operation=operation,
            query=sql,
            parameters=parameters,
            session=session.session_of(statement),
            transaction=tuple(session.writes) if statement.kind in _ENDS else (),
        )

    def _request(self, operation: Operation, query: str) -> MysqlRequest:
        return MysqlRequest(operation=operation, query=query, session=self.session.session())

    def _text(self, data: bytes) -> str:
        return data.decode(self.session.charset, "surrogateescape")

    def _fine(self) -> AtOnce:
        return AtOnce(ok(Ok(), self.dialect, self.session.status))

    @staticmethod
    def _error(error: Err) -> AtOnce:
        return AtOnce(err(error))


def _id(payload: bytes) -> int:
    if len(payload) < 5:
        raise ProtocolError("a command without the id of its statement")
    return int.from_bytes(payload[1:5], "little")


_READERS: dict[int, Callable[[Commands, bytes], Read]] = {
    Command.QUIT: Commands._quit,
    Command.INIT_DB: Commands._init_db,
    Command.QUERY: Commands._query,
    Command.FIELD_LIST: Commands._field_list,
    Command.STATISTICS: Commands._statistics,
    Command.DEBUG: Commands._set_option,
    Command.PING: Commands._ping,
    Command.STMT_PREPARE: Commands._prepare,
    Command.STMT_EXECUTE: Commands._execute,
    Command.STMT_BULK_EXECUTE: Commands._execute,
    Command.STMT_SEND_LONG_DATA: Commands._send_long_data,
    Command.STMT_CLOSE: Commands._close,
    Command.STMT_RESET: Commands._reset,
    Command.SET_OPTION: Commands._set_option,
    Command.STMT_FETCH: Commands._fetch,
    Command.RESET_CONNECTION: Commands._reset_connection,
}
