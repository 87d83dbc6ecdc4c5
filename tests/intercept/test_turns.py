"""The relay's loop and its connections, over real sockets: nothing is passed on before it is in the journal."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from intercept.connection import Connection, reset_when_closed
from intercept.journal import CLIENT, SERVER, Frame, JournalReader, JournalWriter, Kind
from intercept.turns import Turns
from tests.harness.waiting import eventually


@dataclass(slots=True)
class Relayed:
    """A client and a server with one connection of the relay between them."""

    turns: Turns
    journal: JournalWriter
    folder: Path
    client: socket.socket
    server: socket.socket
    closed: list[int]

    def frames(self) -> list[Frame]:
        return list(JournalReader(self.folder).read(1 << 30))

    def data(self, side: int) -> bytes:
        return b"".join(frame.data for frame in self.frames() if (frame.kind, frame.side) == (Kind.DATA, side))

    def kinds(self) -> list[tuple[Kind, int]]:
        return [(frame.kind, frame.side) for frame in self.frames() if frame.kind is not Kind.DATA]


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for sock in (near, far):
        sock.settimeout(10)
    return near, far


@contextmanager
def relayed(folder: Path, *, recorded: bool = True, limit: int = 1 << 30) -> Iterator[Relayed]:
    journal = JournalWriter(folder, limit)
    stopped: list[str] = []
    turns = Turns(journal, stopped.append)
    closed: list[int] = []
    with ExitStack() as stack:
        client, outer = map(stack.enter_context, tcp_pair())
        inner, server = map(stack.enter_context, tcp_pair())
        for sock in (outer, inner):
            sock.setblocking(False)
        connection = Connection(turns, 7, outer, inner, recorded=recorded, on_close=lambda: closed.append(7))
        connection.begin()

        def wake() -> None:
            turns.later(0.005, wake)  # so that the loop sees `running`

        wake()
        thread = threading.Thread(target=turns.run)
        thread.start()
        try:
            yield Relayed(turns, journal, folder, client, server, closed)
        finally:
            turns.running = False
            thread.join(5)
            journal.close()
    assert not thread.is_alive()


def test_bytes_pass_both_ways_and_are_kept(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        both.client.sendall(b"question")
        assert both.server.recv(100) == b"question"
        assert both.data(CLIENT) == b"question", "what has been passed on is in the journal"
        both.server.sendall(b"answer")
        assert both.client.recv(100) == b"answer"
        assert both.data(SERVER) == b"answer"
        assert {frame.connection for frame in both.frames()} == {7}


def test_offsets_count_on_along_each_side(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        for piece in (b"one", b"three", b"seven"):
            both.client.sendall(piece)
            assert both.server.recv(100) == piece
        assert [(frame.offset, frame.data) for frame in both.frames()] == [(0, b"one"), (3, b"three"), (8, b"seven")]


def test_what_the_app_says_to_itself_is_not_kept(tmp_path: Path) -> None:
    with relayed(tmp_path, recorded=False) as both:
        both.client.sendall(b"question")
        assert both.server.recv(100) == b"question"
        assert both.frames() == []


def test_a_half_close_is_passed_on_and_the_other_half_lives(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        both.client.sendall(b"all")
        both.client.shutdown(socket.SHUT_WR)
        assert both.server.recv(100) == b"all"
        assert both.server.recv(100) == b""
        both.server.sendall(b"answer")
        assert both.client.recv(100) == b"answer"
        both.server.close()
        assert both.client.recv(100) == b""
        eventually(lambda: both.closed, "the connection is forgotten")
        assert both.kinds() == [(Kind.END, CLIENT), (Kind.END, SERVER)]


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_a_reset_is_passed_on(side: int, tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        one, other = (both.client, both.server) if side == CLIENT else (both.server, both.client)
        one.sendall(b"last words")
        assert other.recv(100) == b"last words"
        reset_when_closed(one)
        one.close()
        with pytest.raises(ConnectionResetError):
            other.recv(100)
        assert both.kinds() == [(Kind.RESET, side)]
        eventually(lambda: both.closed, "the connection is forgotten")


def test_a_reset_after_a_half_close(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        both.client.shutdown(socket.SHUT_WR)
        assert both.server.recv(100) == b""
        reset_when_closed(both.client)
        both.client.close()
        eventually(lambda: both.closed, "the connection is forgotten")
        assert both.kinds() == [(Kind.END, CLIENT), (Kind.RESET, CLIENT)]
        with pytest.raises(BrokenPipeError):
            both.server.send(b"answer")  # as without rr: the client's end of stream was orderly, this is not


def test_who_does_not_read_holds_up_who_writes(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        both.client.setblocking(False)
        sent = 0
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < 0.2:
            try:
                sent += both.client.send(bytes(1 << 16))
                idle_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.005)
            assert sent < 64 << 20, "the relay reads on although nobody takes it"
        received = 0
        while received < sent:
            received += len(both.server.recv(1 << 20))
        assert len(both.data(CLIENT)) == sent


def test_a_megabyte_arrives_whole_in_both_directions_at_once(tmp_path: Path) -> None:
    there, back = bytes(range(256)) * 20_000, bytes(reversed(range(256))) * 20_000

    def send(sock: socket.socket, data: bytes) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    def receive(sock: socket.socket) -> bytes:
        data = b""
        while piece := sock.recv(1 << 20):
            data += piece
        return data

    with relayed(tmp_path) as both:
        threads = [
            threading.Thread(target=send, args=(both.client, there)),
            threading.Thread(target=send, args=(both.server, back)),
        ]
        received: list[bytes] = []
        threads.append(threading.Thread(target=lambda: received.append(receive(both.server))))
        for thread in threads:
            thread.start()
        assert receive(both.client) == back
        for thread in threads:
            thread.join(10)
        assert received == [there]
        assert (both.data(CLIENT), both.data(SERVER)) == (there, back)


def test_when_recording_stops_bytes_go_on_passing(tmp_path: Path) -> None:
    with relayed(tmp_path) as both:
        both.client.sendall(b"kept")
        assert both.server.recv(100) == b"kept"
        both.turns.later(0, lambda: both.turns.stop_recording("a test says so"))
        eventually(lambda: not both.turns.recording, "recording has stopped")
        both.client.sendall(b"not kept")
        assert both.server.recv(100) == b"not kept"
        assert both.data(CLIENT) == b"kept"


def test_a_full_journal_holds_everyone_up_and_then_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intercept.turns._CHECK_EVERY", 1000)
    monkeypatch.setattr("intercept.turns._PAUSE_CEILING", 0.2)
    with relayed(tmp_path, limit=5000) as both:
        for _ in range(10):
            both.client.sendall(bytes(1000))
            assert len(both.server.recv(1000, socket.MSG_WAITALL)) == 1000
        assert not both.turns.recording
        assert both.journal.stopped is not None
        assert "did not keep up" in both.journal.stopped
        assert len(both.data(CLIENT)) < 10_000


def test_a_journal_that_is_emptied_in_time_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intercept.turns._CHECK_EVERY", 1000)
    with relayed(tmp_path, limit=5000) as both:
        for count in range(1, 11):
            both.client.sendall(bytes(1000))
            assert len(both.server.recv(1000, socket.MSG_WAITALL)) == 1000
            (tmp_path / "released.new").write_text(str(count * 1000))
            (tmp_path / "released.new").rename(tmp_path / "released")
        assert both.turns.recording
        assert len(both.data(CLIENT)) == 10_000


def test_timers_run_in_their_order(tmp_path: Path) -> None:
    turns = Turns(JournalWriter(tmp_path, 1 << 20), lambda _why: None)
    said: list[str] = []
    turns.later(0.02, lambda: said.append("second"))
    turns.later(0.0, lambda: said.append("first"))
    turns.later(0.03, lambda: setattr(turns, "running", False))
    turns.run()
    assert said == ["first", "second"]


def test_what_an_act_brings_about_is_kept_as_well(tmp_path: Path) -> None:
    """A frame that is put in while sending goes into the journal in the same turn."""
    turns = Turns(JournalWriter(tmp_path, 1 << 20), lambda _why: None)

    def act() -> None:
        turns.frame(Kind.RESET, SERVER, 1, 0)
        turns.running = False

    def begin() -> None:
        turns.frame(Kind.END, CLIENT, 1, 0)
        turns.after(act)

    turns.later(0, begin)
    turns.run()
    assert [frame.kind for frame in JournalReader(tmp_path).read(1000)] == [Kind.END, Kind.RESET]


def test_linger_is_what_makes_a_reset() -> None:
    near, far = tcp_pair()
    with near, far:
        reset_when_closed(near)
        assert struct.unpack("ii", near.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
