"""How an outbound connection begins: who speaks first, and if it is a MySQL server, the login.

As long as somebody logs in, the bytes go through `protocols.mysql.login`; where the client asks for TLS, rr stands in
its middle from then on. A connection on which the client speaks first, or a server that is no MySQL, is let go of at
its first byte and costs nothing more.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intercept.journal import CLIENT, FRAME, SERVER, Kind
from intercept.secure import Secure, client_context, server_context
from intercept.turns import GONE, IN, OUT
from protocols.furniture import Guess
from protocols.mysql import login
from protocols.mysql.detect import detect
from testset.errors import ProtocolError
from testset.model import Side

if TYPE_CHECKING:
    import ssl

    from intercept.connection import Connection, Leg

_FIRST = 512
_SIDES = (Side.CLIENT, Side.SERVER)
_DATA = int(Kind.DATA)


@dataclass(slots=True)
class Openings:
    """What all openings share: rr's certificate, and the servers whose clients do not take it."""

    certificate: Callable[[], bytes]
    opaque: set[tuple[str, int]] = field(default_factory=set)
    _server: ssl.SSLContext | None = None
    _client: ssl.SSLContext | None = None

    def as_server(self) -> Secure:
        """The end that the app speaks with."""
        if self._server is None:
            self._server = server_context(self.certificate())
        return Secure(self._server, is_server=True)

    def as_client(self) -> Secure:
        """The end that the real server speaks with."""
        if self._client is None:
            self._client = client_context()
        return Secure(self._client, is_server=False)


class Opening:
    """The beginning of one connection."""

    def __init__(self, shared: Openings, connection: Connection, target: tuple[str, int]) -> None:
        self._shared = shared
        self._connection = connection
        self._target = target
        self._login: login.Login | None = None
        self._secure: tuple[Secure, Secure] | None = None  # with the client, with the server
        self._over = False

    def handler(self, leg: Leg, back: Leg) -> Callable[[int], None]:
        """What to do when the source of `leg` is readable, writable or gone."""

        def handle(mask: int) -> None:
            connection = self._connection
            if self._login is None:
                if leg.side == SERVER and mask & IN and self._is_greeting():
                    self._login = login.Login()
                else:
                    connection.carry()(leg.side, mask)
                    return
            if mask & OUT:
                connection.flush(back)
                if connection.closed:
                    return
            if mask & (IN | GONE) and not leg.ended:
                self._read(leg, back)

        return handle

    def _is_greeting(self) -> bool:
        try:
            first = self._connection.sockets[SERVER].recv(_FIRST, socket.MSG_PEEK)
        except OSError:
            return False
        return bool(first) and detect(b"", first) is not Guess.NO

    def _read(self, leg: Leg, back: Leg) -> None:
        connection = self._connection
        try:
            data = os.read(leg.source, leg.read_size)
        except BlockingIOError:
            return
        except OSError:
            connection.reset(leg)
            return
        secure = self._secure
        if secure is None:
            if data:
                self._arrived(leg, data)
            else:
                connection.end(leg, back)
            return
        self._receive(secure[leg.side], leg, back, data)

    def _receive(self, end: Secure, leg: Leg, back: Leg, data: bytes) -> None:
        """Bytes of TLS."""
        connection = self._connection
        try:
            plain = end.receive(data)
        except ProtocolError:
            connection.reset(leg)
            return
        answer = end.outgoing()
        if answer:
            connection.turns.sends.append((connection.sender(back), answer))
        if end.failed is not None:
            self._objected(leg, end.failed)
            return
        if plain:
            self._arrived(leg, plain)
        if (end.ended or not data) and not leg.ended:
            assert self._secure is not None
            other = self._secure[1 - leg.side]
            connection.end(leg, back, lambda: connection.sender(leg)(other.finish()))

    def _arrived(self, leg: Leg, data: bytes) -> None:
        """Plain bytes of one side."""
        if self._over:
            self._keep(leg, data)
            self._pass(leg, data)
            return
        assert self._login is not None
        legs = self._connection.legs
        for act in self._login.feed(_SIDES[leg.side], data):
            if isinstance(act, login.Pass):
                self._pass(legs[_SIDES.index(act.side)], act.data)
            elif isinstance(act, login.Keep):
                self._keep(legs[_SIDES.index(act.side)], act.data)
            elif isinstance(act, login.Secure):
                self._begin_tls(act.rest)
            else:
                self._end(act.lost)

    def _end(self, lost: str | None) -> None:
        """Nobody logs in any more. Without TLS the connection is as any other from here on."""
        self._over = True
        if lost is not None:
            self._lose(lost)
        if self._secure is None:
            self._connection.carry()

    def _begin_tls(self, rest: bytes) -> None:
        shared, connection = self._shared, self._connection
        app, server = shared.as_server(), shared.as_client()
        self._secure = (app, server)
        up, down = connection.legs
        # After the request for TLS, which is on its way to the server.
        connection.turns.sends.append((connection.sender(up), server.outgoing()))
        if rest:
            self._receive(app, up, down, rest)

    def _keep(self, leg: Leg, data: bytes) -> None:
        turns = self._connection.turns
        if self._connection.recorded and turns.recording:
            turns.parts.append(FRAME.pack(_DATA, leg.side, self._connection.number, leg.offset, len(data)))
            turns.parts.append(data)
        leg.offset += len(data)

    def _pass(self, leg: Leg, data: bytes) -> None:
        connection = self._connection
        if self._secure is None:
            connection.turns.sends.append((connection.sender(leg), data))
            return
        end, send = self._secure[1 - leg.side], connection.sender(leg)
        connection.turns.sends.append((lambda plain: send(end.send(plain)), data))

    def _objected(self, leg: Leg, why: str) -> None:
        """One side does not take the other's certificate, or none of rr's. From now on this server's connections pass
        as they are."""
        if leg.side == CLIENT:
            self._shared.opaque.add(self._target)
            self._lose(f"the app does not take rr's certificate ({why}): what it says there passes unread from now on")
        else:
            self._lose(f"there was no TLS with the server ({why})")
        turns, connection = self._connection.turns, self._connection
        turns.after(connection.close)

    def _lose(self, why: str) -> None:
        """Nothing more of this connection is kept."""
        connection = self._connection
        if connection.recorded:
            connection.turns.frame(Kind.GAP, 0, connection.number, 0, json.dumps({"why": why}).encode())
        connection.recorded = False
