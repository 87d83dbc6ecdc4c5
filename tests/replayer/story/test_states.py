"""A read is answered by the recording that was made after the same write, also where the app has left the course."""

from __future__ import annotations

from typing import Any

import pytest

from protocols import http, mysql
from protocols.mysql.messages import MysqlRequest, MysqlResponse, Ok, Operation, ResultSet, Session
from replayer.story import Found, Miss, Replay, Story
from tests.replayer.story.telling import SECOND, request
from testset.model import Exchange, ExchangeId, Mock, Server, TestCase

SHOP = Server("shop", 3306)
START = 1_756_985_448 * SECOND
READ = "SELECT stock FROM items"


def asked(sql: str) -> MysqlRequest:
    return MysqlRequest(operation=Operation.QUERY, query=sql, session=Session(database="shop"))


def recorded(*statements: str, owner: str = "session") -> list[Mock]:
    """`SELECT stock FROM items -> 5` is a read and what it got; all else is a write."""
    mocks = []
    for number, statement in enumerate(statements, 1):
        sql, _, got = statement.partition(" -> ")
        result = ResultSet(columns=(), rows=((got,),)) if got else Ok(affected_rows=1)
        exchange = Exchange(
            id=ExchangeId(number, 0),
            protocol="mysql",
            inbound=False,
            server=SHOP,
            request=asked(sql),
            response=MysqlResponse(results=(result,)),
            started_ns=START + number * SECOND // 10,
            ended_ns=START + number * SECOND // 10 + 1,
        )
        mocks.append(Mock(name=f"{owner}.{number}", owner=owner, exchange=exchange))
    return mocks


def replay_of(*statements: str) -> Replay:
    replay = Replay(Story([], recorded(*statements), lambda exchange: mysql.ROOM))
    replay.begin_all(START + 3600 * SECOND)
    return replay


def got(replay: Replay, *statements: str) -> list[str]:
    """What the reads among `statements` got."""
    answers = []
    for sql in statements:
        found = replay.find(mysql.ROOM, SHOP, asked(sql), START + 3601 * SECOND)
        assert isinstance(found, Found), found.text
        response = found.mock.exchange.response
        assert response is not None
        [result] = response.results
        if isinstance(result, ResultSet):
            answers.append(str(result.rows[0][0]))
    return answers


SET_1, SET_2, SET_3 = ("UPDATE items SET stock = 1", "UPDATE items SET stock = 2", "UPDATE items SET stock = 3")
STORY = (f"{READ} -> 0", SET_1, f"{READ} -> 1", SET_2, f"{READ} -> 2", SET_3, f"{READ} -> 3")


@pytest.mark.parametrize(
    ("now", "reads"),
    [
        pytest.param([READ, SET_1, READ, SET_2, READ, SET_3, READ], "0123", id="as recorded"),
        pytest.param([SET_1, SET_2, SET_3, READ], "3", id="reads left out"),
        pytest.param([READ, READ, SET_1, READ, READ, SET_2, READ], "00112", id="reads more often"),
        pytest.param([SET_2, READ, SET_1, READ], "21", id="writes in another order"),
    ],
)
def test_a_read_gets_what_was_read_after_the_same_write(now: list[str], reads: str) -> None:
    assert got(replay_of(*STORY), *now) == list(reads)


def test_what_changes_by_itself_is_told_in_its_order() -> None:
    replay = replay_of(SET_1, f"{READ} -> 1", f"{READ} -> 7", f"{READ} -> 9", SET_2, f"{READ} -> 2")
    assert got(replay, SET_1, READ, READ, READ, READ, SET_2, READ) == ["1", "7", "9", "9", "2"]


def test_a_write_to_another_table_changes_nothing() -> None:
    write = "INSERT INTO orders (id) VALUES (7)"
    replay = replay_of(f"{READ} -> 0", f"{READ} -> 5", write, f"{READ} -> 6")
    assert got(replay, write, READ, READ, READ, READ) == ["0", "5", "6", "6"]


def test_where_no_recording_is_of_this_state_they_come_in_their_order() -> None:
    replay = replay_of(f"{READ} -> 0", SET_1, SET_2, f"{READ} -> 2")
    assert got(replay, SET_1, READ, READ) == ["0", "2"]


def test_what_a_failed_test_has_not_read_is_not_read_by_the_next() -> None:
    """Each test writes and reads the row of its own; the first gives up after its write."""
    first = ("INSERT INTO items VALUES (1)", SET_1, f"{READ} -> 1", f"{READ} -> 1", "DELETE FROM items")
    second = ("INSERT INTO items VALUES (1)", SET_2, f"{READ} -> 2", "DELETE FROM items")
    replay = replay_of(*first, *second)
    assert got(replay, first[0], SET_1, "DELETE FROM items") == []
    assert got(replay, second[0], SET_2, READ) == ["2"]


def test_within_a_test_a_read_once_more_is_told() -> None:
    server, inbound = request("POST http://app/restock")
    exchange: Exchange[Any, Any] = Exchange(
        id=ExchangeId(0, 0), protocol="http", inbound=True, server=server, request=inbound, response=None,
        started_ns=START, ended_ns=START + SECOND,
    )  # fmt: skip
    replay = Replay(
        Story(
            [TestCase(name="test-1", exchange=exchange)],
            recorded(*STORY, owner="test-1"),
            lambda exchange: mysql.ROOM if exchange.protocol == "mysql" else http.ROOM,
        )
    )
    replay.begin_test("test-1", START + 3600 * SECOND)
    assert got(replay, SET_1, READ, READ, SET_2, SET_3, READ) == ["1", "1", "3"]
    effects = replay.end_test(START + 3602 * SECOND)
    assert [warning for warning in effects.warnings if "1 time more than recorded" in warning]


def test_the_nearest_recording_is_one_of_the_same_table() -> None:
    replay = replay_of(
        "CREATE TABLE items (id INT, CONSTRAINT one CHECK (id > 0))", *["INSERT INTO notes VALUES (1)"] * 30
    )
    missed = replay.find(mysql.ROOM, SHOP, asked("CREATE TABLE items (id INT, CONSTRAINT two CHECK (id > 0))"), START)
    assert isinstance(missed, Miss)
    assert missed.nearest == "session.1"
