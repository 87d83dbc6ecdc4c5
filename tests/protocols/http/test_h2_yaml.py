"""What was said in HTTP/2, as a document for a reader, and back without loss."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.http import wire
from protocols.http.wire import Framing, Headers, HttpRequest, HttpResponse, Interim
from protocols.http.yaml import from_spec, to_spec
from testset.errors import DocumentError
from testset.model import Exchange, ExchangeId, Server

SERVER = Server("users", 50051)
GRPC = ("content-type", "application/grpc")


def exchange(request: HttpRequest, response: HttpResponse) -> Exchange[HttpRequest, HttpResponse]:
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="http",
        inbound=False,
        server=SERVER,
        request=request,
        response=response,
        started_ns=1_000_000_000,
        ended_ns=2_000_000_000,
    )


def test_a_call_of_grpc() -> None:
    given_ = exchange(
        HttpRequest(
            method="POST",
            target="/shop.Users/Get",
            version="2",
            headers=(("host", "users:50051"), GRPC, ("te", "trailers")),
            body=b"\0\0\0\0\x01\xff",
        ),
        HttpResponse(
            status=200,
            reason="OK",
            version="2",
            headers=(GRPC,),
            body=b"\0\0\0\0\x01\xfe",
            trailers=(("grpc-status", "0"), ("grpc-message", "")),
            framing=Framing.FRAMES,
        ),
    )
    spec = to_spec(given_)
    assert spec == {
        "metadata": {"type": "HTTP_CLIENT", "operation": "POST"},
        "req": {
            "method": "POST",
            "proto_major": 2,
            "url": "http://users:50051/shop.Users/Get",
            "framing": "frames",
            "header": {"content-type": "application/grpc", "te": "trailers"},
            "body_base64": "AAAAAAH/",
            "timestamp": "1970-01-01T00:00:01Z",
        },
        "resp": {
            "status_code": 200,
            "proto_major": 2,
            "framing": "frames",
            "header": {"content-type": "application/grpc"},
            "body_base64": "AAAAAAH+",
            "trailer": {"grpc-status": "0", "grpc-message": ""},
            "timestamp": "1970-01-01T00:00:02Z",
        },
    }
    assert from_spec("Http", spec) == given_


@pytest.mark.parametrize(("major", "minor", "version"), [(2, None, "2"), (2, 0, "2"), (3, 0, "3"), (1, 0, "1.0")])
def test_versions_as_keploy_writes_them(major: int, minor: int | None, version: str) -> None:
    numbers: dict[str, Any] = {"proto_major": major} | ({} if minor is None else {"proto_minor": minor})
    spec = {"req": {"method": "GET", "url": "http://a/", **numbers}, "resp": {"status_code": 200, **numbers}}
    read = from_spec("Http", spec)
    assert read.response is not None
    assert (read.request.version, read.response.version) == (version, version)


def test_names_that_a_person_wrote_in_upper_case() -> None:
    header = {"Content-Type": "text/plain"}
    req = {"method": "POST", "url": "http://a/", "proto_major": 2, "header": header, "body": "hi"}
    read = from_spec("Http", {"req": req, "resp": {"status_code": 200}})
    assert read.request.headers == (("host", "a"), ("content-type", "text/plain"), ("content-length", "2"))


def test_an_unknown_framing() -> None:
    req = {"method": "GET", "url": "http://a/", "proto_major": 2, "framing": "carrier pigeon"}
    with pytest.raises(DocumentError, match="carrier pigeon"):
        from_spec("Http", {"req": req, "resp": {"status_code": 200}})


FIELDS = st.lists(
    st.tuples(st.sampled_from(["x-a", "x-b", "accept"]), st.sampled_from(["", "1", "a, b", "é: ÿ"])),
    max_size=3,
    unique=True,
).map(lambda fields: tuple(sorted(fields)))
BODIES = st.one_of(st.just(b""), st.binary(max_size=20), st.text(max_size=20).map(str.encode))


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange[HttpRequest, HttpResponse]:
    """What a decoder may yield, in the order of headers that reading restores."""

    def sized(headers: Headers, body: bytes) -> Headers:
        return (*headers, ("content-length", str(len(body)))) if draw(st.booleans()) else headers

    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    body, answer = draw(BODIES), b"" if method == "HEAD" else draw(BODIES)
    host = ("host", draw(st.sampled_from(["users:50051", "other"])))
    headers = sized(draw(FIELDS), answer)
    status = draw(st.sampled_from([200, 404, 599] if answer else [200, 204, 304]))
    return exchange(
        HttpRequest(
            method=method, target="/a?b", version="2", headers=sized((host, *draw(FIELDS)), body), body=body,
            trailers=draw(FIELDS),
        ),
        HttpResponse(
            status=status,
            reason=wire.standard_reason(status),
            version="2",
            headers=headers,
            body=answer,
            trailers=draw(FIELDS),
            interim=draw(st.sampled_from([(), (Interim(status=103, reason="Early Hints", headers=(("link", "a"),)),)])),
            framing=wire.stream_framing(method, status, headers),
        ),
    )  # fmt: skip


@settings(max_examples=200)
@given(given_=exchanges())
def test_what_is_written_is_read_again(given_: Exchange[HttpRequest, HttpResponse]) -> None:
    spec = to_spec(given_)
    assert from_spec("Http", yaml.safe_load(yaml.safe_dump(spec, sort_keys=False))) == given_
    assert to_spec(from_spec("Http", spec)) == spec, "a document that is read and written must not change"
