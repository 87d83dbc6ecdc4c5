"""How much of two answers is compared when the client of the first had enough of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.http.wire import HttpResponse
from replayer.given_up import enough, seen
from testset.model import FileBody

EVENTS = (("Content-Type", "text/event-stream; charset=utf-8"),)


def answer(body: bytes | FileBody, *, events: bool = False) -> HttpResponse:
    return HttpResponse(status=200, headers=EVENTS if events else (), body=body)


@pytest.mark.parametrize(
    ("recorded", "now", "compared"),
    [
        (b"abc", b"abcdef", (b"abc", b"abc")),
        (b"abc", b"ab", (b"abc", b"ab")),
        (b"abc", b"xyzz", (b"abc", b"xyz")),
        ("grü".encode()[:3], "grün".encode(), (b"gr", b"gr")),
        (b"\xff\xfe", b"\xff\xfe\xfd", (b"\xff\xfe", b"\xff\xfe")),
        (b"", b"abc", (b"", b"")),
    ],
    ids=["more", "less", "other", "half a character", "no text", "nothing yet"],
)
def test_as_much_as_the_client_had_seen(recorded: bytes, now: bytes, compared: tuple[bytes, bytes]) -> None:
    one, other = seen(answer(recorded), answer(now))
    assert (one.body, other.body) == compared
    assert enough(answer(recorded)) == len(compared[0])


def test_events_are_counted_and_not_measured() -> None:
    recorded = answer(b"data: 9\n\ndata: 10\n\ndata: 1", events=True)
    one, other = seen(recorded, answer(b"data: 99\n\ndata: 100\n\ndata: 101\n\n", events=True))
    assert (one.body, other.body) == (b"data: 9\n\ndata: 10\n\n", b"data: 99\n\ndata: 100\n\n")
    one, other = seen(recorded, answer(b"data: 9\n\n", events=True))
    assert other.body == b"data: 9\n\n"
    assert enough(answer(b"data: 1", events=True)) == 0


def test_of_a_large_body_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"a" * (3 << 20))
    recorded = answer(FileBody(path=path, size=3 << 20, sha256=""))
    assert enough(recorded) == 1 << 20
    one, other = seen(recorded, answer(b"a" * (2 << 20)))
    assert one.body == other.body == b"a" * (1 << 20)
