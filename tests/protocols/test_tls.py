"""A TLS connection is known by its first six bytes, and nothing else is taken for one."""

import socket
import ssl

import pytest

from protocols.tls import is_client_hello


def test_a_real_client_hello() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        context = ssl.create_default_context()
        with pytest.raises(ssl.SSLWantReadError):
            context.wrap_socket(near, server_hostname="api.example", do_handshake_on_connect=False).do_handshake()
        assert is_client_hello(far.recv(1000))


@pytest.mark.parametrize(
    "first",
    [b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x02", b"\x15\x03\x01\x00\x02\x01"],
)
def test_something_else(first: bytes) -> None:
    assert not is_client_hello(first)
