"""A row's packet as cells: the same value is the same cell, whether it came as text or in binary. `rows` goes the other
way.

A whole number or a float is one only if `rows` would write it as it came; whatever else a server has written there
stays the text that it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from protocols.mysql.charsets import UTF_8, codec_of_collation
from protocols.mysql.messages import Cell, Column
from protocols.mysql.rows import shortest, text_of
from protocols.mysql.terms import ColumnFlag, Type
from testset.errors import ProtocolError

_NULL = 0xFB
_LENGTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}
_INTEGERS = {
    Type.TINY: 1, Type.SHORT: 2, Type.YEAR: 2, Type.LONG: 4, Type.INT24: 4, Type.LONGLONG: 8,
}  # fmt: skip
_TIMES = frozenset({Type.DATE, Type.NEWDATE, Type.DATETIME, Type.TIMESTAMP, Type.TIME})
_DATES = frozenset({Type.DATE, Type.NEWDATE})
_MOST_DECIMALS = 6

Row = tuple[Cell, ...]
_Text = Callable[[bytes], Cell]
_Binary = Callable[[bytes, int], tuple[Cell, int]]


def text_reader(columns: Sequence[Column]) -> Callable[[bytes], Row]:
    """Reads each ProtocolText::ResultsetRow of one result set."""
    readers = [_text_reader(column) for column in columns]
    return lambda payload: _text_row(readers, payload)


def binary_reader(columns: Sequence[Column]) -> Callable[[bytes], Row]:
    """Reads each ProtocolBinary::ResultsetRow of one result set."""
    readers = [_binary_reader(column) for column in columns]
    return lambda payload: _binary_row(readers, payload)


def _text_row(readers: list[_Text], payload: bytes) -> Row:
    cells: list[Cell] = []
    at, end = 0, len(payload)
    for read in readers:
        if at >= end:
            raise ProtocolError("a row that ends too early")
        size = payload[at]
        at += 1
        if size >= _NULL:
            if size == _NULL:
                cells.append(None)
                continue
            width = _LENGTHS.get(size)
            if width is None or at + width > end:
                raise ProtocolError("a row with a length that is none")
            size = int.from_bytes(payload[at : at + width], "little")
            at += width
        stop = at + size
        if stop > end:
            raise ProtocolError("a row that ends too early")
        cells.append(read(payload[at:stop]))
        at = stop
    if at != end:
        raise ProtocolError("a row with more values than columns")
    return tuple(cells)


def _binary_row(readers: list[_Binary], payload: bytes) -> Row:
    at = 1 + (len(readers) + 9) // 8
    if len(payload) < at or payload[0] != 0:
        raise ProtocolError("no row in binary")
    nulls = int.from_bytes(payload[1:at], "little") >> 2
    cells: list[Cell] = []
    for index, read in enumerate(readers):
        if nulls >> index & 1:
            cells.append(None)
            continue
        cell, at = read(payload, at)
        cells.append(cell)
    if at != len(payload):
        raise ProtocolError("a row with more values than columns")
    return tuple(cells)


# -- text -----------------------------------------------------------------------------------------------------------


def _text_reader(column: Column) -> _Text:
    if column.type in _INTEGERS:
        plain = column.type != Type.YEAR and not column.flags & ColumnFlag.ZEROFILL
        return _plain_whole if plain else lambda data: _whole(column, data)
    if column.type in (Type.FLOAT, Type.DOUBLE):
        return lambda data: _real(column, data)
    if column.type == Type.BIT:
        return lambda data: _bits(column, data)
    codec = codec_of_collation(column.charset)
    return _utf_8 if codec == UTF_8 else lambda data: _readable(data, codec)


def _plain_whole(data: bytes) -> Cell:
    try:
        number = int(data)
    except ValueError:
        return _utf_8(data)
    return number if b"%d" % number == data else _utf_8(data)


def _whole(column: Column, data: bytes) -> Cell:
    try:
        number = int(data)
    except ValueError:
        return _utf_8(data)
    return number if text_of(column, number) == data else _utf_8(data)


def _real(column: Column, data: bytes) -> Cell:
    try:
        number = float(data)
    except ValueError:
        return _utf_8(data)
    return number if text_of(column, number) == data else _utf_8(data)


def _bits(column: Column, data: bytes) -> Cell:
    number = int.from_bytes(data, "big")
    return number if text_of(column, number) == data else data


def _utf_8(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _readable(data: bytes, codec: str) -> str | bytes:
    """Some codecs read two spellings as the same: such a text stays as it came."""
    try:
        text = data.decode(codec)
        return text if text.encode(codec) == data else data
    except UnicodeError:
        return data


# -- binary ---------------------------------------------------------------------------------------------------------


def _binary_reader(column: Column) -> _Binary:
    size = _INTEGERS.get(Type(column.type)) if column.type in _INTEGERS else None
    if size is not None:
        signed = not column.flags & ColumnFlag.UNSIGNED and column.type != Type.YEAR
        return lambda payload, at: (
            int.from_bytes(_cut(payload, at, size), "little", signed=signed),
            at + size,
        )
    if column.type == Type.FLOAT:
        return lambda payload, at: (_float(_cut(payload, at, 4)), at + 4)
    if column.type == Type.DOUBLE:
        return lambda payload, at: (struct.unpack("<d", _cut(payload, at, 8))[0], at + 8)
    if column.type in _TIMES:
        return lambda payload, at: _time(column, payload, at)
    if column.type == Type.NULL:
        return lambda payload, at: (None, at)
    read = _text_reader(column)

    def sized(payload: bytes, at: int) -> tuple[Cell, int]:
        size, at = _length(payload, at)
        return read(_cut(payload, at, size)), at + size

    return sized


def _cut(payload: bytes, at: int, size: int) -> bytes:
    part = payload[at : at + size]
    if len(part) != size:
        raise ProtocolError("a row that ends too early")
    return part


def _length(payload: bytes, at: int) -> tuple[int, int]:
    size = _cut(payload, at, 1)[0]
    if size < _NULL:
        return size, at + 1
    width = _LENGTHS.get(size)
    if width is None:
        raise ProtocolError("a row with a length that is none")
    return int.from_bytes(_cut(payload, at + 1, width), "little"), at + 1 + width


def _float(data: bytes) -> float:
    (number,) = struct.unpack("<f", data)
    return float(shortest(number))


def _time(column: Column, payload: bytes, at: int) -> tuple[str, int]:
    size = _cut(payload, at, 1)[0]
    data = _cut(payload, at + 1, size)
    at += 1 + size
    digits = column.decimals if 0 < column.decimals <= _MOST_DECIMALS else 0
    if column.type == Type.TIME:
        if size not in (0, 8, 12):
            raise ProtocolError(f"a time of {size} bytes")
        negative, days, hour, minute, second, fraction = struct.unpack("<BIBBBI", data.ljust(12, b"\0"))
        text = f"{'-' if negative else ''}{days * 24 + hour:02}:{minute:02}:{second:02}"
    else:
        if size not in (0, 4, 7, 11):
            raise ProtocolError(f"a date of {size} bytes")
        year, month, day, hour, minute, second, fraction = struct.unpack("<HBBBBBI", data.ljust(11, b"\0"))
        text = f"{year:04}-{month:02}-{day:02}"
        if column.type in _DATES:
            return text, at
        text += f" {hour:02}:{minute:02}:{second:02}"
    if fraction and not digits:
        digits = _MOST_DECIMALS
    return (f"{text}.{fraction:06}"[: len(text) + 1 + digits] if digits else text), at
