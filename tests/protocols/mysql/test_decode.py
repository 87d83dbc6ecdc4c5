"""A recorded connection becomes exchanges: playbooks, packet by packet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from protocols.mysql.decode import MysqlDecoder
from protocols.mysql.messages import Err, MysqlRequest, Ok, Operation, Raw, ResultSet, Session
from tests.protocols.mysql.wire_playbook import (
    ANY,
    DEPRECATE_EOF,
    EOF,
    ID,
    ID_BYTES,
    NAME,
    NAME_BYTES,
    OK,
    OK_IN_TRANSACTION,
    PREPARE,
    PYMYSQL,
    execute,
    packet,
    packets,
    response,
)
from tests.protocols.playbook import (
    CLIENT,
    LIMITS,
    OUTBOUND,
    SERVER,
    Ends,
    MemoryBody,
    Played,
    Sends,
    Step,
    client,
    cut,
    play,
    server,
    timeless,
)
from testset.model import Ending

GREETING = packet(
    b"\x0a9.7.4\0"
    + bytes.fromhex("07000000")
    + b"scrambl1\0"
    + bytes.fromhex("ffff ff 0200 ffdf 15")
    + bytes(10)
    + b"scramble-two\0"
    + b"mysql_native_password\0"
)
SHOP = Session(database="shop")
FILE = b"\xfbitems.csv"


def login(capabilities: int = PYMYSQL) -> list[Step]:
    """As the relay has it in the journal: without what proves who somebody is."""
    return [server(GREETING), client(response(capabilities, auth=b"")), server(packet(OK, 2))]


def played(*steps: Step, capabilities: int = PYMYSQL) -> Played:
    """After a login, which is the first exchange; the same however the bytes are cut."""
    every = [*login(capabilities), *steps]
    whole = play(MysqlDecoder, every)
    assert whole.error is None, whole.error
    assert timeless(play(MysqlDecoder, cut(every)).exchanges) == timeless(whole.exchanges)
    assert whole.exchanges.pop(0).request.operation is Operation.CONNECT
    return whole


def query(sql: str) -> Step:
    return client(packet(b"\x03" + sql.encode()))


def answers(*payloads: bytes) -> Step:
    return server(packets(*payloads))


# -- the login --------------------------------------------------------------------------------------------------------


def test_a_login_says_who_and_to_what_and_nothing_secret() -> None:
    exchange = play(MysqlDecoder, login()).only()
    assert exchange.request == MysqlRequest(
        operation=Operation.CONNECT, user="root", plugin="mysql_native_password", session=SHOP
    )
    assert exchange.response.greeting.server_version == "9.7.4"
    assert exchange.response.results == (Ok(),)


def test_a_login_that_is_refused() -> None:
    denied = packet(b"\xff\x15\x04#28000Access denied for user 'root'", 2)
    exchange = play(MysqlDecoder, [*login()[:2], server(denied), Ends(SERVER)]).only()
    assert exchange.response.results == (Err(code=1045, sqlstate="28000", message="Access denied for user 'root'"),)


def test_a_server_that_refuses_before_it_greets() -> None:
    exchange = play(MysqlDecoder, [server(packet(b"\xff\x10\x04Too many connections")), Ends(SERVER)]).only()
    assert exchange.request.operation is Operation.CONNECT
    assert exchange.response.greeting is None
    assert exchange.response.results == (Err(code=1040, sqlstate="", message="Too many connections"),)


def test_a_server_that_hangs_up_in_the_login() -> None:
    exchange = play(MysqlDecoder, [*login()[:2], Ends(SERVER, Ending.RESET)]).only()
    assert (exchange.ending, exchange.response.results) == (Ending.RESET, ())


# -- queries ----------------------------------------------------------------------------------------------------------


def test_a_query_and_its_rows() -> None:
    columns = (b"\x02", ID_BYTES, NAME_BYTES, EOF)
    exchange = played(
        query("SELECT * FROM items"), answers(*columns, b"\x017\x05h\xc3\xb6he", b"\x018\xfb", EOF)
    ).only()
    assert exchange.request == MysqlRequest(operation=Operation.QUERY, query="SELECT * FROM items", session=SHOP)
    assert exchange.response.results == (ResultSet(columns=(ID, NAME), rows=((7, "höhe"), (8, None))),)
    assert (exchange.started_ns, exchange.ended_ns) == (4_000_000_000, 5_000_000_000)


def test_a_query_of_a_client_that_deprecates_eof() -> None:
    rows = answers(b"\x01", ID_BYTES, b"\x017", bytes.fromhex("fe 00 00 0200 0000"))
    exchange = played(query("SELECT id FROM items"), rows, capabilities=PYMYSQL | DEPRECATE_EOF).only()
    assert exchange.response.results == (ResultSet(columns=(ID,), rows=((7,),)),)


def test_a_write() -> None:
    wrote = bytes.fromhex("00 01 09 0200 0000")
    exchange = played(query("INSERT INTO items VALUES (9, 'cup')"), answers(wrote)).only()
    assert exchange.response.results == (Ok(affected_rows=1, last_insert_id=9),)


def test_a_query_that_fails() -> None:
    missing = b"\xff\x7a\x04#42S02Table 'shop.itmes' doesn't exist"
    exchange = played(query("SELECT * FROM itmes"), answers(missing)).only()
    assert exchange.response.results == (Err(code=1146, sqlstate="42S02", message="Table 'shop.itmes' doesn't exist"),)


def test_commands_one_after_the_other_are_exchanges_in_their_order() -> None:
    steps = [step for n in (1, 2, 3) for step in (query(f"DELETE FROM items WHERE id = {n}"), answers(OK))]
    found = played(*steps).exchanges
    assert [one.request.query[-1] for one in found] == ["1", "2", "3"]
    assert [one.id.index for one in found] == [1, 2, 3]


def test_commands_that_do_not_wait_for_their_answers() -> None:
    first, second = (packet(b"\x03DELETE FROM items WHERE id = %d" % n) for n in (1, 2))
    found = played(client(first + second), server(packets(OK) + packets(bytes.fromhex("00 01 00 0200 0000")))).exchanges
    assert [one.response.results[0].affected_rows for one in found] == [0, 1]


def test_several_statements_in_one_are_one_exchange() -> None:
    more = bytes.fromhex("00 01 00 0a00 0000")
    exchange = played(query("DELETE FROM a; DELETE FROM b"), answers(more, OK)).only()
    assert [one.affected_rows for one in exchange.response.results] == [1, 0]


# -- what belongs to the session --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chatter", ["SET NAMES utf8mb4", "SET autocommit = 1", "USE shop"])
def test_what_only_changes_the_session_is_no_exchange(chatter: str) -> None:
    assert played(query(chatter), answers(OK)).exchanges == []


def test_the_session_is_in_what_follows() -> None:
    steps = [query("USE other"), answers(OK), query("SET time_zone = '+02:00'"), answers(OK)]
    exchange = played(*steps, query("DELETE FROM items"), answers(OK)).only()
    assert exchange.request.session == Session(database="other", settings=(("time_zone", "'+02:00'"),))


def test_a_ping_is_no_exchange_and_neither_is_goodbye() -> None:
    assert played(client(packet(b"\x0e")), answers(OK), client(packet(b"\x01")), Ends(CLIENT)).exchanges == []


def test_another_user_on_the_same_connection_is_a_login_as_well() -> None:
    """COM_CHANGE_USER; what proves who that is passes between the two, and is kept nowhere."""
    change = packet(b"\x11ada\0\x04hash" + b"accounts\0" + b"\x2d\0mysql_native_password\0")
    found = played(
        client(change), server(packet(b"\xfemysql_native_password\0scramble\0", 1)), client(packet(b"proof", 2)),
        server(packet(OK, 3)), query("DELETE FROM items"), answers(OK),
    ).exchanges  # fmt: skip
    assert [(one.request.operation, one.request.user) for one in found] == [
        (Operation.CONNECT, "ada"),
        (Operation.QUERY, ""),
    ]
    assert found[1].request.session.database == "accounts"
    assert "hash" not in repr(found)
    assert "proof" not in repr(found)


def test_a_decoder_goes_on_where_another_one_was() -> None:
    """After a crash: from the bytes that were not settled, with what it says of itself."""
    before, after = [query("USE other"), answers(OK)], [query("DELETE FROM items"), answers(OK)]
    first = MysqlDecoder(OUTBOUND, LIMITS, MemoryBody)
    for step in [*login(), *before]:
        assert isinstance(step, Sends)
        first.feed(step.side, step.data, 1)
    state, (_, _, index) = json.loads(json.dumps(first.state())), first.settled()
    context = replace(OUTBOUND, first_index=index, state=state)
    exchange = play(MysqlDecoder, after, context=context).only()
    assert exchange.request.session.database == "other"
    assert exchange.id.index == index == 1


def test_a_commit_says_what_was_written() -> None:
    steps: Sequence[Step] = [
        query("BEGIN"), answers(OK_IN_TRANSACTION),
        query("DELETE FROM items WHERE id = 7"), answers(OK_IN_TRANSACTION),
        query("COMMIT"), answers(OK),
    ]  # fmt: skip
    *_, commit = played(*steps).exchanges
    assert commit.request.query == "COMMIT"
    assert len(commit.request.transaction) == 1
    assert "items" in commit.request.transaction[0]


# -- prepared statements ----------------------------------------------------------------------------------------------

PREPARED = (bytes.fromhex("00 01000000 0000 0200 00 0000"), ANY, ANY, EOF)


def test_a_statement_is_prepared_once_and_executed_with_its_values() -> None:
    found = played(
        client(PREPARE), answers(*PREPARED),
        client(execute(b"\0\x01\x03\0\xfd\0" + b"\x07\0\0\0" + b"\x02ab")), answers(b"\x01", ID_BYTES, EOF, EOF),
        client(execute(b"\x02\x00" + b"\x08\0\0\0")), answers(b"\x01", ID_BYTES, EOF, EOF),
        client(packet(b"\x19\x01\0\0\0")),  # COM_STMT_CLOSE: nobody answers it
    ).exchanges  # fmt: skip
    assert [one.request.operation for one in found] == [Operation.PREPARE, Operation.EXECUTE, Operation.EXECUTE]
    assert {one.request.query for one in found} == {"SELECT * FROM items WHERE id = ? AND name = ?"}
    assert [one.request.parameters for one in found[1:]] == [(7, "ab"), (8, None)]  # types are sent once


def test_rows_of_a_cursor_are_kept_raw_and_named() -> None:
    opened = bytes.fromhex("fe 0000 4200")
    *_, exchange = played(
        client(PREPARE), answers(*PREPARED),
        client(execute(b"\0\x01\x03\0\xfd\0" + b"\x07\0\0\0" + b"\x02ab", flags=1)), answers(b"\x01", ID_BYTES, opened),
    ).exchanges  # fmt: skip
    assert exchange.response.results == (Raw(packets=(b"\x01", ID_BYTES, opened)),)
    assert exchange.remark == "a cursor (COM_STMT_FETCH), kept as raw packets"


def test_a_statement_that_nobody_has_prepared_is_no_exchange() -> None:
    unknown = b"\xff\xdb\x04#HY000Unknown prepared statement handler (1) given to mysqld_stmt_execute"
    assert played(client(execute(b"")), answers(unknown)).exchanges == []


# -- what is named and not kept ---------------------------------------------------------------------------------------


def test_a_file_that_is_loaded_is_named() -> None:
    """LOAD DATA LOCAL INFILE: the file passes between question and answer, an empty packet ends it."""
    exchange = played(
        query("LOAD DATA LOCAL INFILE 'items.csv' INTO TABLE items"), server(packet(FILE, 1)),
        client(packet(b"7;cup\n", 2) + packet(b"", 3)), server(packet(bytes.fromhex("00 01 00 0200 0000"), 4)),
    ).only()  # fmt: skip
    assert exchange.response.results == (Ok(affected_rows=1),)
    assert exchange.remark == "LOAD DATA LOCAL: the file is not kept"
    assert "cup" not in repr(exchange)


def test_replication_is_left_to_those_who_keep_raw_bytes() -> None:
    found = play(MysqlDecoder, [*login(), client(packet(b"\x12" + bytes(10)))])
    assert "COM_BINLOG_DUMP" in str(found.error)
    assert len(found.exchanges) == 1  # the login
    assert found.settled[2] == 1


# -- connections that end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [Ending.ANSWERED, Ending.RESET])
def test_a_connection_that_ends_in_the_rows(ending: Ending) -> None:
    cut_off = answers(b"\x01", ID_BYTES, EOF, b"\x017")
    exchange = played(query("SELECT id FROM items"), cut_off, Ends(SERVER, ending)).only()
    assert exchange.ending is (Ending.RESET if ending is Ending.RESET else Ending.CUT_SHORT)
    [found] = exchange.response.results
    assert (found.rows, found.complete) == (((7,),), False)


def test_a_connection_that_ends_before_the_answer() -> None:
    exchange = played(query("SELECT SLEEP(9)"), Ends(SERVER)).only()
    assert (exchange.ending, exchange.response) == (Ending.CUT_SHORT, None)


@pytest.mark.parametrize("end", [[Ends(CLIENT, Ending.RESET)], [Ends(CLIENT), Ends(SERVER)]])
def test_a_client_that_has_waited_long_enough(end: list[Ends]) -> None:
    exchange = played(query("SELECT SLEEP(9)"), *end).only()
    assert (exchange.ending, exchange.response) == (Ending.GIVEN_UP, None)


def test_a_client_that_has_said_all_may_still_be_answered() -> None:
    exchange = played(query("DELETE FROM items"), Ends(CLIENT), answers(OK), Ends(SERVER)).only()
    assert exchange.ending is Ending.ANSWERED


# -- what is no conversation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (answers(OK), "an answer to nothing"),
        (client(packet(b"\x03SELECT 1", 5)), "sequence id 5"),
        (client(packet(b"")), "sequence id 0"),
    ],
)
def test_what_is_out_of_turn_is_an_error(step: Step, why: str) -> None:
    found = play(MysqlDecoder, [*login(), step])
    assert why in str(found.error)
    assert len(found.exchanges) == 1


def test_a_server_may_say_why_it_hangs_up() -> None:
    why = packet(b"\xff\xbf\x0f#HY000The client was disconnected because of inactivity")
    assert played(server(why), Ends(SERVER)).exchanges == []
