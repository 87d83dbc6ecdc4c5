"""Playbooks of the login at replay, byte for byte: everybody is let in."""

from __future__ import annotations

import pytest

from protocols.furniture import Reply, StartTls
from protocols.mysql.messages import (
    Err,
    Greeting,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
)
from protocols.mysql.serve import MysqlResponder
from tests.protocols.mysql.wire_playbook import (
    LIMITS,
    OK,
    PYMYSQL,
    QUERY,
    SHOP,
    answered,
    asked,
    hung,
    otherwise,
    packet,
    packets,
    response,
    sent,
)
from testset.model import Ending


def greeted(greeting: Greeting) -> tuple[MysqlResponder, bytes]:
    made = MysqlResponder(LIMITS)
    assert asked(made.start()) == MysqlRequest(operation=Operation.GREETING)
    return made, sent(made.answer(Reply(MysqlResponse(greeting=greeting, results=(Ok(),)), Ending.ANSWERED)))


def test_the_greeting_is_the_recorded_one_without_compression_and_with_tls() -> None:
    recorded = Greeting(
        server_version="8.4.2", capabilities=0x0100_02AF & ~0x800, charset=45, status=2, plugin="caching_sha2_password"
    )
    _, data = greeted(recorded)
    assert data[3:11] == b"\0\x0a8.4.2\0"
    rest = data[15:]
    assert rest[:9] == b"rr lets \0"
    capabilities = int.from_bytes(rest[9:11] + rest[14:16], "little")
    assert capabilities == (0x0100_02AF | 0x800 | 0x8000) & ~0x20
    assert (rest[11], rest[12:14]) == (45, b"\x02\0")


def test_a_plugin_is_named_to_clients_that_ask_for_one() -> None:
    _, data = greeted(Greeting(server_version="8.0.43", capabilities=0x0008_0201, plugin="caching_sha2_password"))
    assert data.endswith(b"everybody in\0caching_sha2_password\0")


def test_each_connection_has_an_id_of_its_own() -> None:
    ids = {greeted(Greeting(server_version="8", capabilities=0x201))[1][7:11] for _ in range(3)}
    assert len(ids) == 3


def test_a_server_that_refused_refuses_again() -> None:
    made = MysqlResponder(LIMITS)
    made.start()
    full = Err(code=1040, sqlstate="08004", message="Too many connections")
    assert hung(made.answer(answered(full))) == packet(b"\xff\x10\x04#08004Too many connections")
    assert made.feed(b"\x01\0\0\0\x01") == []


def test_an_error_before_the_greeting_may_have_no_state() -> None:
    made = MysqlResponder(LIMITS)
    made.start()
    refused = Err(code=1130, sqlstate="", message="Host 'a' is not allowed")
    assert hung(made.answer(answered(refused))) == packet(b"\xff\x6a\x04Host 'a' is not allowed")


def test_a_login_is_asked_about_and_let_in_whatever_the_password() -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    acts = made.feed(response())
    assert asked(acts) == MysqlRequest(
        operation=Operation.CONNECT, user="root", plugin="mysql_native_password", session=SHOP
    )
    assert sent(made.answer(otherwise(acts))) == packet(OK, 2)


@pytest.mark.parametrize(
    ("auth", "words"), [(b"x" * 32, packets(b"\x01\x03", OK, first=2)), (b"", packets(OK, first=2))]
)
def test_caching_sha2_password_says_a_word_first(auth: bytes, words: bytes) -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    acts = made.feed(response(plugin=b"caching_sha2_password", auth=auth))
    assert sent(made.answer(otherwise(acts))) == words


def test_a_client_without_the_plugin_is_shown_another() -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    acts = made.feed(response(plugin=b"dummy_fallback_auth", auth=b""))
    switch = b"\xfemysql_native_password\0rr lets everybody in\0"
    assert sent(made.answer(otherwise(acts))) == packet(switch, 2)
    assert sent(made.feed(packet(b"x" * 20, 3))) == packet(OK, 4)
    assert asked(made.feed(QUERY)).operation is Operation.QUERY


def test_a_login_that_failed_fails_again() -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    made.feed(response())
    denied = Err(code=1045, sqlstate="28000", message="Access denied")
    assert hung(made.answer(answered(denied))) == packet(b"\xff\x15\x04#28000Access denied", 2)


def test_tls_starts_when_the_client_asks_for_it() -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc"
    wish = packet((PYMYSQL | 0x800).to_bytes(4, "little") + bytes(28), 1)
    assert made.feed(wish + hello) == [StartTls(hello)]
    acts = made.feed(response(PYMYSQL | 0x800, sequence=2))
    assert asked(acts).tls
    assert sent(made.answer(otherwise(acts))) == packet(OK, 3)


def test_autocommit_is_as_the_login_left_it() -> None:
    made = MysqlResponder(LIMITS)
    made.answer(otherwise(made.start()))
    made.feed(response())
    assert sent(made.answer(answered(Ok(status=0)))) == packet(bytes(7), 2)
    assert sent(made.feed(packet(b"\x0e"))) == packet(bytes(7), 1)
