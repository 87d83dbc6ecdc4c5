"""What a driver binds, read from its packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.messages import Cell
from protocols.mysql.parameters import query_starts, read_bulk, read_execute
from testset.errors import ProtocolError

HEAD = b"\x17\x01\0\0\0\0\x01\0\0\0"


def one(kind: int, value: str, sign: int = 0) -> Cell:
    """The only parameter of a statement."""
    payload = HEAD + b"\0\x01" + bytes([kind, sign]) + bytes.fromhex(value)
    (cell,) = read_execute(payload, 1, None, {}, named=False).parameters
    return cell


@pytest.mark.parametrize(
    ("kind", "value", "sign", "cell"),
    [
        (1, "ff", 0, -1),
        (1, "ff", 0x80, 255),
        (2, "2c01", 0, 300),
        (3, "07000000", 0, 7),
        (8, "ff" * 8, 0x80, 2**64 - 1),
        (8, "ff" * 8, 0, -1),
        (4, "cdcc8c3f", 0, 1.1),  # and not 1.100000023841858
        (5, "000000000000f83f", 0, 1.5),
        (6, "", 0, None),
        (0, "04 312e3530", 0, "1.50"),
        (253, "02 6162", 0, "ab"),
        (253, "02 ffff", 0, b"\xff\xff"),
        (252, "02 6162", 0, "ab"),
        (10, "04 e807 02 1d", 0, "2024-02-29"),
        (12, "04 e807 02 1d", 0, "2024-02-29 00:00:00"),
        (12, "07 e807 02 1d 0d0e0f", 0, "2024-02-29 13:14:15"),
        (7, "0b e807 02 1d 0d0e0f 20a10700", 0, "2024-02-29 13:14:15.500000"),
        (12, "00", 0, "0000-00-00 00:00:00"),
        (11, "00", 0, "00:00:00"),
        (11, "08 01 22000000 163b3b", 0, "-838:59:59"),
        (11, "0c 00 00000000 0d0e0f 01000000", 0, "13:14:15.000001"),
    ],
)
def test_values_are_the_cells_that_they_would_be_in_a_row(kind: int, value: str, sign: int, cell: Cell) -> None:
    found = one(kind, value, sign)
    assert (found, type(found)) == (cell, type(cell))


@pytest.mark.parametrize(
    ("kind", "value"), [(3, "07"), (12, "05 e807021d00"), (11, "03 000000"), (253, "09 61"), (253, "ff")]
)
def test_a_value_that_is_cut_off_or_none_is_an_error(kind: int, value: str) -> None:
    with pytest.raises(ProtocolError):
        one(kind, value)


def test_parameters_without_types_are_an_error() -> None:
    with pytest.raises(ProtocolError, match="without types"):
        read_execute(HEAD + b"\0\0\x07\0\0\0", 1, None, {}, named=False)


def test_a_statement_without_parameters_has_none() -> None:
    assert read_execute(HEAD, 0, None, {}, named=True).parameters == ()


@given(st.binary(max_size=80), st.integers(0, 5), st.booleans())
def test_any_bytes_are_parameters_or_an_error(data: bytes, count: int, named: bool) -> None:
    for read in (
        lambda: read_execute(HEAD[:5] + data, count, None, {1: b"x"}, named=named),
        lambda: read_bulk(HEAD[:5] + data, count, ((3, 0),) * count),
        lambda: query_starts(b"\x03" + data),
    ):
        try:
            read()
        except ProtocolError:
            pass
