"""Whoever gives up, a client of the app or the app itself, gives up again, and only then."""

from __future__ import annotations

import socket
import textwrap
import time
import urllib.request

import pytest

from tests.harness.network import free_port, listens
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import RR
from testset.model import Ending

pytestmark = pytest.mark.system

APP = """
    import sys, time, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    PRICE = 5

    class App(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            getattr(self, self.path.strip("/"))()

        def head(self, kind, *more):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            for name, value in more:
                self.send_header(name, value)
            self.end_headers()

        def prices(self):  # an endless stream of events
            self.head("text/event-stream", ("Transfer-Encoding", "chunked"))
            for number in range(10_000):
                event = f"id: {number}\\ndata: {PRICE + number}\\n\\n".encode()
                self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(event), event))
                time.sleep(0.02)

        def film(self):  # a large file
            self.head("text/plain", ("Content-Length", str(100_000_000)))
            for number in range(100_000):
                self.wfile.write(f"{PRICE + number:09}\\n".encode() * 100)

        def offer(self):  # what depends on a service that is slow
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}/", timeout=0.3) as answer:
                    said = answer.read()
            except Exception as error:
                said = type(error).__name__.encode()
            self.head("text/plain", ("Content-Length", str(len(said))))
            self.wfile.write(said)

        def handle(self):
            try:
                super().handle()
            except OSError:
                pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    Server(("127.0.0.1", int(sys.argv[1])), App).serve_forever(0.05)
"""


@pytest.fixture
def recorded(rr: RR, port: int) -> RR:
    """Somebody breaks the download of a film off, watches the prices for a while, and asks for an offer."""
    app = rr.folder / "app.py"
    app.write_text(textwrap.dedent(APP))
    with (
        socket.create_server(("127.0.0.1", free_port())) as silent,
        rr.record(f"python app.py {port} {silent.getsockname()[1]}") as recording,
    ):
        recording.until(lambda: listens(port), "the app listens")
        some_of(port, "/film", b"\n")
        some_of(port, "/prices", b"id: 3\n")
        recording.until_says("✓ test-2")
        some_of(port, "/offer", b"TimeoutError")
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    return rr


def some_of(port: int, path: str, until: bytes) -> bytes:
    """What comes, up to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        got = b""
        while until not in got.partition(b"\r\n\r\n")[2]:
            data = sock.recv(65536)
            assert data, got
            got += data
        return got


def change(rr: RR, old: str, new: str) -> None:
    app = rr.folder / "app.py"
    source = app.read_text()
    assert old in source
    app.write_text(source.replace(old, new))


def test_it_is_recorded_who_gave_up(recorded: RR) -> None:
    film, prices, offer = recorded_tests(recorded.keploy / "test-set-0")
    assert (prices.exchange.ending, film.exchange.ending) == (Ending.GIVEN_UP, Ending.GIVEN_UP)
    assert offer.exchange.ending is Ending.ANSWERED
    assert prices.response_body.startswith(b"id: 0\ndata: 5\n\nid: 1\n")
    [asked] = recorded_mocks(recorded.keploy / "test-set-0")
    assert (asked.owner, asked.exchange.ending) == ("test-3", Ending.GIVEN_UP)


def test_replayed_green_three_times_without_waiting_for_what_never_comes(recorded: RR) -> None:
    for _ in range(3):
        began = time.monotonic()
        replay = recorded.test()
        assert replay.code == 0, replay.output
        assert "3 passed" in replay.output
        assert time.monotonic() - began < 20, "the 100 MB and the 10,000 events are not waited for"


def test_recorded_anew_it_is_the_same(recorded: RR) -> None:
    """Though a little more or less may be on its way when somebody leaves."""
    files = sorted((recorded.keploy / "test-set-0" / "tests").iterdir())
    before = [path.read_text() for path in files]
    for _ in range(3):
        with socket.create_server(("127.0.0.1", silent_port(recorded))):
            done = recorded.run("rerecord")
        assert done.code == 0, done.output
        assert [path.read_text() for path in files] == before, done.output


def silent_port(rr: RR) -> int:
    [asked] = recorded_mocks(rr.keploy / "test-set-0")
    return asked.exchange.server.port


@pytest.mark.parametrize(
    ("old", "new", "red"),
    [
        ("data: {PRICE + number}", "data: {PRICE + number + number // 2}", "test-2"),
        ("{PRICE + number:09}", "{PRICE * 2 + number:09}", "test-1"),
        ("timeout=0.3", "timeout=0.3 if PRICE > 5 else 0", "test-3"),
        ("type(error).__name__", "repr(error)", "test-3"),
    ],
    ids=["another event", "another film", "another time-out", "another answer to it"],
)
def test_an_app_that_says_something_else_is_red(old: str, new: str, red: str, recorded: RR) -> None:
    change(recorded, old, new)
    replay = recorded.test()
    assert replay.code == 1, replay.output
    assert f"✗ {red}" in replay.output
    assert "2 passed, 1 failed" in replay.output


def test_an_app_that_ends_its_stream_early_is_red(recorded: RR) -> None:
    change(recorded, "range(10_000)", "range(2)")
    replay = recorded.test("--api-timeout", "2s", "--tests", "test-2")
    assert replay.code == 1, replay.output


def test_a_file_that_is_too_large_for_memory_and_differs(rr: RR, port: int) -> None:
    (rr.folder / "app.py").write_text(textwrap.dedent(APP))
    with rr.record(f"python app.py {port} 9") as recording:
        recording.until(lambda: listens(port), "the app listens")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/film", timeout=60) as film:
            assert len(film.read()) == 100_000_000
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    change(rr, "PRICE = 5", "PRICE = 6")
    replay = rr.test()
    assert replay.code == 1, replay.output
    assert "too large to show where it differs (100000000 bytes recorded, 100000000 now)" in replay.output
