"""What a server answers to one command, packet by packet: as the manual shows it, for both ways of ending rows."""

from __future__ import annotations

import pytest

from protocols.mysql.answers import Dialect, Shape
from protocols.mysql.messages import Err, Ok, Prepared, Raw, ResultSet
from protocols.mysql.replies import Reply
from protocols.mysql.state import State
from protocols.mysql.terms import Status
from tests.protocols.mysql.wire_playbook import ANY, ID, ID_BYTES, NAME, NAME_BYTES, OK
from testset.errors import LimitError, ProtocolError

OLD, NEW = Dialect(), Dialect(deprecate_eof=True)
EOF = bytes.fromhex("fe 0000 0200")
EOF_MORE = bytes.fromhex("fe 0000 0a00")  # SERVER_MORE_RESULTS_EXISTS
OK_FOR_EOF = bytes.fromhex("fe 00 00 0200 0000")
OK_MORE = bytes.fromhex("00 01 00 0a00 0000")
GONE = b"\xff\xe9\x03#70100Query execution was interrupted"
TEXT_ROW, NULL_ROW = b"\x017\x05h\xc3\xb6he", b"\x018\xfb"
BINARY_ROW = b"\0\0" + bytes.fromhex("07000000") + b"\x05h\xc3\xb6he"
TWO = ((7, "höhe"), (8, None))


def reply(*payloads: bytes, dialect: Dialect = OLD, shape: Shape = Shape.TEXT, most: int = 1 << 20) -> Reply:
    """Fed all of these, the last of which ends it."""
    first = {Shape.PREPARED: State.PREPARED, Shape.FIELDS: State.FIELDS}.get(shape, State.HEAD)
    made = Reply(shape, dialect, most, first=first)
    for payload in payloads:
        assert not made.done, "it was complete before its last packet"
        made.feed(payload)
    return made


def results(*payloads: bytes, dialect: Dialect = OLD, shape: Shape = Shape.TEXT) -> list[object]:
    made = reply(*payloads, dialect=dialect, shape=shape)
    assert made.done
    return list(made.results)


# -- one packet -------------------------------------------------------------------------------------------------------


def test_an_ok_is_all_there_is() -> None:
    assert results(bytes.fromhex("00 02 09 0200 0000")) == [Ok(affected_rows=2, last_insert_id=9)]


def test_an_error_is_all_there_is() -> None:
    assert results(GONE) == [Err(code=1001, sqlstate="70100", message="Query execution was interrupted")]


# -- rows -------------------------------------------------------------------------------------------------------------


def test_rows_end_twice_without_deprecate_eof() -> None:
    """After the columns, and after the rows."""
    assert results(b"\x02", ID_BYTES, NAME_BYTES, EOF, TEXT_ROW, NULL_ROW, EOF) == [
        ResultSet(columns=(ID, NAME), rows=TWO)
    ]


def test_rows_end_once_with_deprecate_eof() -> None:
    """The columns are counted, and an OK packet that begins like an EOF is after the rows."""
    assert results(b"\x02", ID_BYTES, NAME_BYTES, TEXT_ROW, NULL_ROW, OK_FOR_EOF, dialect=NEW) == [
        ResultSet(columns=(ID, NAME), rows=TWO)
    ]


def test_rows_in_binary() -> None:
    assert results(b"\x02", ID_BYTES, NAME_BYTES, EOF, BINARY_ROW, EOF, shape=Shape.BINARY) == [
        ResultSet(columns=(ID, NAME), rows=TWO[:1])
    ]


@pytest.mark.parametrize(("dialect", "ends"), [(OLD, [EOF, EOF]), (NEW, [OK_FOR_EOF])])
def test_no_rows_are_a_set_with_columns(dialect: Dialect, ends: list[bytes]) -> None:
    assert results(b"\x01", ID_BYTES, *ends, dialect=dialect) == [ResultSet(columns=(ID,), rows=())]


