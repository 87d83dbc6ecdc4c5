"""Whose mock is it? Says of every outbound exchange which test it belongs to, while the recording goes on.

What the app does between a request and its response belongs to that test, and so does what it still does before the
next request comes. Where requests overlap, the values that flow tell: an id of one request, or of an answer that its
test was given, appears in the exchange; or a trace header says it. Where nothing tells, it belongs to the group of
those tests. What came before the first request is start-up's; what recurs by a clock of its own is background. A
message that a poll has got happened when it came, and not when the poll began to wait; what it says tells whose it is.

An exchange is settled once nothing that may still happen can claim it: no request is in hand that began before it,
and the next one has begun (or the recording has ended). Only background may be recognised too late, because it takes
three times to see that something recurs. What was settled before that is named by `relabelled`, at the end, for a
recorder that can still rename it.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Queueing, Room
from protocols.registry import room_named
from recorder.flow import Traits, traits
from recorder.recurrence import Recurrence
from testset.model import Ending, Exchange, ExchangeId, Server

STARTUP = "startup"
BACKGROUND = "background"

_STILL_NS = 2_000_000_000  # how long after its response a test may claim what carries its values
_UNKNOWN = Traits(frozenset(), frozenset(), frozenset(), frozenset())
_NO_QUEUE = Queueing()
_TAKEN = 4096  # handles and values of messages that may still be spoken of
_REMEMBERED = 64  # settled exchanges of a route that may turn out to be background

Settled = tuple[Exchange[Any, Any], str | None]  # None: it is not kept


class Names:
    """Gives mocks their names: `test-2.1`, `startup.1`, `test-3+test-4.1`."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()

    def next(self, owner: str) -> str:
        self._numbers[owner] += 1
        return f"{owner}.{self._numbers[owner]}"

    def seen(self, name: str) -> None:
        """`name` was given in an earlier life of this recording."""
        owner, _, number = name.rpartition(".")
        self._numbers[owner] = max(self._numbers[owner], int(number))


@dataclass(slots=True, eq=False)
class _Window:
    """A request of the recording, from its first byte to the last of its response."""

    started_ns: int
    ended_ns: int
    name: str | None  # None: it became no test
    request: Traits
    marks: set[str]  # of the request, and of all that the test has sent and got since


