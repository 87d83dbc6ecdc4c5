"""First bytes: HTTP, surely not, or too few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Guess
from protocols.http.detect import detect
from protocols.http.h2_frames import PREFACE

LINE = b"GET /users/7?full=1 HTTP/1.1\r\n"


@pytest.mark.parametrize(
    "first",
    [
        LINE,
        b"POST http://a/ HTTP/1.0\r\nHost",
        b"CONNECT db:3306 HTTP/1.1\r\n",
        b"\r\nPUT / HTTP/1.1\r\n",
        b"M-SEARCH * HTTP/1.1\r\n",
        PREFACE,
        PREFACE + b"\x00\x00\x00\x04",
    ],
)
def test_a_request_line(first: bytes) -> None:
    assert detect(first, b"") is Guess.YES


@pytest.mark.parametrize(
    "first",
    [
        b"PRI * HTTP/2.0\r\n\r\nHost",
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


def test_a_server_of_http_2_may_send_its_settings_first() -> None:
    settings = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)
    assert {detect(b"", settings[:size]) for size in range(len(settings))} == {Guess.MORE}
    assert detect(PREFACE, settings) is Guess.YES
    assert detect(LINE, settings) is Guess.YES


@pytest.mark.parametrize("first", [LINE, PREFACE])
def test_a_beginning_needs_more(first: bytes) -> None:
    assert {detect(first[:size], b"") for size in range(1, len(first))} == {Guess.MORE}


@given(st.sampled_from([LINE, PREFACE]), st.binary(max_size=40), st.integers(0, len(LINE)))
def test_more_bytes_never_change_a_firm_answer(first: bytes, tail: bytes, kept: int) -> None:
    data = first[:kept] + tail
    answers = [detect(data[:size], b"") for size in range(1, len(data) + 1)]
    firm = [answer for answer in answers if answer is not Guess.MORE]
    assert len(set(firm)) <= 1, answers
    assert Guess.MORE not in answers[answers.index(firm[0]) :] if firm else True
