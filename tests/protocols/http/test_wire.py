"""Messages written again are the messages that were read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.http import wire
from protocols.http.decode import HttpDecoder
from protocols.http.wire import Framing, HttpRequest, HttpResponse, Interim
from tests.protocols.playbook import SERVER, Ends, client, play, server
from testset.errors import ProtocolError
from testset.model import Ending

NAMES = st.from_regex(r"X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=12).map(lambda text: text.strip(" \t"))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4).map(tuple)
TARGETS = st.from_regex(r"/[!-~]{0,20}", fullmatch=True)


@st.composite
def requests(draw: st.DrawFn) -> HttpRequest:
    body = draw(st.binary(max_size=40))
    headers = draw(FIELDS)
    chunked = draw(st.booleans())
    if chunked:
        headers = (*headers, ("transfer-ENCODING", "Chunked"))
    elif body:
        headers = (("content-length", str(len(body))), *headers)
    return HttpRequest(
        method=draw(st.sampled_from(["GET", "POST", "M-SEARCH"])),
        target=draw(TARGETS),
        headers=headers,
        body=body,
        trailers=draw(FIELDS) if chunked else (),
    )


@st.composite
def responses(draw: st.DrawFn) -> HttpResponse:
    framing = draw(st.sampled_from([one for one in Framing if one not in (Framing.FRAMES, Framing.BROKEN)]))
    body = b"" if framing is Framing.NONE else draw(st.binary(max_size=40))
    headers = draw(FIELDS)
    if framing is Framing.LENGTH:
        headers = (*headers, ("Content-Length", str(len(body))))
    elif framing is Framing.CHUNKED:
        headers = (*headers, ("Transfer-Encoding", "gzip, chunked"))
    return HttpResponse(
        status=204 if framing is Framing.NONE else draw(st.sampled_from([200, 404, 999])),
        reason=draw(st.sampled_from(["", "OK", "Not  Quite: \xe9"])),
        headers=headers,
        body=body,
        trailers=draw(FIELDS) if framing is Framing.CHUNKED else (),
        interim=draw(st.sampled_from([(), (Interim(status=103, reason="", headers=(("Link", "a"),)),)])),
        framing=framing,
    )


@given(requests(), responses())
def test_what_is_written_is_read_again(request: HttpRequest, response: HttpResponse) -> None:
    played = play(
        HttpDecoder, [client(wire.request_bytes(request)), server(wire.response_bytes(response)), Ends(SERVER)]
    )
    exchange = played.only()
    assert (exchange.request, exchange.response, exchange.ending) == (request, response, Ending.ANSWERED)


def test_a_request_is_written_as_it_was() -> None:
    raw = b"PUT /a?b HTTP/1.0\r\nhOST: a\r\nB: 2\r\nA: 1\r\nContent-Length: 2\r\n\r\nhi"
    assert wire.request_bytes(play(HttpDecoder, [client(raw), Ends(SERVER)]).only().request) == raw


def test_http_2_is_written_as_http_1_1_with_a_length() -> None:
    request = HttpRequest(method="PUT", target="/", version="2.0", headers=(("host", "a"),), body=b"hi")
    assert wire.request_bytes(request) == b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ((), (Framing.NONE, 0)),
        ((("Content-Length", "0"),), (Framing.NONE, 0)),
        ((("Content-Length", "5, 5"), ("content-length", "5")), (Framing.LENGTH, 5)),
        ((("Transfer-Encoding", "gzip"), ("Transfer-Encoding", "chunked")), (Framing.CHUNKED, 0)),
        ((("Content-Length", "5, 6"),), None),
        ((("Content-Length", ""),), None),
        ((("Content-Length", "5_0"),), None),
        ((("Content-Length", "٣"),), None),
        ((("Transfer-Encoding", "gzip"),), None),
        ((("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")), None),
        ((("Transfer-Encoding", "chunked"), ("Content-Length", "5")), None),
    ],
)
def test_the_framing_of_a_request_is_never_ambiguous(
    headers: wire.Headers, framing: tuple[Framing, int] | None
) -> None:
    if framing is not None:
        assert wire.request_framing("1.1", headers) == framing
        return
    with pytest.raises(ProtocolError):
        wire.request_framing("1.1", headers)


def test_the_framing_of_a_response() -> None:
    assert wire.response_framing("GET", 200, "1.1", (("Transfer-Encoding", "gzip"),)) == (Framing.CLOSE, 0)
    both = (("Transfer-Encoding", "chunked"), ("Content-Length", "5"))
    assert wire.response_framing("GET", 200, "1.1", both) == (Framing.CHUNKED, 0)
    assert wire.response_framing("HEAD", 200, "1.1", both) == (Framing.NONE, 0)
    with pytest.raises(ProtocolError):
        wire.response_framing("GET", 200, "1.0", both)
