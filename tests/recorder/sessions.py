"""A session's journal as traffic would have written it, and what a recording makes of it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from intercept.journal import CLIENT, FRAME, SERVER, JournalWriter, Kind
from intercept.memory import SessionFolder
from recorder.recording import Recording, Wanted
from tests.protocols.http.h2_peers import Talker, answers, asks
from tests.protocols.playbook import Sends
from testset.model import Side
from testset.redaction import Redactor
from testset.secret_rules import Rules
from testset.store import TestSetStore

SECOND = 1_000_000_000


class Session:
    """One session's folder and what comes of it; `recording()` begins, or goes on where the last one was cut off."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "session"
        self.path.mkdir()
        self.store = TestSetStore(folder / "keploy")
        self.test_set = folder / "keploy" / "test-set-0"

    def recording(self) -> Recording:
        vault = self.store.vault()
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT)
        session = SessionFolder(self.path, lock, {})
        writer = self.store.reopen("test-set-0", vault)
        return Recording(session, writer, Redactor(vault, Rules()), Wanted(), spill_limit=1 << 30, memory_limit=1 << 30)

    def written(self) -> dict[str, str]:
        files = sorted(path for path in self.test_set.rglob("*") if path.is_file())
        return {str(path.relative_to(self.test_set)): path.read_text() for path in files}


class Traffic:
    """Clients over kept connections, for each request some calls to dependencies; cut into pieces as networks do."""

    def __init__(self, chance: random.Random, requests: int, refused: int = 0) -> None:
        """`refused`: so many times the app looks for a dependency before that is there."""
        self.chance = chance
        self.frames: list[tuple[int, bytes]] = []
        self.offsets: dict[tuple[int, int], int] = {}
        self.now = 1_700_000_000 * SECOND
        self.ids: list[str] = []
        for number in range(refused):
            self.refused(100 + number, 5011)
        self.open(99, False, 5011)
        self.say(99, CLIENT, "GET /ready HTTP/1.1\r\nHost: up\r\n\r\n")
        self.say(99, SERVER, "HTTP/1.1 204 No Content\r\n\r\n")
        clients = [1, 2, 3]
        dependencies = [11, 12]
        http2 = Http2Dependency(self, 13)
        for number in clients:
            self.open(number, True, 8080)
        for number in dependencies:
            self.open(number, False, 5000 + number)
        for count in range(requests):
            client = chance.choice(clients)
            id = f"item-{count}"
            self.ids.append(id)
            body = "b" * chance.choice([0, 10, 900])
            if count % 4 == 0:
                self.resolve(f"host{count % 3}.test")
            self.say(client, CLIENT, f"POST /do/{id} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}")
            for call in range(chance.choice([0, 1, 1, 3])):
                upstream = chance.choice(dependencies)
                self.say(upstream, CLIENT, f"GET /get/{id}/{call} HTTP/1.1\r\nHost: up\r\n\r\n")
                answer = "a" * chance.choice([5, 700])
                self.say(upstream, SERVER, f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}")
            http2.calls([f"/get/{id}/at-once/{call}" for call in range(chance.choice([0, 0, 2, 4]))])
            self.say(client, SERVER, f"HTTP/1.1 201 Created\r\nContent-Length: {len(id)}\r\n\r\n{id}")

    def open(self, number: int, inbound: bool, port: int) -> None:
        facts = {"inbound": inbound, "client": ["127.0.0.1", 4000 + number], "server": ["127.0.0.1", port]}
        self.put(Kind.OPEN, CLIENT, number, json.dumps(facts | {"started_ns": self.now}).encode())

    def refused(self, number: int, port: int) -> None:
        """A connection of the app that came to nothing."""
        facts = {"inbound": False, "client": ["127.0.0.1", 4000 + number], "server": ["127.0.0.1", port]}
        self.put(Kind.FAILED, CLIENT, number, json.dumps(facts | {"how": "refused", "started_ns": self.now}).encode())

    def resolve(self, name: str) -> None:
        """The same answer each time, but for the time that it may be kept."""
        query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0"
        query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
        record = b"\xc0\x0c\0\1\0\1" + self.chance.randrange(600).to_bytes(4, "big") + b"\0\4\x0a\0\0\7"
        answer = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + record
        head = json.dumps({"asked_ns": self.now, "question": len(query)}).encode()
        self.put(Kind.DATAGRAM, 0, 0, head + b"\n" + query + answer)

    def say(self, connection: int, side: int, said: str | bytes) -> None:
        data = said.encode() if isinstance(said, str) else said
        while data:
            size = self.chance.choice([7, 60, 400, 2000])
            self.put(Kind.DATA, side, connection, data[:size])
            data = data[size:]

    def put(self, kind: Kind, side: int, connection: int, data: bytes) -> None:
        self.now += SECOND // 100
        offset = self.offsets.get((connection, side), 0)
        if kind is Kind.DATA:
            self.offsets[connection, side] = offset + len(data)
        self.frames.append((self.now, FRAME.pack(kind, side, connection, offset, len(data)) + data))

    def journal(self, folder: Path) -> None:
        writer = JournalWriter(folder, 1 << 30)
        for now, frame in self.frames:
            writer.commit([b"", frame], now)
        writer.close()


class Http2Dependency:
    """One connection, on which several calls are under way at once."""

    def __init__(self, traffic: Traffic, number: int) -> None:
        self._traffic = traffic
        self._number = number
        self._app, self._service = Talker(Side.CLIENT), Talker(Side.SERVER)
        self._stream = -1
        traffic.open(number, False, 5000 + number)
        self._say(self._app.hello())
        self._say(self._service.hello())

    def calls(self, paths: list[str]) -> None:
        streams = {}
        for path in paths:
            self._stream += 2
            streams[self._stream] = path
            self._say(self._app.headers(self._stream, asks("GET", path, ("x-path", path)), end=True))
        for stream in self._traffic.chance.sample(list(streams), len(streams)):
            size = self._traffic.chance.choice([5, 700])
            self._say(self._service.headers(stream, answers(200, ("x-path", streams[stream]))))
            self._say(self._service.data(stream, b"a" * size, end=True))

    def _say(self, step: Sends) -> None:
        self._traffic.say(self._number, CLIENT if step.side is Side.CLIENT else SERVER, step.data)
