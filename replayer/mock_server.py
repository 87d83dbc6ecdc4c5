"""Serves the mocks of a test set on ports of this machine, as a stand-in for what they were recorded from.

Every destination of the recording gets a listener; what comes to it is answered as at a replay, with all mocks at hand
from the beginning. Plain HTTP requests that come as they were recorded are known by their bytes (`ready`), and answered
without looking any further; all others go through the same conversation as at a replay.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from protocols import http
from protocols.furniture import Reply, Room
from protocols.http import wire
from protocols.http.match import named_server, plain_body
from protocols.http.ready import Key, Ready, answer_bytes, key_of
from protocols.http.versions import AnyResponder
from protocols.mysql.ready import Ready as MysqlReady
from protocols.mysql.serve import MysqlResponder
from replayer.conversation import LIMITS, Answers, Conversation
from replayer.loading import LoadedSet, room_of
from replayer.spool import Kept, Spool
from replayer.story import Found, Miss, Options, Replay, Story
from replayer.story.recording import Entry
from testset.errors import PortTakenError
from testset.model import Ending, Exchange, FileBody, Mock, Server

_BACKLOG = 4096
_FORGET_AFTER = 1000  # misses
_IN_MEMORY = 64 << 20  # bytes of answers
_REMEMBERED = 1024  # mocks that are kept in memory once they have answered the long way


@dataclass(frozen=True, slots=True)
class Destination:
    """Where recorded requests went. The scheme belongs to it: what was https is served as http."""

    server: Server
    scheme: str  # "" when it is no HTTP

    def __str__(self) -> str:
        return str(self.server) if self.scheme in ("", "http") else f"{self.scheme}://{self.server}"


@dataclass(frozen=True, slots=True)
class Stand:
    """A destination, and where it is served. `address` is None when nothing listens there, as recorded."""

    destination: Destination
    mocks: int
    address: str | None


class _Slot:
    """Mocks that answer the same request: each in its turn, then the last again and again."""

    __slots__ = ("_answers", "_settled", "_turn")

    def __init__(self, answers: list[tuple[Entry, Kept]]) -> None:
        self._answers = answers
        self._turn = 0
        self._settled: Kept | None = None

    def answer(self, replay: Replay) -> Kept | None:
        if self._settled is not None:
            return self._settled
        last = len(self._answers) - 1
        while self._turn < last and replay.is_claimed(self._answers[self._turn][0]):
            self._turn += 1
        entry, piece = self._answers[self._turn]
        always = replay.as_recorded(entry, time.time_ns())
        if always and self._turn == last:
            self._settled = piece
        return None if always is None else piece


class ServedAnswers(Answers):
    """Looks for mocks; those that were kept are not read from their documents again."""

    def __init__(self, loaded: LoadedSet, replay: Replay, plain: Set[str], told: Callable[[str], None]) -> None:
        """`plain`: mocks whose answer goes over the wire as it was read."""
        super().__init__(loaded, replay, told)
        self._plain = plain
        self.settled: Set[str] = frozenset()  # mocks that answer their request, as it stands, and always as recorded
        self.for_ever = False  # the last answer was one of theirs

    def find(self, room: Room, server: Server, request: Any) -> Reply | Miss:
        before = len(self.misses)
        found = super().find(room, server, request)
        if len(self.misses) > before:
            title, miss = self.misses[-1]
            self.told(
                f"no mock for {title}" + (f" (nearest: {miss.nearest}; {miss.difference})" if miss.nearest else "")
            )
        for warning in self.warnings:
            self.told(warning)
        self.warnings.clear()
        if len(self.misses) >= _FORGET_AFTER:  # a server runs for days: what it told is not kept
            self.misses.clear()
            now = time.time_ns()
            self.replay.end_test(now)
            self.replay.begin_all(now)
        return found

    def _exchange(self, mock: Mock) -> Exchange[Any, Any]:
        return mock.exchange if mock.name in self._plain else super()._exchange(mock)

    def _reply(self, room: Room, found: Found, request: Any) -> Reply:
        self.for_ever = found.mock.name in self.settled
        return super()._reply(room, found, request)


@dataclass(slots=True)
class MockSet:
    """The mocks of a set, read once and ready to be served."""

    loaded: LoadedSet
    replay: Replay
    answers: ServedAnswers
    spool: Spool
    destinations: dict[Destination, int]  # and how many mocks each has
    ready: dict[Destination, Ready[Kept | _Slot]]
    known: dict[Destination, MysqlReady] = field(default_factory=dict)

    @classmethod
    def read(cls, loaded: LoadedSet, told: Callable[[str], None], progress: Callable[[int], None]) -> MockSet:
        spool = Spool(_IN_MEMORY)
        reading = _Reading(loaded, spool, progress)
        story = Story(loaded.tests, reading.mocks(), room_of, Options(recall=reading.recall))
        spool.seal()
        replay = Replay(story)
        replay.begin_all(time.time_ns())
        answers = ServedAnswers(loaded, replay, reading.plain, told)
        answers.settled = frozenset(
            bucket.entries[0].name for bucket in story.literal.values() if _is_settled(bucket.entries)
        )
        return cls(loaded, replay, answers, spool, dict(reading.destinations), reading.ready(story))


@dataclass(slots=True)
class _Reading:
    """One pass over the mocks."""

    loaded: LoadedSet
    spool: Spool
    progress: Callable[[int], None]
    _known: dict[Destination, Destination] = field(default_factory=dict)  # one object for each is enough
    _remembered: dict[str, Mock] = field(default_factory=dict)  # recalled lately
    plain: set[str] = field(default_factory=set)
    destinations: Counter[Destination] = field(default_factory=Counter)
    quick: dict[str, tuple[Destination, Key, Kept]] = field(default_factory=dict)  # by name

    def mocks(self) -> Iterator[Mock]:
        for number, mock in enumerate(self.loaded.mocks(), 1):
            destination = self._known.setdefault(found := destination_of(mock.exchange), found)
            self.destinations[destination] += 1
            if is_plain(mock):
                self.plain.add(mock.name)
                key, data = _quick(mock.exchange)
                if key is not None and data is not None:
                    self.quick[mock.name] = destination, key, self.spool.put(data)
            self.progress(number)
            yield mock

    def recall(self, mock: Mock) -> Callable[[], Mock]:
        again, remembered, name = self.loaded.recall(mock), self._remembered, mock.name
        if name not in self.plain:
            return again

        def recalled() -> Mock:
            mock = remembered.pop(name, None) or again()
            remembered[name] = mock  # as the latest
            if len(remembered) > _REMEMBERED:
                del remembered[next(iter(remembered))]
            return mock

        return recalled

    def ready(self, story: Story) -> dict[Destination, Ready[Kept | _Slot]]:
        """Requests that can be answered by their bytes: all recordings of them can."""
        ready: dict[Destination, Ready[Kept | _Slot]] = {}
        for bucket in story.literal.values():
            if story.hidden[bucket.entries[0].route] != (frozenset(),):
                continue
            quick = [self.quick.get(entry.name) for entry in bucket.entries]
            known = [one for one in quick if one is not None]
            if len(known) == len(quick):
                pieces = [piece for _, _, piece in known]
                turns = list(zip(bucket.entries, pieces, strict=True))
                slot = pieces[0] if _is_settled(bucket.entries) else _Slot(turns)
                for destination, key, _ in known:
                    ready.setdefault(destination, Ready()).add(key, slot)
        self.quick.clear()
        return ready


def _is_settled(entries: Sequence[Entry]) -> bool:
    """One alone, and nothing in it is made up: whoever asks gets it, and nothing else changes."""
    return len(entries) == 1 and not entries[0].made_up and not entries[0].echoes


def destination_of(exchange: Exchange[Any, Any]) -> Destination:
    if exchange.protocol == http.ROOM.name:
        return Destination(named_server(exchange.server, exchange.request), exchange.request.scheme)
    return Destination(exchange.server, "")


def is_plain(mock: Mock) -> bool:
    """Whether the mock's answer is what goes over the wire: no secret in it, and no body in a file of its own."""
    response = mock.exchange.response
    body = getattr(response, "body", b"")
    if isinstance(body, FileBody):
        return False
    headers: Any = getattr(response, "headers", ())
    if isinstance(body, bytes) and b"{{" in (plain_body(headers, body) if headers else body):
        return False
    return "{{" not in repr(headers or response)


