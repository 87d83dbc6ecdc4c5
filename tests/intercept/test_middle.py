"""rr in the middle of TLS: what was encrypted first is sent first."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from intercept.certificates import Certificates
from intercept.connection import Connection
from intercept.journal import JournalWriter
from intercept.middle import Middle
from intercept.secure import Secure, client_context
from intercept.turns import Turns


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[tuple[Connection, socket.socket]]:
    """A connection in the relay's hands, and the app's end of it."""
    app, ours = socket.socketpair()
    to_server, server = socket.socketpair()
    for sock in (ours, to_server):
        sock.setblocking(False)
    turns = Turns(JournalWriter(tmp_path, 1 << 20), lambda _why: None)
    yield Connection(turns, 1, ours, to_server, recorded=False, on_close=lambda: None), app
    for sock in (app, ours, to_server, server):
        sock.close()


def test_a_server_that_speaks_in_the_turn_in_which_the_app_completes_its_handshake(
    connection: tuple[Connection, socket.socket],
) -> None:
    """HTTP/2 servers do. rr's own tickets for the app are encrypted by then, and have to go before."""
    relayed, app_socket = connection
    up, down = relayed.legs
    app = Secure(client_context(None), is_server=False, name="localhost")
    ours = Secure(Certificates().context("localhost"), is_server=True)
    middle = Middle(relayed)
    middle.ends[up.side] = ours
    ours.receive(app.outgoing())
    app.receive(ours.outgoing())
    assert app.established
    assert not ours.established

    middle.pass_on(down, b"settings")  # of the server, whose event comes first
    middle.receive(ours, up, down, app.outgoing())
    assert ours.established
    relayed.turns._finish()
    assert app.receive(app_socket.recv(65_536)) == b"settings"
