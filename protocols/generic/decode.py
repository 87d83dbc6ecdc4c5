"""One connection becomes one exchange: its bytes in turns. It is yielded when the connection is over."""

from __future__ import annotations

from collections.abc import Callable

from protocols.furniture import Context, Limits
from protocols.generic.state import ENDS, SENDS, Event, State, after
from protocols.generic.wire import GenericRequest, GenericResponse, Turn, request_of
from testset.model import BodyBuffer, Ending, Exchange, ExchangeId, Side

GenericExchange = Exchange[GenericRequest, GenericResponse]


class GenericDecoder:
    """See `furniture.Decoder`. Keeps `limits.message` bytes of a connection and marks it when there were more."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._room_left = limits.message
        self._state = State.OPEN
        self._turns: list[tuple[Side, bytearray]] = []
        self._truncated = False
        self._closed_by: Side | None = None
        self._started_ns: int | None = None
        self._received = {Side.CLIENT: 0, Side.SERVER: 0}
        self._settled = (0, 0, context.first_index)

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[GenericExchange]:
        if not data:
            return []
        self._state = after(self._state, SENDS[side])
        if self._started_ns is None:
            self._started_ns = time_ns
        self._received[side] += len(data)
        kept = data[: self._room_left]
        self._truncated = self._truncated or len(kept) < len(data)
        self._room_left -= len(kept)
        if kept:
            if not self._turns or self._turns[-1][0] is not side:
                self._turns.append((side, bytearray()))
            self._turns[-1][1].extend(kept)
        return []

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[GenericExchange]:
        over = self._state is State.CLOSED
        if ending is Ending.RESET and side is Side.CLIENT:
            ending = Ending.GIVEN_UP
        self._state = after(self._state, ENDS[side] if ending is Ending.ANSWERED else Event.RESET)
        self._closed_by = self._closed_by or side
        if over or self._state is not State.CLOSED:
            return []
        response = GenericResponse(
            turns=tuple(Turn(who, bytes(data)) for who, data in self._turns),
            closed_by=self._closed_by,
            truncated=self._truncated,
            secure=self._context.secure,
        )
        self._turns.clear()
        first = self._context.first_index
        self._settled = (self._received[Side.CLIENT], self._received[Side.SERVER], first + 1)
        return [
            Exchange(
                id=ExchangeId(self._context.connection, first),
                protocol="generic",
                inbound=self._context.inbound,
                server=self._context.server,
                request=request_of(response),
                response=response,
                ending=ending,
                started_ns=time_ns if self._started_ns is None else self._started_ns,
                ended_ns=time_ns,
            )
        ]

    def settled(self) -> tuple[int, int, int]:
        return self._settled

    def state(self) -> None:
        return None


def connection_failed(context: Context, ending: Ending, started_ns: int, ended_ns: int) -> GenericExchange:
    """A connection that never came to be: refused, unreachable, timed out."""
    return Exchange(
        id=ExchangeId(context.connection, context.first_index),
        protocol="generic",
        inbound=context.inbound,
        server=context.server,
        request=GenericRequest(),
        response=None,
        ending=ending,
        started_ns=started_ns,
        ended_ns=ended_ns,
    )
