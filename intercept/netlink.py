"""Netlink framing: messages and attributes to and from bytes, and a request with its acknowledgement.

The kernel's interfaces for links, firewall, packet queues and sockets all speak this. rr encodes the few messages it
needs itself, so that neither `ip` nor `nft` has to be installed, and a namespace is set up in a millisecond.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x001
NLM_F_ACK = 0x004
NLM_F_DUMP = 0x300
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLMSG_ERROR = 2
NLMSG_DONE = 3

NESTED = 0x8000

_HEADER = struct.Struct("=IHHII")
_ATTR = struct.Struct("=HH")


def message(kind: int, flags: int, body: bytes, sequence: int = 0) -> bytes:
    """One netlink message."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def attr(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTR.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nest(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attr(kind | NESTED, b"".join(parts))


def u32(kind: int, value: int) -> bytes:
    """An attribute with a 32-bit number in network order, as nf_tables wants them."""
    return attr(kind, struct.pack("!I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute with a NUL-terminated string."""
    return attr(kind, value.encode() + b"\0")


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages in what was received, as (type, body)."""
    position = 0
    while position + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _pid = _HEADER.unpack_from(data, position)
        if length < _HEADER.size:
            return
        yield kind, data[position + _HEADER.size : position + length]
        position += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in a message's body, after its fixed part."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(data):
        length, kind = _ATTR.unpack_from(data, position)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[position + 4 : position + length]
        position += (length + 3) & ~3
    return found


def open_socket(protocol: int) -> socket.socket:
    """A netlink socket of the network namespace that the caller is in."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    sock.bind((0, 0))
    return sock


def error_of(body: bytes) -> int:
    """The errno in an NLMSG_ERROR message; 0 is an acknowledgement."""
    return -int(struct.unpack_from("=i", body)[0])


def request(sock: socket.socket, data: bytes, answers: int = 1, tolerate: tuple[int, ...] = ()) -> None:
    """Send messages that ask for acknowledgements, and raise OSError for the first refusal."""
    sock.send(data)
    seen = 0
    while seen < answers:
        for kind, body in messages(sock.recv(65536)):
            if kind == NLMSG_ERROR:
                seen += 1
                code = error_of(body)
                if code and code not in tolerate:
                    raise OSError(code, os.strerror(code))


def dump(sock: socket.socket, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Send a dump request and yield the messages of its answer."""
    sock.send(data)
    while True:
        for kind, body in messages(sock.recv(262144)):
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                code = error_of(body)
                if code in (0, errno.ENOENT):
                    return
                raise OSError(code, os.strerror(code))
            yield kind, body
