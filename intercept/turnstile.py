"""`--sync`: one inbound request at a time, so that every call of the app belongs to exactly one test.

A connection enters with the first bytes of a request and leaves when its response is complete, which only a decoder can
tell: the one place where the relay looks at what it carries. What is not HTTP is let through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from protocols import http
from protocols.bodies import KeptBody
from protocols.furniture import Context, Decoder, Limits
from testset.errors import ProtocolError
from testset.model import Server, Side

_LIMITS = Limits(head=1 << 20, message=1 << 20, messages=4096, exchange=64 << 20)
_SIDES = (Side.CLIENT, Side.SERVER)


class Turnstile:
    """Who is inside, and who waits."""

    def __init__(self) -> None:
        self._inside: Visitor | None = None
        self._waiting: deque[Visitor] = deque()

    def enter(self, visitor: Visitor) -> bool:
        """Whether the visitor may go on; if not, it is woken when it may."""
        if self._inside is None or self._inside is visitor:
            self._inside = visitor
            return True
        if visitor not in self._waiting:
            self._waiting.append(visitor)
        return False

    def leave(self, visitor: Visitor) -> None:
        if self._inside is not visitor:
            if visitor in self._waiting:
                self._waiting.remove(visitor)
            return
        self._inside = self._waiting.popleft() if self._waiting else None
        if self._inside is not None:
            self._inside.wake()


class Visitor:
    """One inbound connection."""

    def __init__(self, turnstile: Turnstile, wake: Callable[[], None]) -> None:
        self._turnstile = turnstile
        self.wake = wake
        self._sizes = [0, 0]
        context = Context(connection=0, inbound=True, server=Server("localhost", 0))
        self._decoder: Decoder | None = http.ROOM.decoder(context, _LIMITS, lambda: KeptBody(0))

    def enter(self) -> bool:
        return self._turnstile.enter(self)

    def saw(self, side: int, data: bytes) -> None:
        """Bytes that passed. Between two requests the next visitor has its turn."""
        if self._decoder is None:
            return
        self._sizes[side] += len(data)
        try:
            self._decoder.feed(_SIDES[side], data, 0)
        except ProtocolError:
            self.gone()
            self._decoder = None
            return
        if self._decoder.settled()[:2] == tuple(self._sizes):
            self._turnstile.leave(self)

    def gone(self) -> None:
        self._turnstile.leave(self)
