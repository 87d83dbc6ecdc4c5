"""Kernels without a packet queue: connections are accepted first and dialled then."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from intercept import memory
from intercept.capture import Capture
from intercept.journal import Frame, JournalReader, Kind
from tests.harness.waiting import eventually

pytestmark = pytest.mark.system

APP = """
import socket, sys
out = []
def attempt(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(b"hello")
            return s.recv(100).decode() or "closed"
    except OSError as error:
        return type(error).__name__
with socket.create_server(("127.0.0.1", 0)) as own:
    import threading
    def answer():
        peer, _ = own.accept()
        peer.sendall(b"myself")
        peer.close()
    threading.Thread(target=answer).start()
    print(attempt(int(sys.argv[1])), attempt(own.getsockname()[1]), attempt(1), flush=True)
"""


@contextmanager
def greeter() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(peer.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


def test_the_app_reaches_what_is_there_itself_and_hears_of_what_is_not() -> None:
    session = memory.create({}, 64 << 20)
    read, write = os.pipe()
    frames: list[Frame] = []
    try:
        with greeter() as port, Capture(session, 64 << 20, queue=False) as capture:
            assert not capture.namespace.inside.has_queue
            argv = [sys.executable, "-c", APP, str(port)]
            capture.namespace.start(argv, dict(os.environ), "/", output=write)
            eventually(lambda: capture.namespace.exit_code() is not None, "the app has ended", 15)
            capture.drain()
        reader = JournalReader(session.path)
        frames = list(reader.read(1 << 30))
        reader.close()
    finally:
        session.remove()
        os.close(write)
    said = os.read(read, 1000).decode().split()
    os.close(read)
    assert said[:2] == ["HELLO", "myself"]
    assert said[2] in ("ConnectionResetError", "ConnectionRefusedError", "closed"), "a connection that nobody accepted"
    opened = [json.loads(frame.data)["server"][1] for frame in frames if frame.kind is Kind.OPEN]
    failed = [json.loads(frame.data)["how"] for frame in frames if frame.kind is Kind.FAILED]
    assert opened == [port], "what the app says to itself is not recorded"
    assert failed == ["refused"]
