"""Playbooks of the replay, byte for byte: what a client sends, what is asked, what the client gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from protocols.mysql.messages import (
    Err,
    Greeting,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
    Raw,
    ResultSet,
    Session,
)
from protocols.mysql.serve import MysqlResponder
from tests.protocols.mysql.wire_playbook import (
    DEPRECATE_EOF,
    EOF,
    ID,
    ID_BYTES,
    INT_AND_TEXT,
    LIMITS,
    NAME,
    NAME_BYTES,
    OK,
    OK_IN_TRANSACTION,
    OPTIONAL_METADATA,
    PREPARE,
    PYMYSQL,
    QUERY,
    QUERY_ATTRIBUTES,
    SESSION_TRACK,
    SHOP,
    TWO,
    answered,
    asked,
    execute,
    hung,
    logged_in,
    otherwise,
    packet,
    packets,
    prepared,
    response,
    sent,
)
from testset.errors import LimitError, ProtocolError
from testset.model import Ending

# -- queries ------------------------------------------------------------------------------------------------------


def test_a_query_is_asked_about_with_its_session() -> None:
    made = logged_in()
    assert asked(made.feed(QUERY)) == MysqlRequest(operation=Operation.QUERY, query="SELECT * FROM items", session=SHOP)


def test_rows_as_text() -> None:
    made = logged_in()
    made.feed(QUERY)
    assert sent(made.answer(answered(TWO))) == packets(
        b"\x02", ID_BYTES, NAME_BYTES, EOF, b"\x017\x05h\xc3\xb6he", b"\x018\xfb", EOF
    )


def test_rows_for_a_client_that_wants_no_eof() -> None:
    made = logged_in(PYMYSQL | DEPRECATE_EOF)
    made.feed(QUERY)
    end = bytes.fromhex("fe 00 00 02 00 00 00")
    assert sent(made.answer(answered(TWO))) == packets(
        b"\x02", ID_BYTES, NAME_BYTES, b"\x017\x05h\xc3\xb6he", b"\x018\xfb", end
    )


def test_metadata_for_clients_that_may_go_without() -> None:
    offers = Greeting(server_version="9.4.0", capabilities=0xFFFF_FFFF, plugin="mysql_native_password")
    greeting = Reply(MysqlResponse(greeting=offers, results=(Ok(),)), Ending.ANSWERED)
    made = logged_in(PYMYSQL | OPTIONAL_METADATA, greeting=greeting)
    made.feed(QUERY)
    assert sent(made.answer(answered(TWO))).startswith(packets(b"\x01\x02", ID_BYTES))


def test_mariadb_clients_get_what_they_agreed_on() -> None:
    offers = Greeting(server_version="10.11.6-MariaDB", capabilities=0xFFFF_FFFE, extended_capabilities=0x1F)
    greeting = Reply(MysqlResponse(greeting=offers, results=(Ok(),)), Ending.ANSWERED)
    made = logged_in(PYMYSQL & ~1, greeting=greeting, extended=0x18)
    made.feed(QUERY)
    extended = ID_BYTES.replace(b"\x0c\x3f", b"\0\x0c\x3f")
    assert sent(made.answer(answered(TWO))).startswith(packets(b"\x02\x01", extended))


def test_an_ok_says_what_was_written() -> None:
    made = logged_in()
    made.feed(packet(b"\x03UPDATE items SET a = 1"))
    written = Ok(affected_rows=300, last_insert_id=5, warnings=2, info="Rows matched: 300")
    assert sent(made.answer(answered(written))) == packets(
        bytes.fromhex("00 fc2c01 05 0200 0200") + b"Rows matched: 300"
    )


@pytest.mark.parametrize(
    ("capabilities", "result", "payload"),
    [
        (PYMYSQL | SESSION_TRACK, Ok(), OK),
        (PYMYSQL | SESSION_TRACK, Ok(info="x"), OK + b"\x01x"),
        (PYMYSQL | SESSION_TRACK, Ok(status=0x4002, changes=b"\1\5\4shop"), b"\0\0\0\x02\x40\0\0\0\x07\1\5\4shop"),
        (PYMYSQL, Ok(status=0x4002, changes=b"\1\5\4shop"), OK),
    ],
)
def test_changes_of_the_session_go_to_clients_that_track_them(capabilities: int, result: Ok, payload: bytes) -> None:
    made = logged_in(capabilities)
    made.feed(packet(b"\x03UPDATE items SET a = 1"))
    assert sent(made.answer(answered(result))) == packets(payload)


def test_an_error_is_an_error_and_the_connection_lives_on() -> None:
    made = logged_in()
    made.feed(QUERY)
    error = Err(code=1146, sqlstate="42S02", message="Table 'shop.items' doesn't exist")
    assert sent(made.answer(answered(error))) == packets(b"\xff\x7a\x04#42S02Table 'shop.items' doesn't exist")
    assert asked(made.feed(QUERY)).query


def test_a_miss_is_an_error_that_says_so() -> None:
    made = logged_in()
    made.feed(QUERY)
    assert sent(made.miss("no recording of SELECT items", {})) == packets(
        b"\xff\x51\x04#HY000rr: no recording of SELECT items"
    )
    assert asked(made.feed(QUERY)).query


def test_several_results_follow_each_other() -> None:
    made = logged_in()
    made.feed(packet(b"\x03CALL report()"))
    one = ResultSet(columns=(ID,), rows=((7,),), status=0x000A)
    more = bytes.fromhex("fe 00 00 0a 00")
    assert sent(made.answer(answered(one, one, Ok()))) == packets(
        b"\x01", ID_BYTES, more, b"\x017", more, b"\x01", ID_BYTES, more, b"\x017", more, OK
    )


def test_a_set_that_ended_in_an_error_does_so_again() -> None:
    made = logged_in()
    made.feed(QUERY)
    killed = Err(code=1317, sqlstate="70100", message="Query execution was interrupted")
    assert sent(made.answer(answered(ResultSet(columns=(ID,), rows=((7,),), error=killed)))) == packets(
        b"\x01", ID_BYTES, EOF, b"\x017", b"\xff\x25\x05#70100Query execution was interrupted"
    )


@pytest.mark.parametrize(("ending", "reset"), [(Ending.CUT_SHORT, False), (Ending.RESET, True)])
def test_half_an_answer_is_half_an_answer_again(ending: Ending, reset: bool) -> None:
    made = logged_in()
    made.feed(QUERY)
    half = ResultSet(columns=(ID,), rows=((7,),), complete=False)
    assert made.answer(answered(half, ending=ending)) == [
        Send(packets(b"\x01", ID_BYTES, EOF, b"\x017")),
        Hang(reset=reset),
    ]


@pytest.mark.parametrize(("ending", "reset"), [(Ending.CUT_SHORT, False), (Ending.RESET, True)])
def test_no_answer_is_none_again(ending: Ending, reset: bool) -> None:
    made = logged_in()
    made.feed(QUERY)
    assert made.answer(Reply(None, ending)) == [Hang(reset=reset)]


def test_a_client_that_gave_up_waits_again_until_it_has_had_enough() -> None:
    made = logged_in()
    made.feed(QUERY)
    assert made.answer(Reply(None, Ending.GIVEN_UP)) == []
    assert made.feed(QUERY) == []
    assert made.end() == [Hang()]


def test_what_was_too_large_to_keep_ends_in_an_error() -> None:
    made = logged_in()
    made.feed(QUERY)
    data = sent(made.answer(answered(ResultSet(columns=(ID,), rows=((7,),), complete=False))))
    assert data.endswith(b"#HY000rr: the rest of this answer was too large to be recorded")


def test_packets_that_were_not_understood_are_sent_as_they_were() -> None:
    made = logged_in()
    made.feed(QUERY)
    assert sent(made.answer(answered(Raw(packets=(b"\xfbfile", b"", b"\0\0"))))) == packets(b"\xfbfile", b"", b"\0\0")


def test_a_row_of_more_than_16_mib_is_cut() -> None:
    made = logged_in()
    made.feed(QUERY)
    large = "x" * (1 << 24)
    data = sent(made.answer(answered(ResultSet(columns=(NAME,), rows=((large,),)))))
    row = b"\xfe" + (1 << 24).to_bytes(8, "little") + large.encode()
    cut = packet(row[:0xFFFFFF], 4) + packet(row[0xFFFFFF:], 5)
    assert data[-9 - len(cut) :] == cut + packet(EOF, 6)


def test_a_query_of_more_than_16_mib_is_put_together() -> None:
    made = logged_in()
    sql = b"\x03INSERT INTO items VALUES ('" + b"x" * (17 << 20) + b"')"
    assert made.feed(packet(sql[:0xFFFFFF])) == []
    assert len(asked(made.feed(packet(sql[0xFFFFFF:], 1))).query) == len(sql) - 1
    assert sent(made.answer(answered(Ok()))) == packet(OK, 2)


def test_attributes_before_a_query_are_left_out() -> None:
    made = logged_in(PYMYSQL | QUERY_ATTRIBUTES)
    assert asked(made.feed(packet(b"\x03\0\x01SELECT 1"))).query == "SELECT 1"
    made.answer(answered(TWO))
    attribute = b"\x01\x01" + b"\0" + b"\x01" + b"\xfd\0\x05trace" + b"\x03abc"
    assert asked(made.feed(packet(b"\x03" + attribute + b"SELECT 2"))).query == "SELECT 2"


def test_text_is_read_in_the_client_s_character_set() -> None:
    made = logged_in(collation=8)
    request = asked(made.feed(packet(b"\x03SELECT 'h\xf6he'")))
    assert request.query == "SELECT 'höhe'"


# -- the session --------------------------------------------------------------------------------------------------


def test_chatter_has_an_answer_of_its_own_and_its_flags_are_right() -> None:
    made = logged_in()
    acts = made.feed(packet(b"\x03BEGIN"))
    assert asked(acts).query == "BEGIN"
    assert sent(made.answer(otherwise(acts))) == packets(OK_IN_TRANSACTION)
    assert sent(made.feed(packet(b"\x0e"))) == packets(OK_IN_TRANSACTION)
    acts = made.feed(packet(b"\x03ROLLBACK"))
    assert sent(made.answer(otherwise(acts))) == packets(OK)
    acts = made.feed(packet(b"\x03SET autocommit = 0"))
    assert sent(made.answer(otherwise(acts))) == packets(bytes(7))


def test_chatter_that_failed_fails_again() -> None:
    made = logged_in()
    made.feed(packet(b"\x03SET time_zone = 'Mars'"))
    error = Err(code=1298, sqlstate="HY000", message="Unknown or incorrect time zone: 'Mars'")
    assert sent(made.answer(answered(error))) == packets(b"\xff\x12\x05#HY000Unknown or incorrect time zone: 'Mars'")
    assert asked(made.feed(QUERY)).session == SHOP


def test_settings_and_the_database_are_in_the_requests_that_follow() -> None:
    made = logged_in()
    for command in (b"\x03SET time_zone = '+00:00'", b"\x02stock"):
        acts = made.feed(packet(command))
        made.answer(otherwise(acts))
    assert asked(made.feed(QUERY)).session == Session(database="stock", settings=(("time_zone", "'+00:00'"),))


def test_a_commit_says_what_was_written() -> None:
    made = logged_in()
    made.answer(otherwise(made.feed(packet(b"\x03BEGIN"))))
    made.feed(packet(b"\x03INSERT INTO orders VALUES (1)"))
    made.answer(answered(Ok(affected_rows=1, status=3)))
    (act,) = made.feed(packet(b"\x03COMMIT"))
    assert isinstance(act, Ask)
    assert (act.request.transaction, act.otherwise) == (("INSERT orders",), None)


def test_recorded_flags_are_the_session_s_own() -> None:
    made = logged_in()
    made.answer(otherwise(made.feed(packet(b"\x03SET autocommit = 0"))))
    made.feed(QUERY)
    recorded = ResultSet(columns=(ID,), rows=(), status=0x0022)  # autocommit, and no index was used
    assert sent(made.answer(answered(recorded))).endswith(packet(bytes.fromhex("fe 00 00 20 00"), 4))


def test_a_reset_begins_anew() -> None:
    made = logged_in()
    made.answer(otherwise(made.feed(packet(b"\x03SET time_zone = 'UTC', autocommit = 0"))))
    made.answer(otherwise(made.feed(packet(b"\x16SELECT ?"))))
    assert sent(made.feed(packet(b"\x1f"))) == packets(OK)
    assert sent(made.feed(packet(b"\x1a\x01\0\0\0"))) == packets(
        b"\xff\xdb\x04#HY000Unknown prepared statement handler"
    )
    assert asked(made.feed(QUERY)).session == SHOP


def test_another_user_is_another_login() -> None:
    made = logged_in()
    change = b"\x11bob\0\x02pwstock\0\x08\0mysql_native_password\0"
    acts = made.feed(packet(change))
    assert asked(acts) == MysqlRequest(
        operation=Operation.CONNECT, user="bob", plugin="mysql_native_password", session=Session(database="stock")
    )
    assert sent(made.answer(otherwise(acts))) == packets(OK)
    request = asked(made.feed(packet(b"\x03SELECT '\xf6'")))
    assert (request.session.database, request.query) == ("stock", "SELECT 'ö'")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"\x0e", OK),
        (b"\x1f", OK),
        (b"\x1b\0\0", EOF),
        (b"\x0d", EOF),
        (b"\x00", b"\xff\x17\x04#08S01Unknown command"),
        (b"\x77", b"\xff\x17\x04#08S01Unknown command"),
        (b"\x17\x09\0\0\0\0\x01\0\0\0", b"\xff\xdb\x04#HY000Unknown prepared statement handler"),
        (b"\x1c\x09\0\0\0\x01\0\0\0", b"\xff\xdb\x04#HY000Unknown prepared statement handler"),
    ],
)
def test_commands_that_need_no_recording(command: bytes, answer: bytes) -> None:
    assert sent(logged_in().feed(packet(command))) == packets(answer)


def test_statistics_are_a_line_of_text() -> None:
    assert sent(logged_in().feed(packet(b"\x09"))).startswith(b"\x5f\0\0\x01Uptime: ")


def test_quit_hangs_up() -> None:
    assert logged_in().feed(packet(b"\x01")) == [Hang()]


def test_the_client_s_end_is_the_end() -> None:
    assert logged_in().end() == [Hang()]
    made = logged_in()
    made.feed(QUERY)
    assert made.end() == []
    assert hung(made.answer(answered(Ok()))) == packets(OK)


def test_other_commands_are_asked_about_by_name() -> None:
    request = asked(logged_in().feed(packet(b"\x0a")))
    assert (request.operation, request.query) == (Operation.OTHER, "COM_PROCESS_INFO")


def test_a_list_of_fields_has_definitions_alone() -> None:
    made = logged_in()
    assert asked(made.feed(packet(b"\x04items\0%"))).query == "items"
    fields = ResultSet(columns=(ID, NAME), rows=())
    assert sent(made.answer(answered(fields))) == packets(ID_BYTES + b"\xfb", NAME_BYTES + b"\xfb", EOF)


# -- order, and its limits ----------------------------------------------------------------------------------------


def test_pipelined_commands_are_asked_about_one_after_the_other() -> None:
    made = logged_in()
    assert asked(made.feed(packet(b"\x03SELECT 1") + packet(b"\x0e") + packet(b"\x03SELECT 2"))).query == "SELECT 1"
    assert made.feed(packet(b"\x03SELECT 3")) == []
    one, pong, ask = made.answer(answered(Ok()))
    assert (one, pong) == (Send(packets(OK)), Send(packets(OK)))
    assert asked([ask]).query == "SELECT 2"
    assert asked(made.answer(answered(Ok()))[1:]).query == "SELECT 3"


@pytest.mark.parametrize(
    "data",
    [packet(b"\x0e", 1), packet(b""), packet(b"\x17\x01"), packet(b"\x18\x01\0\0\0"), packet(b"\x11bob\0")],
)
def test_what_is_no_command_is_an_error_of_the_protocol(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        prepared().feed(data)


def test_who_speaks_before_the_greeting_speaks_no_mysql() -> None:
    made = MysqlResponder(LIMITS)
    made.start()
    with pytest.raises(ProtocolError):
        made.feed(response())


def test_the_size_of_a_packet_and_of_what_waits_is_bounded() -> None:
    small = Limits(head=1, message=200, messages=3, exchange=1)
    with pytest.raises(LimitError):
        logged_in(limits=small).feed(packet(b"\x03" + b"x" * 200))
    with pytest.raises(LimitError):
        logged_in(limits=small).feed((201).to_bytes(3, "little") + b"\0")
    waiting = logged_in(limits=small)
    waiting.feed(QUERY)
    with pytest.raises(LimitError):
        waiting.feed(packet(b"\x0e") * 4)
    waiting = logged_in(limits=small)
    waiting.feed(QUERY)
    with pytest.raises(LimitError):
        waiting.feed(packet(b"\x03" + b"x" * 150) * 2)


def played(pieces: list[bytes]) -> list[Act | str]:
    """Everything that a responder does, each question answered at once; a `ProtocolError` ends it like a reset."""
    made = MysqlResponder(LIMITS)
    done: list[Act | str] = []

    def do(acts: list[Act]) -> None:
        while acts:
            act = acts.pop(0)
            done.append(act if not isinstance(act, Send) else Send(b""))
            if isinstance(act, Send):
                output.append(act.data[:4] + act.data[16:] if len(output) == 0 else act.data)
            if isinstance(act, Ask):
                acts = made.answer(act.otherwise or answered(TWO)) + acts

    output: list[bytes] = []
    do(made.start())
    try:
        for piece in pieces:
            do(made.feed(piece))
    except ProtocolError:
        return [*done, Hang(reset=True), b"".join(output).hex()]
    do(made.end())
    return [*done, b"".join(output).hex()]


COMMANDS = st.sampled_from(
    [
        QUERY, PREPARE, execute(b"\0\x01" + INT_AND_TEXT), execute(b"\x02\0\x09\0\0\0"), packet(b"\x0e"),
        packet(b"\x03BEGIN"), packet(b"\x03INSERT INTO a VALUES (1)"), packet(b"\x03COMMIT"), packet(b"\x02stock"),
        packet(b"\x18\x01\0\0\0\x01\0long"), packet(b"\x19\x01\0\0\0"), packet(b"\x1f"), packet(b"\x04items\0"),
        packet(b"\x11bob\0\0stock\0"), packet(b"\x1b\0\0"),
    ]
)  # fmt: skip


@given(st.lists(COMMANDS, max_size=8), st.binary(max_size=40))
def test_byte_by_byte_is_the_same_as_all_at_once(commands: list[bytes], garbage: bytes) -> None:
    stream = response() + b"".join(commands) + garbage
    one_by_one = played([stream[at : at + 1] for at in range(len(stream))])
    assert played([response(), stream[len(response()) :]]) == one_by_one
    assert played([stream]) == one_by_one


@given(st.binary(max_size=300))
def test_any_bytes_instead_of_a_login(data: bytes) -> None:
    played([data])
    played([packet(data, 1)])


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=6))
def test_any_command(commands: list[tuple[int, bytes]]) -> None:
    played([response(), PREPARE, *[packet(bytes([command]) + rest) for command, rest in commands]])
    parameters = [execute(rest) for _, rest in commands]
    played([response(PYMYSQL | QUERY_ATTRIBUTES), PREPARE, *parameters])
