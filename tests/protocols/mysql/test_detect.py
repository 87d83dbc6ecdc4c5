"""A MySQL server is known by what it says first."""

from __future__ import annotations

import pytest

from protocols.furniture import Guess
from protocols.mysql.detect import detect, is_x_protocol

GREETING = bytes.fromhex("4a0000000a") + b"8.4.0\0" + bytes(68)
REFUSAL = b"\x17\0\0\0\xff\x10\x04Too many connections"


@pytest.mark.parametrize("first", [GREETING, REFUSAL])
def test_its_greeting_or_its_refusal_tells(first: bytes) -> None:
    assert detect(b"", first) is Guess.YES
    assert detect(b"", first[:3]) is Guess.MORE


def test_nothing_said_yet() -> None:
    assert detect(b"", b"") is Guess.MORE


@pytest.mark.parametrize(
    "first",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"+OK POP3 ready\r\n",
        b"RFB 003.008\n",
        b"\x10\0\0\0\x0anine\0",  # a version begins with a digit
        b"\x10\0\0\x01\x0a8.4.0\0",  # the first packet has the number 0
        b"\x10\0\0\0\xff\x01\0no error of MySQL's",
    ],
)
def test_other_servers_that_speak_first(first: bytes) -> None:
    assert detect(b"", first) is Guess.NO


def test_a_client_that_speaks_first_speaks_something_else() -> None:
    assert detect(b"GET / HTTP/1.1\r\n", b"") is Guess.NO


def test_the_other_protocol_of_mysql() -> None:
    assert is_x_protocol(bytes.fromhex("050000000b08051a00"))
    assert not is_x_protocol(GREETING)
    assert not is_x_protocol(b"")
