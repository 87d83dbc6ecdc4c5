"""What came of a command, as packets for the client that asks now: it may have agreed on other things than the one that
was recorded, and may ask in binary for what was recorded as text, or the other way round.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from protocols.mysql.messages import Column, Err, Ok, Prepared, Raw, Result, ResultSet
from protocols.mysql.rows import Unfit, binary_row, lenenc, lenenc_bytes, text_row
from protocols.mysql.session import AUTOCOMMIT, IN_TRANS

_FIXED = struct.Struct("<BHIBHBxx")  # what is the same size in every column definition
_LARGEST = 0xFFFFFF  # bytes of a packet; more goes on in the next
_MORE_RESULTS = 0x0008
_CURSOR = 0x0040 | 0x0080  # a cursor exists; its last row was sent
_STATE_CHANGED = 0x4000
_OURS = IN_TRANS | AUTOCOMMIT | _MORE_RESULTS | _CURSOR | _STATE_CHANGED
_NO_DEFAULT = b"\xfb"  # of a column in the answer to COM_FIELD_LIST
_TOO_LARGE = Err(code=1105, sqlstate="HY000", message="rr: the rest of this answer was too large to be recorded")


class Shape(Enum):
    """What a client awaits of its command."""

    TEXT = auto()  # rows as text
    BINARY = auto()
    PREPARED = auto()
    FIELDS = auto()  # column definitions without a count before them


@dataclass(frozen=True, slots=True)
class Dialect:
    """How answers look to one client: what both sides agreed on at its login."""

    deprecate_eof: bool = False
    tracks: bool = False  # CLIENT_SESSION_TRACK
    query_attributes: bool = False
    metadata_flag: bool = False  # CLIENT_OPTIONAL_RESULTSET_METADATA
    cache_metadata: bool = False  # MariaDB's
    extended_metadata: bool = False  # MariaDB's


def framed(payloads: Iterable[bytes], sequence: int) -> bytes:
    """Packets, one after the other; the first has this sequence id."""
    parts: list[bytes] = []
    for payload in payloads:
        size = len(payload)
        while size >= _LARGEST:
            parts.append(b"\xff\xff\xff%c" % sequence)
            parts.append(payload[:_LARGEST])
            payload = payload[_LARGEST:]
            size -= _LARGEST
            sequence = (sequence + 1) & 0xFF
        parts.append((size | sequence << 24).to_bytes(4, "little"))
        parts.append(payload)
        sequence = (sequence + 1) & 0xFF
    return b"".join(parts)


def ok(result: Ok, dialect: Dialect, status: int, *, header: int = 0x00) -> bytes:
    """An OK packet; `status` are the session's own flags, and whether more follows."""
    flags = (result.status & ~_OURS) | status
    changes = result.changes if dialect.tracks and result.status & _STATE_CHANGED else b""
    if changes:
        flags |= _STATE_CHANGED
    parts = [
        bytes((header,)),
        lenenc(result.affected_rows),
        lenenc(result.last_insert_id),
        (flags & 0xFFFF | result.warnings << 16).to_bytes(4, "little"),
    ]
    info = result.info.encode("utf-8", "surrogateescape")
    if not dialect.tracks:
        parts.append(info)
    elif info or changes:
        parts.append(lenenc_bytes(info))
        if changes:
            parts.append(lenenc_bytes(changes))
    return b"".join(parts)


def err(result: Err) -> bytes:
    """An ERR packet. One that comes before the greeting may have no SQLSTATE."""
    state = f"#{result.sqlstate:5.5}" if result.sqlstate else ""
    text = (state + result.message).encode("utf-8", "surrogateescape")
    return b"\xff" + result.code.to_bytes(2, "little") + text


def end(dialect: Dialect, status: int, warnings: int = 0) -> bytes:
    """The end of rows or of definitions."""
    if dialect.deprecate_eof:
        return ok(Ok(status=0, warnings=warnings), dialect, status, header=0xFE)
    return b"\xfe" + warnings.to_bytes(2, "little") + (status & 0xFFFF).to_bytes(2, "little")


