"""One connection that the app opened during a replay, and the mocks that answer on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from intercept.connection import reset_when_closed
from intercept.relay import original_destination
from protocols import generic
from protocols.furniture import Act, Ask, Guess, GuessingResponder, Hang, Limits, Reply, Responder, Room, Send, SendFile
from protocols.registry import detect
from replayer.loading import LoadedSet
from replayer.story import Found, Miss, Replay
from testset.errors import ProtocolError, SecretError
from testset.model import Ending, Exchange, Mock, Server

LIMITS = Limits(head=1 << 20, message=64 << 20, messages=4096)
_PIECE = 256 << 10
_FIRST_BYTES = 64 << 10


class Answers:
    """Looks for mocks on behalf of all connections."""

    def __init__(self, loaded: LoadedSet, replay: Replay, told: Callable[[str], None]) -> None:
        self.loaded = loaded
        self.replay = replay
        self._told = told
        self.misses: list[tuple[str, Miss]] = []
        self.warnings: list[str] = []
        self.faults: list[str] = []  # of rr's own: a test in which there was one proves nothing
        self.asked = 0

    def find(self, room: Room, server: Server, request: Any) -> Reply | Miss:
        """The answer to a request, its values renamed for this run."""
        self.asked += 1
        found = self.replay.find(room, server, request, time.time_ns())
        if isinstance(found, Miss):
            self.misses.append((room.title(server, request), found))
            return found
        self.warnings.extend(found.warnings)
        return self._reply(room, found)

    def beginning(self, room: Room, server: Server, request: Any) -> Reply | None:
        """For a protocol that asks before its request is whole: a recording that begins so."""
        assert room.begins is not None
        for mock in self.replay.beginnings(room, server, request):
            return self._reply(room, Found(mock=mock, names={}))
        return None

    def _reply(self, room: Room, found: Found) -> Reply:
        exchange = self._exchange(found.mock)
        response = exchange.response
        if found.names and response is not None:
            response = room.rebind(response, found.names)
        return Reply(response, exchange.ending)

    def _exchange(self, mock: Mock) -> Exchange[Any, Any]:
        try:
            return self.loaded.unsealed(mock, self.replay.bindings.actual)
        except SecretError as error:
            self._told(f"{mock.name}: {error}")
            return mock.exchange


class Conversation(asyncio.Protocol):
    """Feeds a responder with what the app sends, and the app with what the responder says."""

    def __init__(self, answers: Callable[[], Answers], path: str | None = None) -> None:
        """`path`: of the Unix socket that the connection came to; else it is asked for where it was going."""
        self._answers = answers
        self._path = path
        self._transport: asyncio.Transport | None = None
        self._server = Server("", 0)
        self._first = b""
        self._room: Room | None = None
        self._responder: Responder | None = None
        self._guessing = False  # a mock plays whose request is not known to be the app's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        answers = self._answers()
        self._server = self._destination(answers, transport)
        if answers.replay.speaks_only(generic.ROOM, self._server):
            self._begin(generic.ROOM)

    def _destination(self, answers: Answers, transport: asyncio.Transport) -> Server:
        if self._path is not None:
            return Server(self._path, 0)
        host, port = original_destination(transport.get_extra_info("socket"))
        return answers.loaded.names.server(host, port)

    def data_received(self, data: bytes) -> None:
        if self._responder is not None:
            self._do(lambda responder: responder.feed(data))
            return
        self._first += data
        guess = detect(self._first, b"")
        if guess is Guess.MORE and len(self._first) < _FIRST_BYTES:
            return
        first, self._first = self._first, b""
        self._begin(guess if isinstance(guess, Room) else generic.ROOM)
        self._do(lambda responder: responder.feed(first))

    def eof_received(self) -> bool:
        if self._responder is not None:
            self._do(lambda responder: responder.end())
        return True  # the responder hangs up when it has said all

    def connection_lost(self, error: Exception | None) -> None:
        self._count_guessed()
        self._responder = None

    def _begin(self, room: Room) -> None:
        self._room = room
        self._responder = room.responder(LIMITS)
        self._do(lambda responder: responder.start())

    def _do(self, step: Callable[[Responder], list[Act]]) -> None:
        responder, transport = self._responder, self._transport
        if responder is None or transport is None:
            return
        try:
            acts = step(responder)
            while acts:
                act = acts.pop(0)
                if isinstance(act, Send):
                    transport.write(act.data)
                elif isinstance(act, Ask):
                    acts = self._ask(responder, act.request) + acts
                elif isinstance(act, SendFile):
                    with open(act.body.path, "rb") as file:
                        while piece := file.read(_PIECE):
                            transport.write(piece)
                else:
                    self._hang(act)
        except ProtocolError:
            transport.abort()
        if self._guessing and cast(GuessingResponder, responder).played():
            self._count_guessed()

    def _count_guessed(self) -> None:
        """The request is known as a whole now: this is what the app did."""
        if self._guessing and self._room is not None:
            self._guessing = False
            self._answers().find(self._room, self._server, cast(GuessingResponder, self._responder).whole())

    def _ask(self, responder: Responder, request: Any) -> list[Act]:
        room, answers = self._room, self._answers()
        assert room is not None
        request = self._asked(request)
        if room.begins is not None:
            reply = answers.beginning(room, self._server, request)
            self._guessing = reply is not None
            if reply is not None:
                return responder.answer(reply)
        found = answers.find(room, self._server, request)
        if isinstance(found, Miss):
            return responder.miss(found.text, found.details)
        if found.ending is Ending.TIMED_OUT:
            return []  # silence, as recorded: the app has a time-out of its own
        return responder.answer(found)

    def _asked(self, request: Any) -> Any:
        """The request as it is looked for."""
        return request

    def _hang(self, act: Hang) -> None:
        assert self._transport is not None
        if act.reset:
            reset_when_closed(self._transport.get_extra_info("socket"))
            self._transport.abort()
        else:
            self._transport.close()
