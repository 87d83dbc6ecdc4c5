"""A TLS connection is known by its first six bytes, and its hello tells whom the client wants to speak with."""

from __future__ import annotations

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.tls import ClientHello, client_hello, is_client_hello, may_be_client_hello
from testset.errors import ProtocolError


def real_hello(name: str | None, *protocols: str) -> bytes:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        context = ssl.create_default_context()
        context.check_hostname = name is not None
        if protocols:
            context.set_alpn_protocols(protocols)
        with pytest.raises(ssl.SSLWantReadError):
            context.wrap_socket(near, server_hostname=name, do_handshake_on_connect=False).do_handshake()
        return far.recv(4000)


def test_a_real_client_s_hello() -> None:
    first = real_hello("api.example", "h2", "http/1.1")
    assert is_client_hello(first)
    assert client_hello(first) == ClientHello("api.example", ("h2", "http/1.1"))


def test_a_client_that_names_nobody() -> None:
    assert client_hello(real_hello(None)) == ClientHello("", ())


def test_a_hello_comes_in_pieces() -> None:
    whole = real_hello("api.example")
    for length in range(1, len(whole)):
        assert may_be_client_hello(whole[:length])
        assert client_hello(whole[:length]) is None, f"{length} of {len(whole)} bytes"


def test_a_hello_is_spread_over_records() -> None:
    whole = real_hello("api.example")
    message = whole[5:]
    split = b"".join(
        whole[:3] + len(part).to_bytes(2, "big") + part for part in (message[:7], message[7:100], message[100:])
    )
    assert client_hello(split) == ClientHello("api.example", ())


@pytest.mark.parametrize(
    "first",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x02", b"\x15\x03\x01\x00\x02\x01", b"\x16\x02"],
)
def test_something_else(first: bytes) -> None:
    assert not is_client_hello(first)
    assert not may_be_client_hello(first)


@given(st.binary(max_size=300))
def test_garbage_is_no_hello(data: bytes) -> None:
    head = b"\x16\x03\x01" + (len(data) + 4).to_bytes(2, "big") + b"\x01" + len(data).to_bytes(3, "big")
    try:
        found = client_hello(head + data)
    except ProtocolError:
        return
    assert found is None or isinstance(found, ClientHello)
