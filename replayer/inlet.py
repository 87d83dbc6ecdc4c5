"""The stream to an agent in a container, at replay: what the app opens there becomes a connection here, and back."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Mapping
from typing import Any

from intercept.containers.engine import Pipe
from intercept.containers.frames import LARGEST, Frame, Frames, Kind, frame, say
from intercept.containers.outlet import WINDOW
from intercept.sockdiag import Listener
from replayer.conversation import Conversation
from replayer.doorman import Doorman
from testset.model import Ending

_PIECE = 1 << 20
_HOW = {Ending.REFUSED: "refused", Ending.UNREACHABLE: "unreachable", Ending.TIMED_OUT: "silent"}


class Channel(asyncio.Transport):
    """One connection of the app, as its protocol sees it."""

    def __init__(self, inlet: Inlet, number: int) -> None:
        super().__init__({})
        self._inlet = inlet
        self._number = number
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self._closing = False
        self._under_way = 0  # bytes that the agent has not taken yet
        self._slow = False
        self._reading = True
        self._held: list[bytes] = []

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    # -- what a protocol asks of it ----------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return self._under_way

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or not data:
            return
        self._under_way += len(data)
        view = memoryview(data)
        for at in range(0, len(view), LARGEST):
            self._inlet.tell(frame(Kind.DATA, self._number, bytes(view[at : at + LARGEST])))
        if self._under_way > WINDOW and not self._slow:
            self._slow = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._inlet.tell(frame(Kind.END, self._number))

    def abort(self) -> None:
        self._closing = True
        self._inlet.tell(frame(Kind.RESET, self._number))

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        held, self._held = self._held, []
        for data in held:
            self._take(data)

    def is_reading(self) -> bool:
        return self._reading

    # -- what the agent says -------------------------------------------------------------------------------------------

    def heard(self, one: Frame) -> None:
        if one.kind is Kind.DATA:
            if self._reading:
                self._take(one.payload)
            else:
                self._held.append(one.payload)
        elif one.kind is Kind.TAKEN:
            self._under_way -= int.from_bytes(one.payload, "big")
            if self._slow and self._under_way <= WINDOW // 2:
                self._slow = False
                self._protocol.resume_writing()
        elif one.kind is Kind.END:
            if isinstance(self._protocol, asyncio.Protocol) and not self._protocol.eof_received():
                self.close()
        else:
            self.lost()

    def _take(self, data: bytes) -> None:
        self._inlet.tell(frame(Kind.TAKEN, self._number, len(data).to_bytes(4, "big")))
        if not self._closing and isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def lost(self) -> None:
        self._closing = True
        self._inlet.forget(self._number)
        self._protocol.connection_lost(None)


class _Bridge(asyncio.Protocol):
    """Ties a channel to a socket of rr's own: for whoever wants to have one."""

    def __init__(self) -> None:
        self.near, self._far = socket.socketpair()
        self.near.setblocking(False)
        self._writer: asyncio.StreamWriter | None = None
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Channel)
        self._channel = transport
        self._task = asyncio.get_running_loop().create_task(self._copy(transport))

    async def _copy(self, channel: Channel) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._far)
        channel.resume_reading()
        while data := await reader.read(LARGEST):
            channel.write(data)
        channel.close()

    def data_received(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def eof_received(self) -> bool:
        if self._writer is not None and self._writer.can_write_eof():
            self._writer.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._writer is not None:
            self._writer.close()
        else:
            self._far.close()


class Inlet:
    """Speaks with one agent."""

    def __init__(self, pipe: Pipe, doorman: Doorman, on_end: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._doorman = doorman
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._channels: dict[int, Channel] = {}
        self._dials: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._number = 0  # even numbers are rr's
        self._out = bytearray()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self.listeners: frozenset[Listener] = frozenset()
        self.datagrams = 0
        self.connections = 0
        pipe.socket.setblocking(False)
        self._loop.add_reader(pipe.fileno(), self._read)

    async def begin(self, order: Mapping[str, Any]) -> None:
        """Tell the agent what to do, and wait until it can."""
        self.tell(say(dict(order)))
        await self._ready

    def tell(self, data: bytes) -> None:
        was_empty = not self._out
        self._out += data
        if was_empty:
            self._write()

    def forget(self, number: int) -> None:
        self._channels.pop(number, None)

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the app."""
        self._number += 2
        number = self._number
        answer = self._dials[number] = self._loop.create_future()
        self.tell(say({"host": host, "port": port}, Kind.OPEN, number))
        said = await answer
        if said:
            raise OSError(said.get("errno") or errno.ECONNREFUSED, said.get("why") or "refused")
        bridge = _Bridge()
        channel = self._channels[number] = Channel(self, number)
        channel.pause_reading()  # until the other side is there
        channel.begin(bridge)
        return bridge.near

    def close(self) -> None:
        self._loop.remove_reader(self._pipe.fileno())
        self._loop.remove_writer(self._pipe.fileno())
        self._pipe.close()
        for channel in list(self._channels.values()):
            channel.lost()

    # -- the stream ----------------------------------------------------------------------------------------------

    def _write(self) -> None:
        try:
            sent = self._pipe.socket.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the reader sees that it has ended
        del self._out[:sent]
        if self._out:
            self._loop.add_writer(self._pipe.fileno(), self._write)
        else:
            self._loop.remove_writer(self._pipe.fileno())

    def _read(self) -> None:
        try:
            data = self._pipe.receive(_PIECE)
        except OSError:
            data = None
        if data is None:
            self._loop.remove_reader(self._pipe.fileno())
            said = self._pipe.errors.decode("utf-8", "replace").strip().splitlines()
            self._ended(said[-1] if said else "it ended")
            return
        for one in self._frames.feed(data):
            self._heard(one)

    def _ended(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(OSError(errno.EPIPE, why))
        for answer in self._dials.values():
            if not answer.done():
                answer.set_result({"why": why})
        for channel in list(self._channels.values()):
            channel.lost()
        self._on_end(why)

    def _heard(self, one: Frame) -> None:
        if one.kind is Kind.SAY:
            self._news(one.said())
        elif one.kind is Kind.KNOCK:
            host, port = one.said()["target"]
            ending = self._doorman.failure(host, port)
            self.tell(say({"how": "in" if ending is None else _HOW.get(ending, "in")}, Kind.KNOCK, one.number))
        elif one.kind is Kind.NAME:
            answer = self._doorman.name(one.payload)
            if isinstance(answer, bytes):
                self.tell(frame(Kind.NAME, one.number, answer))
            else:
                task = self._loop.create_task(_awaited(answer))
                task.add_done_callback(lambda done: self.tell(frame(Kind.NAME, one.number, done.result())))
        elif one.kind is Kind.OPEN and one.number in self._dials:
            self._dials.pop(one.number).set_result(one.said())
        elif one.kind is Kind.OPEN:
            self.connections += 1
            host, port = one.said()["target"]
            channel = self._channels[one.number] = Channel(self, one.number)
            channel.begin(Conversation(self._doorman.answers, target=(host, port)))
        elif (known := self._channels.get(one.number)) is not None:
            known.heard(one)

    def _news(self, news: Mapping[str, Any]) -> None:
        if "failed" in news and not self._ready.done():
            self._ready.set_exception(OSError(errno.EPERM, str(news["failed"])))
        if "ready" in news and not self._ready.done():
            self._ready.set_result(None)
        if "listeners" in news:
            self.listeners = frozenset(Listener(host, port, only) for host, port, only in news["listeners"])
            self.datagrams = news["udp"]


async def _awaited(answer: Any) -> bytes:
    with contextlib.suppress(OSError):
        return bytes(await answer)
    return b""
