"""A dependency that is down is told from an app that has changed."""

from __future__ import annotations

import pytest

from protocols.dns.messages import DnsRequest, DnsResponse
from protocols.generic import ROOM
from replayer.merging.reached import unreached
from testset.model import Ending, Exchange, ExchangeId, Mock, Server


def call(host: str, ending: Ending = Ending.ANSWERED) -> Mock:
    return mock(ROOM.name, None, host, ending)


def lookup(name: str, ending: Ending = Ending.ANSWERED) -> Mock:
    return mock("dns", DnsRequest(name=name), "resolver", ending)


def mock(protocol: str, request: object, host: str, ending: Ending) -> Mock:
    exchange: Exchange[object, object] = Exchange(
        id=ExchangeId(1, 1), protocol=protocol, inbound=False, server=Server(host, 80), request=request,
        response=DnsResponse(), ending=ending, started_ns=0, ended_ns=0,
    )  # fmt: skip
    return Mock(name="test-1.1", owner="test-1", exchange=exchange)


@pytest.mark.parametrize("ending", [Ending.REFUSED, Ending.UNREACHABLE, Ending.TIMED_OUT])
def test_what_answered_and_is_not_there_now_is_named(ending: Ending) -> None:
    assert unreached([call("users"), call("stock")], [call("users", ending), call("stock")]) == {"users:80": ending}


def test_a_name_that_is_known_no_more_is_named() -> None:
    found = unreached([lookup("users.internal")], [lookup("users.internal", Ending.UNKNOWN_HOST)])
    assert found == {"users.internal": Ending.UNKNOWN_HOST}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([call("users", Ending.REFUSED)], [call("users", Ending.REFUSED)]),
        ([call("users")], [call("users", Ending.REFUSED), call("users")]),
        ([call("users")], []),
        ([call("users")], [call("users"), call("prices", Ending.REFUSED)]),
        ([call("users")], [call("users", Ending.RESET)]),
    ],
    ids=["it failed then too", "it failed once", "it is asked no more", "another is asked", "it hung up"],
)
def test_all_else_is_a_change_of_the_app(old: list[Mock], new: list[Mock]) -> None:
    assert unreached(old, new) == {}
