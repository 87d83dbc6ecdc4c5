"""Messages with open files between rr's processes: one JSON object and any number of descriptors per datagram."""

from __future__ import annotations

import array
import json
import socket
from typing import Any

_MOST_FILES = 250  # the kernel's limit is 253
_MOST_BYTES = 1 << 17


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a channel that keeps message borders and reports the death of the other end."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: dict[str, Any], files: list[int] | None = None) -> None:
    """Send one message."""
    ancillary = []
    if files:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
    sock.sendmsg([json.dumps(message).encode()], ancillary)


def receive(sock: socket.socket, wait: bool = True) -> tuple[dict[str, Any], list[int]] | None:
    """The next message; None when the other end is gone. Raises BlockingIOError if there is none and `wait` is
    false."""
    flags = 0 if wait else socket.MSG_DONTWAIT
    size = socket.CMSG_SPACE(_MOST_FILES * 4)
    data, ancillary, _flags, _address = sock.recvmsg(_MOST_BYTES, size, flags | socket.MSG_CMSG_CLOEXEC)
    files = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(payload[: len(payload) - len(payload) % files.itemsize])
    if not data:
        return None
    message: dict[str, Any] = json.loads(data)
    return message, list(files)
