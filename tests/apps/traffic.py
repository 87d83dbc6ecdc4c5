"""What a client does to a test app, and what must come back: the same for every app, with or without rr in between.

The bytes are sent and read by `http.client`, with no library that could hide a difference.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.apps.dependency import NAMES, number

ORDER = {
    "id": 7,
    "customer": "Zoë",
    "total": 1234.5,
    "paid": True,
    "note": None,
    "items": [{"sku": "A-1", "quantity": 2}],
}
UPLOAD = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request, and what every app answers: `body` is the bytes, or what the JSON says."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    send: bytes | None = None
    status: int = 200
    body: object = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def wrong(self, answer: Answer) -> list[str]:
        """What of the answer is not as it must be, in words."""
        found = []
        if answer.status != self.status:
            found.append(f"{self}: status {answer.status}, not {self.status}: {answer.body[:200]!r}")
        elif isinstance(self.body, bytes):
            if answer.body != self.body:
                found.append(f"{self}: {len(answer.body)} bytes that differ from the {len(self.body)} expected")
        elif self.body is not None:
            got = json.loads(answer.body)
            if got != self.body:
                found.append(f"{self}: {got!r}, not {self.body!r}")
        return found


def user(user_id: str) -> str:
    return NAMES[number(user_id) % len(NAMES)]


JSON = {"Content-Type": "application/json"}

# What a small static binary can do.
SMALL: list[Step] = [
    Step(method="GET", path="/health", body=b"ok\n"),
    *(
        Step(method="GET", path=f"/orders/{order}", body={"exists": True, "id": order, "name": user(order)})
        for order in ("o-1", "o-2", "o-3")
    ),
    Step(method="GET", path="/nowhere", status=404, body=b"no such page\n"),
]

# Every content type, size and ending that the apps have.
PAGES: list[Step] = [
    Step(method="GET", path="/health", body=b"ok\n"),
    Step(method="GET", path="/json", body=ORDER),
    Step(method="GET", path="/text", body="Grüße\nfrom the order service\n".encode()),
    Step(method="HEAD", path="/text", body=b""),
    Step(method="GET", path="/html", body=b"<!doctype html>\n<h1>Orders</h1>\n"),
    Step(method="GET", path="/binary", body=bytes(range(256))),
    Step(method="GET", path="/big", body=b"0123456789abcdef" * 65536),
    Step(method="GET", path="/stream", body=b"".join(b"line %d\n" % line for line in range(1, 6))),
    Step(method="GET", path="/headers", headers={"X-One": "1", "X-Two": "b"}, body={"x-one": "1", "x-two": "b"}),
    Step(method="GET", path="/status/418", status=418, body={"status": 418}),
    Step(method="GET", path="/status/503", status=503, body={"status": 503}),
    Step(
        method="POST",
        path="/form",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        send=b"name=Zo%C3%AB&city=K%C3%B6ln+S%C3%BCd",
        body={"name": "Zoë", "city": "Köln Süd"},
    ),
    Step(
        method="POST",
        path="/upload",
        headers={"Content-Type": "application/octet-stream"},
        send=UPLOAD,
        body={"size": len(UPLOAD), "sha256": hashlib.sha256(UPLOAD).hexdigest()},
    ),
    Step(method="DELETE", path="/orders/o-9", status=204, body=b""),
]

# What makes the app call its dependencies: once, three times, with a write, and in ways that fail.
CALLS: list[Step] = [
    Step(method="GET", path="/orders/o-1", body={"id": "o-1", "user": user("o-1")}),
    Step(method="GET", path="/orders/nobody-1", status=502),
    Step(
        method="GET",
        path="/orders/o-2/full",
        body={
            "id": "o-2",
            "user": user("o-2"),
            "in_stock": number("o-2") % 100,
            "price": f"{number('o-2') % 10000 / 100:.2f}",
        },
    ),
    Step(
        method="POST",
        path="/orders",
        headers=JSON,
        send=b'{"sku": "A-1", "quantity": 2}',
        status=201,
    ),
    Step(method="GET", path="/relay/gzip", body=b"squeezed " * 100),
    Step(method="GET", path="/relay/chunked", body=b"".join(b"piece %d\n" % piece for piece in range(1, 6))),
    Step(method="GET", path="/relay/big", body=b"fedcba9876543210" * 65536),
    Step(method="GET", path="/relay/status/404", status=404, body={"status": 404}),
    Step(method="GET", path="/relay/slow?ms=300", body={"slept": 300}),
    Step(method="GET", path="/relay/reset", status=502),
    Step(method="GET", path="/relay/close-early", status=502),
]


def send(step: Step, port: int, host: str = "127.0.0.1", ceiling: float = 20.0) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=ceiling)
    try:
        connection.request(step.method, step.path, body=step.send, headers=dict(step.headers))
        response = connection.getresponse()
        body = response.read()
        return Answer(response.status, tuple(response.getheaders()), body)
    finally:
        connection.close()


def play(steps: Sequence[Step], port: int, host: str = "127.0.0.1") -> list[str]:
    """Send every step in order; returns what was wrong, one line each."""
    return [line for step in steps for line in step.wrong(send(step, port, host))]
