"""DNS and other UDP of the app, relayed while recording.

A DNS question goes to the machine's own name servers as it is, and the answer back as it is; both go into the journal.
All other datagrams are relayed per flow (source and destination) and only counted: rr does not record them.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intercept.journal import Kind
from intercept.turns import Turns

_IP_RECVORIGDSTADDR, _IPV6_RECVORIGDSTADDR = 20, 74
_LARGEST = 65535
_PATIENCE = 10.0  # seconds that a DNS question waits for its answer
_IDLE = 60.0  # seconds after which a flow without traffic is forgotten


@dataclass(slots=True)
class _Question:
    data: bytes
    client: tuple[str, int]
    inside: socket.socket
    outside: socket.socket
    asked_ns: int
    answered: bool = False


class NameServers:
    """Passes DNS questions on, to each server in turn as resolv.conf says."""

    def __init__(self, turns: Turns, inside: list[socket.socket], servers: list[tuple[str, int]]) -> None:
        self._turns = turns
        self._servers = servers
        for sock in inside:
            sock.setblocking(False)
            turns.watch(sock.fileno(), self._asker(sock))

    def _asker(self, inside: socket.socket) -> Callable[[int], None]:
        def ask(_mask: int) -> None:
            for _ in range(64):
                try:
                    data, client = inside.recvfrom(_LARGEST)
                except OSError:
                    return
                self._ask(inside, data, client, 0, self._turns.now_ns)

        return ask

    def _ask(self, inside: socket.socket, data: bytes, client: Any, attempt: int, asked_ns: int) -> None:
        if attempt >= len(self._servers):
            self._keep(data, b"", asked_ns)
            failure = data[:2] + b"\x81\x82" + data[4:6] + b"\0" * 6 + data[12:]  # SERVFAIL
            if len(data) >= 12:
                self._turns.after(lambda: _send(inside, failure, client))
            return
        server = self._servers[attempt]
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        outside = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        question = _Question(data, client, inside, outside, asked_ns)
        try:
            outside.connect(server)
            outside.send(data)
        except OSError:
            outside.close()
            self._ask(inside, data, client, attempt + 1, asked_ns)
            return

        def answered(_mask: int) -> None:
            try:
                answer = outside.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                self._done(question)
                self._ask(inside, data, client, attempt + 1, asked_ns)
                return
            if answer[:2] != data[:2]:
                return
            self._done(question)
            self._keep(data, answer, asked_ns)
            self._turns.after(lambda: _send(inside, answer, client))

        def too_late() -> None:
            if not question.answered:
                self._done(question)
                self._ask(inside, data, client, attempt + 1, asked_ns)

        self._turns.watch(outside.fileno(), answered)
        self._turns.later(_PATIENCE / (2 if len(self._servers) > 1 else 1), too_late)

    def _done(self, question: _Question) -> None:
        question.answered = True
        self._turns.forget(question.outside.fileno())
        question.outside.close()

    def _keep(self, question: bytes, answer: bytes, asked_ns: int) -> None:
        head = json.dumps({"asked_ns": asked_ns, "question": len(question)}).encode()
        self._turns.frame(Kind.DATAGRAM, 0, 0, 0, head + b"\n" + question + answer)


class Datagrams:
    """Relays all other UDP, flow by flow."""

    def __init__(
        self,
        turns: Turns,
        inside: list[socket.socket],
        special_socket: Callable[[dict[str, Any]], socket.socket],
    ) -> None:
        self._turns = turns
        self._special_socket = special_socket
        self._flows: dict[tuple[Any, Any], tuple[socket.socket, socket.socket]] = {}
        self._count: dict[str, int] = {}
        for sock in inside:
            sock.setblocking(False)
            turns.watch(sock.fileno(), self._receiver(sock))

    def totals(self) -> dict[str, Any]:
        """What passed, by destination."""
        return {"udp": self._count}

    def _receiver(self, inside: socket.socket) -> Callable[[int], None]:
        def receive(_mask: int) -> None:
            for _ in range(64):
                try:
                    data, ancillary, _flags, client = inside.recvmsg(_LARGEST, 256)
                except OSError:
                    return
                target = _destination(ancillary)
                if target is not None:
                    self._pass(data, client[:2], target)

        return receive

    def _pass(self, data: bytes, client: Any, target: tuple[str, int]) -> None:
        name = f"[{target[0]}]:{target[1]}" if ":" in target[0] else f"{target[0]}:{target[1]}"
        self._count[name] = self._count.get(name, 0) + 1
        flow = self._flows.get((client, target))
        if flow is None:
            flow = self._open(client, target)
            if flow is None:
                return
        with contextlib.suppress(OSError):
            flow[0].send(data)

    def _open(self, client: Any, target: tuple[str, int]) -> tuple[socket.socket, socket.socket] | None:
        family = 6 if ":" in target[0] else 4
        try:
            back = self._special_socket({"do": "datagram", "family": family, "host": target[0], "port": target[1]})
            outside = socket.socket(
                socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            )
            outside.connect(target)
        except OSError:
            return None
        key = (client, target)
        self._flows[key] = (outside, back)
        heard = [True]

        def answered(_mask: int) -> None:
            heard[0] = True
            for _ in range(64):
                try:
                    data = outside.recv(_LARGEST)
                except OSError:
                    return
                _send(back, data, client)

        def idle() -> None:
            if heard[0]:
                heard[0] = False
                self._turns.later(_IDLE, idle)
                return
            del self._flows[key]
            self._turns.forget(outside.fileno())
            outside.close()
            back.close()

        self._turns.watch(outside.fileno(), answered)
        self._turns.later(_IDLE, idle)
        return outside, back


def _destination(ancillary: list[tuple[int, int, bytes]]) -> tuple[str, int] | None:
    for level, kind, data in ancillary:
        if level == socket.SOL_IP and kind == _IP_RECVORIGDSTADDR:
            return socket.inet_ntop(socket.AF_INET, data[4:8]), struct.unpack("!H", data[2:4])[0]
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_RECVORIGDSTADDR:
            return socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack("!H", data[2:4])[0]
    return None


def _send(sock: socket.socket, data: bytes, address: Any) -> None:
    with contextlib.suppress(OSError):
        sock.sendto(data, address)
