"""HTTP/1 or HTTP/2? A connection's first bytes tell, and then the machine for it does all the work.

HTTP/2 is loaded when it is first spoken: it needs libraries that HTTP/1 does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.furniture import Act, Context, Decoder, Limits, Reply, Responder
from protocols.http.decode import HttpDecoder
from protocols.http.h2_frames import PREFACE
from protocols.http.serve import HttpResponder
from testset.errors import ProtocolError
from testset.model import BodyBuffer, Ending, Exchange, Side


def _speaks_2(client: bytes) -> bool | None:
    """None: too few bytes to tell."""
    if client.startswith(PREFACE):
        return True
    return None if PREFACE.startswith(client) else False


class AnyDecoder:
    """See `furniture.Decoder`."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._limits = limits
        self._new_body = new_body
        self._early: list[tuple[Side, bytes, int]] = []
        self._decoder: Decoder | None = self._made(True) if context.state is not None else None

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[Exchange[Any, Any]]:
        if self._decoder is not None:
            return self._decoder.feed(side, data, time_ns)
        self._early.append((side, data, time_ns))
        first = {one: b"".join(data for by, data, _ in self._early if by is one) for one in Side}
        version_2 = _speaks_2(first[Side.CLIENT])
        if version_2 is None and len(first[Side.SERVER]) <= self._limits.head:
            return []
        return self._choose(bool(version_2))

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[Exchange[Any, Any]]:
        found = self._choose(False) if self._decoder is None else []
        assert self._decoder is not None
        return found + self._decoder.end(side, ending, time_ns)

    def settled(self) -> tuple[int, int, int]:
        return (0, 0, self._context.first_index) if self._decoder is None else self._decoder.settled()

    def state(self) -> Mapping[str, Any] | None:
        return None if self._decoder is None else self._decoder.state()

    def _choose(self, version_2: bool) -> list[Exchange[Any, Any]]:
        decoder = self._decoder = self._made(version_2)
        early, self._early = self._early, []
        return [exchange for piece in early for exchange in decoder.feed(*piece)]

    def _made(self, version_2: bool) -> Decoder:
        if not version_2:
            return HttpDecoder(self._context, self._limits, self._new_body)
        try:
            from protocols.http.h2_decode import H2Decoder
        except ImportError as error:  # the relay runs with what it was given
            raise ProtocolError(f"HTTP/2 cannot be read: {error}") from error
        return H2Decoder(self._context, self._limits, self._new_body)


class AnyResponder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._first = b""
        self._responder: Responder | None = None

    def start(self) -> list[Act]:
        return []

    def feed(self, data: bytes) -> list[Act]:
        if self._responder is not None:
            return self._responder.feed(data)
        self._first += data
        version_2 = _speaks_2(self._first)
        if version_2 is None:
            return []
        responder = self._choose(version_2)
        first, self._first = self._first, b""
        return responder.start() + responder.feed(first)

    def end(self) -> list[Act]:
        acts: list[Act] = []
        responder = self._responder
        if responder is None:
            responder = self._choose(False)
            acts = responder.feed(self._first)
        return acts + responder.end()

    def answer(self, reply: Reply) -> list[Act]:
        return self._chosen().answer(reply)

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        return self._chosen().miss(text, details)

    def resting(self) -> bool:
        """Between two requests of HTTP/1, which may as well be answered by somebody else."""
        return isinstance(self._responder, HttpResponder) and self._responder.resting()

    def _chosen(self) -> Responder:
        return self._responder if self._responder is not None else self._choose(False)

    def _choose(self, version_2: bool) -> Responder:
        if version_2:
            from protocols.http.h2_serve import H2Responder

            self._responder = H2Responder(self._limits)
        else:
            self._responder = HttpResponder(self._limits)
        return self._responder