def _quick(exchange: Exchange[Any, Any]) -> tuple[Key | None, bytes | None]:
    if exchange.protocol != http.ROOM.name or exchange.response is None or exchange.ending is not Ending.ANSWERED:
        return None, None
    reply = Reply(exchange.response, exchange.ending)
    return key_of(exchange.request), answer_bytes(exchange.request.method, reply, LIMITS)


class _Visitor(Conversation):
    """A connection to one of the listeners."""

    def __init__(self, mocks: MockSet, destination: Destination) -> None:
        super().__init__(lambda: mocks.answers)
        self._at = destination
        self._replay = mocks.replay
        self._spool = mocks.spool
        self._ready = mocks.ready.get(destination)
        self._known = mocks.known.setdefault(destination, MysqlReady())

    def _destination(self, answers: Answers, transport: asyncio.Transport) -> Server:
        return self._at.server

    def data_received(self, data: bytes) -> None:
        responder = self._responder
        ready = self._ready
        if (
            ready is not None
            and not self._first
            and (responder is None or (isinstance(responder, AnyResponder) and responder.resting()))
        ):
            found = ready.find(data)
            if found is not None and self._answered(*found):
                return
        if isinstance(responder, MysqlResponder):
            self._mysql(responder, data)
        else:
            super().data_received(data)

    def _mysql(self, responder: MysqlResponder, data: bytes) -> None:
        """A statement that was answered before, in these bytes, is not looked for again."""
        assert self._line is not None
        plain = not self._line.is_secure
        answer = self._known.find(responder, data) if plain else None
        if answer is not None:
            self._line.write(answer)
            return
        answers = self._answers()
        assert isinstance(answers, ServedAnswers)
        answers.for_ever = False
        super().data_received(data)
        if plain and answers.for_ever:
            self._known.learn(responder)

    def _answered(self, answer: Kept | _Slot, closes: bool) -> bool:
        transport = self._transport
        assert transport is not None
        if type(answer) is not bytes:
            kept = answer.answer(self._replay) if isinstance(answer, _Slot) else answer
            if kept is None:
                return False
            answer = self._spool.get(kept)
        transport.write(answer)
        if closes:
            transport.close()
        return True

    def _asked(self, request: Any) -> Any:
        """As the recording names it: this listener's own address says nothing about where the request was to go."""
        if self._room is http.ROOM:
            return replace(request, scheme=self._at.scheme, headers=wire.without(request.headers, "host"))
        return request


