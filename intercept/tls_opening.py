"""The beginning of a connection on which the client speaks TLS from its first byte.

The server comes first: rr asks it for what the client has asked for, and verifies it as a client of this machine would.
Then the client gets a certificate for the name that it asked for: of rr's authority, or, if the server could not be
verified, of one that nobody trusts. So whoever verifies fails when it would fail without rr.
"""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from intercept.authority import Fault
from intercept.journal import CLIENT, SERVER, Kind
from intercept.middle import Middle
from intercept.turns import OUT
from protocols.tls import LARGEST_HELLO, ClientHello, client_hello
from testset.errors import ProtocolError

if TYPE_CHECKING:
    from intercept.connection import Connection, Leg
    from intercept.opening import Openings

_HTTP = ("h2", "http/1.1")


class TlsOpening(Middle):
    """One connection."""

    def __init__(self, shared: Openings, connection: Connection, target: tuple[str, int], *, inbound: bool) -> None:
        super().__init__(connection)
        self._shared = shared
        self._target = target
        self._inbound = inbound
        self._first = b""  # of the client, until there is TLS with the server
        self._hello: ClientHello | None = None
        self._verify = not inbound
        self._fault = Fault.NONE  # of the server's certificate

    def arrived(self, leg: Leg, plain: bytes) -> None:
        if self.ends[CLIENT] is not None:
            super().arrived(leg, plain)
        elif leg.side == CLIENT:
            self._first += plain
            if self._hello is None:
                self._greet()
        # What a server says before TLS is no TLS: the handshake with it will tell.

    def _greet(self) -> None:
        try:
            self._hello = client_hello(self._first)
        except ProtocolError:
            self._let_go(keep=True)
            return
        if self._hello is None:
            if len(self._first) > LARGEST_HELLO:
                self._let_go(keep=True)
            return
        name = self._hello.name
        if (self._target, name) in self._shared.opaque:
            self._pass_unread(None)
        else:
            self._fault = self._shared.faults.get((self._target, name), Fault.NONE)
            self._verify = self._verify and not self._fault
            self._ask_server()

    def _pass_unread(self, why: str | None) -> None:
        """Somebody here does not want to be read: from here on the bytes only pass."""
        connection = self.connection
        if why is None:
            note = {"encrypted": list(self._target), "name": self._hello.name if self._hello else ""}
            connection.turns.frame(Kind.NOTE, CLIENT, 0, 0, json.dumps(note).encode())
        self.lose(why or "")
        self._let_go(keep=False)

    def _let_go(self, *, keep: bool) -> None:
        """The connection is as any other from here on."""
        connection = self.connection
        up = connection.legs[CLIENT]
        first, self._first = self._first, b""
        if keep:
            self.keep(up, first)
        connection.turns.sends.append((connection.sender(up), first))
        connection.carry()

    def _ask_server(self) -> None:
        assert self._hello is not None
        protocols = self._hello.protocols
        offered = tuple(one for one in protocols if one in _HTTP) or protocols
        host = self._hello.name or self._target[0]
        server = self._shared.as_client(host, offered, verify=self._verify)
        self.ends[SERVER] = server
        connection = self.connection
        connection.turns.sends.append((connection.sender(connection.legs[CLIENT]), server.outgoing()))

    def established(self, leg: Leg) -> None:
        if leg.side == CLIENT:
            return
        assert self._hello is not None
        server = self.ends[SERVER]
        assert server is not None
        host = self._hello.name or ("localhost" if self._inbound else self._target[0])
        chosen = (server.protocol,) if server.protocol else ()
        app = self._shared.as_server(host, chosen, self._fault)
        self.ends[CLIENT] = app
        facts = {"name": self._hello.name, "protocol": server.protocol, "fault": self._fault}
        connection = self.connection
        connection.turns.frame(Kind.SECURE, CLIENT, connection.number, 0, json.dumps(facts).encode())
        up, down = connection.legs
        first, self._first = self._first, b""
        self.receive(app, up, down, first)

    def failed(self, leg: Leg, why: str) -> None:
        assert self._hello is not None
        key = (self._target, self._hello.name)
        if leg.side == CLIENT:
            if self._fault is Fault.UNKNOWN:  # unknown to rr: the app may trust it by itself
                self._shared.opaque.add(key)
                why = f"its certificate is {self._fault}, and the app does not take rr's: it passes unread from now on"
            elif self._fault:
                why = f"its certificate is {self._fault}, and the app does not take it, as without rr"
            else:
                self._shared.opaque.add(key)
                why = f"the app does not take rr's certificate ({why}): what it says there passes unread from now on"
            super().failed(leg, why)
        elif self._verify:
            self._verify = False
            self._fault = self._shared.faults[key] = Fault.of(why)
            self._dial_again(self._ask_server)
        elif self._inbound:
            super().failed(leg, f"there was no TLS with the app ({why})")
        else:  # the server wants something that rr has not, such as a certificate of the client's
            self._shared.opaque.add(key)
            self._dial_again(lambda: self._pass_unread(f"the server refuses rr ({why}): it passes unread from now on"))

    def _dial_again(self, then: Callable[[], None]) -> None:
        """The server has seen enough of rr: a new connection to it, in place of the first."""
        connection, turns = self.connection, self.connection.turns
        host, port = self._target
        self.ends[SERVER] = None
        connection.legs[SERVER].ended = True  # what the first one still says is of no use
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            code = sock.connect_ex((host, port))
        except OSError:
            turns.after(connection.close)
            return
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            turns.after(connection.close)
            return

        def ready(_mask: int) -> None:
            turns.forget(sock.fileno())
            if connection.closed or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                sock.close()
                connection.close()
                return
            connection.replace_server(sock, self.handler)
            then()

        turns.after(connection.detach_server)  # once it has been told why
        turns.watch(sock.fileno(), ready, OUT)
