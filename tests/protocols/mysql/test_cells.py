"""A row's packet as cells: each type of column, as text and in binary, NULL and at its borders."""

from __future__ import annotations

import struct

import pytest

from protocols.mysql.cells import binary_reader, text_reader
from protocols.mysql.messages import Cell, Column
from protocols.mysql.rows import lenenc_bytes
from protocols.mysql.terms import ColumnFlag, Type
from testset.errors import ProtocolError

LATIN1, BINARY, UTF8MB4 = 8, 63, 255
UNSIGNED, ZEROFILL = ColumnFlag.UNSIGNED, ColumnFlag.UNSIGNED | ColumnFlag.ZEROFILL


def column(kind: int, *, charset: int = BINARY, length: int = 11, decimals: int = 0, flags: int = 0) -> Column:
    return Column(name="a", type=kind, charset=charset, length=length, decimals=decimals, flags=flags)


def as_text(described: Column, text: str | bytes) -> Cell:
    data = text if isinstance(text, bytes) else text.encode()
    (cell,) = text_reader((described,))(lenenc_bytes(data))
    return cell


def in_binary(described: Column, data: bytes) -> Cell:
    (cell,) = binary_reader((described,))(b"\0\0" + data)
    return cell


def exactly(cell: Cell) -> tuple[type, str]:
    """7 is not 7.0, and not True."""
    return type(cell), repr(cell)


WHOLE = [  # type, bytes of it in binary, smallest, largest, largest without a sign
    (Type.TINY, 1, -128, 127, 255),
    (Type.SHORT, 2, -32_768, 32_767, 65_535),
    (Type.INT24, 4, -8_388_608, 8_388_607, 16_777_215),  # three bytes, sent in four
    (Type.LONG, 4, -(2**31), 2**31 - 1, 2**32 - 1),
    (Type.LONGLONG, 8, -(2**63), 2**63 - 1, 2**64 - 1),
]


@pytest.mark.parametrize(("kind", "size", "low", "high", "highest"), WHOLE)
def test_whole_numbers(kind: Type, size: int, low: int, high: int, highest: int) -> None:
    for number in (low, -1, 0, 1, high):
        assert exactly(as_text(column(kind), str(number))) == exactly(number)
        assert exactly(in_binary(column(kind), number.to_bytes(size, "little", signed=True))) == exactly(number)
    unsigned = column(kind, flags=UNSIGNED)
    for number in (0, highest):
        assert as_text(unsigned, str(number)) == number
        assert in_binary(unsigned, number.to_bytes(size, "little")) == number


def test_zerofill_is_a_number_with_noughts_before_it() -> None:
    assert as_text(column(Type.LONG, flags=ZEROFILL, length=5), "00042") == 42
    assert as_text(column(Type.LONG, flags=ZEROFILL, length=5), "042") == "042"  # no server writes it so: it stays


@pytest.mark.parametrize(
    ("text", "binary", "year"), [("1901", "6d07", 1901), ("2155", "6b08", 2155), ("0000", "0000", 0)]
)
def test_a_year(text: str, binary: str, year: int) -> None:
    assert as_text(column(Type.YEAR), text) == year
    assert in_binary(column(Type.YEAR), bytes.fromhex(binary)) == year


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1.5, "1.5"),
        (-1.5, "-1.5"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (0.1, "0.1"),
    ],
)
def test_a_double(number: float, text: str) -> None:
    described = column(Type.DOUBLE, decimals=31)
    assert exactly(as_text(described, text)) == exactly(number)
    assert exactly(in_binary(described, struct.pack("<d", number))) == exactly(number)


@pytest.mark.parametrize("number", [1.1, -0.1, 3.4028235e38, 1.1754944e-38, 16_777_216.0])
def test_a_float_is_the_shortest_number_that_is_it(number: float) -> None:
    """1.1 in four bytes is 1.10000002384185…, and nobody wants to read that."""
    assert exactly(in_binary(column(Type.FLOAT, decimals=31), struct.pack("<f", number))) == exactly(number)


def test_a_number_that_a_server_wrote_otherwise_stays_the_text_that_it_is() -> None:
    assert as_text(column(Type.DOUBLE, decimals=31), "1.50") == "1.50"
    assert as_text(column(Type.LONG), "+7") == "+7"


@pytest.mark.parametrize(
    "text", ["0", "-0.01", "99999999999999999999999999999999999.999999999999999999999999999999", "1200.00"]
)
def test_a_decimal_is_exact(text: str) -> None:
    described = column(Type.NEWDECIMAL, decimals=30)
    assert as_text(described, text) == text
    assert in_binary(described, lenenc_bytes(text.encode())) == text


@pytest.mark.parametrize(
    ("length", "data", "bits"),
    [(1, b"\0", 0), (1, b"\1", 1), (10, b"\x02\x01", 513), (64, b"\xff" * 8, 2**64 - 1)],
)
def test_bits_are_a_number(length: int, data: bytes, bits: int) -> None:
    described = column(Type.BIT, length=length)
    assert as_text(described, data) == bits
    assert in_binary(described, lenenc_bytes(data)) == bits


TEXTS = (Type.VARCHAR, Type.VAR_STRING, Type.STRING, Type.ENUM, Type.SET, Type.JSON, Type.BLOB, Type.LONG_BLOB)


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("text", ["", "a", "Kaffeemühle ☕ 🎈 𝔘", "NULL", "\0\n'\"\\", "x" * 251, "x" * 65_536])
def test_text(kind: Type, text: str) -> None:
    described = column(kind, charset=UTF8MB4)
    assert as_text(described, text) == text
    assert in_binary(described, lenenc_bytes(text.encode())) == text