class MockServer:
    """Listeners for all destinations of a set. Use as an asynchronous context manager."""

    def __init__(self, mocks: MockSet, host: str, ports: Mapping[str, int]) -> None:
        """`ports`: by destination (`users:8000`, or `users`), where the user wants it."""
        self._mocks = mocks
        self._host = host
        self._ports = ports
        self._servers: list[asyncio.Server] = []
        self.stands: list[Stand] = []

    async def __aenter__(self) -> MockServer:
        loop = asyncio.get_running_loop()
        loaded = self._mocks.loaded
        wished = {one: self._wish(one) for one in self._mocks.destinations}
        # What the user asked for comes first, then what was recorded; the rest takes what is left.
        for destination in sorted(wished, key=lambda one: (not wished[one][1], one.server.port == 0)):
            port, wanted = wished[destination]
            count = self._mocks.destinations[destination]
            if loaded.always_fails(destination.server):
                self.stands.append(Stand(destination, count, None))
                continue
            sock = _listen(self._host, port, wanted)
            server = await loop.create_server(partial(_Visitor, self._mocks, destination), sock=sock, backlog=_BACKLOG)
            self._servers.append(server)
            host = f"[{self._host}]" if ":" in self._host else self._host
            scheme = "http://" if destination.scheme else ""
            self.stands.append(Stand(destination, count, f"{scheme}{host}:{sock.getsockname()[1]}"))
        order = list(wished)
        self.stands.sort(key=lambda stand: order.index(stand.destination))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()

    @property
    def names(self) -> frozenset[str]:
        """What `ports` may name."""
        return frozenset(name for stand in self.stands for name in _names(stand.destination))

    def _wish(self, destination: Destination) -> tuple[int, bool]:
        for name in _names(destination):
            if name in self._ports:
                return self._ports[name], True
        return destination.server.port, False


def _names(destination: Destination) -> tuple[str, ...]:
    return str(destination), str(destination.server), destination.server.host


def _listen(host: str, port: int, wanted: bool) -> socket.socket:
    """A listener on this port, or on a free one when the port was not asked for by name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(_BACKLOG)
            return sock
        except OSError as error:
            sock.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or wanted or port == 0:
                raise PortTakenError(
                    f"rr cannot listen on {host}:{port}: {error.strerror}.",
                    remedy="Choose another port with --port NAME=PORT, or another address with --host.",
                ) from error
            port = 0