class Attribution:
    """Takes exchanges as they are finished, in about the order of the recording, and settles whose they are."""

    def __init__(self, room_of: Callable[[str], Room] = room_named) -> None:
        self._room_of = room_of
        self._windows: list[_Window] = []  # by start
        self._waiting: list[tuple[int, int, Exchange[Any, Any]]] = []  # by start
        self._turn = 0
        self._takers: dict[str, Sequence[_Window]] = {}  # the tests that a message came in, by its handle and its marks
        self._recurrence = Recurrence()
        self._answered: set[Server] = set()  # destinations that start-up has reached
        self._failed: list[Exchange[Any, Any]] = []  # start-up's attempts that may still be followed by a success
        self._superseded: list[Exchange[Any, Any]] = []  # and that were
        self._began = False
        self._settled: dict[Hashable, list[tuple[ExchangeId, str]]] = defaultdict(list)  # of routes that may yet recur

    # -- what happened ------------------------------------------------------------------------------------------

    def window(self, name: str | None, started_ns: int, ended_ns: int) -> None:
        """A test of which no more is known than when it was: a recovery has only its file."""
        self._began = True
        window = _Window(started_ns, ended_ns, name, _UNKNOWN, set())
        insort(self._windows, window, key=lambda one: one.started_ns)

    def add_inbound(self, exchange: Exchange[Any, Any], name: str | None) -> None:
        """A finished request, and its test's name; None if it is no test (what it caused is then background)."""
        self._began = True
        known = traits(self._room_of(exchange.protocol), exchange, answer=True)
        ended = max(exchange.started_ns, exchange.ended_ns)
        window = _Window(exchange.started_ns, ended, name, known, set(known.marks))
        if name is not None:  # a recovery decodes some tests again, and then knows more than when they were
            self._windows = [one for one in self._windows if one.name != name or one.request is not _UNKNOWN]
        insort(self._windows, window, key=lambda one: one.started_ns)

    def add_outbound(self, exchange: Exchange[Any, Any]) -> None:
        """A finished call of the app."""
        self._turn += 1
        insort(self._waiting, (self._when(exchange), self._turn, exchange), key=lambda one: one[:2])

    def add_reached(self, exchange: Exchange[Any, Any]) -> None:
        """An exchange that belongs to no test shows that its destination can be reached."""
        if exchange.ending is Ending.ANSWERED and not self._began:
            self._reached(exchange.server)

    # -- whose it is --------------------------------------------------------------------------------------------

    def settle(
        self, open_since_ns: int | None, *, final: bool = False, own: AbstractSet[Server] = frozenset()
    ) -> list[Settled]:
        """The exchanges whose owner is certain by now, in the order of the recording.

        `open_since_ns`: when the oldest request began that is still in hand, None if there is none. `own`: where the
        app listens by now. All that ended before now has been added.
        """
        self._began = self._began or open_since_ns is not None
        ready = 0
        while ready < len(self._waiting) and (final or self._is_certain(self._waiting[ready][0], open_since_ns)):
            ready += 1
        exchanges = [exchange for _, _, exchange in self._waiting[:ready]]
        del self._waiting[:ready]
        for exchange in exchanges:  # all of them first: what recurs is then known for the first of them already
            self._see(exchange)
        settled: list[Settled] = []
        for exchange in exchanges:
            settled.extend(self._owned(exchange))
        for exchange in self._failed:
            if exchange.server in own:  # the app waited for itself, and what it said then came by no edge
                self._reached(exchange.server)
        if self._began or final:
            settled = [(exchange, STARTUP) for exchange in self._failed] + settled
            self._failed.clear()
        settled.extend((exchange, None) for exchange in self._superseded)
        self._superseded.clear()
        self._forget(open_since_ns)
        return settled

    def relabelled(self) -> dict[ExchangeId, str]:
        """Exchanges that were settled as a test's and belong to the background, as was seen later: id and old owner."""
        return {
            id: owner
            for route, settled in self._settled.items()
            if self._recurrence.recurs(route)
            for id, owner in settled
            if owner != BACKGROUND
        }

    def _is_certain(self, started_ns: int, open_since_ns: int | None) -> bool:
        if open_since_ns is not None:
            return started_ns < open_since_ns
        if not self._windows:
            return not self._began
        latest = self._windows[-1]
        # Before the latest request, or inside one; after them all, the next request must have begun first.
        return started_ns < latest.started_ns or any(_holds(one, started_ns) for one in self._windows)

    def _queueing(self, exchange: Exchange[Any, Any]) -> Queueing:
        return self._room_of(exchange.protocol).queueing(exchange) or _NO_QUEUE

    def _is_delivery(self, exchange: Exchange[Any, Any]) -> bool:
        return bool(self._queueing(exchange).taken)

    def _when(self, exchange: Exchange[Any, Any]) -> int:
        return exchange.ended_ns if self._is_delivery(exchange) else exchange.started_ns

    def _owned(self, exchange: Exchange[Any, Any]) -> list[Settled]:
        when, doing = self._when(exchange), self._queueing(exchange)
        delivery = bool(doing.taken)
        inside = [one for one in self._windows if _holds(one, when)]
        before = [one for one in self._windows if one.ended_ns < when]
        if not inside and not before:
            return self._startup(exchange)
        room = self._room_of(exchange.protocol)
        seen = traits(room, exchange, answer=delivery)
        candidates, owners = self._claim(seen, when, inside, before)
        if inside and not owners and room.is_effect(exchange.request):
            candidates = self._late(seen, when, inside, before)
        caused = not delivery and self._speaks_of_message(doing, seen)
        if caused:
            # An effect may be a worker's, and late; a read of the same id is more likely that of a later request.
            since = when - _STILL_NS if room.is_effect(exchange.request) else when
            candidates, owners = self._with_takers(doing, seen, owners or candidates, since), ()
        route = _route(room, exchange)
        if self._recurrence.recurs(route) and not owners and not caused:
            return [(exchange, BACKGROUND)]
        named = [one for one in owners or candidates if one.name is not None]
        for one in owners or (candidates if len(candidates) == 1 else ()):
            one.marks |= traits(room, exchange, answer=True).marks
        owner = "+".join(one.name for one in named if one.name is not None) if named else BACKGROUND
        if delivery:
            self._takers.update(dict.fromkeys((*doing.handles, *seen.marks), named))
            for value in tuple(self._takers)[:-_TAKEN]:
                del self._takers[value]
        if len(self._settled[route]) < _REMEMBERED and not delivery and not caused:
            self._settled[route].append((exchange.id, owner))
        return [(exchange, owner)]

    def _claim(
        self, seen: Traits, started_ns: int, inside: Sequence[_Window], before: Sequence[_Window]
    ) -> tuple[Sequence[_Window], Sequence[_Window]]:
        """The tests that it may belong to, and the one whose values say so, if there is one."""
        recent = [one for one in before if one.ended_ns >= started_ns - _STILL_NS]
        if inside:
            candidates: Sequence[_Window] = inside
        else:
            latest = max(before, key=lambda one: one.ended_ns)
            candidates = [one for one in before if one is latest or one.ended_ns > latest.started_ns]
            candidates = [one for one in candidates if one is latest or one in recent]
        every = [*candidates, *(one for one in recent if one not in candidates)]
        by_trace = _only([one for one in every if one.request.traces & seen.traces])
        if by_trace or len(candidates) == 1:
            return candidates, by_trace
        return candidates, (
            _only(_carriers(candidates, seen.marks, lambda one: one.marks))
            or _only(_carriers(candidates, seen.carried, lambda one: one.request.carried | one.marks))
            or _only(_carriers(candidates, seen.hints, lambda one: one.request.hints))
        )

    def _speaks_of_message(self, doing: Queueing, seen: Traits) -> bool:
        return any(value in self._takers for value in (*doing.handles, *seen.marks))

    def _with_takers(
        self, doing: Queueing, seen: Traits, windows: Sequence[_Window], since_ns: int
    ) -> Sequence[_Window]:
        """`windows`, and the tests in which the messages came of which an exchange speaks: in a replay it comes as soon
        as they have, or as late as it did. If only its values speak of them, they came after `since_ns`."""
        found = [one for handle in doing.handles for one in self._takers.get(handle, ())]
        told = (one for mark in seen.marks for one in self._takers.get(mark, ()))
        found.extend(one for one in told if one.ended_ns >= since_ns)
        every = {id(one): one for one in (*found, *windows)}
        return sorted(every.values(), key=lambda one: one.started_ns)

    def _late(
        self, seen: Traits, started_ns: int, inside: Sequence[_Window], before: Sequence[_Window]
    ) -> Sequence[_Window]:
        """What a test leaves behind may run into the next one. It did so in the recording, and may not in a replay:
        where the values say so, it belongs to both."""
        recent = [one for one in before if one.ended_ns >= started_ns - _STILL_NS]
        late = _only(_carriers([*recent, *inside], seen.marks, lambda one: one.marks))
        return [*late, *inside] if late and late[0] not in inside else inside

    def _startup(self, exchange: Exchange[Any, Any]) -> list[Settled]:
        """A failed attempt is kept back until it is known that none after it succeeds."""
        if exchange.ending is not Ending.ANSWERED and exchange.server not in self._answered:
            self._failed.append(exchange)
            return []
        if exchange.ending is Ending.ANSWERED:
            self._reached(exchange.server)
        return [(exchange, STARTUP)]

    def _reached(self, server: Server) -> None:
        self._answered.add(server)
        self._superseded.extend(one for one in self._failed if one.server == server)
        self._failed = [one for one in self._failed if one.server != server]

    def _see(self, exchange: Exchange[Any, Any]) -> None:
        if self._queueing(exchange).handles:  # a message comes, and is spoken of, when somebody has sent it
            return
        started = exchange.started_ns
        begun = [one.started_ns for one in self._windows if one.started_ns <= started]
        outside = not any(_holds(one, started) for one in self._windows)
        route = _route(self._room_of(exchange.protocol), exchange)
        self._recurrence.see(route, started, started - begun[-1] if begun else started, outside=outside and bool(begun))

    def _forget(self, open_since_ns: int | None) -> None:
        """Windows that nothing waiting can belong to any more. The latest to end stays: what follows is its own."""
        if len(self._windows) < 2:
            return
        oldest = self._waiting[0][0] if self._waiting else self._windows[-1].started_ns
        if open_since_ns is not None:
            oldest = min(oldest, open_since_ns)
        latest = max(self._windows, key=lambda one: one.ended_ns)
        self._windows = [one for one in self._windows if one is latest or one.ended_ns >= oldest - 2 * _STILL_NS]


