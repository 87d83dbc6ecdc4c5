"""What an app that asks for a name is told, and where nobody opens to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from protocols.dns.messages import DnsResponse
from protocols.dns.wire import Message, Question, Record, build, parse
from replayer.doorman import Doorman
from replayer.loading import Names
from testset.model import Ending


def doorman(*own: str, **recorded: str) -> Doorman:
    """With these names of the app's own, and recorded addresses of others."""
    made = Doorman()
    made.own_names = frozenset(own)
    names = Names({(name, "A"): answer(name, address) for name, address in recorded.items()})
    loaded = SimpleNamespace(names=names, failing={}, own_ports={8080})
    served: Any = SimpleNamespace(loaded=loaded, way_out=None)
    made.serve(served)
    return made


def answer(name: str, address: str) -> DnsResponse:
    return DnsResponse(rcode="NOERROR", answers=(Record(name, "A", address, 60),))


def told(asked: Doorman, name: str, qtype: str = "A") -> tuple[str, list[str]]:
    found = asked.name(build(Message(id=7, response=False, rcode="NOERROR", question=Question(name, qtype))))
    assert isinstance(found, bytes)
    message = parse(found)
    assert message.id == 7
    return message.rcode, [record.data for record in message.answers]


def test_a_recorded_name_has_the_recorded_address() -> None:
    assert told(doorman(users="172.18.0.3"), "users") == ("NOERROR", ["172.18.0.3"])


def test_the_apps_own_name_is_here_wherever_it_was_when_it_was_recorded() -> None:
    asked = doorman("price", "costs.shop", price="172.18.0.4")
    assert told(asked, "price") == ("NOERROR", ["127.0.0.1"])
    assert told(asked, "Costs.Shop") == ("NOERROR", ["127.0.0.1"])
    assert told(asked, "price", "AAAA") == ("NOERROR", [])
    assert asked.unknown_names == set()


def test_a_name_that_nobody_has_asked_for_leads_to_a_miss() -> None:
    asked = doorman("price")
    assert told(asked, "stock") == ("NOERROR", ["198.18.0.1"])
    assert asked.unknown_names == {"stock"}


def test_a_query_that_is_none_gets_no_answer() -> None:
    assert doorman().name(b"\x00" * 5) == b""


def test_an_app_that_waits_for_itself_is_refused_until_it_listens() -> None:
    """Its attempts are no mocks, because how many there are is chance. Elsewhere it is heard: a miss says more."""
    asked = doorman()
    assert asked.failure("127.0.0.1", 8080) is Ending.REFUSED
    assert asked.failure("::1", 8080) is Ending.REFUSED
    assert asked.failure("127.0.0.1", 8081) is None
    assert asked.failure("10.0.0.7", 8080) is None
