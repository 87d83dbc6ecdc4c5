"""Stories in short: what a test writes to make a recording, and to replay the app against it.

story = Recording()
with story.test("test-1", "POST /orders", body={...}) as test:
    test.call("GET http://users/users/7", answer={"exists": True})
    test.answers({"id": "..."})
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from protocols import http
from protocols.furniture import Value
from protocols.http.wire import HttpRequest, HttpResponse
from replayer.story import Answer, Effects, Found, Miss, Options, Replay, Story
from testset.model import Exchange, ExchangeId, Mock, Server, TestCase

SECOND = 1_000_000_000
ROOM = http.ROOM


def request(line: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[Server, HttpRequest]:
    """`request("POST http://users:81/users?full=1", {"a": 1})`"""
    method, _, url = line.partition(" ")
    host, slash, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    fields = dict(headers or {})
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields.setdefault("Content-Type", "application/json")
    server = Server(name or "app", int(port or 80))
    return server, HttpRequest(method=method, target=slash + path, headers=tuple(fields.items()), body=content)


def response(body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    fields = {"Content-Type": "application/json", **(headers or {})}
    return HttpResponse(status=status, headers=tuple(fields.items()), body=json.dumps(body).encode())


@dataclass
class Recording:
    """What was recorded, told in order: one event a second unless said otherwise."""

    now_ns: int = 1_756_985_448 * SECOND
    tests: list[TestCase] = field(default_factory=list)
    mocks: list[Mock] = field(default_factory=list)

    def tick(self) -> int:
        self.now_ns += SECOND // 10
        return self.now_ns

    def call(self, owner: str, line: str, body: Any = None, *, answer: Any = None, status: int = 200) -> str:
        server, asked = request(line, body)
        number = sum(mock.owner == owner for mock in self.mocks) + 1
        self.mocks.append(
            Mock(
                name=f"{owner}.{number}",
                owner=owner,
                exchange=Exchange(
                    id=ExchangeId(len(self.mocks), 0),
                    protocol="http",
                    inbound=False,
                    server=server,
                    request=asked,
                    response=response(answer, status),
                    started_ns=self.tick(),
                    ended_ns=self.tick(),
                ),
            )
        )
        return self.mocks[-1].name

    def test(
        self,
        line: str,
        body: Any = None,
        *,
        calls: Sequence[tuple[Any, ...]] = (),
        after: Sequence[tuple[Any, ...]] = (),
        answer: Any = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """A test whose app made `calls` (line, body, answer) before its answer, and `after` it."""
        name = f"test-{len(self.tests) + 1}"
        server, asked = request(line, body, headers)
        started = self.tick()
        for call in calls:
            self._call(name, call)
        self.tests.append(
            TestCase(
                name=name,
                exchange=Exchange(
                    id=ExchangeId(1000 + len(self.tests), 0),
                    protocol="http",
                    inbound=True,
                    server=server,
                    request=asked,
                    response=response(answer),
                    started_ns=started,
                    ended_ns=self.tick(),
                ),
            )
        )
        for call in after:
            self._call(name, call)
        return name

    def _call(self, owner: str, call: tuple[Any, ...]) -> None:
        line, body, answer = (*call, None, None)[:3]
        self.call(owner, line, body, answer=answer)

    def story(self, **options: Any) -> Story:
        return Story(self.tests, self.mocks, lambda exchange: ROOM, Options(**options))

    def replay(self, **options: Any) -> Run:
        return Run(self, Replay(self.story(**options)), self.now_ns + 3600 * SECOND)


@dataclass
class Run:
    """The app, played by a test."""

    recording: Recording
    replay: Replay
    now_ns: int

    def begin(self, name: str = "test-1", headers: dict[str, str] | None = None) -> Run:
        """The test `name` is sent, as recorded or with other `headers`."""
        self.now_ns += SECOND
        self.replay.begin_test(name, self.now_ns)
        test = next(test for test in self.recording.tests if test.name == name)
        asked = test.exchange.request
        self.replay.given(ROOM.values(asked if headers is None else replace(asked, headers=tuple(headers.items()))))
        return self

    def call(self, line: str, body: Any = None) -> Found | Miss:
        server, asked = request(line, body)
        self.now_ns += SECOND // 100
        return self.replay.find(ROOM, server, asked, self.now_ns)

    def told(self, line: str, body: Any = None) -> Any:
        """What the app reads in the answer."""
        found = self.call(line, body)
        assert isinstance(found, Found), found.text
        return json.loads(ROOM.rebind(found.mock.exchange.response, found.names).body)

    def answers(self, body: Any, name: str = "test-1") -> Answer:
        test = next(test for test in self.recording.tests if test.name == name)
        recorded: Sequence[Value] = ROOM.response_values(test.exchange.response)
        return self.replay.response(recorded, ROOM.response_values(response(body)))

    def end(self) -> Effects:
        return self.replay.end_test(self.now_ns)
