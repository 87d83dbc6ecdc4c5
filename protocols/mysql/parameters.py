"""What a client binds to its statements: the parameters of COM_STMT_EXECUTE, and what may stand before a query.

Values become the cells that they would be in a row: numbers are numbers, dates and times are text as the server writes
them, and text is text where its bytes are some, for drivers send both as the same type.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from protocols.mysql.messages import Cell
from testset.errors import ProtocolError

Types = tuple[tuple[int, int], ...]  # type, flags; one for each parameter

_UNSIGNED = 0x80
_NULL = 0x06
_NUMBERED = {0x01: 1, 0x02: 2, 0x0D: 2, 0x03: 4, 0x09: 4, 0x08: 8}
_FLOAT, _DOUBLE, _TIME = 0x04, 0x05, 0x0B
_DATES = frozenset((0x07, 0x0A, 0x0C, 0x0E))
_DATE_ALONE = frozenset((0x0A, 0x0E))

_PARAMETER_COUNT = 0x08  # of an EXECUTE's flags: the number of parameters follows, and each has a name
_SEND_TYPES = 0x80  # of a bulk EXECUTE's flags
_VALUE, _DEFAULT = 0, 2
_MOST = 0xFFFF


@dataclass(frozen=True, slots=True)
class Bound:
    """An EXECUTE: its flags (a cursor, say), its parameters, and the types that they were sent with."""

    flags: int
    parameters: tuple[Cell, ...]
    types: Types | None


def read_execute(
    payload: bytes, count: int, types: Types | None, long_data: Mapping[int, bytes | bytearray], *, named: bool
) -> Bound:
    """COM_STMT_EXECUTE. `count` and `types` are what is known of the statement. `named`: the client may send names
    (CLIENT_QUERY_ATTRIBUTES). What was sent as long data wins over all that is said here."""
    reader = Reader(payload, 5)
    flags = reader.byte()
    reader.take(4)  # iterations, always 1
    if not named or flags & _PARAMETER_COUNT or not count:
        return _bound(reader, flags, count, types, long_data, counted=named and bool(flags & _PARAMETER_COUNT))
    # Some say the count without the flag (mysql-connector-python), others don't: what reads to the end is right.
    at = reader.at
    if payload[at : at + 1] == bytes((count & 0xFF,)) and (bound := _counted(reader, flags, count, types, long_data)):
        return bound
    return _bound(Reader(payload, at), flags, count, types, long_data, counted=False)


def _counted(
    reader: Reader, flags: int, count: int, types: Types | None, long_data: Mapping[int, bytes | bytearray]
) -> Bound | None:
    """As if the count was said, if that reads to the end."""
    try:
        bound = _bound(reader, flags, count, types, long_data, counted=True)
    except ProtocolError:
        return None
    return None if reader.left else bound


def _bound(
    reader: Reader,
    flags: int,
    count: int,
    types: Types | None,
    long_data: Mapping[int, bytes | bytearray],
    *,
    counted: bool,
) -> Bound:
    sent = reader.lenenc() if counted else count
    if sent > _MOST or sent < count:
        raise ProtocolError(f"{sent} parameters for a statement that has {count}")
    if not sent:
        return Bound(flags, (), types)
    cells, types = reader.parameters(sent, types, long_data, names=counted)
    return Bound(flags, cells[:count], types)


def read_bulk(payload: bytes, count: int, types: Types | None) -> Bound:
    """COM_STMT_BULK_EXECUTE, of MariaDB: many sets of parameters, here one after the other."""
    reader = Reader(payload, 5)
    flags = reader.short()
    if flags & _SEND_TYPES:
        types = reader.types(count, names=False)
    if types is None or len(types) != count or not count:
        raise ProtocolError("parameters without types")
    cells: list[Cell] = []
    while reader.left:
        for kind, sign in types:
            indicator = reader.byte()
            if indicator > 3:
                raise ProtocolError(f"a parameter with the indicator {indicator}")
            cells.append(reader.cell(kind, sign) if indicator == _VALUE else None)
    return Bound(flags, tuple(cells), types)


def query_starts(payload: bytes) -> int:
    """Where the text of a COM_QUERY begins, whose client may send attributes before it."""
    reader = Reader(payload, 1)
    count = reader.lenenc()
    reader.lenenc()  # sets of parameters, always 1
    if count > _MOST:
        raise ProtocolError(f"a query with {count} attributes")
    if count:
        reader.parameters(count, None, {}, names=True)
    return reader.at


class Reader:
    """A packet, read from left to right."""

    def __init__(self, payload: bytes, at: int) -> None:
        self._payload = payload
        self.at = at

    @property
    def left(self) -> int:
        return len(self._payload) - self.at

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._payload):
            raise ProtocolError("a packet ends in the middle of a value")
        taken = self._payload[self.at : end]
        self.at = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def lenenc(self) -> int:
        first = self.byte()
        if first < 0xFB:
            return first
        size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
        if size is None:
            raise ProtocolError(f"a length that begins with {first:#x}")
        return int.from_bytes(self.take(size), "little")

    def types(self, count: int, *, names: bool) -> Types:
        types = []
        for _ in range(count):
            kind, sign = self.take(2)
            if names:
                self.take(self.lenenc())
            types.append((kind, sign))
        return tuple(types)

    def parameters(
        self, count: int, types: Types | None, long_data: Mapping[int, bytes | bytearray], *, names: bool
    ) -> tuple[tuple[Cell, ...], Types]:
        nulls = int.from_bytes(self.take((count + 7) // 8), "little")
        if self.byte():
            types = self.types(count, names=names)
        if types is None or len(types) != count:
            raise ProtocolError("parameters without types")
        cells: list[Cell] = []
        for index, (kind, sign) in enumerate(types):
            if index in long_data:
                cells.append(_text(bytes(long_data[index])))
            elif nulls >> index & 1 or kind == _NULL:
                cells.append(None)
            else:
                cells.append(self.cell(kind, sign))
        return tuple(cells), types

    def cell(self, kind: int, sign: int) -> Cell:
        size = _NUMBERED.get(kind)
        if size is not None:
            return int.from_bytes(self.take(size), "little", signed=not sign & _UNSIGNED)
        if kind == _FLOAT:
            return _shortest(self.take(4))
        if kind == _DOUBLE:
            (number,) = struct.unpack("<d", self.take(8))
            return float(number)
        if kind in _DATES:
            return _date(self.take(self.byte()), alone=kind in _DATE_ALONE)
        if kind == _TIME:
            return _time(self.take(self.byte()))
        return _text(self.take(self.lenenc()))


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _shortest(data: bytes) -> float:
    """A number of four bytes, with no more digits than it has."""
    (number,) = struct.unpack("<f", data)
    for digits in range(6, 9):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == data:
                return float(text)
        except OverflowError:
            break
    return float(number)


def _date(data: bytes, *, alone: bool) -> str:
    if len(data) not in (0, 4, 7, 11):
        raise ProtocolError(f"a date of {len(data)} bytes")
    year, month, day, hour, minute, second, fraction = struct.unpack("<HBBBBBI", data.ljust(11, b"\0"))
    date = f"{year:04}-{month:02}-{day:02}"
    if alone:
        return date
    time = f"{date} {hour:02}:{minute:02}:{second:02}"
    return f"{time}.{fraction:06}" if len(data) == 11 else time


def _time(data: bytes) -> str:
    if len(data) not in (0, 8, 12):
        raise ProtocolError(f"a time of {len(data)} bytes")
    negative, days, hour, minute, second, fraction = struct.unpack("<BIBBBI", data.ljust(12, b"\0"))
    time = f"{'-' if negative else ''}{days * 24 + hour:02}:{minute:02}:{second:02}"
    return f"{time}.{fraction:06}" if len(data) == 12 else time
