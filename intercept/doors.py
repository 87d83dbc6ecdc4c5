"""Opens on the host what the app opens inside: the same ports on the same addresses, as soon as they listen.

The kernel is asked every few milliseconds which sockets listen in the namespace (`sockdiag`); there is no event for it.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

from intercept.sockdiag import Listener, listeners
from testset.errors import PortTakenError

_BACKLOG = 4096
_UNPRIVILEGED = 1024


@dataclass(frozen=True, slots=True)
class Door:
    """A port of the app and the host's listener for it."""

    inside: Listener
    listener: socket.socket
    address: str  # where the host's side is, as a person would write it
    moved: str | None  # why that is another port or address than the app asked for


class Doors:
    """All doors of one app."""

    def __init__(
        self, diag: socket.socket, own_port: int, opened: Callable[[Door], None], closed: Callable[[Door], None]
    ) -> None:
        self._diag = diag
        self._own_port = own_port
        self._opened = opened
        self._closed = closed
        self._doors: dict[Listener, Door] = {}

    def look(self) -> bool:
        """Open and close doors as the app did since the last look; returns whether anything changed."""
        now = listeners(self._diag, self._own_port)
        if now == self._doors.keys():
            return False
        for gone in self._doors.keys() - now:
            door = self._doors.pop(gone)
            self._closed(door)
            door.listener.close()
        for new in sorted(now - self._doors.keys()):
            door = _open(new)
            self._doors[new] = door
            self._opened(door)
        return True

    def all(self) -> list[Door]:
        return list(self._doors.values())

    def close(self) -> None:
        for door in self._doors.values():
            door.listener.close()
        self._doors.clear()


def _open(inside: Listener) -> Door:
    moved = None
    host, port = inside.host, inside.port
    while True:
        try:
            listener = _listen(host, port, inside.v6only)
            break
        except OSError as error:
            if error.errno == errno.EACCES and port < _UNPRIVILEGED:
                moved = f"an ordinary user may not open port {port} on this machine"
                port += 8000
            elif error.errno == errno.EADDRNOTAVAIL and host not in ("127.0.0.1", "::1"):
                moved = f"this machine does not have the address {host}"
                host = "::1" if inside.family == 6 else "127.0.0.1"
            elif error.errno == errno.EADDRINUSE:
                raise PortTakenError(
                    f"The app listens on {_text(host, port)}, but on this machine another program does so already"
                    f"{_holder(port)}."
                ) from error
            else:
                raise
    return Door(inside, listener, _text(host, listener.getsockname()[1]), moved)


def _listen(host: str, port: int, v6only: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _holder(port: int) -> str:
    """Which program it is (`: python (pid 71)`), if this user may know it."""
    import psutil

    try:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr[1] == port and one.pid:
                return f": {psutil.Process(one.pid).name()} (pid {one.pid})"
    except psutil.Error:
        pass
    return ""


def _text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
