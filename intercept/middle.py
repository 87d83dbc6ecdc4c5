"""rr in the middle of TLS: it speaks it with both sides of a connection, and keeps what they say in clear.

What both kinds of openings share: bytes that arrive are decrypted, put into the journal, and encrypted again when the
journal has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from intercept.journal import CLIENT, FRAME, Kind
from intercept.secure import Secure
from intercept.turns import GONE, IN, OUT, Sender
from testset.errors import ProtocolError

if TYPE_CHECKING:
    from intercept.connection import Connection, Leg

_DATA = int(Kind.DATA)


class Middle:
    """A connection of which rr sees the inside. `ends` are the two it speaks TLS with; None where it does not (yet)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.ends: list[Secure | None] = [None, None]

    # -- for whoever derives from it -------------------------------------------------------------------------------

    def arrived(self, leg: Leg, plain: bytes) -> None:
        """What one side has said: kept, and passed on."""
        self.keep(leg, plain)
        self.pass_on(leg, plain)

    def failed(self, leg: Leg, why: str) -> None:
        """There is no TLS with the source of `leg`."""
        self.lose(why)
        self.connection.turns.after(self.connection.close)

    def established(self, leg: Leg) -> None:
        """There is TLS with the source of `leg`."""

    # -- bytes -----------------------------------------------------------------------------------------------------

    def handler(self, leg: Leg, back: Leg) -> Callable[[int], None]:
        """What to do when the source of `leg` is readable, writable or gone."""

        def handle(mask: int) -> None:
            if mask & OUT:
                self.connection.flush(back)
                if self.connection.closed:
                    return
            if mask & (IN | GONE):
                self.read(leg, back)

        return handle

    def read(self, leg: Leg, back: Leg) -> None:
        if leg.ended:
            return
        connection = self.connection
        try:
            data = os.read(leg.source, leg.read_size)
        except BlockingIOError:
            return
        except OSError:
            connection.reset(leg)
            return
        leg.sized(len(data))
        end = self.ends[leg.side]
        if end is None:
            if data:
                self.arrived(leg, data)
            else:
                connection.end(leg, back)
            return
        self.receive(end, leg, back, data)

    def receive(self, end: Secure, leg: Leg, back: Leg, data: bytes) -> None:
        """Bytes of TLS from the source of `leg`; none at its end."""
        connection = self.connection
        before = end.established
        try:
            plain = end.receive(data)
        except ProtocolError:
            connection.reset(leg)
            return
        connection.turns.sends.append((self._answer(end, connection.sender(back)), b""))
        if end.failed is not None or (not data and not end.established):
            self.failed(leg, end.failed or "the connection was closed")
            return
        if end.established and not before:
            self.established(leg)
        if plain:
            self.arrived(leg, plain)
        if (end.ended or not data) and not leg.ended:
            other = self.ends[1 - leg.side]
            last = (lambda: connection.sender(leg)(other.finish())) if other is not None else None
            connection.end(leg, back, last)

    @staticmethod
    def _answer(end: Secure, send: Sender) -> Sender:
        """Passes on what TLS itself has to say, taken when it is sent: what was encrypted first must go first, and the
        other side may have said something in the same turn."""

        def answer(_nothing: bytes) -> None:
            data = end.outgoing()
            if data:
                send(data)

        return answer

    def keep(self, leg: Leg, data: bytes) -> None:
        connection = self.connection
        turns = connection.turns
        if connection.recorded and turns.recording:
            turns.parts.append(FRAME.pack(_DATA, leg.side, connection.number, leg.offset, len(data)))
            turns.parts.append(data)
        leg.offset += len(data)

    def pass_on(self, leg: Leg, data: bytes) -> None:
        """To the target of `leg`, once it is in the journal."""
        connection = self.connection
        end, send = self.ends[1 - leg.side], connection.sender(leg)
        if end is None:
            connection.turns.sends.append((send, data))
        else:
            connection.turns.sends.append((lambda plain: send(end.send(plain)), data))

    def lose(self, why: str) -> None:
        """Nothing more of this connection is kept."""
        connection = self.connection
        if connection.recorded:
            connection.turns.frame(Kind.GAP, CLIENT, connection.number, 0, json.dumps({"why": why}).encode())
        connection.recorded = False
