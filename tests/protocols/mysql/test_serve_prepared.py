"""Playbooks of prepared statements at replay, byte for byte."""

from __future__ import annotations

import pytest

from protocols.mysql.messages import (
    MysqlRequest,
    Operation,
    Prepared,
    Raw,
    ResultSet,
)
from tests.protocols.mysql.wire_playbook import (
    ANY,
    DEPRECATE_EOF,
    EOF,
    ID,
    ID_BYTES,
    INT_AND_TEXT,
    NAME,
    NAME_BYTES,
    OK,
    PREPARE,
    PYMYSQL,
    QUERY,
    QUERY_ATTRIBUTES,
    SHOP,
    TWO,
    answered,
    asked,
    execute,
    logged_in,
    otherwise,
    packet,
    packets,
    prepared,
    sent,
)


def test_a_statement_is_prepared_without_a_recording() -> None:
    made = logged_in()
    acts = made.feed(PREPARE)
    assert asked(acts).operation is Operation.PREPARE
    head = bytes.fromhex("00 01000000 0000 0200 00 0000")
    assert sent(made.answer(otherwise(acts))) == packets(head, ANY, ANY, EOF)


def test_a_recorded_preparation_has_its_columns() -> None:
    made = logged_in(PYMYSQL | DEPRECATE_EOF)
    made.feed(PREPARE)
    head = bytes.fromhex("00 01000000 0200 0100 00 0000")
    assert sent(made.answer(answered(Prepared(parameters=(ID,), columns=(ID, NAME))))) == packets(
        head, ID_BYTES, ID_BYTES, NAME_BYTES
    )


def test_an_execution_is_asked_about_with_its_parameters_and_answered_in_binary() -> None:
    made = prepared()
    request = asked(made.feed(execute(b"\0\x01" + INT_AND_TEXT)))
    assert request == MysqlRequest(
        operation=Operation.EXECUTE,
        query="SELECT * FROM items WHERE id = ? AND name = ?",
        parameters=(7, "ab"),
        session=SHOP,
    )
    assert sent(made.answer(answered(TWO))) == packets(
        b"\x02", ID_BYTES, NAME_BYTES, EOF, b"\0\0\x07\0\0\0\x05h\xc3\xb6he", b"\0\x08\x08\0\0\0", EOF
    )


def test_types_are_kept_for_executions_that_send_none() -> None:
    made = prepared()
    made.feed(execute(b"\0\x01" + INT_AND_TEXT))
    made.answer(answered(TWO))
    assert asked(made.feed(execute(b"\x02\0" + b"\x09\0\0\0"))).parameters == (9, None)


def test_long_data_wins_over_the_bitmap_and_is_used_once() -> None:
    made = prepared()
    pieces = packet(b"\x18\x01\0\0\0\x01\0long ") + packet(b"\x18\x01\0\0\0\x01\0data")
    assert made.feed(pieces) == []
    assert asked(made.feed(execute(b"\x02\x01\x03\0\xfd\0\x07\0\0\0"))).parameters == (7, "long data")
    made.answer(answered(TWO))
    assert asked(made.feed(execute(b"\x02\0\x07\0\0\0"))).parameters == (7, None)


def test_a_reset_forgets_long_data() -> None:
    made = prepared()
    assert made.feed(packet(b"\x18\x01\0\0\0\x01\0long")) == []
    assert sent(made.feed(packet(b"\x1a\x01\0\0\0"))) == packets(OK)
    assert asked(made.feed(execute(b"\x02\x01\x03\0\xfd\0\x07\0\0\0"))).parameters == (7, None)


def test_a_closed_statement_is_unknown_and_ids_are_not_used_again() -> None:
    made = prepared()
    assert made.feed(packet(b"\x19\x01\0\0\0")) == []
    assert b"Unknown prepared statement" in sent(made.feed(execute(b"\0\x01" + INT_AND_TEXT)))
    assert sent(made.answer(otherwise(made.feed(PREPARE))))[4:9] == b"\0\x02\0\0\0"


def test_mariadb_s_last_statement() -> None:
    made = prepared()
    assert asked(made.feed(execute(b"\0\x01" + INT_AND_TEXT, statement=0xFFFFFFFF))).parameters == (7, "ab")


def test_mariadb_s_bulk() -> None:
    made = prepared()
    rows = b"\0\x07\0\0\0\0\x02ab" + b"\0\x08\0\0\0\x01"
    bulk = b"\xfa\x01\0\0\0\x80\0" + b"\x03\0\xfd\0" + rows
    assert asked(made.feed(packet(bulk))).parameters == (7, "ab", 8, None)


def test_parameters_with_names_and_attributes_behind_them() -> None:
    made = prepared(PYMYSQL | QUERY_ATTRIBUTES)
    types = b"\x03\0\0" + b"\xfd\0\0" + b"\xfd\0\x05trace"
    rest = b"\x03" + b"\0" + b"\x01" + types + b"\x07\0\0\0" + b"\x02ab" + b"\x03xyz"
    assert asked(made.feed(execute(rest, flags=8))).parameters == (7, "ab")


def test_a_count_without_its_flag() -> None:
    made = prepared(PYMYSQL | QUERY_ATTRIBUTES)
    counted = b"\x02\0\x01\x03\0\0\xfd\0\0" + b"\x07\0\0\0\x02ab"  # mysql-connector-python says it so
    assert asked(made.feed(execute(counted))).parameters == (7, "ab")
    made.answer(answered(TWO))
    assert asked(made.feed(execute(b"\0\x01" + INT_AND_TEXT))).parameters == (7, "ab")


def test_a_cursor_is_played_as_it_was_recorded() -> None:
    made = prepared()
    assert asked(made.feed(execute(b"\0\x01" + INT_AND_TEXT, flags=1))).operation is Operation.EXECUTE
    opened = Raw(packets=(b"\x01", ID_BYTES, bytes.fromhex("fe 00 00 42 00")))
    assert sent(made.answer(answered(opened))) == packets(*opened.packets)
    request = asked(made.feed(packet(b"\x1c\x01\0\0\0\x02\0\0\0")))
    assert (request.operation, request.query) == (Operation.FETCH, "SELECT * FROM items WHERE id = ? AND name = ?")
    fetched = Raw(packets=(b"\0\0\x07\0\0\0", bytes.fromhex("fe 00 00 82 00")))
    assert sent(made.answer(answered(fetched))) == packets(*fetched.packets)


def test_a_set_is_sent_whole_though_a_cursor_was_wanted() -> None:
    made = prepared()
    made.feed(execute(b"\0\x01" + INT_AND_TEXT, flags=1))
    recorded = ResultSet(columns=(ID,), rows=((7,),), status=0x00C2)
    assert sent(made.answer(answered(recorded))) == packets(b"\x01", ID_BYTES, EOF, b"\0\0\x07\0\0\0", EOF)


@pytest.mark.parametrize(
    ("command", "recorded", "words"),
    [
        (QUERY, Prepared(), b"rr: what was recorded is the preparation of a statement"),
        (PREPARE, TWO, b"rr: what was recorded is not the preparation of a statement"),
        (QUERY, ResultSet(columns=(ID,), rows=((1, 2),)), b"rr: a row with 2 values for 1 columns"),
    ],
)
def test_a_recording_that_does_not_fit_is_an_error_in_words(
    command: bytes, recorded: Prepared | ResultSet, words: bytes
) -> None:
    made = logged_in()
    made.feed(command)
    assert sent(made.answer(answered(recorded))).endswith(words)
    assert sent(made.feed(packet(b"\x0e"))) == packets(OK)