def test_text_in_the_character_set_of_its_column() -> None:
    assert as_text(column(Type.VAR_STRING, charset=LATIN1), b"h\xf6he \x80") == "höhe €"
    assert as_text(column(Type.VAR_STRING, charset=28), "中文".encode("gbk")) == "中文"


@pytest.mark.parametrize("kind", [Type.BLOB, Type.TINY_BLOB, Type.VAR_STRING, Type.STRING, Type.VECTOR])
def test_what_is_no_text_is_bytes(kind: Type) -> None:
    every = bytes(range(256))
    assert as_text(column(kind), every) == every
    assert in_binary(column(kind), lenenc_bytes(every)) == every
    assert as_text(column(kind, charset=UTF8MB4), b"\xff") == b"\xff"  # it says that it were some


def test_a_point_of_geometry_is_bytes() -> None:
    point = bytes.fromhex("00000000 01 01000000") + struct.pack("<dd", 13.4, 52.5)
    assert as_text(column(Type.GEOMETRY), point) == point
    assert in_binary(column(Type.GEOMETRY), lenenc_bytes(point)) == point


# -- dates and times --------------------------------------------------------------------------------------------------

MOMENTS = [  # type, decimals, as text, in binary: its length, then as much as there is
    (Type.DATE, 0, "2024-02-29", "04 e807 02 1d"),
    (Type.DATE, 0, "1000-01-01", "04 e803 01 01"),
    (Type.DATE, 0, "9999-12-31", "04 0f27 0c 1f"),
    (Type.DATE, 0, "0000-00-00", "00"),
    (Type.DATETIME, 0, "2024-02-29 00:00:00", "04 e807 02 1d"),
    (Type.DATETIME, 0, "2024-02-29 23:59:59", "07 e807 02 1d 173b3b"),
    (Type.DATETIME, 6, "9999-12-31 23:59:59.999999", "0b 0f27 0c 1f 173b3b 3f420f00"),
    (Type.DATETIME, 3, "2024-02-29 23:59:59.120", "0b e807 02 1d 173b3b c0d40100"),
    (Type.DATETIME, 3, "2024-02-29 23:59:59.000", "07 e807 02 1d 173b3b"),
    (Type.DATETIME, 0, "0000-00-00 00:00:00", "00"),
    (Type.TIMESTAMP, 0, "1970-01-01 00:00:01", "07 b207 01 01 000001"),
    (Type.TIMESTAMP, 6, "2038-01-19 03:14:07.499999", "0b f607 01 13 03 0e 07 1fa10700"),
    (Type.TIME, 0, "00:00:00", "00"),
    (Type.TIME, 0, "23:59:59", "08 00 00000000 173b3b"),
    (Type.TIME, 0, "838:59:59", "08 00 22000000 163b3b"),
    (Type.TIME, 0, "-838:59:59", "08 01 22000000 163b3b"),
    (Type.TIME, 6, "-00:00:00.000001", "0c 01 00000000 000000 01000000"),
]


@pytest.mark.parametrize(("kind", "decimals", "text", "binary"), MOMENTS)
def test_a_moment_is_its_text_either_way(kind: Type, decimals: int, text: str, binary: str) -> None:
    described = column(kind, decimals=decimals)
    assert as_text(described, text) == text
    assert in_binary(described, bytes.fromhex(binary)) == text


def test_a_fraction_that_the_column_does_not_speak_of_is_kept() -> None:
    assert in_binary(column(Type.DATETIME), bytes.fromhex("0b e807 02 1d 173b3b 01000000")) == (
        "2024-02-29 23:59:59.000001"
    )


@pytest.mark.parametrize(
    ("kind", "binary"),
    [(Type.DATE, "05 e807021d00"), (Type.DATETIME, "08 e807021d173b3b00"), (Type.TIME, "04 00000000")],
)
def test_a_moment_of_another_size_is_an_error(kind: Type, binary: str) -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        in_binary(column(kind), bytes.fromhex(binary))


# -- NULL, and rows as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Type)
def test_null_of_every_type(kind: Type) -> None:
    assert text_reader((column(kind),))(b"\xfb") == (None,)
    assert binary_reader((column(kind),))(b"\0\x04") == (None,)


def test_nulls_in_binary_are_bits_the_first_of_which_is_the_third() -> None:
    columns = [column(Type.TINY)] * 9
    assert binary_reader(columns)(b"\0" + b"\x04\x05" + b"\x01" * 6) == (None, 1, 1, 1, 1, 1, None, 1, None)


def test_an_empty_text_is_not_null() -> None:
    columns = [column(Type.VAR_STRING, charset=UTF8MB4)] * 2
    assert text_reader(columns)(b"\0\xfb") == ("", None)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "too early"),
        ("02 37", "too early"),
        ("01 37", "too early"),  # of two columns
        ("01 37 fb 01", "more values"),
        ("ff", "a length that is none"),
        ("fc 01", "a length that is none"),
        ("fd ffffff 37", "too early"),
    ],
)
def test_a_row_of_text_that_is_none(row: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        text_reader([column(Type.LONG)] * 2)(bytes.fromhex(row))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("", "no row in binary"),
        ("01 00 07000000", "no row in binary"),
        ("00", "no row in binary"),
        ("00 00 070000", "too early"),
        ("00 00 07000000 01", "more values"),
        ("00 04 07000000", "more values"),  # it is NULL, and has a value
    ],
)
def test_a_row_in_binary_that_is_none(row: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        binary_reader([column(Type.LONG)])(bytes.fromhex(row))
