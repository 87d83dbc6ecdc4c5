"""Commands known by their bytes: exactly those whose answer is the same, on whichever connection."""

from __future__ import annotations

import pytest

from protocols.mysql.messages import Column, Ok, Result, ResultSet
from protocols.mysql.ready import Ready
from protocols.mysql.serve import MysqlResponder
from tests.protocols.mysql.wire_playbook import (
    DEPRECATE_EOF,
    INT_AND_TEXT,
    PYMYSQL,
    QUERY,
    TWO,
    answered,
    execute,
    logged_in,
    otherwise,
    packet,
    prepared,
    sent,
)

FIRST = execute(b"\0\x01" + INT_AND_TEXT)
AGAIN = execute(b"\0\0" + INT_AND_TEXT[4:])  # without the types


def learnt(ready: Ready, made: MysqlResponder, command: bytes, result: Result = TWO) -> bytes:
    made.feed(command)
    data = sent(made.answer(answered(result)))
    ready.learn(made)
    return data


def test_a_query_is_known_after_its_first_answer() -> None:
    ready, made = Ready(), logged_in()
    assert ready.find(made, QUERY) is None
    data = learnt(ready, made, QUERY)
    assert ready.find(made, QUERY) == data
    assert ready.find(logged_in(), QUERY) == data, "on another connection as well"
    for other in (QUERY + QUERY, QUERY[:-1], packet(b"\x03SELECT * FROM item2"), packet(QUERY[4:], 1), b""):
        assert ready.find(made, other) is None


def test_it_is_another_answer_for_another_client_or_session() -> None:
    ready = Ready()
    learnt(ready, logged_in(), QUERY)
    assert ready.find(logged_in(PYMYSQL | DEPRECATE_EOF), QUERY) is None
    assert ready.find(logged_in(collation=8), QUERY) is None
    for statement in (b"BEGIN", b"SET time_zone = 'UTC'", b"SET autocommit = 0", b"SET wait_timeout = 5", b"USE stock"):
        made = logged_in()
        made.answer(otherwise(made.feed(packet(b"\x03" + statement))))
        assert ready.find(made, QUERY) is None


def test_an_execution_is_known_by_its_statement_and_its_bytes() -> None:
    ready, made = Ready(), prepared()
    data = learnt(ready, made, FIRST)
    other = prepared()
    assert ready.find(other, FIRST) == data
    assert ready.find(other, FIRST.replace(b"ab", b"ac")) is None
    assert ready.find(other, FIRST.replace(b"\x07", b"\x08", 1)) is None
    assert ready.find(logged_in(), FIRST) is None, "nothing was prepared there"


def test_an_execution_that_is_known_leaves_its_types_behind() -> None:
    ready, made = Ready(), prepared()
    learnt(ready, made, FIRST)
    other = prepared()
    assert ready.find(other, FIRST)
    (ask,) = other.feed(AGAIN)
    assert ask.request.parameters == (7, "ab")  # type: ignore[union-attr]


def test_an_execution_without_types_is_known_together_with_them() -> None:
    ready, made = Ready(), prepared()
    learnt(ready, made, FIRST)
    data = learnt(ready, made, AGAIN)
    assert ready.find(made, AGAIN) == data
    assert ready.find(prepared(), AGAIN) is None


def test_long_data_is_not_in_the_bytes() -> None:
    ready, made = Ready(), prepared()
    long_data = packet(b"\x18\x01\0\0\0\x01\0long")
    made.feed(long_data)
    learnt(ready, made, FIRST)
    assert ready.find(made, FIRST) is None
    learnt(ready, made, FIRST)
    made.feed(long_data)
    assert ready.find(made, FIRST) is None


@pytest.mark.parametrize("sql", [b"INSERT INTO a VALUES (1)", b"COMMIT", b"SET NAMES utf8mb4", b"BEGIN"])
def test_what_changes_something_is_never_known(sql: bytes) -> None:
    ready, made = Ready(), logged_in()
    learnt(ready, made, packet(b"\x03" + sql), Ok())
    assert ready.find(made, packet(b"\x03" + sql)) is None


def test_a_read_that_begins_a_transaction_is_not_known() -> None:
    ready, made = Ready(), logged_in()
    made.answer(otherwise(made.feed(packet(b"\x03SET autocommit = 0"))))
    within = ResultSet(columns=(Column(name="a", type=3),), rows=((1,),), status=1)
    learnt(ready, made, QUERY, within)
    learnt(ready, made, QUERY, within)
    assert ready.find(made, QUERY), "within the transaction it is"
    outside = logged_in()
    outside.answer(otherwise(outside.feed(packet(b"\x03SET autocommit = 0"))))
    assert ready.find(outside, QUERY) is None


def test_nothing_is_found_while_something_is_under_way() -> None:
    ready, made = Ready(), logged_in()
    learnt(ready, made, QUERY)
    made.feed(QUERY[:3])
    assert ready.find(made, QUERY) is None
    made.feed(QUERY[3:])
    assert ready.find(made, QUERY) is None


def test_what_is_remembered_is_bounded() -> None:
    ready, made = Ready(most=3000), logged_in()
    for number in range(100):
        learnt(ready, made, packet(b"\x03SELECT %d" % number))
    known = [ready.find(made, packet(b"\x03SELECT %d" % number)) is not None for number in range(100)]
    assert known[-1]
    assert sum(known) < 10
