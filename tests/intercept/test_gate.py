"""What is read from a packet: who knocks, and where."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercept.gate import Knock, _parse


def syn(source: tuple[str, int], target: tuple[str, int], options: bytes = b"") -> bytes:
    """The first packet of a connection, as the kernel queues it."""
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], 1, 0, 5 << 4, 2, 65535, 0, 0)
    if ":" in source[0]:
        head = struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64)
        return head + socket.inet_pton(socket.AF_INET6, source[0]) + socket.inet_pton(socket.AF_INET6, target[0]) + tcp
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 4 << 4 | length // 4, 0, length + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0)
    return head + socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + options + tcp


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (("127.0.0.1", 40000), ("127.0.0.1", 3306)),
        (("10.1.2.3", 1), ("192.0.2.1", 65535)),
        (("::1", 40000), ("::1", 3306)),
        (("fd00::2", 40000), ("2001:db8::1", 443)),
    ],
)
def test_who_knocks_and_where(source: tuple[str, int], target: tuple[str, int]) -> None:
    assert _parse(syn(source, target)) == Knock(source, target)


def test_options_in_the_head_are_skipped() -> None:
    packet = syn(("10.0.0.1", 5), ("10.0.0.2", 6), options=b"\x01" * 8)
    assert _parse(packet) == Knock(("10.0.0.1", 5), ("10.0.0.2", 6))


@given(st.binary(max_size=128))
def test_anything_else_is_nobody(packet: bytes) -> None:
    knock = _parse(packet)
    assert knock is None or len(packet) >= 40


def test_a_packet_that_is_cut_is_nobody() -> None:
    whole = syn(("10.0.0.1", 5), ("10.0.0.2", 6))
    assert [_parse(whole[:size]) for size in range(len(whole))] == [None] * len(whole)
