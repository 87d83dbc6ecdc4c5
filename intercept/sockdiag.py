"""Which TCP sockets listen in a namespace, asked of the kernel in some 50 microseconds."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

from intercept import netlink

_SOCK_DIAG_BY_FAMILY = 20
_LISTEN = 1 << 10
_SKV6ONLY = 11


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """One listening socket: the address it is bound to."""

    host: str
    port: int
    v6only: bool = False

    @property
    def family(self) -> int:
        return 6 if ":" in self.host else 4

    def hears(self, host: str) -> bool:
        """Whether a connection to `host` (an address) and this port arrives here."""
        if self.host == host or (self.host == "0.0.0.0" and ":" not in host):
            return True
        return self.host == "::" and (":" in host or not self.v6only)


def listeners(diag: socket.socket, ignore_port: int) -> frozenset[Listener]:
    """All listening TCP sockets of the namespace that `diag` was opened in, but for rr's own."""
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        ask = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _LISTEN) + b"\0" * 48
        flags = netlink.NLM_F_REQUEST | netlink.NLM_F_DUMP
        for kind, body in netlink.dump(diag, netlink.message(_SOCK_DIAG_BY_FAMILY, flags, ask)):
            if kind != _SOCK_DIAG_BY_FAMILY:
                continue
            (port,) = struct.unpack_from("!H", body, 4)
            if port == ignore_port:
                continue
            raw = body[8:12] if family == socket.AF_INET else body[8:24]
            only = netlink.attributes(body[72:]).get(_SKV6ONLY, b"\0")[0] != 0
            found.add(Listener(str(ipaddress.ip_address(raw)), port, only))
    return frozenset(found)


def is_own(diag: socket.socket, ignore_port: int, host: str, port: int) -> bool:
    """Whether a connection of the app to this address is one to itself: a loopback address on which it listens."""
    if not ipaddress.ip_address(host).is_loopback:
        return False
    return any(one.port == port and one.hears(host) for one in listeners(diag, ignore_port))
