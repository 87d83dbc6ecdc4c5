"""A connection's first bytes tell which HTTP it is, and the machine for it does the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from protocols.furniture import Ask, Hang, Reply, Send
from protocols.http import ROOM
from protocols.http.h2_frames import PREFACE
from protocols.http.versions import AnyDecoder, AnyResponder
from protocols.http.wire import HttpResponse
from tests.protocols.http.h2_peers import SETTINGS, Talker, answers, asks
from tests.protocols.playbook import (
    CLIENT,
    LIMITS,
    OUTBOUND,
    SERVER,
    Ends,
    MemoryBody,
    Step,
    client,
    cut,
    play,
    server,
    timeless,
)
from testset.errors import ProtocolError
from testset.model import Ending

ROOT = Path(__file__).parents[3]
GET = b"GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def http_2() -> list[Step]:
    app, service = Talker(CLIENT), Talker(SERVER)
    return [
        service.hello(),  # a server need not wait
        app.hello(),
        app.headers(1, asks("GET", "/users/7"), end=True),
        service.headers(1, answers(204), end=True),
    ]


@pytest.mark.parametrize(("steps", "version"), [([client(GET), server(OK)], "1.1"), (http_2(), "2")])
@pytest.mark.parametrize("size", [1, 10_000])
def test_the_decoder_is_chosen(steps: list[Step], version: str, size: int) -> None:
    exchange = play(ROOM.decoder, cut(steps, size)).only()
    assert (exchange.request.version, exchange.response.version) == (version, version)
    assert exchange.request.target == "/users/7"


def test_a_request_line_that_begins_as_http_2_would() -> None:
    exchange = play(AnyDecoder, cut([client(b"PRI * HTTP/1.1\r\n\r\n"), server(OK)])).only()
    assert exchange.request.method == "PRI"


@pytest.mark.parametrize("first", [b"", b"PRI * HTTP"])
def test_a_connection_that_ends_before_it_is_known(first: bytes) -> None:
    played = play(AnyDecoder, [client(first), Ends(SERVER), Ends(CLIENT)])
    assert played.exchanges == []
    assert isinstance(played.error, ProtocolError) is bool(first), "what was there is kept as raw bytes"
    assert played.settled == (0, 0, 0)


def test_whoever_goes_on_in_the_middle_has_no_first_bytes_and_is_told() -> None:
    steps = http_2()
    first = AnyDecoder(OUTBOUND, LIMITS, MemoryBody)
    for step in steps[:2]:
        assert not isinstance(step, Ends)
        assert first.feed(step.side, step.data, 1) == []
    assert first.settled() == (len(PREFACE + SETTINGS), len(SETTINGS), 0)
    context = replace(OUTBOUND, state=json.loads(json.dumps(first.state())))
    assert timeless(play(AnyDecoder, steps[2:], context=context).exchanges) == timeless(
        play(AnyDecoder, steps).exchanges
    )


def test_the_responder_is_chosen() -> None:
    made = ROOM.responder(LIMITS)
    assert made.start() == []
    made.feed(GET[:3])
    (ask,) = made.feed(GET[3:])
    assert isinstance(ask, Ask)
    (sent,) = made.answer(Reply(HttpResponse(status=204), Ending.ANSWERED))
    assert isinstance(sent, Send)

    made = ROOM.responder(LIMITS)
    for byte in PREFACE[:-1]:
        assert made.feed(bytes([byte])) == []
    (settings,) = made.feed(PREFACE[-1:])
    assert isinstance(settings, Send)
    assert settings.data[3] == SETTINGS[3]


@pytest.mark.parametrize("first", [b"", b"PRI * HT"])
def test_an_app_that_ends_before_it_is_known(first: bytes) -> None:
    made = AnyResponder(LIMITS)
    made.feed(first)
    assert made.end() == [Hang()]


def test_http_2_is_loaded_when_it_is_spoken() -> None:
    script = (
        "import sys; from protocols.http import ROOM; from tests.protocols.playbook import *;"
        f"play(ROOM.decoder, [client({GET!r}), server({OK!r})]).only(); ROOM.responder(LIMITS).feed({GET!r});"
        "print([m for m in sys.modules if m.partition('.')[0] in ('h2', 'hpack', 'hyperframe')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_without_the_library_it_is_an_error_like_any_other() -> None:
    """As in a process that runs with the standard library alone."""
    script = (
        "import sys; sys.path.insert(0, '.'); from protocols.http.versions import AnyDecoder as A;"
        "from protocols.furniture import *; from testset.model import *; from testset.errors import ProtocolError\n"
        "decoder = A(Context(connection=1, inbound=True, server=Server('a', 1)),"
        " Limits(head=1, message=1, messages=1, exchange=1), lambda: None)\n"
        f"try: decoder.feed(Side.CLIENT, {PREFACE!r}, 1)\n"
        "except ProtocolError as error: print(error)"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "HTTP/2 cannot be read" in done.stdout, done.stderr
