"""What a server's packets say, byte by byte as the manual has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql import wire
from protocols.mysql.messages import Column, Err, Ok
from protocols.mysql.parameters import Reader
from protocols.mysql.rows import lenenc
from protocols.mysql.terms import ColumnFlag, Status, Type
from tests.protocols.mysql.wire_playbook import ID, ID_BYTES, NAME, NAME_BYTES
from testset.errors import ProtocolError

# -- int<lenenc> ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "00"),
        (250, "fa"),
        (251, "fc fb00"),  # FB alone is NULL
        (0xFFFF, "fc ffff"),
        (0x10000, "fd 000001"),
        (0xFFFFFF, "fd ffffff"),
        (0x1000000, "fe 0000000100000000"),
        (2**64 - 1, "fe ffffffffffffffff"),
    ],
)
def test_an_integer_takes_as_many_bytes_as_it_needs(number: int, written: str) -> None:
    data = bytes.fromhex(written)
    assert lenenc(number) == data
    assert Reader(data, 0).lenenc() == number


@pytest.mark.parametrize("written", ["", "fb", "ff", "fc 01", "fd 0102", "fe 01020304050607"])
def test_what_is_no_integer_is_an_error(written: str) -> None:
    with pytest.raises(ProtocolError):
        Reader(bytes.fromhex(written), 0).lenenc()


def test_an_integer_may_be_longer_than_it_has_to_be() -> None:
    assert Reader(bytes.fromhex("fc 0700"), 0).lenenc() == 7


# -- OK_Packet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("00 00 00 0200 0000", Ok()),
        ("00 01 07 0200 0000", Ok(affected_rows=1, last_insert_id=7)),
        ("00 fc2c01 fe ffffffffffffffff 0200 0000", Ok(affected_rows=300, last_insert_id=2**64 - 1)),
        ("00 00 00 0300 0100", Ok(status=Status.IN_TRANS | Status.AUTOCOMMIT, warnings=1)),
        ("00 02 00 0200 0000" + b"Records: 2".hex(), Ok(affected_rows=2, info="Records: 2")),
        ("00 00 00", Ok()),  # of before 4.1: nothing more
    ],
)
def test_ok(payload: str, said: Ok) -> None:
    assert wire.ok(bytes.fromhex(payload), tracks=False) == said


def test_ok_for_a_client_that_tracks_its_session() -> None:
    """CLIENT_SESSION_TRACK: the info has a length, and what has changed comes behind it."""
    schema = b"\x01\x05\x04shop"  # SESSION_TRACK_SCHEMA, with its lengths
    plain = bytes.fromhex("00 00 00 0200 0000") + b"\x02hi"
    changed = bytes.fromhex("00 00 00 0240 0000") + b"\x02hi" + b"\x07" + schema
    assert wire.ok(plain, tracks=True) == Ok(info="hi")
    assert wire.ok(changed, tracks=True) == Ok(
        info="hi", status=Status.AUTOCOMMIT | Status.SESSION_STATE_CHANGED, changes=schema
    )
    assert wire.ok(bytes.fromhex("00 00 00 0200 0000"), tracks=True) == Ok()


def test_an_info_that_is_no_text_survives() -> None:
    said = wire.ok(bytes.fromhex("00 00 00 0200 0000 ff"), tracks=False)
    assert said.info.encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize("payload", ["00", "00 fc", "00 00 fd0000", "00 00 00 0240 0000 05 41"])
def test_ok_that_breaks_off(payload: str) -> None:
    with pytest.raises(ProtocolError):
        wire.ok(bytes.fromhex(payload), tracks=True)


# -- ERR_Packet -------------------------------------------------------------------------------------------------------


def test_err_has_a_code_a_state_and_a_text() -> None:
    duplicate = b"\xff\x26\x04#23000Duplicate entry '7' for key 'PRIMARY'"
    assert wire.err(duplicate) == Err(code=1062, sqlstate="23000", message="Duplicate entry '7' for key 'PRIMARY'")


def test_err_before_the_greeting_has_no_state() -> None:
    assert wire.err(b"\xff\x10\x04Too many connections") == Err(code=1040, sqlstate="", message="Too many connections")


def test_err_may_say_nothing() -> None:
    assert wire.err(b"\xff\x16\x04#08S01") == Err(code=1046, sqlstate="08S01", message="")
    assert wire.err(b"\xff\x16\x04") == Err(code=1046, sqlstate="", message="")
    with pytest.raises(ProtocolError):
        wire.err(b"\xff\x16")


# -- EOF_Packet, and the OK in its place ------------------------------------------------------------------------------

EOF = bytes.fromhex("fe 0300 2200")  # three warnings; no index was used
OK_FOR_EOF = bytes.fromhex("fe 00 00 2200 0300")


def test_the_end_without_deprecate_eof_is_an_eof_packet() -> None:
    assert wire.is_end(EOF, deprecate_eof=False)
    assert wire.end(EOF, deprecate_eof=False) == (Status.AUTOCOMMIT | Status.NO_INDEX_USED, 3)
    assert wire.is_end(b"\xfe", deprecate_eof=False)  # of before 4.1
    assert wire.end(b"\xfe", deprecate_eof=False) == (Status.AUTOCOMMIT, 0)


def test_the_end_with_deprecate_eof_is_an_ok_packet() -> None:
    assert wire.is_end(OK_FOR_EOF, deprecate_eof=True)
    assert wire.end(OK_FOR_EOF, deprecate_eof=True) == (Status.AUTOCOMMIT | Status.NO_INDEX_USED, 3)


def test_a_row_that_begins_like_an_end_is_longer() -> None:
    """FE is also the first byte of a length of eight bytes: of a value of 16 MiB and more."""
    row = b"\xfe" + (0x1000000).to_bytes(8, "little") + bytes(0x1000000)
    for deprecate_eof in (False, True):
        assert not wire.is_end(row, deprecate_eof=deprecate_eof)
    assert not wire.is_end(b"\x01\xfe", deprecate_eof=True)


# -- Protocol::ColumnDefinition41 -------------------------------------------------------------------------------------


def test_a_column_and_where_it_comes_from() -> None:
    assert wire.column(ID_BYTES, extended=False) == ID
    assert ID.type == Type.LONG
    assert ColumnFlag(ID.flags) >= ColumnFlag.NOT_NULL | ColumnFlag.PRI_KEY | ColumnFlag.AUTO_INCREMENT


def test_a_column_that_comes_from_no_table() -> None:
    assert wire.column(NAME_BYTES, extended=False) == NAME


def test_mariadb_says_more_of_a_column() -> None:
    """Its extended metadata: what the type is called when it is none of the protocol's."""
    uuid = b"\x00\x04uuid"
    head, tail = ID_BYTES[: -len("\x0c" + "123456789012")], ID_BYTES[-len("\x0c" + "123456789012") :]
    told = wire.column(head + lenenc(len(uuid)) + uuid + tail, extended=True)
    assert told == Column(**{**{name: getattr(ID, name) for name in ID.__slots__}, "extra": uuid})


