"""First bytes: HTTP/1, surely not, or too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Guess
from protocols.http.detect import detect

LINE = b"GET /users/7?full=1 HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "first",
    [
        LINE,
        b"POST http://a/ HTTP/1.0\r\nHost",
        b"CONNECT db:3306 HTTP/1.1\r\n",
        b"\r\nPUT / HTTP/1.1\r\n",
        b"M-SEARCH * HTTP/1.1\r\n",
    ],
)
def test_a_request_line(first: bytes) -> None:
    assert detect(first, b"") is Guess.YES


@pytest.mark.parametrize(
    "first",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",  # TLS
        b"\x00\x00\x00\x08\x04\xd2\x16/",  # Postgres asks for TLS
        b"*1\r\n$4\r\nPING\r\n",  # Redis
        b"PING\r\n",
        b"SET key value\r\n",
        b"EHLO mail.local\r\n",
        b"get / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n",
        b"GET  / HTTP/1.1\r\n",
    ],
)
def test_other_protocols(first: bytes) -> None:
    assert detect(first, b"") is Guess.NO


def test_a_server_that_speaks_first_is_no_http_server() -> None:
    assert detect(b"", b"J\x00\x00\x00\n8.4.0") is Guess.NO
    assert detect(b"", b"") is Guess.MORE


@pytest.mark.parametrize("size", range(1, len(LINE)))
def test_a_beginning_needs_more(size: int) -> None:
    assert detect(LINE[:size], b"") is Guess.MORE


@given(st.binary(max_size=40), st.integers(0, len(LINE)))
def test_more_bytes_never_change_a_firm_answer(tail: bytes, kept: int) -> None:
    data = LINE[:kept] + tail
    answers = [detect(data[:size], b"") for size in range(1, len(data) + 1)]
    firm = [answer for answer in answers if answer is not Guess.MORE]
    assert len(set(firm)) <= 1, answers
    assert Guess.MORE not in answers[answers.index(firm[0]) :] if firm else True
