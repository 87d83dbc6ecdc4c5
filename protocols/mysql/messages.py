"""What a MySQL exchange is made of, as others see it: one command of the client, and what came of it.

No packet, no sequence id and no statement id is in here: a command means the same whatever the driver framed it in, and
a value is the same value whether it came as text or in binary. `wire` and `values` know the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# A value of a row or a parameter. `int` for whole numbers, years and bits; `float` for FLOAT and DOUBLE; `str` for
# text, JSON, dates, times and exact decimals, as the text protocol has them; `bytes` for what is no text.
Cell = None | int | float | str | bytes


class Operation(StrEnum):
    """What the client asks for. Names as the manual and Keploy have them."""

    GREETING = "Greeting"  # nothing yet: the server speaks first. Only ever asked about, never recorded by itself
    CONNECT = "HandshakeV10"  # the whole connection phase, or COM_CHANGE_USER: somebody logs in
    QUERY = "COM_QUERY"
    PREPARE = "COM_STMT_PREPARE"
    EXECUTE = "COM_STMT_EXECUTE"
    FETCH = "COM_STMT_FETCH"
    INIT_DB = "COM_INIT_DB"
    FIELD_LIST = "COM_FIELD_LIST"
    OTHER = "COM_OTHER"  # any other command that was not answered by a plain OK; `query` has its name


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What of a connection's state decides what a statement means. A part of every request's key."""

    database: str = ""
    settings: tuple[
        tuple[str, str], ...
    ] = ()  # session variables that were set, in lower case and by name, as SQL text


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlRequest:
    """One command."""

    operation: Operation
    query: str = ""  # SQL; bytes of it that are no UTF-8 are surrogates (`surrogateescape`)
    parameters: tuple[Cell, ...] | None = None  # of EXECUTE
    session: Session = field(default_factory=Session)
    user: str = ""  # of CONNECT
    plugin: str = ""  # of CONNECT: how the client wanted to log in
    tls: bool = False  # of CONNECT
    transaction: tuple[str, ...] = ()  # of a COMMIT or ROLLBACK: what was written since the transaction began


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column definition."""

    name: str
    type: int  # as on the wire: `wire.Type`
    length: int = 0
    flags: int = 0
    decimals: int = 0
    charset: int = 63
    schema: str = ""
    table: str = ""
    org_table: str = ""
    org_name: str = ""
    extra: bytes = b""  # MariaDB's extended metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Ok:
    """An OK packet."""

    affected_rows: int = 0
    last_insert_id: int = 0
    status: int = 0x0002  # SERVER_STATUS_AUTOCOMMIT
    warnings: int = 0
    info: str = ""
    changes: bytes = b""  # session state changes as they were sent, to a client that tracks them


@dataclass(frozen=True, slots=True, kw_only=True)
class Err:
    """An ERR packet."""

    code: int
    sqlstate: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSet:
    """Columns and rows, and how the set ended: by `status` and `warnings`, by an error, or not at all."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    status: int = 0x0002
    warnings: int = 0
    error: Err | None = None  # the server gave up in the middle of the rows
    complete: bool = True  # False: the connection ended before the set did


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The answer to PREPARE."""

    parameters: tuple[Column, ...] = ()
    columns: tuple[Column, ...] = ()
    warnings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Packets that are not understood here (cursors, what replication says), payload by payload."""

    packets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What the server says of itself before anything is asked. Its scramble and its connection id are not kept."""

    server_version: str
    capabilities: int
    extended_capabilities: int = 0  # MariaDB's own, the last four of the reserved bytes
    charset: int = 255
    status: int = 0x0002
    plugin: str = ""


Result = Ok | Err | ResultSet | Prepared | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlResponse:
    """What came of a command: one result, or several (multi-statements, procedures). None at all: nothing was answered.

    Of CONNECT: the greeting (None for COM_CHANGE_USER), and the OK or ERR that ended the login. A server that refuses
    at once says an ERR and no greeting.
    """

    results: tuple[Result, ...] = ()
    greeting: Greeting | None = None