class OneOwner(Attribution):
    """For a recording without tests: everything belongs to one, failed attempts too, as soon as it is finished."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self._owner = owner
        self._finished: list[Exchange[Any, Any]] = []

    def add_outbound(self, exchange: Exchange[Any, Any]) -> None:
        self._finished.append(exchange)

    def settle(
        self, open_since_ns: int | None, *, final: bool = False, own: AbstractSet[Server] = frozenset()
    ) -> list[Settled]:
        finished, self._finished = sorted(self._finished, key=lambda one: one.started_ns), []
        return [(exchange, self._owner) for exchange in finished]


def _holds(window: _Window, time_ns: int) -> bool:
    return window.started_ns <= time_ns <= window.ended_ns


def _carriers(
    windows: Sequence[_Window], values: Iterable[str], known: Callable[[_Window], AbstractSet[str]]
) -> list[_Window]:
    """The windows that know a value which no other of them knows."""
    found = []
    for value in values:
        knowing = [one for one in windows if value in known(one)]
        if len(knowing) == 1 and knowing[0] not in found:
            found.append(knowing[0])
    return found


def _only(windows: Sequence[_Window]) -> Sequence[_Window]:
    """One window, or nothing said: values that point to two tests point to none."""
    return windows if len(windows) == 1 else ()


def _route(room: Room, exchange: Exchange[Any, Any]) -> Hashable:
    return (room.name, room.route(exchange.server, exchange.request))
