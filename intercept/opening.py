"""How a connection begins: who speaks first, and what.

A MySQL server speaks first, and its login goes through rr (`mysql_login`). A client that begins with TLS gets rr in its
middle (`tls_opening`). All other connections are let go of at their first byte, and cost nothing more.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from intercept.authority import Fault
from intercept.certificates import Certificates
from intercept.journal import CLIENT, SERVER
from intercept.mysql_login import MysqlLogin
from intercept.secure import Secure, client_context
from intercept.tls_opening import TlsOpening
from intercept.turns import GONE, IN
from protocols.furniture import Guess
from protocols.mysql.detect import detect
from protocols.tls import may_be_client_hello

if TYPE_CHECKING:
    import ssl

    from intercept.connection import Connection, Leg

_FIRST = 512

Target = tuple[str, int]


class Openings:
    """What all openings share: rr's certificates, and what was learned of servers and of the app's clients."""

    def __init__(self, authority: bytes, roots: Path) -> None:
        """`authority`: rr's; `roots`: what a client of this machine verifies servers with."""
        self._certificates = Certificates(authority)
        self._roots = roots
        self._client: dict[tuple[tuple[str, ...], bool], ssl.SSLContext] = {}
        self.unread: set[Target] = set()  # MySQL servers that pass unread
        self.opaque: set[tuple[Target, str]] = set()  # the same of TLS: address and name
        self.faults: dict[tuple[Target, str], Fault] = {}  # of servers' certificates

    def as_server(self, host: str, protocols: tuple[str, ...] = (), fault: Fault = Fault.NONE) -> Secure:
        """The end that a client of `host` speaks with."""
        return Secure(self._certificates.context(host, protocols, fault), is_server=True)

    def as_client(self, host: str, protocols: tuple[str, ...], *, verify: bool) -> Secure:
        """The end that the real server speaks with."""
        context = self._client.get((protocols, verify))
        if context is None:
            context = self._client[protocols, verify] = client_context(self._roots if verify else None, protocols)
        return Secure(context, is_server=False, name=host or None)


class Opening:
    """The first bytes of one connection."""

    def __init__(self, shared: Openings, connection: Connection, target: Target, *, inbound: bool) -> None:
        self._shared = shared
        self._connection = connection
        self._target = target
        self._inbound = inbound

    def handler(self, leg: Leg, back: Leg) -> Callable[[int], None]:
        """What to do with the first event on either side."""

        def handle(mask: int) -> None:
            if self._connection.closed:
                return
            self._decide(leg, mask)(leg.side, mask)

        return handle

    def _decide(self, leg: Leg, mask: int) -> Callable[[int, int], None]:
        connection = self._connection
        first = self._first(leg.side) if mask & (IN | GONE) else b""
        if first and leg.side == SERVER and not self._inbound and detect(b"", first) is not Guess.NO:
            return connection.hand_over(MysqlLogin(self._shared, connection, self._target).handler)
        if first and leg.side == CLIENT and self._target[1] and may_be_client_hello(first):
            opening = TlsOpening(self._shared, connection, self._target, inbound=self._inbound)
            return connection.hand_over(opening.handler)
        return connection.carry()

    def _first(self, side: int) -> bytes:
        try:
            return self._connection.sockets[side].recv(_FIRST, socket.MSG_PEEK)
        except OSError:
            return b""
