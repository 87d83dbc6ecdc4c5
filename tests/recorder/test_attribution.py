"""Whose mock is it? Recordings in short: windows of requests, calls between them, and the owners that come out."""

from __future__ import annotations

import json
import random
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.http.wire import HttpRequest, HttpResponse
from recorder.attribution import Attribution, Names
from testset.model import Ending, Exchange, ExchangeId, Server

MS = 1_000_000
BEGIN = 1_756_985_448_000 * MS
ORDER = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
BASKET = "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"
USER = "afdc272e-d748-4108-a701-59802b93ea29"


@dataclass
class Tape:
    """Times are milliseconds since the recording began."""

    attribution: Attribution = field(default_factory=Attribution)
    exchanges: list[Exchange[Any, Any]] = field(default_factory=list)
    number: int = 0

    def _exchange(
        self, line: str, begin: float, end: float, body: Any, answer: Any, headers: dict[str, str], inbound: bool,
        ending: Ending = Ending.ANSWERED,
    ) -> Exchange[Any, Any]:  # fmt: skip
        method, _, url = line.partition(" ")
        host, slash, path = url.removeprefix("http://").partition("/")
        self.number += 1
        return Exchange(
            id=ExchangeId(self.number, 0),
            protocol="http",
            inbound=inbound,
            server=Server(host or "app", 80),
            request=HttpRequest(
                method=method,
                target=slash + path,
                headers=tuple(headers.items()),
                body=b"" if body is None else json.dumps(body).encode(),
            ),
            response=None
            if ending is not Ending.ANSWERED
            else HttpResponse(status=200, body=json.dumps(answer).encode()),
            ending=ending,
            started_ns=BEGIN + int(begin * MS),
            ended_ns=BEGIN + int(end * MS),
        )

    def test(
        self, name: str | None, begin: float, end: float, line: str = "GET /", body: Any = None, answer: Any = None,
        **headers: str,
    ) -> None:  # fmt: skip
        self.attribution.add_inbound(self._exchange(line, begin, end, body, answer, headers, True), name)

    def call(
        self, begin: float, line: str = "GET http://peer/x", body: Any = None, answer: Any = None,
        ending: Ending = Ending.ANSWERED, **headers: str,
    ) -> ExchangeId:  # fmt: skip
        exchange = self._exchange(line, begin, begin + 1, body, answer, headers, False, ending)
        self.attribution.add_outbound(exchange)
        return exchange.id

    def settle(
        self, open_since: float | None = None, *, final: bool = False, own: AbstractSet[Server] = frozenset()
    ) -> list[tuple[float, str]]:
        """`nobody` is the owner of what is not kept."""
        since = None if open_since is None else BEGIN + int(open_since * MS)
        return [
            ((exchange.started_ns - BEGIN) / MS, owner or "nobody")
            for exchange, owner in self.attribution.settle(since, final=final, own=own)
        ]

    def owners(self) -> list[str]:
        return [owner for _, owner in self.settle(final=True)]


def test_between_request_and_response_and_until_the_next_request() -> None:
    tape = Tape()
    tape.call(5)
    tape.test("test-1", 10, 20)
    tape.call(12)
    tape.call(25)
    tape.test("test-2", 30, 40)
    tape.call(31)
    tape.call(90)
    assert tape.owners() == ["startup", "test-1", "test-1", "test-2", "test-2"]


def test_start_up_keeps_only_what_came_of_its_attempts() -> None:
    tape = Tape()
    for begin in (1, 2):
        tape.call(begin, "GET http://db/ping", ending=Ending.REFUSED)
    tape.call(3, "GET http://gone/ping", ending=Ending.UNKNOWN_HOST)
    tape.call(4, "GET http://db/ping")
    tape.call(5, "GET http://db/late", ending=Ending.RESET)
    assert sorted(tape.settle(open_since=10)) == [
        (1, "nobody"), (2, "nobody"), (3, "startup"), (4, "startup"), (5, "startup")
    ]  # fmt: skip


def test_an_app_that_knocks_at_its_own_port_until_it_listens() -> None:
    """What it says there once it does is never seen, so that no success can tell that the attempts are forgotten."""
    tape = Tape()
    tape.call(1, "GET http://localhost/ready", ending=Ending.REFUSED)
    tape.call(2, "GET http://gone/ready", ending=Ending.REFUSED)
    assert tape.settle(open_since=10, own={Server("localhost", 80)}) == [(2, "startup"), (1, "nobody")]


def test_an_exchange_waits_while_a_request_could_still_claim_it() -> None:
    tape = Tape()
    tape.call(12)
    assert tape.settle(open_since=10) == [], "the request that began at 10 is still in hand"
    tape.test("test-1", 10, 20)
    assert tape.settle() == [(12, "test-1")]
    tape.call(25)
    assert tape.settle() == [], "the next request has not begun yet"
    assert tape.settle(open_since=30) == [(25, "test-1")]


