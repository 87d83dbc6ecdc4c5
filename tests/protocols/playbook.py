"""What the protocols' tests share: a connection played to a decoder, step by step or byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Context, Decoder, Limits
from testset.errors import ProtocolError
from testset.model import Body, Ending, Exchange, Server, Side

CLIENT, SERVER = Side.CLIENT, Side.SERVER
LIMITS = Limits(head=16_384, message=65_536, messages=8, exchange=64 << 20)
INBOUND = Context(connection=1, inbound=True, server=Server("localhost", 8080))
OUTBOUND = Context(connection=2, inbound=False, server=Server("user-service", 5001))

Make = Callable[[Context, Limits, Callable[[], "MemoryBody"]], Decoder]


class MemoryBody:
    """A body buffer for tests, which notes how large the largest piece was that it was given."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.parts.append(data)

    def finish(self) -> Body:
        return b"".join(self.parts)

    def discard(self) -> None:
        self.parts.clear()


@dataclass(frozen=True)
class Sends:
    side: Side
    data: bytes


@dataclass(frozen=True)
class Ends:
    side: Side
    ending: Ending = Ending.ANSWERED


Step = Sends | Ends


def client(data: bytes) -> Sends:
    return Sends(CLIENT, data)


def server(data: bytes) -> Sends:
    return Sends(SERVER, data)


@dataclass
class Played:
    """What came of a playbook: exchanges, the error that stopped it, and how far all was finished."""

    exchanges: list[Any]  # of exchanges; what is in them, the tests know
    error: ProtocolError | None
    settled: tuple[int, int, int]

    def only(self) -> Any:
        assert self.error is None, self.error
        assert len(self.exchanges) == 1, self.exchanges
        return self.exchanges[0]


def play(make: Any, steps: Iterable[Step], *, context: Context = OUTBOUND, limits: Limits = LIMITS) -> Played:
    """Each step is a second after the one before it; a decoder is fed no more after its error."""
    decoder: Decoder = make(context, limits, MemoryBody)
    exchanges: list[Exchange[Any, Any]] = []
    for second, step in enumerate(steps, start=1):
        now = second * 1_000_000_000
        try:
            if isinstance(step, Sends):
                exchanges += decoder.feed(step.side, step.data, now)
            else:
                exchanges += decoder.end(step.side, step.ending, now)
        except ProtocolError as error:
            return Played(exchanges, error, decoder.settled())
    return Played(exchanges, None, decoder.settled())


def cut(steps: Iterable[Step], size: int = 1) -> list[Step]:
    """The same bytes in the same order, in pieces of `size`."""
    result: list[Step] = []
    for step in steps:
        if isinstance(step, Sends):
            result += [Sends(step.side, step.data[i : i + size]) for i in range(0, len(step.data), size)]
        else:
            result.append(step)
    return result


def timeless(exchanges: Iterable[Exchange[Any, Any]]) -> list[tuple[Any, ...]]:
    """Exchanges without their times, which depend on how the bytes were cut."""
    return [(e.id, e.inbound, e.server, e.request, e.response, e.ending) for e in exchanges]
