"""What a server answers to one command, packet by packet, until it is complete.

As a table: which packets may come in which state, and what they lead to, is in `state`.
"""

from __future__ import annotations

from protocols.mysql import wire
from protocols.mysql.answers import Dialect, Shape
from protocols.mysql.cells import Row, binary_reader, text_reader
from protocols.mysql.messages import Column, Err, Ok, Prepared, Raw, Result, ResultSet
from protocols.mysql.parameters import Reader
from protocols.mysql.state import State, after
from protocols.mysql.terms import Status
from testset.errors import LimitError, ProtocolError

_MOST_COLUMNS = 1 << 16
_WEIGHT = 64  # bytes that a small thing takes in memory, whatever it took on the wire
_CURSOR = "a cursor (COM_STMT_FETCH), kept as raw packets"
_FILE = "LOAD DATA LOCAL: the file is not kept"


class Reply:
    """The answer to one command. Feed it payloads until `done`."""

    def __init__(
        self,
        shape: Shape,
        dialect: Dialect,
        most: int,
        *,
        first: State,
        cursor: bool = False,
        known: tuple[Column, ...] = (),
    ) -> None:
        """`most`: bytes that are kept. `cursor`: the client has asked for one. `known`: the columns of what was
        prepared, for a server that does not describe them again."""
        self._known = known
        self._shape = shape
        self._dialect = dialect
        self._left = most
        self._most = most
        self._cursor = cursor
        self._state = first
        self._raw: list[bytes] = []  # of a cursor
        self._columns: list[Column] = []
        self._parameters: list[Column] = []
        self._awaited = 0  # definitions, and how many of them came
        self._came = 0
        self._counts = (0, 0)  # of PREPARE: parameters, columns
        self._warnings = 0
        self._rows: list[Row] = []
        self._reader = binary_reader if shape is Shape.BINARY else text_reader
        self._read_row = self._reader(())
        self.statement_id = 0  # of what was prepared
        self.results: list[Result] = []
        self.remark: str | None = None
        self.wants_file = False  # the client is to send one now

    @property
    def done(self) -> bool:
        return self._state is State.DONE

    def feed(self, payload: bytes) -> None:
        """The next packet."""
        if self._state is State.ROWS:
            self._row(payload)
            return
        if not payload:
            raise ProtocolError("an answer without a byte")
        if self._cursor and self._left >= 0:
            self._raw.append(payload)
        match self._state:
            case State.HEAD:
                self._head(payload)
            case State.PREPARED:
                self._prepared(payload)
            case State.PARAMETERS | State.PARAMETERS_END | State.COLUMNS | State.COLUMNS_END:
                self._definition(payload)
            case State.FIELDS:
                self._field(payload)
            case State.FETCHED:
                self._fetched(payload)
            case State.SINGLE:
                self._single(payload)
            case _:
                raise ProtocolError(f"an answer that is {self._state} goes on")

    def broken(self) -> list[Result]:
        """The connection has ended: what there is of the answer."""
        if self._state is State.ROWS or (self._state is State.COLUMNS_END and self._columns):
            self._close_set(complete=False)
        elif self._state is State.FETCHED and self._raw:
            self.results.append(Raw(packets=tuple(self._raw)))
        return self.results

    # -- the first packet --------------------------------------------------------------------------------------------

    def _head(self, payload: bytes) -> None:
        first = payload[0]
        dialect = self._dialect
        counted = dialect.metadata_flag and len(payload) <= 4 and first in (0, 1)
        if first == wire.ERR:
            self._error(payload)
        elif first == wire.OK and not counted:
            self._ok(wire.ok(payload, tracks=dialect.tracks))
        elif first == wire.LOCAL_INFILE:
            self.remark = _FILE
            self.wants_file = True
        else:
            reader = Reader(payload, 1 if counted else 0)
            self._awaited = reader.lenenc()
            if not 0 < self._awaited <= _MOST_COLUMNS:
                raise ProtocolError(f"{self._awaited} columns")
            self._came = 0
            known = (counted and not first) or (dialect.cache_metadata and reader.left and not reader.byte())
            self._columns, self._rows = [], []
            if not known:
                self._go(State.COLUMNS)
                return
            if len(self._known) != self._awaited:
                raise ProtocolError("rows without a description of their columns")
            self._columns = list(self._known)
            if dialect.deprecate_eof:
                self._described_all(0)
            else:
                self._go(State.COLUMNS_END)

    def _single(self, payload: bytes) -> None:
        if payload[0] == wire.ERR:
            self.results.append(wire.err(payload))
        elif payload[0] == wire.OK and len(payload) >= 7:
            self.results.append(wire.ok(payload, tracks=self._dialect.tracks))
        else:
            self.results.append(Raw(packets=(payload,)))
        self._go(State.DONE)

    def _ok(self, result: Ok) -> None:
        if self._has_room(len(result.info) + len(result.changes)):
            self.results.append(result)
        self._go(State.HEAD if result.status & Status.MORE_RESULTS_EXISTS else State.DONE)

    def _error(self, payload: bytes) -> None:
        self.results.append(wire.err(payload))
        self._go(State.DONE)

    # -- definitions -------------------------------------------------------------------------------------------------

    def _prepared(self, payload: bytes) -> None:
        if payload[0] == wire.ERR:
            self._error(payload)
            return
        reader = Reader(payload, 1)
        self.statement_id = int.from_bytes(reader.take(4), "little")
        columns, parameters = reader.short(), reader.short()
        reader.take(1)
        self._warnings = reader.short() if reader.left >= 2 else 0
        self._counts = (parameters, columns)
        self._next_definitions()

    def _next_definitions(self) -> None:
        parameters, columns = self._counts
        self._came = 0
        if len(self._parameters) < parameters:
            self._awaited = parameters
            self._go(State.PARAMETERS)
        elif len(self._columns) < columns:
            self._awaited = columns
            self._go(State.COLUMNS)
        else:
            self.results.append(
                Prepared(parameters=tuple(self._parameters), columns=tuple(self._columns), warnings=self._warnings)
            )
            self._go(State.DONE)

    def _definition(self, payload: bytes) -> None:
        if self._state in (State.PARAMETERS_END, State.COLUMNS_END):
            if not wire.is_end(payload, deprecate_eof=False):
                raise ProtocolError("definitions without their end")
            self._described_all(wire.end(payload, deprecate_eof=False)[0])
            return
        into = self._parameters if self._state is State.PARAMETERS else self._columns
        if self._has_room(len(payload)):
            into.append(wire.column(payload, extended=self._dialect.extended_metadata))
        elif self._shape is Shape.PREPARED or not self.results:
            raise LimitError(f"columns of more than {self._most} bytes")
        self._came += 1
        if self._came == self._awaited:
            if not self._dialect.deprecate_eof:
                self._go(State.PARAMETERS_END if self._state is State.PARAMETERS else State.COLUMNS_END)
            else:
                self._described_all(0)

    def _described_all(self, status: int) -> None:
        if self._shape is Shape.PREPARED:
            self._next_definitions()
        elif self._cursor and status & Status.CURSOR_EXISTS:
            self._keep_raw()
        else:
            self._read_row = self._reader(self._columns)
            self._go(State.ROWS)

    def _field(self, payload: bytes) -> None:
        if payload[0] == wire.ERR:
            self._error(payload)
        elif wire.is_end(payload, deprecate_eof=self._dialect.deprecate_eof):
            status, warnings = wire.end(payload, deprecate_eof=self._dialect.deprecate_eof)
            self._close_set(status, warnings, complete=self._left >= 0)
            self._go(State.DONE)
        elif self._has_room(len(payload)):
            self._columns.append(wire.column(payload, extended=self._dialect.extended_metadata))

    # -- rows --------------------------------------------------------------------------------------------------------

    def _row(self, payload: bytes) -> None:
        first = payload[:1]
        if first == b"\xfe" and wire.is_end(payload, deprecate_eof=self._dialect.deprecate_eof):
            status, warnings = wire.end(payload, deprecate_eof=self._dialect.deprecate_eof)
            if self._cursor and status & Status.CURSOR_EXISTS:
                self._raw.append(payload)
                self._keep_raw()
                return
            self._close_set(status, warnings, complete=self._left >= 0)
            self._go(State.HEAD if status & Status.MORE_RESULTS_EXISTS else State.DONE)
        elif first == b"\xff":
            self._close_set(error=wire.err(payload), complete=self._left >= 0)
            self._go(State.DONE)
        elif self._has_room(len(payload) + 8 * len(self._columns)):
            self._rows.append(self._read_row(payload))

    def _has_room(self, size: int) -> bool:
        """Whether something of this size is kept. Once something was not, nothing is: the rest of the answer."""
        if self._left >= 0:
            self._left -= size + _WEIGHT
            if self._left < 0:
                self.remark = f"an answer of more than {self._most} bytes is not kept whole"
        return self._left >= 0

    def _close_set(
        self, status: int = 0, warnings: int = 0, *, error: Err | None = None, complete: bool = True
    ) -> None:
        columns, rows = tuple(self._columns), tuple(self._rows)
        self._columns, self._rows = [], []
        if self._left < 0 and len(columns) < self._awaited:
            return  # not even its columns were kept
        self.results.append(
            ResultSet(
                columns=columns, rows=rows, status=status, warnings=warnings, error=error,
                complete=complete or error is not None,
            )
        )  # fmt: skip

    def _fetched(self, payload: bytes) -> None:
        ends = payload[0] == wire.ERR or wire.is_end(payload, deprecate_eof=self._dialect.deprecate_eof)
        if self._has_room(len(payload)) or ends:
            self._raw.append(payload)
        if ends:
            self._keep_raw()

    def _keep_raw(self) -> None:
        self.remark = _CURSOR if self._left >= 0 else self.remark
        self.results.append(Raw(packets=tuple(self._raw)))
        self._go(State.DONE)

    def _go(self, to: State) -> None:
        self._state = after(self._state, to)