def test_exchanges_come_out_in_the_order_of_the_recording() -> None:
    tape = Tape()
    tape.test("test-1", 0, 50)
    for begin in (30, 10, 20):
        tape.call(begin)
    assert [begin for begin, _ in tape.settle(final=True)] == [10, 20, 30]


def test_start_up_need_not_wait_when_nothing_is_in_hand() -> None:
    tape = Tape()
    tape.call(1)
    assert tape.settle() == [(1, "startup")]


OVERLAPS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "an id in the path": (
        {"line": f"GET /orders/{ORDER}"}, {"line": f"GET /orders/{BASKET}"},
        {"line": f"GET http://peer/items/{BASKET}"}, "test-2",
    ),
    "an id in the body": (
        {"line": "POST /o", "body": {"user": USER}}, {"line": "POST /o", "body": {"user": BASKET}},
        {"line": "POST http://peer/x", "body": {"for": {"user": USER}}}, "test-1",
    ),
    "an id that the app made up and answers with": (
        {"line": "POST /o", "answer": {"id": ORDER}}, {"line": "POST /o", "answer": {"id": BASKET}},
        {"line": "POST http://peer/x", "body": {"order": ORDER}}, "test-1",
    ),
    "a number in the path": (
        {"line": "GET /orders/1001"}, {"line": "GET /orders/1002"}, {"line": "GET http://peer/items/1002"}, "test-2",
    ),
    "a trace": (
        {"traceparent": f"00-{'a1' * 16}-{'1' * 16}-01"}, {"traceparent": f"00-{'b2' * 16}-{'2' * 16}-01"},
        {"traceparent": f"00-{'b2' * 16}-{'3' * 16}-01"}, "test-2",
    ),
    "a request id": ({"X-Request-Id": "one"}, {"X-Request-Id": "two"}, {"X-Request-Id": "one"}, "test-1"),
    "the token of who asks": (
        {"Authorization": "Bearer 8Kx2mQ9vT4nB7wLpZ3"}, {"Authorization": "Bearer Yt6RfD1sHj5GcV0aQe"},
        {"Authorization": "Bearer Yt6RfD1sHj5GcV0aQe"}, "test-2",
    ),
    "nothing that tells": ({}, {}, {}, "test-1+test-2"),
    "values of both": (
        {"line": f"GET /orders/{ORDER}"}, {"line": f"GET /orders/{BASKET}"},
        {"line": "POST http://peer/pair", "body": [ORDER, BASKET]}, "test-1+test-2",
    ),
    "a word that everybody says": (
        {"line": "POST /o", "body": {"state": "new"}}, {"line": "POST /o", "body": {"state": "old"}},
        {"line": "POST http://peer/x", "body": {"state": "new"}}, "test-1+test-2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OVERLAPS)
def test_overlapping_requests_are_told_apart_by_what_flows(case: str) -> None:
    first, second, call, owner = OVERLAPS[case]
    tape = Tape()
    tape.test("test-1", 0, 100, **first)
    tape.test("test-2", 10, 90, **second)
    tape.call(50, **call)
    assert tape.owners() == [owner]


def test_what_a_test_was_told_by_a_peer_leads_to_its_next_call() -> None:
    tape = Tape()
    tape.test("test-1", 0, 100, "GET /a/1001")
    tape.test("test-2", 10, 90, "GET /a/1002")
    tape.call(50, "GET http://users/1001", answer={"basket": BASKET})
    tape.call(60, f"GET http://baskets/{BASKET}")
    assert tape.owners() == ["test-1", "test-1"]


def test_eight_at_a_time_with_three_calls_each() -> None:
    tape = Tape()
    ids = [f"{index:08x}-e6e7-4e27-8ffe-97d87791b0b1" for index in range(0xA0000001, 0xA0000009)]
    for index, id in enumerate(ids):
        tape.test(f"test-{index + 1}", index, 200 + index, f"GET /orders/{id}")
    calls = [(f"test-{i + 1}", f"GET http://{host}/{id}") for i, id in enumerate(ids) for host in ("a", "b", "c")]
    random.shuffle(calls)
    for turn, (_, line) in enumerate(calls):
        tape.call(20 + turn, line)
    assert tape.owners() == [owner for owner, _ in calls]


def test_after_overlapping_requests_the_one_that_ended_last_is_not_simply_blamed() -> None:
    tape = Tape()
    tape.test("test-1", 0, 50)
    tape.test("test-2", 10, 60)
    tape.call(70, "POST http://mail/send")
    assert tape.owners() == ["test-1+test-2"]


def test_what_runs_into_the_next_request_belongs_to_both() -> None:
    tape = Tape()
    tape.test("test-1", 0, 50, "POST /sign-up", answer={"id": ORDER})
    tape.test("test-2", 52, 60, "GET /")
    tape.call(55, "POST http://mail/send", {"about": ORDER})
    tape.call(56, f"GET http://peer/{ORDER}")
    assert tape.owners() == ["test-1+test-2", "test-2"], "only of an effect does it matter that it is not missed"


def test_a_request_that_is_no_test_takes_its_calls_with_it() -> None:
    tape = Tape()
    tape.test("test-1", 0, 10)
    tape.test(None, 20, 30, "GET /health")
    tape.call(25)
    tape.test("test-2", 40, 50)
    assert tape.owners() == ["background"]


POLL = "POST http://queue/receive"


def test_a_poller_is_background() -> None:
    tape = Tape()
    for begin in (500, 1700, 3100):
        tape.test(f"test-{begin}", begin, begin + 50)
        tape.call(begin + 10, "POST http://stock/reserve")
    for tick in range(100, 4000, 500):
        tape.call(tick, POLL)
    owners = tape.settle(final=True)
    assert {owner for begin, owner in owners if begin % 500 == 100 and begin > 500} == {"background"}
    assert [owner for begin, owner in owners if begin % 500 != 100] == ["test-500", "test-1700", "test-3100"]


def test_what_every_request_leaves_behind_is_not_background() -> None:
    tape = Tape()
    for number in range(6):
        tape.test(f"test-{number}", number * 1000, number * 1000 + 50)
        tape.call(number * 1000 + 80, "POST http://mail/send")
    assert tape.owners() == [f"test-{number}" for number in range(6)]


def test_a_burst_after_one_response_is_not_background() -> None:
    tape = Tape()
    tape.test("test-1", 0, 50)
    for begin in (60, 61, 62, 63):
        tape.call(begin, "POST http://log/line")
    assert tape.owners() == ["test-1"] * 4


def test_what_was_settled_before_it_recurred_is_named_at_the_end() -> None:
    tape = Tape()
    tape.test("test-1", 500, 550)
    early = tape.call(600, POLL)
    assert tape.settle(open_since=1000) == [(600, "test-1")]
    tape.test("test-2", 1000, 1050)
    for tick in (1100, 1600, 2100):
        tape.call(tick, POLL)
    assert {owner for _, owner in tape.settle(final=True)} == {"background"}
    assert tape.attribution.relabelled() == {early: "test-1"}


def test_a_recovered_test_is_known_by_its_time() -> None:
    tape = Tape()
    tape.attribution.window("test-1", BEGIN, BEGIN + 50 * MS)
    tape.call(20)
    assert tape.owners() == ["test-1"]


def test_a_long_recording_does_not_pile_up() -> None:
    tape = Tape()
    for number in range(500):
        begin = number * 5000
        tape.test(f"test-{number}", begin, begin + 50)
        tape.call(begin + 10)
        tape.settle()
    held = tape.attribution
    assert len(held._windows) < 10
    assert not held._waiting


def test_names_are_numbered_by_owner() -> None:
    names = Names()
    names.seen("test-1+test-2.4")
    owners = ["startup", "test-1", "test-1", "test-1+test-2"]
    assert [names.next(owner) for owner in owners] == ["startup.1", "test-1.1", "test-1.2", "test-1+test-2.5"]


@given(st.data())
def test_settling_piece_by_piece_and_all_at_once_is_the_same(data: st.DataObject) -> None:
    """Tests one after the other, calls anywhere; settled at any moments in between."""
    gaps = data.draw(st.lists(st.integers(2, 40), min_size=1, max_size=6))
    windows, at = [], 0
    for gap in gaps:
        windows.append((at + gap, at + gap + 10))
        at += gap + 10
    starts = data.draw(st.lists(st.integers(0, at + 30), unique=True, max_size=12))
    events = sorted([(end, "test", begin) for begin, end in windows] + [(start + 1, "call", start) for start in starts])

    def play(stops: set[int]) -> list[tuple[float, str]]:
        tape, settled = Tape(), []
        for turn, (now, what, begin) in enumerate(events):
            if what == "test":
                tape.test(f"test-{begin}", begin, now)
            else:
                tape.call(begin, f"GET http://peer/{begin}")
            if turn in stops:
                done = {first for _, kind, first in events[: turn + 1] if kind == "test"}
                in_hand = [first for first, _ in windows if first <= now and first not in done]
                settled += tape.settle(open_since=min(in_hand, default=None))
        return settled + tape.settle(final=True)

    stops = data.draw(st.sets(st.integers(0, len(events))))
    assert play(stops) == play(set())