def answer(
    results: Sequence[Result], shape: Shape, dialect: Dialect, status: int, *, statement_id: int, whole: bool
) -> list[bytes]:
    """The payloads of all packets. `status`: the session's flags. `whole`: all was recorded that the server said."""
    payloads: list[bytes] = []
    last = len(results) - 1
    for turn, result in enumerate(results):
        kept = isinstance(result, Ok | ResultSet) and not whole and result.status & _MORE_RESULTS
        flags = status | (_MORE_RESULTS if turn < last or kept else 0)
        if isinstance(result, Err):
            payloads.append(err(result))
        elif isinstance(result, Raw):
            payloads += result.packets
        elif isinstance(result, Prepared):
            if shape is not Shape.PREPARED:
                raise Unfit("what was recorded is the preparation of a statement")
            payloads += _prepared(result, dialect, status, statement_id)
        elif shape is Shape.PREPARED:
            raise Unfit("what was recorded is not the preparation of a statement")
        elif isinstance(result, Ok):
            payloads.append(ok(result, dialect, flags))
        elif shape is Shape.FIELDS:
            payloads += [definition + _NO_DEFAULT for definition in _definitions(result.columns, dialect)]
            payloads.append(end(dialect, flags, result.warnings))
        else:
            payloads += _result_set(result, shape, dialect, flags, whole=whole)
    return payloads


def _result_set(result: ResultSet, shape: Shape, dialect: Dialect, status: int, *, whole: bool) -> list[bytes]:
    columns = result.columns
    status |= result.status & ~_OURS
    payloads = [_count(len(columns), dialect), *_definitions(columns, dialect)]
    if not dialect.deprecate_eof:
        payloads.append(end(dialect, status))
    row_bytes = binary_row if shape is Shape.BINARY else text_row
    payloads += [row_bytes(columns, row) for row in result.rows]
    if result.error is not None:
        payloads.append(err(result.error))
    elif result.complete:
        payloads.append(end(dialect, status, result.warnings))
    elif whole:
        payloads.append(err(_TOO_LARGE))
    return payloads


def _count(columns: int, dialect: Dialect) -> bytes:
    before = b"\x01" if dialect.metadata_flag else b""
    return before + lenenc(columns) + (b"\x01" if dialect.cache_metadata else b"")


def _prepared(result: Prepared, dialect: Dialect, status: int, statement_id: int) -> list[bytes]:
    head = [
        b"\x00",
        statement_id.to_bytes(4, "little"),
        len(result.columns).to_bytes(2, "little"),
        len(result.parameters).to_bytes(2, "little"),
        b"\x00",
        result.warnings.to_bytes(2, "little"),
    ]
    if dialect.metadata_flag:
        head.append(b"\x01")
    payloads = [b"".join(head)]
    for columns in (result.parameters, result.columns):
        if columns:
            payloads += _definitions(columns, dialect)
            if not dialect.deprecate_eof:
                payloads.append(end(dialect, status))
    return payloads


@lru_cache(maxsize=1024)
def _definitions(columns: tuple[Column, ...], dialect: Dialect) -> tuple[bytes, ...]:
    return tuple([_definition(column, dialect) for column in columns])


def _definition(column: Column, dialect: Dialect) -> bytes:
    """Protocol::ColumnDefinition41."""
    names = ("def", column.schema, column.table, column.org_table, column.name, column.org_name)
    parts = [lenenc_bytes(name.encode("utf-8", "surrogateescape")) for name in names]
    if dialect.extended_metadata:
        parts.append(lenenc_bytes(column.extra))
    fixed = _FIXED.pack(
        12, column.charset & 0xFFFF, column.length & 0xFFFFFFFF, column.type & 0xFF, column.flags & 0xFFFF,
        column.decimals & 0xFF,
    )  # fmt: skip
    return b"".join((*parts, fixed))
