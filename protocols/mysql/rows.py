"""A recorded row as a packet: as text for a query, in binary for a prepared statement, whichever way it was recorded.

A value that a person has put into a document may not be what its column's type says; it is sent as near to it as
possible, and never makes anything fail but with `Unfit`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import lru_cache

from protocols.mysql.charsets import codec_of_collation
from protocols.mysql.messages import Cell, Column

_NULL = b"\xfb"
_BINARY = 63  # the collation of what is no text
_ZEROFILL = 0x40
_NUMBERED = {0x01: 1, 0x02: 2, 0x0D: 2, 0x03: 4, 0x09: 4, 0x08: 8}  # types, and bytes of their whole numbers
_YEAR, _BIT, _FLOAT, _DOUBLE, _TIME, _NOTHING = 0x0D, 0x10, 0x04, 0x05, 0x0B, 0x06
_DATES = frozenset((0x07, 0x0A, 0x0C, 0x0E))  # TIMESTAMP, DATE, DATETIME, NEWDATE
_ANY_DECIMALS = 31
_WIDEST, _MOST_BITS = 255, 64  # of a number that is shown, and of a BIT; what a column says of itself may be anything

_DATE = re.compile(r"(\d+)-(\d+)-(\d+)(?:[ T](\d+):(\d+):(\d+)(?:\.(\d{1,6}))?)?")
_DURATION = re.compile(r"(-?)(\d+):(\d+):(\d+)(?:\.(\d{1,6}))?")


class Unfit(Exception):
    """This was recorded, and can't be sent to whoever asks. Seen in `serve`, and nowhere beyond."""


def lenenc(number: int) -> bytes:
    """int<lenenc>"""
    if number < 0xFB:
        return number.to_bytes(1, "little")
    if number <= 0xFFFF:
        return b"\xfc" + number.to_bytes(2, "little")
    if number <= 0xFFFFFF:
        return b"\xfd" + number.to_bytes(3, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def lenenc_bytes(data: bytes) -> bytes:
    """string<lenenc>"""
    return lenenc(len(data)) + data


def text_row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> bytes:
    """ProtocolText::ResultsetRow."""
    _check(columns, row)
    return b"".join(
        [
            _NULL if cell is None else lenenc_bytes(text_of(column, cell))
            for column, cell in zip(columns, row, strict=True)
        ]
    )


def binary_row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> bytes:
    """ProtocolBinary::ResultsetRow."""
    _check(columns, row)
    nulls = 0
    values = [b""]
    for index, (writer, cell) in enumerate(zip(_writers(columns), row, strict=True)):
        if cell is None:
            nulls |= 4 << index  # the first two bits are not used
        else:
            try:
                values.append(writer(cell))
            except (ValueError, OverflowError, struct.error) as error:
                raise Unfit(f"{cell!r} is no value for the column {columns[index].name!r}") from error
    values[0] = b"\x00" + nulls.to_bytes((len(columns) + 9) // 8, "little")
    return b"".join(values)


def _check(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> None:
    if len(row) != len(columns):
        raise Unfit(f"a row with {len(row)} values for {len(columns)} columns")


# -- as text ----------------------------------------------------------------------------------------------------------


def text_of(column: Column, cell: Cell) -> bytes:
    if isinstance(cell, str):
        return _encoded(cell, column.charset)
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, int) and column.type != _FLOAT and column.type != _DOUBLE:
        if column.type == _BIT:
            return _bits(column, cell)
        text = str(cell)
        if column.type == _YEAR:
            text = text.zfill(4)
        elif column.flags & _ZEROFILL:
            text = text.zfill(min(column.length, _WIDEST))
        return text.encode()
    assert cell is not None
    return _float_text(column, cell).encode()


def _encoded(text: str, collation: int) -> bytes:
    codec = codec_of_collation(collation)
    try:
        return text.encode(codec, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(codec, "replace")


def _bits(column: Column, number: int) -> bytes:
    size = max((min(column.length, _MOST_BITS) + 7) // 8, (number.bit_length() + 7) // 8, 1)
    return number.to_bytes(size, "big")


def _float_text(column: Column, number: float) -> str:
    if column.decimals < _ANY_DECIMALS and column.type in (_FLOAT, _DOUBLE):
        return f"{number:.{column.decimals}f}"
    text = shortest(number) if column.type == _FLOAT else repr(float(number))
    mantissa, e, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    if not e:
        return mantissa
    power = int(exponent)
    if -15 <= power < 0:  # the server writes these out
        return f"{number:.{len(mantissa.replace('.', '').lstrip('-')) - 1 - power}f}"
    return f"{mantissa}e{power}"


def shortest(number: float) -> str:
    """The shortest text of a number that has only four bytes."""
    try:
        (exact,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        return repr(float(number))
    for digits in range(6, 10):
        text = f"{exact:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", exact):
            return repr(float(text))
    return repr(exact)


# -- in binary --------------------------------------------------------------------------------------------------------

_Writer = Callable[[Cell], bytes]


@lru_cache(maxsize=1024)
def _writers(columns: tuple[Column, ...]) -> tuple[_Writer, ...]:
    return tuple([_writer(column) for column in columns])


def _writer(column: Column) -> _Writer:
    size = _NUMBERED.get(column.type)
    if size is not None:
        mask = (1 << 8 * size) - 1
        return lambda cell: (_number(cell) & mask).to_bytes(size, "little")
    if column.type == _FLOAT:
        return lambda cell: struct.pack("<f", _real(cell))
    if column.type == _DOUBLE:
        return lambda cell: struct.pack("<d", _real(cell))
    if column.type in _DATES:
        return _date
    if column.type == _TIME:
        return _time
    if column.type == _NOTHING:
        return lambda cell: b""
    return lambda cell: lenenc_bytes(text_of(column, cell))


def _number(cell: Cell) -> int:
    return cell if isinstance(cell, int) else int(_plain(cell))


def _real(cell: Cell) -> float:
    return cell if isinstance(cell, int | float) else float(_plain(cell))


def _plain(cell: Cell) -> str:
    return cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)


def _date(cell: Cell) -> bytes:
    found = _DATE.fullmatch(_plain(cell))
    if found is None:
        raise ValueError("no date")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction = int((found[7] or "").ljust(6, "0"))
    date = struct.pack("<HBB", year, month, day)
    if fraction:
        return b"\x0b" + date + struct.pack("<BBBI", hour, minute, second, fraction)
    if hour or minute or second:
        return b"\x07" + date + bytes((hour, minute, second))
    return b"\x04" + date if year or month or day else b"\x00"


def _time(cell: Cell) -> bytes:
    found = _DURATION.fullmatch(_plain(cell))
    if found is None:
        raise ValueError("no time")
    hours, minute, second = (int(part) for part in found.groups()[1:4])
    fraction = int((found[5] or "").ljust(6, "0"))
    if not (hours or minute or second or fraction):
        return b"\x00"
    days, hour = divmod(hours, 24)
    time = struct.pack("<BIBBB", bool(found[1]), days, hour, minute, second)
    return b"\x0c" + time + fraction.to_bytes(4, "little") if fraction else b"\x08" + time