@pytest.mark.parametrize("size", range(len(ID_BYTES) - 2))
def test_a_column_that_breaks_off(size: int) -> None:
    with pytest.raises(ProtocolError):
        wire.column(ID_BYTES[:size], extended=False)


# -- Protocol::HandshakeV10 -------------------------------------------------------------------------------------------

MYSQL_9 = (
    b"\x0a9.7.4\0" + bytes.fromhex("07000000") + b"scrambl1\0" + bytes.fromhex("ffff ff 0200 ffdf 15")
    + bytes(10) + b"scramble-two\0" + b"caching_sha2_password\0"
)  # fmt: skip
MARIADB = (
    b"\x0a5.5.5-10.11.14-MariaDB\0" + bytes.fromhex("07000000") + b"scrambl1\0" + bytes.fromhex("fef7 2d 0200 ff81 15")
    + bytes(6) + bytes.fromhex("1d000000") + b"scramble-two\0" + b"mysql_native_password\0"
)  # fmt: skip


def test_a_greeting_is_what_a_driver_decides_by_and_no_scramble() -> None:
    greeting = wire.greeting(MYSQL_9)
    assert (greeting.server_version, greeting.charset, greeting.status) == ("9.7.4", 255, Status.AUTOCOMMIT)
    assert (greeting.capabilities, greeting.plugin) == (0xDFFFFFFF, "caching_sha2_password")
    assert greeting.extended_capabilities == 0
    assert "scramb" not in repr(greeting)


def test_mariadb_has_capabilities_of_its_own() -> None:
    greeting = wire.greeting(MARIADB)
    assert greeting.server_version == "5.5.5-10.11.14-MariaDB"
    assert not greeting.capabilities & 1  # CLIENT_LONG_PASSWORD, which MySQL always sets
    assert greeting.extended_capabilities == 0x1D


def test_a_server_of_long_ago_greets_in_short() -> None:
    greeting = wire.greeting(b"\x0a4.0.30\0" + bytes.fromhex("07000000") + b"scrambl1\0" + bytes.fromhex("2c20"))
    assert (greeting.server_version, greeting.capabilities, greeting.plugin) == ("4.0.30", 0x202C, "")


@pytest.mark.parametrize("payload", [b"\x0a", b"\x0a9.7.4", MYSQL_9[:20], MYSQL_9[:34]])
def test_a_greeting_that_breaks_off(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.greeting(payload)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_a_packet_or_an_error(payload: bytes, flag: bool) -> None:
    for read in (
        lambda: wire.ok(payload, tracks=flag),
        lambda: wire.err(payload),
        lambda: wire.end(payload, deprecate_eof=flag),
        lambda: wire.column(payload, extended=flag),
        lambda: wire.greeting(payload),
    ):
        try:
            assert read() is not None
        except ProtocolError:
            pass
