"""Polls that wait during a replay. They cost nothing meanwhile: each is looked at when the story has gone on.

What a poll is told when nothing comes, and after how long, is as it was when it was recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Reply, Room
from testset.model import Ending, Exchange

_SHORTEST = 0.02  # seconds: an app that asks again at once, again and again, must not take the processor

Look = Callable[[bool], bool]  # whether the poll is over; asked with True when it has waited for long enough


@dataclass(slots=True, eq=False)
class _Poll:
    look: Look
    timer: asyncio.TimerHandle


class Polls:
    """All polls that wait."""

    def __init__(self) -> None:
        self._waiting: list[_Poll] = []
        self._woken = False

    def wait(self, look: Look, seconds: float) -> None:
        def end() -> None:
            self._waiting.remove(poll)
            poll.look(True)

        poll = _Poll(look, asyncio.get_running_loop().call_later(seconds, end))
        self._waiting.append(poll)

    def look_again(self) -> None:
        """Something may have come: whoever has waited longest gets it, once what goes on just now is done."""
        if self._waiting and not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._woken = False
        for poll in tuple(self._waiting):
            if poll in self._waiting and poll.look(False):
                self._waiting.remove(poll)
                poll.timer.cancel()


def nothing_yet(room: Room, request: Any, recorded: Exchange[Any, Any]) -> Reply:
    """What a poll is told that gets nothing, and after how long; `recorded` is one like it, that got nothing or did."""
    poll = room.poll(request)
    assert poll is not None, "only a poll is told that nothing has come"
    doing = room.queueing(recorded)
    answered = recorded.ending is Ending.ANSWERED and recorded.response is not None
    if not answered or (doing is not None and doing.taken):
        return Reply(poll.nothing, Ending.ANSWERED, after=max(poll.seconds or 0.0, _SHORTEST))
    took = (recorded.ended_ns - recorded.started_ns) / 1e9
    seconds = took if poll.seconds is None else min(took, poll.seconds)
    return Reply(recorded.response, Ending.ANSWERED, after=max(seconds, _SHORTEST))
