"""Cells as a server would send them, as text and in binary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.messages import Cell, Column
from protocols.mysql.rows import Unfit, binary_row, lenenc, text_row

TINY, SHORT, LONG, FLOAT, DOUBLE, LONGLONG = 1, 2, 3, 4, 5, 8
TIMESTAMP, DATE, TIME, DATETIME, YEAR, BIT = 7, 10, 11, 12, 13, 16
JSON, DECIMAL, BLOB, VAR_STRING = 245, 246, 252, 253
UNSIGNED, ZEROFILL = 0x20, 0x40


def column(kind: int, *, charset: int = 63, length: int = 11, decimals: int = 0, flags: int = 0) -> Column:
    return Column(name="a", type=kind, charset=charset, length=length, decimals=decimals, flags=flags)


@pytest.mark.parametrize(
    ("described", "cell", "text", "binary"),
    [
        (column(TINY), -1, "-1", "ff"),
        (column(TINY, flags=UNSIGNED), 255, "255", "ff"),
        (column(SHORT), 300, "300", "2c01"),
        (column(LONG), 7, "7", "07000000"),
        (column(LONG, flags=ZEROFILL, length=5), 42, "00042", "2a000000"),
        (column(LONGLONG, flags=UNSIGNED), 2**64 - 1, "18446744073709551615", "ff" * 8),
        (column(YEAR), 2024, "2024", "e807"),
        (column(YEAR), 0, "0000", "0000"),
        (column(LONG), "7", "7", "07000000"),  # a person wrote it so
        (column(DOUBLE, decimals=31), 1.5, "1.5", "000000000000f83f"),
        (column(DOUBLE, decimals=31), 100.0, "100", "0000000000005940"),
        (column(DOUBLE, decimals=31), 1e20, "1e20", "408cb5781daf1544"),
        (column(DOUBLE, decimals=31), 1.25e-7, "0.000000125", "8dedb5a0f7c6803e"),
        (column(DOUBLE, decimals=2), 1.5, "1.50", "000000000000f83f"),
        (column(FLOAT, decimals=31), 1.1, "1.1", "cdcc8c3f"),
        (column(FLOAT, decimals=31), 1.100000023841858, "1.1", "cdcc8c3f"),
        (column(FLOAT, decimals=31), 3, "3", "00004040"),
    ],
)
def test_numbers(described: Column, cell: Cell, text: str, binary: str) -> None:
    assert text_row((described,), (cell,)) == lenenc(len(text)) + text.encode()
    assert binary_row((described,), (cell,)) == b"\0\0" + bytes.fromhex(binary)


@pytest.mark.parametrize(
    ("described", "cell", "data"),
    [
        (column(DECIMAL, decimals=2), "1200.00", b"1200.00"),
        (column(VAR_STRING, charset=45), "höhe", "höhe".encode()),
        (column(VAR_STRING, charset=8), "höhe", b"h\xf6he"),
        (column(VAR_STRING, charset=8), "♥", b"?"),
        (column(VAR_STRING, charset=45), "\udcff", b"\xff"),
        (column(JSON), '{"a": "ö"}', '{"a": "ö"}'.encode()),
        (column(BLOB), b"\0\xff", b"\0\xff"),
        (column(BIT, length=10), 513, b"\x02\x01"),
        (column(VAR_STRING, charset=45), "", b""),
        (column(VAR_STRING, charset=45), "x" * 70_000, b"x" * 70_000),
    ],
)
def test_text_and_bytes_are_the_same_either_way(described: Column, cell: Cell, data: bytes) -> None:
    assert text_row((described,), (cell,)) == lenenc(len(data)) + data
    assert binary_row((described,), (cell,)) == b"\0\0" + lenenc(len(data)) + data


@pytest.mark.parametrize(
    ("kind", "cell", "binary"),
    [
        (DATE, "2024-02-29", "04 e807 02 1d"),
        (DATE, "0000-00-00", "00"),
        (DATETIME, "2024-02-29 00:00:00", "04 e807 02 1d"),
        (DATETIME, "2024-02-29 13:14:15", "07 e807 02 1d 0d0e0f"),
        (TIMESTAMP, "2024-02-29 13:14:15.5", "0b e807 02 1d 0d0e0f 20a10700"),
        (TIME, "00:00:00", "00"),
        (TIME, "13:14:15", "08 00 00000000 0d0e0f"),
        (TIME, "-838:59:59.000001", "0c 01 22000000 163b3b 01000000"),
    ],
)
def test_dates_and_times(kind: int, cell: str, binary: str) -> None:
    assert text_row((column(kind),), (cell,)) == lenenc(len(cell)) + cell.encode()
    assert binary_row((column(kind),), (cell,)) == b"\0\0" + bytes.fromhex(binary)


def test_null_is_a_byte_of_its_own_or_a_bit() -> None:
    columns = (column(LONG),) * 9
    row: tuple[Cell, ...] = (None, 1, 1, 1, 1, 1, None, 1, None)
    assert text_row(columns, row) == b"\xfb" + b"\x011" * 5 + b"\xfb" + b"\x011" + b"\xfb"
    assert binary_row(columns, row)[:3] == b"\0\x04\x05"


@pytest.mark.parametrize(
    ("kind", "cell"), [(LONG, "seven"), (DATE, "tomorrow"), (TIME, 5), (DATETIME, "99999-01-01"), (DOUBLE, "x")]
)
def test_what_is_no_such_value_is_named(kind: int, cell: Cell) -> None:
    with pytest.raises(Unfit, match="no value for the column 'a'"):
        binary_row((column(kind),), (cell,))


@given(
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.none() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
)
def test_anything_in_a_document_is_sent_or_named(kind: int, flags: int, charset: int, cell: Cell) -> None:
    described = (column(kind, flags=flags, charset=charset, decimals=31),)
    for row in (text_row, binary_row):
        try:
            assert isinstance(row(described, (cell,)), bytes)
        except Unfit:
            pass
