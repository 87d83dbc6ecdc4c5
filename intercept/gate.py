"""Holds each new connection of the app until rr knows how it would end, so that `connect()` tells the truth.

The namespace's rules put the first packet (SYN) of every connection into a packet queue. Whoever owns the gate reads
`Knock`s and answers each: let in (the kernel then leads it to rr's listener), refuse, unreachable, or let the app reach
itself. A knock that is never answered looks to the app like a silent destination. Retransmissions are merged.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass

from intercept import firewall, netlink

_SUBSYSTEM = 3 << 8  # NFNL_SUBSYS_QUEUE
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN = 1, 2, 3
_BIND = 1
_COPY_PACKET = 2
_COPIED = 128  # IP and TCP headers are all that is wanted
_ATTR_HEADER, _ATTR_MARK, _ATTR_PAYLOAD = 1, 3, 10
_ATTR_VERDICT = 2
_DROP, _ACCEPT = 0, 1
_PREROUTING = 0  # the hook's number


@dataclass(frozen=True, slots=True)
class Knock:
    """A connection that the app is opening."""

    source: tuple[str, int]
    target: tuple[str, int]
    inbound: bool = False  # it came over a real interface: somebody wants to reach the app


class Gate:
    """The packet queue of a namespace. `fileno()` is readable when someone knocks."""

    def __init__(self, queue: socket.socket) -> None:
        self._socket = queue
        self._packets: dict[Knock, list[int]] = {}
        queue.setblocking(True)
        command = netlink.attr(_CFG_CMD, struct.pack("!BBH", _BIND, 0, 0))
        copy = netlink.attr(_CFG_PARAMS, struct.pack("!IB", _COPIED, _COPY_PACKET))
        length = netlink.attr(_CFG_MAXLEN, struct.pack("!I", 8192))
        for part in (command, copy, length):
            # Bound already by a relay that died: the queue belongs to the socket, which outlived it.
            netlink.request(
                queue, self._message(_CONFIG, part, netlink.NLM_F_ACK), tolerate=(errno.EEXIST, errno.EBUSY)
            )
        queue.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def knocks(self) -> list[Knock]:
        """The new knocks since the last call."""
        found: list[Knock] = []
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # some were lost; the app's kernel sends them again
                    continue
                raise
            for kind, body in netlink.messages(data):
                if kind != _SUBSYSTEM | _PACKET:
                    continue
                attributes = netlink.attributes(body[4:])
                number, _protocol, hook = struct.unpack_from("!IHB", attributes[_ATTR_HEADER])
                knock = _parse(attributes.get(_ATTR_PAYLOAD, b""), inbound=hook == _PREROUTING)
                if knock is None:
                    self._verdict(number, _ACCEPT, 0)
                elif knock in self._packets:
                    self._packets[knock].append(number)
                else:
                    self._packets[knock] = [number]
                    found.append(knock)

    def let_in(self, knock: Knock) -> None:
        """Lead it to rr's listener."""
        self._answer(knock, 0)

    def let_be(self, knock: Knock) -> None:
        """Let it go where it wants inside: the app is talking to itself."""
        self._answer(knock, firewall.MARK_OWN)

    def refuse(self, knock: Knock) -> None:
        """ECONNREFUSED."""
        self._answer(knock, firewall.MARK_REFUSE)

    def unreachable(self, knock: Knock) -> None:
        """EHOSTUNREACH."""
        self._answer(knock, firewall.MARK_UNREACH)

    def forget(self, knock: Knock) -> None:
        """Drop what is held; the app's kernel may knock again, or give up."""
        for number in self._packets.pop(knock, []):
            self._verdict(number, _DROP, 0)

    def _answer(self, knock: Knock, mark: int) -> None:
        first, *again = self._packets.pop(knock, []) or [0]
        if first:
            self._verdict(first, _ACCEPT, mark)
        for number in again:
            self._verdict(number, _DROP, 0)

    def _verdict(self, number: int, verdict: int, mark: int) -> None:
        body = netlink.attr(_ATTR_VERDICT, struct.pack("!II", verdict, number))
        if mark:
            body += netlink.attr(_ATTR_MARK, struct.pack("!I", mark))
        with contextlib.suppress(FileNotFoundError):  # the packet is gone already
            self._socket.send(self._message(_VERDICT, body, 0))

    @staticmethod
    def _message(kind: int, body: bytes, flags: int) -> bytes:
        head = struct.pack("!BBH", socket.AF_UNSPEC, 0, firewall.QUEUE)
        return netlink.message(_SUBSYSTEM | kind, netlink.NLM_F_REQUEST | flags, head + body)


def _parse(packet: bytes, *, inbound: bool = False) -> Knock | None:
    if len(packet) >= 40 and packet[0] >> 4 == 4:
        head = (packet[0] & 15) * 4
        source, target = packet[12:16], packet[16:20]
    elif len(packet) >= 60 and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP:
        head = 40
        source, target = packet[8:24], packet[24:40]
    else:
        return None
    source_port, target_port = struct.unpack_from("!HH", packet, head)
    addresses = str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target))
    return Knock((addresses[0], source_port), (addresses[1], target_port), inbound)
