"""Bytes in turns: how a connection of an unknown protocol is kept, shown, found and played."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from protocols import generic
from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from protocols.generic import match
from protocols.generic.decode import GenericDecoder
from protocols.generic.serve import GenericResponder
from protocols.generic.wire import GenericRequest, GenericResponse, Turn
from protocols.generic.yaml import from_spec, to_spec
from tests.protocols.playbook import CLIENT, LIMITS, OUTBOUND, SERVER, Ends, Step, client, cut, play, server, timeless
from testset.errors import DocumentError, LimitError, ProtocolError
from testset.model import Ending, Server

CLOSED_BY_CLIENT: list[Step] = [Ends(CLIENT), Ends(SERVER)]
CLOSED_BY_SERVER: list[Step] = [Ends(SERVER), Ends(CLIENT)]
PING: list[Step] = [client(b"PING\r\n"), server(b"+PONG\r\n")]
REDIS = [*PING, client(b"GET a\r\n"), server(b"$1\r\n1\r\n"), *CLOSED_BY_CLIENT]
GREETING: list[Step] = [server(b"220 hi\r\n"), client(b"EHLO me\r\n"), server(b"250 ok\r\n")]
SMTP = [*GREETING, client(b"QUIT\r\n"), *CLOSED_BY_SERVER]


def test_a_connection_is_one_exchange() -> None:
    exchange = play(GenericDecoder, REDIS).only()
    assert exchange.request == GenericRequest(turns=(b"PING\r\n", b"GET a\r\n"))
    assert exchange.response == GenericResponse(
        turns=(
            Turn(CLIENT, b"PING\r\n"),
            Turn(SERVER, b"+PONG\r\n"),
            Turn(CLIENT, b"GET a\r\n"),
            Turn(SERVER, b"$1\r\n1\r\n"),
        ),
        closed_by=CLIENT,
    )
    assert (exchange.started_ns, exchange.ended_ns) == (1_000_000_000, 6_000_000_000)


@pytest.mark.parametrize("steps", [REDIS, SMTP])
@given(size=st.integers(1, 12))
def test_however_it_is_cut_it_is_the_same(steps: Any, size: int) -> None:
    whole, pieces = play(GenericDecoder, steps), play(GenericDecoder, cut(steps, size))
    assert timeless(pieces.exchanges) == timeless(whole.exchanges)
    assert pieces.settled == whole.settled


def test_a_reset_is_told_once() -> None:
    played = play(GenericDecoder, [client(b"hello"), Ends(SERVER, Ending.RESET), Ends(CLIENT, Ending.RESET)])
    exchange = played.only()
    assert (exchange.ending, exchange.response.closed_by) == (Ending.RESET, SERVER)
    assert played.settled == (5, 0, 1)


def test_a_client_that_resets_leaves_by_itself_again() -> None:
    steps: list[Step] = [client(b"a"), server(b"b"), Ends(CLIENT, Ending.RESET)]
    exchange = play(GenericDecoder, steps).only()
    assert (exchange.ending, exchange.response.closed_by) == (Ending.GIVEN_UP, CLIENT)
    made = GenericResponder(LIMITS)
    made.start()
    made.answer(Reply(exchange.response, exchange.ending))
    assert made.feed(b"a") == [Send(b"b")]


def test_only_so_much_is_kept() -> None:
    tight = replace(LIMITS, message=8)
    for size in (1, 100):
        exchange = play(
            GenericDecoder, cut([client(b"12345"), server(b"67890"), *REDIS[-2:]], size), limits=tight
        ).only()
        assert exchange.response.turns == (Turn(CLIENT, b"12345"), Turn(SERVER, b"678"))
        assert exchange.response.truncated
        assert exchange.request.truncated


def test_bytes_after_the_end_are_an_error() -> None:
    played = play(GenericDecoder, [*REDIS, client(b"more")])
    assert isinstance(played.error, ProtocolError)


# -- documents --------------------------------------------------------------------------------------------------


def test_a_document_reads_well() -> None:
    assert to_spec(play(GenericDecoder, [*GREETING, client(b"\xff\x00"), *CLOSED_BY_SERVER]).only()) == {
        "server": "user-service:5001",
        "turns": [
            {"server": "220 hi\r\n"},
            {"client": "EHLO me\r\n"},
            {"server": "250 ok\r\n"},
            {"client_base64": "/wA="},
        ],
        "closed_by": "server",
        "started": "1970-01-01T00:00:01Z",
        "ended": "1970-01-01T00:00:06Z",
    }


def test_that_it_was_said_in_tls_is_kept() -> None:
    """At replay TLS has to be there before the server may speak."""
    exchange = play(GenericDecoder, SMTP, context=replace(OUTBOUND, secure=True)).only()
    spec = to_spec(exchange)
    assert spec["tls"] is True
    assert from_spec("Generic", spec).response == exchange.response


@given(data=st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(min_size=1, max_size=200)), max_size=6))
def test_what_is_written_is_read_again(data: Any) -> None:
    steps = [client(chunk) if side is CLIENT else server(chunk) for side, chunk in data]
    exchange = play(GenericDecoder, [*steps, Ends(SERVER), Ends(CLIENT)]).only()
    read = from_spec("Generic", yaml.safe_load(yaml.safe_dump(to_spec(exchange))))
    assert read == replace(exchange, id=read.id)


@pytest.mark.parametrize("ending", [Ending.REFUSED, Ending.UNREACHABLE, Ending.TIMED_OUT])
def test_a_connection_that_failed(ending: Ending) -> None:
    failed = generic.connection_failed(OUTBOUND, ending, 1_000, 2_000)
    spec = to_spec(failed)
    assert (spec["ending"], "turns" in spec) == (str(ending), False)
    assert from_spec("Generic", spec) == replace(failed, id=from_spec("Generic", spec).id)
    assert match.route(failed.server, failed.request) == ("generic", "user-service", 5001)
    assert not match.is_effect(failed.request)


def test_keploys_document() -> None:
    read = from_spec(
        "Generic",
        {
            "metadata": {"type": "config"},
            "genericrequests": [{"origin": "client", "message": [{"type": "utf-8", "data": "PING"}]}],
            "genericresponses": [{"origin": "server", "message": [{"type": "binary", "data": "K1BPTkc="}]}],
            "reqtimestampmock": "2025-08-27T09:01:30.5Z",
        },
    )
    assert read.response == GenericResponse(turns=(Turn(CLIENT, b"PING"), Turn(SERVER, b"+PONG")))


@pytest.mark.parametrize(
    "change", [{"turns": None}, {"turns": [{"clinet": "x"}]}, {"turns": [{"client_hex": "00"}]}, {"server": "a:b"}]
)
def test_a_broken_document(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        from_spec("Generic", to_spec(play(GenericDecoder, REDIS).only()) | change)


# -- replay -----------------------------------------------------------------------------------------------------


def conversation(steps: Any) -> GenericResponse:
    response = play(GenericDecoder, steps).only().response
    assert isinstance(response, GenericResponse)
    return response


def asked(acts: list[Act]) -> tuple[bytes, ...]:
    (act,) = acts
    assert isinstance(act, Ask)
    turns: tuple[bytes, ...] = act.request.turns
    return turns


def test_a_server_that_speaks_first_does_so_again() -> None:
    made = GenericResponder(LIMITS)
    assert asked(made.start()) == ()
    assert made.answer(Reply(conversation(SMTP), Ending.ANSWERED)) == [Send(b"220 hi\r\n")]
    assert made.feed(b"EHLO ") == []
    assert made.feed(b"me\r\n") == [Send(b"250 ok\r\n")]
    assert made.feed(b"QUIT\r\n") == [Hang()]


def test_a_client_that_speaks_first_is_answered_turn_by_turn() -> None:
    made = GenericResponder(LIMITS)
    made.start()
    assert made.answer(Reply(conversation(REDIS), Ending.ANSWERED)) == []
    assert made.feed(b"PING\r\nGET a\r\n") == [Send(b"+PONG\r\n"), Send(b"$1\r\n1\r\n")]
    assert made.end() == [Hang()]


def test_another_turn_asks_for_another_recording() -> None:
    other = conversation([*PING, client(b"GET b\r\n"), server(b"$1\r\n2\r\n"), *CLOSED_BY_CLIENT])
    made = GenericResponder(LIMITS)
    made.start()
    made.answer(Reply(conversation(REDIS), Ending.ANSWERED))
    assert made.feed(b"PING\r\n") == [Send(b"+PONG\r\n")]
    ask = made.feed(b"GET b\r\n")
    assert asked(ask) == (b"PING\r\n", b"GET b\r\n")
    prefix = GenericRequest(turns=asked(ask))
    assert match.begins(GenericRequest(turns=(b"PING\r\n", b"GET b\r\n", b"QUIT")), prefix)
    assert not match.begins(GenericRequest(turns=(b"PING\r\n", b"GET a\r\n")), prefix)
    # what was spoken already is not spoken twice
    assert made.answer(Reply(other, Ending.ANSWERED)) == [Send(b"$1\r\n2\r\n")]


def test_what_nobody_recorded_ends_the_connection() -> None:
    made = GenericResponder(LIMITS)
    made.start()
    made.answer(Reply(conversation(REDIS), Ending.ANSWERED))
    asked(made.feed(b"DEL x\r\n"))
    assert made.miss("no mock", {}) == [Hang(reset=True)]
    assert made.feed(b"more") == []


def test_a_recording_that_is_none_ends_the_connection() -> None:
    """Such as one whose secret cannot be unsealed: asking again would never end."""
    made = GenericResponder(LIMITS)
    made.start()
    made.answer(Reply(conversation(REDIS), Ending.ANSWERED))
    asked(made.feed(b"DEL x\r\n"))
    assert made.answer(Reply(conversation(REDIS), Ending.ANSWERED)) == [Hang(reset=True)]


def test_a_reset_is_played() -> None:
    made = GenericResponder(LIMITS)
    made.start()
    steps = [client(b"a"), server(b"b"), Ends(SERVER, Ending.RESET)]
    made.answer(Reply(conversation(steps), Ending.RESET))
    assert made.feed(b"a") == [Send(b"b"), Hang(reset=True)]


def test_bytes_that_come_while_asking_are_not_lost() -> None:
    made = GenericResponder(LIMITS)
    made.start()
    assert made.feed(b"PING\r\n") == []
    assert made.answer(Reply(conversation(REDIS), Ending.ANSWERED)) == [Send(b"+PONG\r\n")]
    with pytest.raises(LimitError):
        GenericResponder(Limits(head=1, message=3, messages=1, exchange=64 << 20)).feed(b"1234")


def test_matching() -> None:
    users, orders = Server("user-service", 5001), Server("orders", 1)
    one, other = GenericRequest(turns=(b"GET a",)), GenericRequest(turns=(b"GE", b"T b"))
    assert str(match.difference(users, one, users, other)) == "bytes 4-19: recorded b'a', now b'b'"
    assert str(match.difference(users, one, orders, one)) == "server: recorded user-service:5001, now orders:1"
    assert match.difference(users, one, users, GenericRequest(turns=(b"GET", b" a"))) is None
    bound = match.rebind(conversation(REDIS), {"PONG": "GNOP", "1": "22"})
    assert bound.turns[1] == Turn(SERVER, b"+GNOP\r\n")
    assert bound.turns[3] == Turn(SERVER, b"$1\r\n1\r\n"), "a longer value would need a length that nobody knows"
