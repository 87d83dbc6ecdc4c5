"""The agent at replay: all that the app opens and asks goes to rr over the stream, and rr's own connections to the app
come from there.

Asynchronous. Each connection is a channel with a window: so many bytes may be on their way in it, and one that is not
read holds up no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import sys
import time
from typing import Any

from intercept.connection import accepted, acknowledge, reset_when_closed
from intercept.containers.frames import LARGEST, Frame, Frames, Kind, frame, say
from intercept.gate import Gate, Knock
from intercept.namespace import Namespace
from intercept.relay import original_destination
from intercept.sockdiag import is_own, listeners

WINDOW = 1 << 20  # bytes on their way in one channel
_LOOK = 0.01  # seconds between two looks at what the app listens on
_PATIENCE = 5.0  # seconds that a connection to itself may wait for a listener
_LARGEST_DATAGRAM = 65535


class Outlet:
    """Serves until the stream ends."""

    def __init__(self, namespace: Namespace, clock: int, *, has_networks: bool, several: bool) -> None:
        """`clock`: the open file that the app's clock is moved by, or -1. `has_networks`: the namespace. `several`: the
        app is several containers, which start as they like."""
        self._has_networks = has_networks
        self._patience = _PATIENCE if several else 0.0
        self._clock = clock
        self._namespace = namespace
        self._inside = namespace.inside
        self._gate = Gate(self._inside.queue) if self._inside.has_queue else None
        self._channels: dict[int, Channel] = {}
        self._knocks: dict[int, Knock] = {}
        self._questions: dict[int, tuple[socket.socket, Any]] = {}
        self._number = 1  # odd numbers are the agent's, even ones rr's
        self._datagrams = 0

    async def run(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        inside = self._inside
        for listener in inside.tcp:
            listener.setblocking(False)
            loop.add_reader(listener.fileno(), self._accept, listener)
        if self._gate is not None:
            loop.add_reader(self._gate.fileno(), self._knock)
        for sock in inside.dns:
            sock.setblocking(False)
            loop.add_reader(sock.fileno(), self._name, sock)
        for sock in inside.udp:
            sock.setblocking(False)
            loop.add_reader(sock.fileno(), self._drop, sock)
        reader = asyncio.StreamReader(limit=4 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", 0))
        transport, _protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(1, "wb", 0))
        self._transport = transport
        self.tell(say({"ready": True, "queue": inside.has_queue}))
        watching = loop.create_task(self._watch())
        frames = Frames()
        while data := await reader.read(LARGEST):
            for one in frames.feed(data):
                self._heard(one)
        watching.cancel()

    def tell(self, data: bytes) -> None:
        """What rr is to hear."""
        self._transport.write(data)

    async def _watch(self) -> None:
        """What the app listens on, and what was dropped, as it changes."""
        told: Any = None
        while True:
            there = listeners(self._inside.diag, self._inside.port)
            news = {"listeners": sorted([one.host, one.port, one.v6only] for one in there), "udp": self._datagrams}
            if news != told:
                self.tell(say(news))
                told = news
            await asyncio.sleep(_LOOK)

    # -- what rr says --------------------------------------------------------------------------------------------

    def _heard(self, one: Frame) -> None:
        if one.kind is Kind.SAY:
            if self._clock >= 0:
                os.pwrite(self._clock, int(one.said()["clock"]).to_bytes(8, sys.byteorder, signed=True), 0)
        elif one.kind is Kind.OPEN:
            self._loop.create_task(self._connect(one.number, one.said()))
        elif one.kind is Kind.KNOCK:
            self._let(self._knocks.pop(one.number), one.said()["how"])
        elif one.kind is Kind.NAME:
            sock, client = self._questions.pop(one.number)
            if one.payload:
                with contextlib.suppress(OSError):
                    sock.sendto(one.payload, client)
        elif (channel := self._channels.get(one.number)) is not None:
            channel.heard(one)

    async def _connect(self, number: int, where: Any) -> None:
        """rr wants to reach the app."""
        sock = self._namespace.take_socket(6 if ":" in where["host"] else 4)
        try:
            await self._loop.sock_connect(sock, (where["host"], where["port"]))
        except OSError as error:
            sock.close()
            self.tell(say({"errno": error.errno or 0, "why": error.strerror or ""}, Kind.OPEN, number))
            return
        self.tell(say({}, Kind.OPEN, number))
        await self._begin(number, sock)

    # -- what the app does ------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._number += 2
        return self._number

    def _knock(self) -> None:
        assert self._gate is not None
        for knock in self._gate.knocks():
            if self._is_own(knock):
                self._loop.create_task(self._let_be(self._gate, knock))
                continue
            number = self._next()
            self._knocks[number] = knock
            self.tell(say({"target": knock.target}, Kind.KNOCK, number))

    def _is_own(self, knock: Knock) -> bool:
        """Whether the app talks to itself, where it listens or not: it has nobody else at its own addresses."""
        source, (host, port) = knock.source[0], knock.target
        is_here = self._has_networks or ipaddress.ip_address(host).is_loopback
        return (source == host and is_here) or is_own(self._inside.diag, self._inside.port, host, port)

    async def _let_be(self, gate: Gate, knock: Knock) -> None:
        """One container asks another of the app that is not up yet: when it was recorded, it was."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline and not self._hears(knock):
            await asyncio.sleep(_LOOK)
        gate.let_be(knock)

    def _hears(self, knock: Knock) -> bool:
        host, port = knock.target
        return any(one.port == port and one.hears(host) for one in listeners(self._inside.diag, self._inside.port))

    def _let(self, knock: Knock, how: str) -> None:
        gate = self._gate
        assert gate is not None
        {"in": gate.let_in, "refused": gate.refuse, "unreachable": gate.unreachable}.get(how, gate.forget)(knock)

    def _accept(self, listener: socket.socket) -> None:
        for client, _source in accepted(listener):
            number = self._next()
            self.tell(say({"target": original_destination(client)}, Kind.OPEN, number))
            self._loop.create_task(self._begin(number, client))

    async def _begin(self, number: int, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(lambda: Channel(self, number), sock)

    def _name(self, sock: socket.socket) -> None:
        for _ in range(64):
            try:
                query, client = sock.recvfrom(_LARGEST_DATAGRAM)
            except OSError:
                return
            number = self._next()
            self._questions[number] = (sock, client)
            self.tell(frame(Kind.NAME, number, query))

    def _drop(self, sock: socket.socket) -> None:
        for _ in range(64):
            try:
                sock.recv(_LARGEST_DATAGRAM)
            except OSError:
                return
            self._datagrams += 1

    def opened(self, number: int, channel: Channel) -> None:
        self._channels[number] = channel

    def closed(self, number: int) -> None:
        self._channels.pop(number, None)


class Channel(asyncio.Protocol):
    """One connection inside, and its channel."""

    def __init__(self, outlet: Outlet, number: int) -> None:
        self._outlet = outlet
        self._number = number
        self._under_way = 0  # bytes that rr has not taken yet
        self._owed = 0  # bytes of rr's that the app has not taken
        self._is_slow = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._outlet.opened(self._number, self)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            acknowledge(self._transport.get_extra_info("socket"))
        self._under_way += len(data)
        for at in range(0, len(data), LARGEST):
            self._outlet.tell(frame(Kind.DATA, self._number, data[at : at + LARGEST]))
        if self._under_way > WINDOW and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._outlet.tell(frame(Kind.END, self._number))
        return True  # the other way may go on

    def connection_lost(self, error: Exception | None) -> None:
        self._outlet.tell(frame(Kind.RESET, self._number))
        self._outlet.closed(self._number)

    def pause_writing(self) -> None:
        self._is_slow = True

    def resume_writing(self) -> None:
        self._is_slow = False
        self._took()

    def _took(self) -> None:
        if self._owed and not self._is_slow:
            self._outlet.tell(frame(Kind.TAKEN, self._number, self._owed.to_bytes(4, "big")))
            self._owed = 0

    def heard(self, one: Frame) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if one.kind is Kind.DATA:
            transport.write(one.payload)
            self._owed += len(one.payload)
            self._took()
        elif one.kind is Kind.END:
            transport.close()
        elif one.kind is Kind.RESET:
            reset_when_closed(transport.get_extra_info("socket"))
            transport.abort()
        elif one.kind is Kind.TAKEN:
            self._under_way -= int.from_bytes(one.payload, "big")
            if self._under_way <= WINDOW:
                transport.resume_reading()
