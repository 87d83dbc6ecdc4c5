"""Which dependencies answered when a test set was recorded, and are not there when it is recorded anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from testset.model import Ending, Exchange, Mock

_NOT_THERE = (Ending.REFUSED, Ending.UNREACHABLE, Ending.TIMED_OUT, Ending.UNKNOWN_HOST)


def unreached(old: Iterable[Mock], new: Iterable[Mock]) -> dict[str, Ending]:
    """Where no call of the app arrived any more, and how the last one ended. A call that failed in the old recording
    too is a part of it, and one that failed among others that did not is the app's matter."""
    answered = {_asked(one.exchange) for one in old if one.exchange.ending is Ending.ANSWERED}
    failed: dict[str, Ending] = {}
    arrived = set()
    for one in new:
        if one.exchange.ending in _NOT_THERE:
            failed[_asked(one.exchange)] = one.exchange.ending
        else:
            arrived.add(_asked(one.exchange))
    return {place: ending for place, ending in failed.items() if place in answered and place not in arrived}


def _asked(exchange: Exchange[Any, Any]) -> str:
    """A server, or the name that was looked up."""
    return str(exchange.request.name) if exchange.protocol == "dns" else str(exchange.server)