def test_warnings_and_flags_stand_at_the_end() -> None:
    last = bytes.fromhex("fe 0300 2200")
    (found,) = results(b"\x01", ID_BYTES, EOF, b"\x017", last)
    assert found == ResultSet(columns=(ID,), rows=((7,),), warnings=3, status=Status.AUTOCOMMIT | Status.NO_INDEX_USED)


def test_a_server_that_gives_up_in_the_middle_of_the_rows() -> None:
    (found,) = results(b"\x01", ID_BYTES, EOF, b"\x017", GONE)
    assert isinstance(found, ResultSet)
    assert (found.rows, found.complete) == (((7,),), True)
    assert found.error == Err(code=1001, sqlstate="70100", message="Query execution was interrupted")


def test_a_connection_that_ends_in_the_middle_of_the_rows() -> None:
    made = reply(b"\x01", ID_BYTES, EOF, b"\x017")
    assert not made.done
    assert made.broken() == [ResultSet(columns=(ID,), rows=((7,),), status=0, complete=False)]


def test_a_connection_that_ends_in_the_middle_of_the_columns() -> None:
    assert reply(b"\x02", ID_BYTES).broken() == []


@pytest.mark.parametrize(
    "payloads",
    [
        [b""],
        [b"\x00"],
        [b"\xfc"],
        [b"\xfd\xff\xff\xff"],  # columns that nobody has
        [b"\x01", ID_BYTES, ID_BYTES],  # one too many, where an EOF is due
        [b"\x01", ID_BYTES, EOF, b"\x01"],
        [b"\x01", b"\x03def"],
    ],
)
def test_what_is_no_answer_is_an_error(payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        reply(*payloads)


def test_nothing_follows_an_answer_that_is_complete() -> None:
    with pytest.raises(ProtocolError, match="complete goes on"):
        reply(OK).feed(OK)


# -- several results --------------------------------------------------------------------------------------------------


def test_several_statements_have_several_results() -> None:
    found = results(OK_MORE, b"\x01", ID_BYTES, EOF, b"\x017", EOF_MORE, OK)
    assert [type(one) for one in found] == [Ok, ResultSet, Ok]
    assert found[0] == Ok(affected_rows=1, status=Status.AUTOCOMMIT | Status.MORE_RESULTS_EXISTS)


def test_an_error_is_the_last_of_several() -> None:
    found = results(OK_MORE, GONE)
    assert [type(one) for one in found] == [Ok, Err]


def test_a_procedure_ends_in_an_ok_after_its_rows() -> None:
    more = bytes.fromhex("fe 00 00 0a00 0000")
    found = results(b"\x01", ID_BYTES, b"\x017", more, b"\x01", ID_BYTES, more, OK, dialect=NEW)
    assert [type(one) for one in found] == [ResultSet, ResultSet, Ok]


# -- prepared statements ----------------------------------------------------------------------------------------------

STATEMENT = bytes.fromhex("00 05000000")  # COM_STMT_PREPARE_OK, and its id


@pytest.mark.parametrize(
    ("dialect", "definitions"), [(OLD, [ANY, ANY, EOF, ID_BYTES, EOF]), (NEW, [ANY, ANY, ID_BYTES])]
)
def test_a_statement_has_parameters_and_columns(dialect: Dialect, definitions: list[bytes]) -> None:
    head = STATEMENT + bytes.fromhex("0100 0200 00 0300")  # one column, two parameters, three warnings
    made = reply(head, *definitions, dialect=dialect, shape=Shape.PREPARED)
    assert made.done
    assert made.statement_id == 5
    [found] = made.results
    assert isinstance(found, Prepared)
    assert ([one.name for one in found.parameters], found.columns, found.warnings) == (["?", "?"], (ID,), 3)


def test_a_statement_may_have_neither() -> None:
    assert results(STATEMENT + bytes.fromhex("0000 0000 00 0000"), shape=Shape.PREPARED) == [Prepared()]


def test_a_statement_that_cannot_be_prepared() -> None:
    [found] = results(b"\xff\x28\x04#42000You have an error", shape=Shape.PREPARED)
    assert found == Err(code=1064, sqlstate="42000", message="You have an error")


def test_rows_whose_columns_the_client_knows_already() -> None:
    """MariaDB does not describe again what was described when it was prepared (MARIADB_CLIENT_CACHE_METADATA)."""
    dialect = Dialect(cache_metadata=True)
    made = Reply(Shape.BINARY, dialect, 1 << 20, first=State.HEAD, known=(ID, NAME))
    for payload in (b"\x02\x00", EOF, BINARY_ROW, EOF):
        made.feed(payload)
    assert made.results == [ResultSet(columns=(ID, NAME), rows=TWO[:1])]
    with pytest.raises(ProtocolError, match="without a description"):
        Reply(Shape.BINARY, dialect, 1 << 20, first=State.HEAD).feed(b"\x02\x00")


def test_columns_that_are_left_out_on_request() -> None:
    """CLIENT_OPTIONAL_RESULTSET_METADATA: a byte before the count says whether they follow."""
    full = reply(b"\x01\x01", ID_BYTES, EOF, b"\x017", EOF, dialect=Dialect(metadata_flag=True))
    assert full.results == [ResultSet(columns=(ID,), rows=((7,),))]


# -- what is not read -------------------------------------------------------------------------------------------------


def test_a_file_of_the_client_is_named_and_not_kept() -> None:
    """LOAD DATA LOCAL: the server asks for a file by its name, and says an OK when it has it."""
    made = reply(b"\xfb/tmp/items.csv")
    assert made.wants_file
    assert not made.done
    made.feed(bytes.fromhex("00 03 00 0200 0000"))
    assert made.results == [Ok(affected_rows=3)]
    assert made.remark == "LOAD DATA LOCAL: the file is not kept"


def test_a_cursor_is_kept_as_it_came() -> None:
    open_ = bytes.fromhex("fe 0000 4200")  # SERVER_STATUS_CURSOR_EXISTS
    made = Reply(Shape.BINARY, OLD, 1 << 20, first=State.HEAD, cursor=True)
    for payload in (b"\x01", ID_BYTES, open_):
        made.feed(payload)
    assert made.done
    assert made.results == [Raw(packets=(b"\x01", ID_BYTES, open_))]
    assert made.remark == "a cursor (COM_STMT_FETCH), kept as raw packets"


def test_rows_of_a_cursor_go_on_until_their_end() -> None:
    last = bytes.fromhex("fe 0000 8200")  # SERVER_STATUS_LAST_ROW_SENT
    made = Reply(Shape.BINARY, OLD, 1 << 20, first=State.FETCHED)
    made.feed(b"\0\0" + bytes.fromhex("07000000"))
    assert not made.done
    made.feed(last)
    assert made.results == [Raw(packets=(b"\0\0" + bytes.fromhex("07000000"), last))]


def test_what_is_one_packet_is_kept_as_that() -> None:
    """COM_STATISTICS is answered by a text that is no packet of any kind."""
    made = Reply(Shape.TEXT, OLD, 1 << 20, first=State.SINGLE)
    made.feed(b"Uptime: 1  Threads: 1")
    assert made.results == [Raw(packets=(b"Uptime: 1  Threads: 1",))]


def test_the_fields_of_a_table_are_not_counted() -> None:
    (found,) = results(ID_BYTES, NAME_BYTES, EOF, shape=Shape.FIELDS)
    assert found == ResultSet(columns=(ID, NAME), rows=())


# -- limits -----------------------------------------------------------------------------------------------------------


def test_what_is_too_much_is_read_to_its_end_and_not_kept() -> None:
    made = reply(b"\x01", ID_BYTES, EOF, *[b"\x017"] * 20, EOF, most=1000)
    [found] = made.results
    assert isinstance(found, ResultSet)
    assert 0 < len(found.rows) < 20
    assert not found.complete
    assert made.remark == "an answer of more than 1000 bytes is not kept whole"


def test_columns_that_are_too_much_are_an_error() -> None:
    with pytest.raises(LimitError):
        reply(b"\xfc\x00\x10", *[ID_BYTES] * 100, most=1000)
