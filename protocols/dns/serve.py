"""Answers queries from recordings. Each `feed` is one datagram, each `Send` is one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from protocols.dns.messages import answer_for, build_error, request_of
from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from testset.errors import LimitError, ProtocolError


class DnsResponder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queries: deque[bytes] = deque()  # the first one is asked about

    def start(self) -> list[Act]:
        return []

    def feed(self, data: bytes) -> list[Act]:
        if len(data) > self._limits.message or len(self._queries) >= self._limits.messages:
            raise LimitError("a datagram too large, or too many of them at once")
        request = request_of(data)
        self._queries.append(data)
        return [Ask(request)] if len(self._queries) == 1 else []

    def end(self) -> list[Act]:
        return [Hang()]

    def answer(self, reply: Reply) -> list[Act]:
        if not self._queries:
            raise ProtocolError("an answer and nothing was asked")
        query = self._queries.popleft()
        if reply.response is None:
            return self._next([])  # nobody answered then, nobody does now
        return self._next([Send(answer_for(query, reply.response))])

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        """SERVFAIL, not NXDOMAIN: that the name does not exist is more than rr knows."""
        if not self._queries:
            raise ProtocolError("a miss and nothing was asked")
        return self._next([Send(build_error(self._queries.popleft(), "SERVFAIL"))])

    def _next(self, acts: list[Act]) -> list[Act]:
        if self._queries:
            acts.append(Ask(request_of(self._queries[0])))
        return acts
