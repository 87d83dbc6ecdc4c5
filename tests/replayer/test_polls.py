"""Polls wait without being asked again and again, and each thing that comes is for one of them."""

from __future__ import annotations

import asyncio
import time

import pytest

from protocols.http import ROOM
from protocols.http.wire import HttpRequest, HttpResponse
from replayer.polls import Polls, nothing_yet
from testset.model import Ending, Exchange, ExchangeId, Server

CEILING = 5.0


def test_a_poll_is_looked_at_when_the_story_goes_on_and_in_the_end() -> None:
    async def run() -> list[bool]:
        polls, seen, over = Polls(), [], asyncio.Event()

        def look(last: bool) -> bool:
            seen.append(last)
            if last:
                over.set()
            return last

        polls.wait(look, 0.05)
        polls.look_again()
        polls.look_again()  # at the same moment: one look is enough
        await asyncio.wait_for(over.wait(), CEILING)
        polls.look_again()
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(run()) == [False, True]


def test_what_comes_is_for_the_one_that_has_waited_longest() -> None:
    async def run() -> dict[str, str]:
        polls, queue, got = Polls(), ["m-1", "m-2"], dict[str, str]()

        def look_for(who: str) -> None:
            def look(_last: bool) -> bool:
                if queue:
                    got[who] = queue.pop(0)
                return who in got

            polls.wait(look, CEILING)

        for who in ("first", "second", "third"):
            look_for(who)
        polls.look_again()
        await asyncio.sleep(0)
        queue.append("m-3")
        polls.look_again()
        await asyncio.sleep(0)
        return got

    began = time.monotonic()
    assert asyncio.run(run()) == {"first": "m-1", "second": "m-2", "third": "m-3"}
    assert time.monotonic() - began < CEILING


def poll(seconds: str | None, took: float, response: HttpResponse | None, ending: Ending = Ending.ANSWERED) -> float:
    """How long a poll waits, of which another that waited for `seconds` was recorded."""
    waits = f"&WaitTimeSeconds={seconds}" if seconds is not None else ""
    request = HttpRequest(method="GET", target=f"/?Action=ReceiveMessage&Version=2012-11-05&QueueUrl=q{waits}")
    recorded = Exchange(
        id=ExchangeId(1, 0), protocol="http", inbound=False, server=Server("sqs", 80), request=request,
        response=response, ending=ending, started_ns=0, ended_ns=int(took * 1e9),
    )  # fmt: skip
    reply = nothing_yet(ROOM, request, recorded)
    assert reply.response is not None
    assert reply.ending is Ending.ANSWERED
    return reply.after


EMPTY = HttpResponse(status=200, body=b"{}")
FULL = HttpResponse(status=200, body=b'{"Messages": [{"MessageId": "m"}]}')


@pytest.mark.parametrize(
    ("seconds", "took", "response", "waits"),
    [
        ("20", 20.1, EMPTY, 20),  # as long as it says
        ("20", 1, EMPTY, 1),  # at most as long as then
        (None, 3, EMPTY, 3),  # the queue's own setting
        ("0", 0.001, EMPTY, 0.02),  # never at once
        ("5", 0.3, FULL, 5),  # no other one got nothing
        (None, 0.3, FULL, 0.02),
        ("5", 2, None, 5),  # it was still waiting when the recording ended
    ],
)
def test_how_long_a_poll_waits(seconds: str | None, took: float, response: HttpResponse | None, waits: float) -> None:
    ending = Ending.ANSWERED if response is not None else Ending.CUT_SHORT
    assert poll(seconds, took, response, ending) == pytest.approx(waits)
