"""Datagrams of one client's socket become exchanges. Each `feed` is one; answers find their query by its id."""

from __future__ import annotations

from collections.abc import Callable

from protocols.dns import wire
from protocols.dns.messages import DnsExchange, exchange_from
from protocols.dns.state import Event, State, after
from protocols.furniture import Context, Limits
from testset.errors import LimitError
from testset.model import BodyBuffer, Ending, ExchangeId, Side


class DnsDecoder:
    """See `furniture.Decoder`."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._limits = limits
        self._open: dict[tuple[int, str, str], tuple[State, bytes, int]] = {}
        self._index = context.first_index
        self._received = {Side.CLIENT: 0, Side.SERVER: 0}
        self._settled = (0, 0, context.first_index)

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[DnsExchange]:
        if len(data) > self._limits.message:
            raise LimitError(f"a datagram of more than {self._limits.message} bytes")
        message = wire.parse(data)
        key = (message.id, message.question.name, message.question.qtype)
        self._received[side] += len(data)
        state, query, started_ns = self._open.get(key, (State.IDLE, data, time_ns))
        if side is Side.CLIENT:
            if len(self._open) >= self._limits.messages and key not in self._open:
                raise LimitError(f"more than {self._limits.messages} queries at once")
            self._open[key] = (after(state, Event.QUERY), query, started_ns)
            return []
        if state is State.IDLE:
            return []  # the answer to a query that was sent twice
        after(state, Event.ANSWER)
        del self._open[key]
        return [self._exchange(query, data, started_ns, time_ns)]

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[DnsExchange]:
        waiting = list(self._open.values())
        self._open.clear()
        return [self._exchange(query, None, started_ns, time_ns) for _, query, started_ns in waiting]

    def settled(self) -> tuple[int, int, int]:
        return self._settled

    def state(self) -> None:
        return None

    def _exchange(self, query: bytes, answer: bytes | None, started_ns: int, ended_ns: int) -> DnsExchange:
        exchange = exchange_from(
            query,
            answer,
            server=self._context.server,
            started_ns=started_ns,
            ended_ns=ended_ns,
            id=ExchangeId(self._context.connection, self._index),
            inbound=self._context.inbound,
        )
        self._index += 1
        if not self._open:
            self._settled = (self._received[Side.CLIENT], self._received[Side.SERVER], self._index)
        return exchange
