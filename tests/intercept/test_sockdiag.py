"""Which sockets listen: asked of the kernel, compared with sockets that the test has opened."""

from __future__ import annotations

import socket
import threading

import pytest

from intercept import netlink
from intercept.sockdiag import Listener, is_own, listeners


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_listener_is_seen_while_it_listens(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with netlink.open_socket(netlink.NETLINK_SOCK_DIAG) as diag:
        with socket.socket(family) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, 0))
            port = sock.getsockname()[1]
            assert not [one for one in listeners(diag, 0) if one.port == port], "bound only"
            sock.listen()
            assert Listener(host, port, family == socket.AF_INET6) in listeners(diag, 0)
            assert not [one for one in listeners(diag, ignore_port=port) if one.port == port]
        assert not [one for one in listeners(diag, 0) if one.port == port]


@pytest.mark.parametrize(
    ("listener", "host", "hears"),
    [
        (Listener("127.0.0.1", 80), "127.0.0.1", True),
        (Listener("127.0.0.1", 80), "127.0.0.2", False),
        (Listener("0.0.0.0", 80), "127.0.0.2", True),
        (Listener("0.0.0.0", 80), "::1", False),
        (Listener("::", 80), "::1", True),
        (Listener("::", 80), "127.0.0.1", True),
        (Listener("::", 80, v6only=True), "127.0.0.1", False),
        (Listener("::1", 80), "::1", True),
    ],
)
def test_who_hears_whom(listener: Listener, host: str, hears: bool) -> None:
    assert listener.hears(host) is hears


def test_a_connection_of_the_app_to_itself() -> None:
    with netlink.open_socket(netlink.NETLINK_SOCK_DIAG) as diag, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_own(diag, 0, "127.0.0.1", port)
        assert not is_own(diag, 0, "127.0.0.9", port), "nobody listens there"
        assert not is_own(diag, 0, "192.0.2.1", port), "an address of somebody else"
        assert not is_own(diag, port, "127.0.0.1", port), "rr's own port"


def test_two_that_ask_at_once_each_over_a_socket_of_its_own() -> None:
    wrong: list[BaseException] = []

    def ask() -> None:
        try:
            with netlink.open_socket(netlink.NETLINK_SOCK_DIAG) as diag:
                for _ in range(200):
                    assert server_port in {one.port for one in listeners(diag, 0)}
        except (OSError, AssertionError) as error:
            wrong.append(error)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server_port = server.getsockname()[1]
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
