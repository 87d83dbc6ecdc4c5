"""What finding a mock costs: the same among many as among few, and without the mocks in memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

from replayer.story import Found, Options, Replay, Story
from tests.replayer.story.telling import ROOM, SECOND, request, response
from testset.model import Exchange, ExchangeId, Mock

BEGIN = 1_756_985_448 * SECOND


def mock(number: int) -> Mock:
    """Every other one has a fresh id in its path."""
    id = str(number) if number % 2 else str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    server, asked = request(f"GET http://users/users/{id}?full=1")
    return Mock(
        name=f"startup.{number}",
        owner="startup",
        exchange=Exchange(
            id=ExchangeId(number, 0),
            protocol="http",
            inbound=False,
            server=server,
            request=asked,
            response=response({"id": number}),
            started_ns=BEGIN + number,
            ended_ns=BEGIN + number + 1,
        ),
    )


def story(size: int, recalled: list[int]) -> Story:
    """Mocks that are not kept: each is made anew when it is called back."""

    def recall(mock_: Mock) -> Callable[[], Mock]:
        number = mock_.exchange.id.connection

        def again() -> Mock:
            recalled.append(number)
            return mock(number)

        return again

    def mocks() -> Iterator[Mock]:
        return (mock(number) for number in range(size))

    return Story([], mocks(), lambda exchange: ROOM, Options(recall=recall))


def test_a_mock_is_read_again_only_when_it_answers() -> None:
    recalled: list[int] = []
    replay = Replay(story(50, recalled))
    assert recalled == []
    server, asked = request("GET http://users/users/7?full=1")
    assert isinstance(replay.find(ROOM, server, asked, BEGIN), Found)
    assert recalled == [7]


def test_finding_costs_the_same_among_many_mocks() -> None:
    few, many = story(100, []), story(10_000, [])

    def cost(told: Story) -> float:
        replay = Replay(told)
        asked = [mock(number) for number in range(40, 60)]
        began = time.perf_counter()
        for one in asked:
            assert isinstance(replay.find(ROOM, one.exchange.server, one.exchange.request, BEGIN), Found)
        return time.perf_counter() - began

    pairs = [(cost(few), cost(many)) for _ in range(25)]
    best_few, best_many = min(few for few, _ in pairs), min(many for _, many in pairs)
    assert best_many <= 2 * best_few, (
        f"{best_few * 50_000:.0f} µs a lookup among 100, {best_many * 50_000:.0f} µs among 10,000"
    )
