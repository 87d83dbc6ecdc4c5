"""Plays recorded conversations: compares what the app sends with the client's turns, and speaks the server's.

The first `Ask` comes when the connection opens, with nothing in it, because the server may have to speak first. When
the app then says something else than the chosen conversation has, `Ask` comes again with all that was sent, and the
choice is made among the recordings that begin so (`match.begins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from protocols.generic.wire import GenericRequest, GenericResponse
from testset.errors import LimitError, ProtocolError
from testset.model import Ending, Side


class GenericResponder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: list[bytearray] = []  # the client's turns, the last maybe not whole
        self._size = 0
        self._asking = False
        self._asked = 0  # bytes that had come when it was asked last
        self._finished = False
        self._chosen: GenericResponse | None = None
        self._ending = Ending.ANSWERED
        self._spoken = 0  # the server's turns that were played; they are what separates the client's
        self._answered_at = 0  # the server's turns that were played when the client last spoke

    def start(self) -> list[Act]:
        return self._ask()

    def feed(self, data: bytes) -> list[Act]:
        if self._finished or not data:
            return []
        self._size += len(data)
        if self._size > self._limits.message:
            raise LimitError(f"more than {self._limits.message} bytes on one connection")
        if not self._sent or self._answered_at != self._spoken:
            self._sent.append(bytearray())
            self._answered_at = self._spoken
        self._sent[-1] += data
        return [] if self._asking else self._play()

    def end(self) -> list[Act]:
        if self._finished:
            return []
        self._finished = True
        return [Hang()]

    def answer(self, reply: Reply) -> list[Act]:
        if not self._asking:
            raise ProtocolError("an answer and nothing was asked")
        self._asking = False
        self._chosen = reply.response
        self._ending = reply.ending
        if self._chosen is None:
            self._finished = True
            return [Hang(reset=True)]
        if self._differs():
            if self._size == self._asked:  # nothing more has come: the same question would have the same answer
                return self.miss("", {})
            return self._ask()
        return self._play()

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        self._asking = False
        self._finished = True
        return [Hang(reset=True)]  # no words of its own: the protocol is unknown

    def whole(self) -> GenericRequest:
        return GenericRequest(turns=tuple(bytes(turn) for turn in self._sent))

    def played(self) -> bool:
        return self._chosen is not None and b"".join(self._sent) == self._expected()

    # -- within -------------------------------------------------------------------------------------------------

    def _ask(self) -> list[Act]:
        self._asking = True
        self._asked = self._size
        return [Ask(self.whole(), whole=False)]

    def _differs(self) -> bool:
        return not self._expected().startswith(b"".join(self._sent))

    def _expected(self) -> bytes:
        assert self._chosen is not None
        return b"".join(turn.data for turn in self._chosen.turns if turn.side is Side.CLIENT)

    def _play(self) -> list[Act]:
        """Speaks every turn of the server whose preceding turns of the client have arrived whole."""
        chosen = self._chosen
        if chosen is None:
            return []
        if self._differs():
            return self._ask()
        heard = sum(len(turn) for turn in self._sent)
        acts: list[Act] = []
        expected = 0
        spoken = 0
        for turn in chosen.turns:
            if turn.side is Side.CLIENT:
                expected += len(turn.data)
                if expected > heard:
                    return acts
                continue
            spoken += 1
            if spoken > self._spoken:
                self._spoken = spoken
                acts.append(Send(turn.data))
        if chosen.closed_by is Side.SERVER or self._ending is Ending.RESET:
            self._finished = True
            acts.append(Hang(reset=self._ending is Ending.RESET))
        return acts
