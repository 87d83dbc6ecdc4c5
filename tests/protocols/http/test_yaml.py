"""Documents: how they look, that they come back, and what of Keploy's is understood."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.http import codings
from protocols.http.wire import Framing, Headers, HttpRequest, HttpResponse, Interim, length_name
from protocols.http.yaml import HttpExchange, from_spec, normalised, to_spec
from testset.errors import DocumentError
from testset.model import Ending, Exchange, ExchangeId, FileBody, Server

START = 1_756_985_448_753_000_000  # 2025-09-04T11:30:48.753Z


LENGTH_40 = ("Content-Length", "40")


def exchange(
    request: HttpRequest | None = None,
    response: HttpResponse | None = None,
    *,
    inbound: bool = False,
    server: Server = Server("user-service", 5001),  # noqa: B008 - frozen
    ending: Ending = Ending.ANSWERED,
) -> HttpExchange:
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="http",
        inbound=inbound,
        server=server,
        request=request or HttpRequest(method="GET", target="/", headers=(("Host", "user-service:5001"),)),
        response=response,
        ending=ending,
        started_ns=START,
        ended_ns=START + 1_500_000,
    )


def json_response(body: bytes, *headers: tuple[str, str]) -> HttpResponse:
    return HttpResponse(
        status=200,
        reason="OK",
        headers=(("Content-Type", "application/json"), *headers, ("Content-Length", str(len(body)))),
        body=body,
    )


def test_an_inbound_exchange_reads_well() -> None:
    given_ = exchange(
        HttpRequest(
            method="POST",
            target="/api/v1/orders?full=1",
            headers=(
                ("Host", "localhost:8080"),
                ("Content-Type", "application/json"),
                ("Accept", "*/*"),
                ("Content-Length", "15"),
            ),
            body=b'{"quantity": 1}',
        ),
        HttpResponse(
            status=201,
            reason="Created",
            headers=(("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), LENGTH_40),
            body=b'{"id":"44b0","status":"PENDING","n":[]}\n',
        ),
        inbound=True,
        server=Server("localhost", 8080),
    )
    spec = to_spec(given_)
    assert list(spec) == ["req", "resp"]
    assert spec == {
        "req": {
            "method": "POST",
            "url": "http://localhost:8080/api/v1/orders?full=1",
            "header": {"Content-Type": "application/json", "Accept": "*/*"},
            "body_format": "json-python",
            "body": '{\n  "quantity": 1\n}',
            "timestamp": "2025-09-04T11:30:48.753Z",
        },
        "resp": {
            "status_code": 201,
            "header": {"Content-Type": "application/json", "Set-Cookie": ["a=1", "b=2"]},
            "body_format": "json-compact+newline",
            "body": '{\n  "id": "44b0",\n  "status": "PENDING",\n  "n": []\n}',
            "timestamp": "2025-09-04T11:30:48.7545Z",
        },
    }
    assert list(spec["req"]) == ["method", "url", "header", "body_format", "body", "timestamp"]
    assert from_spec("Http", spec) == given_


def test_editing_a_body_needs_no_editing_of_a_length() -> None:
    spec = to_spec(exchange(response=json_response(b'{"quantity":1}')))
    spec["resp"]["body"] = spec["resp"]["body"].replace("1", "1000")
    response = from_spec("Http", spec).response
    assert response is not None
    assert response.body == b'{"quantity":1000}'
    assert ("Content-Length", "17") in response.headers


@pytest.mark.parametrize(
    "body",
    [
        b'{"price":1200.00,"big":1e400,"twice":1,"twice":2}',
        json.dumps({"name": "Zoë", "list": [1, [], {}, None, True]}).encode(),
        json.dumps({"name": "Zoë", "emoji": "\U0001f600"}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n",
        b'{"already":\n  "indented"}',
        b'{"slash":"\\/","tab":"\\t","u":"\\u00E9"}',
        b'{"token":"{{secret "jwt-1"}}","a":[1,2]}',
        b'{"broken": ',
        b"{}",
        b"[]\n",
        b"plain text\r\nof two lines\n",
        b"\xff\xfe\x00binary",
        b"bell \x07",
        "nel \x85 and \u2028".encode(),
        b" ",
        b"{,}",
        b"{{",
        b'{"a":1}}{',
    ],
)
@pytest.mark.parametrize("encode", [lambda body: body, lambda body: gzip.compress(body, mtime=0)])
def test_bodies_come_back_to_the_byte(body: bytes, encode: Any) -> None:
    encoded: bytes = encode(body)
    headers = (("Content-Encoding", "gzip"),) if encoded is not body else ()
    given_ = exchange(response=json_response(encoded, *headers))
    assert from_spec("Http", through_yaml(to_spec(given_))) == given_


def test_json_is_shown_readable() -> None:
    spec = to_spec(exchange(response=json_response(json.dumps({"name": "Zoë"}).encode())))["resp"]
    assert (spec["body_format"], spec["body"]) == ("json-python+ascii", '{\n  "name": "Zoë"\n}')


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_compressed_text_is_shown_plain_and_compressed_again(coding: str) -> None:
    given_ = exchange(response=json_response(codings.encode(coding, b'{"a":1}'), ("Content-Encoding", coding)))
    spec = to_spec(given_)
    assert (spec["resp"]["body_encoding"], spec["resp"]["body"]) == (coding, '{\n  "a": 1\n}')
    read = from_spec("Http", spec).response
    assert read is not None
    assert isinstance(read.body, bytes)
    assert codings.decode(coding, read.body) == b'{"a":1}'


def test_a_body_that_is_not_what_its_encoding_says_stays_as_it_is() -> None:
    given_ = exchange(response=json_response(b"not gzip", ("Content-Encoding", "gzip")))
    assert from_spec("Http", to_spec(given_)) == given_


def test_a_body_in_a_file_is_referred_to() -> None:
    body = FileBody(path=Path("/somewhere/private"), size=5_000_000, sha256="ab" * 32)
    given_ = exchange(response=replace(json_response(b""), body=body, headers=(("Content-Length", "5000000"),)))
    spec = to_spec(given_)
    assert spec["resp"]["body_ref"] == {"path": "assets/abababababababab.bin", "size": 5_000_000, "sha256": "ab" * 32}
    read = from_spec("Http", spec).response
    assert read is not None
    assert read.body == replace(body, path=Path("assets/abababababababab.bin"))


@pytest.mark.parametrize(
    ("response", "ending"),
    [
        (None, Ending.RESET),
        (None, Ending.CUT_SHORT),
        (HttpResponse(status=200, reason="OK", headers=(("Content-Length", "10"),), body=b"half"), Ending.CUT_SHORT),
        (HttpResponse(status=200, reason="OK", body=b"end", framing=Framing.CLOSE, version="1.0"), Ending.ANSWERED),
        (HttpResponse(status=204, reason="Gone Fishing", framing=Framing.NONE), Ending.ANSWERED),
        (HttpResponse(status=101, reason="Switching Protocols", framing=Framing.NONE), Ending.ANSWERED),
        (HttpResponse(status=200, reason="OK", headers=(("Content-Length", "0"),)), Ending.ANSWERED),
        (HttpResponse(status=502, reason="Bad Gateway", framing=Framing.BROKEN, broken=b"\0no HTTP"), Ending.CUT_SHORT),
        (HttpResponse(status=200, reason="OK", framing=Framing.CLOSE, body=b"half", broken=b"zz\r\n"), Ending.RESET),
        (HttpResponse(status=200, reason="OK", framing=Framing.CLOSE, body=b"half", missing=7), Ending.CUT_SHORT),
        (HttpResponse(status=200, reason="OK", version="2", framing=Framing.FRAMES, error=11), Ending.RESET),
        (
            HttpResponse(
                status=200,
                reason="OK",
                headers=(("Transfer-Encoding", "chunked"),),
                body=b"data",
                trailers=(("X-Sum", "1"),),
                interim=(Interim(status=103, reason="Early Hints", headers=(("Link", "</a>"),)),),
                framing=Framing.CHUNKED,
            ),
            Ending.ANSWERED,
        ),
    ],
)
def test_every_ending_and_framing_comes_back(response: HttpResponse | None, ending: Ending) -> None:
    given_ = exchange(response=response, ending=ending)
    assert from_spec("Http", through_yaml(to_spec(given_))) == given_


@pytest.mark.parametrize(
    ("server", "host", "url"),
    [
        (Server("user-service", 5001), "user-service:5001", "http://user-service:5001/"),
        (Server("user-service", 80), "user-service", "http://user-service/"),
        (Server("172.18.0.4", 5001), "user-service:5001", "http://user-service:5001/"),
        (Server("172.18.0.4", 5001), "other:80", "http://172.18.0.4:5001/"),
        (Server("::5", 80), "[::5]", "http://[::5]/"),
        (Server("/var/run/docker.sock", 0), "docker", "http+unix://%2Fvar%2Frun%2Fdocker.sock/"),
    ],
)
def test_the_url_names_the_server_as_the_app_did(server: Server, host: str, url: str) -> None:
    given_ = exchange(
        HttpRequest(method="GET", target="/", headers=(("Host", host),)), json_response(b"{}"), server=server
    )
    assert to_spec(given_)["req"]["url"] == url
    read = from_spec("Http", to_spec(given_))
    assert read.request == given_.request
    assert str(read.server) in (str(server), "user-service:5001")


@pytest.mark.parametrize(
    "target", ["*", "db:5432", "http://elsewhere/x?y", "/a?b#c", "/?", "//double", "/ü".encode().decode("latin-1")]
)
def test_every_form_of_target_comes_back(target: str) -> None:
    given_ = exchange(
        HttpRequest(method="GET", target=target, headers=(("Host", "user-service:5001"),)), json_response(b"{}")
    )
    assert from_spec("Http", to_spec(given_)).request.target == target


# -- Keploy's documents -----------------------------------------------------------------------------------------

KEPLOY_TEST = """
metadata: {}
req:
  method: POST
  proto_major: 1
  proto_minor: 1
  url: http://localhost:8080/api/v1/orders
  header: {Content-Length: "15", Content-Type: application/json, Host: "localhost:8080"}
  body: '{"quantity": 1}'
  timestamp: "2025-08-27T09:00:35.579202773Z"
resp:
  status_code: 201
  header: {Content-Length: "12", Content-Type: application/json, Date: "Wed, 27 Aug 2025 09:00:35 GMT"}
  body: '{"id": "x"}

    '
  status_message: Created
  proto_major: 0
  proto_minor: 0
  timestamp: "2025-08-27T09:00:37.6Z"
objects: []
assertions: {noise: {header.Date: []}}
created: 1756285237
"""
KEPLOY_MOCK = """
metadata: {connID: "5", name: Http, operation: GET, type: HTTP_CLIENT}
req:
  method: GET
  proto_major: 1
  proto_minor: 1
  url: /api/v1/users/7?full=1
  header: {Accept: "*/*", Host: "user_service:8082"}
  body: ""
  timestamp: "0001-01-01T00:00:00Z"
resp:
  status_code: 200
  header: {Content-Encoding: gzip, Content-Length: "40"}
  body: "{}"
  status_message: OK
  timestamp: "0001-01-01T00:00:00Z"
objects: []
created: 1756285290
reqTimestampMock: "2025-08-27T09:01:30.268070173Z"
resTimestampMock: "2025-08-27T09:01:30.268427465Z"
"""


def test_keploys_test_case() -> None:
    read = from_spec("Http", yaml.safe_load(KEPLOY_TEST))
    assert read.inbound
    assert read.server == Server("localhost", 8080)
    assert read.request.headers == (
        ("Content-Type", "application/json"),
        ("Host", "localhost:8080"),
        ("Content-Length", "15"),
    )
    assert read.response is not None
    assert (read.response.version, read.response.body) == ("1.1", b'{"id": "x"}\n')
    assert read.started_ns == 1_756_285_235_579_202_773
    assert read.ended_ns == 1_756_285_237_600_000_000


def test_keploys_mock_has_its_host_in_a_header_and_its_times_outside() -> None:
    read = from_spec("Http", yaml.safe_load(KEPLOY_MOCK))
    assert not read.inbound
    assert read.server == Server("user_service", 8082)
    assert read.request.target == "/api/v1/users/7?full=1"
    assert read.response is not None
    assert isinstance(read.response.body, bytes)
    assert gzip.decompress(read.response.body) == b"{}"
    assert ("Content-Length", str(len(read.response.body))) in read.response.headers
    assert (read.started_ns % 1_000_000_000, read.ended_ns % 1_000_000_000) == (268_070_173, 268_427_465)


def test_keploys_forms() -> None:
    spec = yaml.safe_load(KEPLOY_MOCK)
    spec["req"] |= {"method": "POST", "form": [{"key": "a", "values": ["1 2", "&"]}]}
    assert from_spec("Http", spec).request.body == b"a=1+2&a=%26"
    spec["req"]["header"]["Content-Type"] = "multipart/form-data; boundary=xx"
    body = from_spec("Http", spec).request.body
    assert isinstance(body, bytes)
    assert body.count(b"--xx\r\n") == 2
    assert body.endswith(b"&\r\n--xx--\r\n")


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("req",), None, "req"),
        (("req", "method"), None, "req.method"),
        (("req", "url"), [], "req.url"),
        (("req", "header"), ["a"], "req.header"),
        (("req", "header"), {"A": {"b": 1}}, "req.header.A"),
        (("req", "timestamp"), "yesterday", "req.timestamp"),
        (("req", "url"), "http://a:notaport/", "req.url"),
        (("req", "url"), "http://a/\u0119", "req.url"),
        (("req", "header"), {"A": "1\r\nB: 2"}, "req.header.A"),
        (("resp", "status_code"), "teapot", "resp.status_code"),
        (("resp", "status_code"), None, "resp.status_code"),
        (("resp", "body_base64"), "???", "resp.body_base64"),
        (("resp", "body_format"), "json-pretty", "resp.body_format"),
        (("resp", "framing"), "none of these", "resp.framing"),
        (("ending",), "sudden", "ending"),
    ],
)
def test_a_broken_document_names_the_key(path: tuple[str, ...], value: Any, key: str) -> None:
    spec = json.loads(json.dumps(to_spec(exchange(response=json_response(b'{"a":1}')))))
    place = spec
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(DocumentError) as caught:
        from_spec("Http", spec)
    assert key in str(caught.value)


# -- properties -------------------------------------------------------------------------------------------------

TOKENS = st.text("abcXYZ-", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20).map(
    lambda text: text.strip(" \t")
)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["Accept", "X-A", "x-a", "Set-Cookie", "ETag"]) | TOKENS, VALUES), max_size=6
).map(tuple)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "ignore"))
    | st.builds(
        lambda data, ascii_, separators, end: (
            json.dumps(data, ensure_ascii=ascii_, separators=separators).encode("utf-8", "ignore") + end
        ),
        JSONS,
        st.booleans(),
        st.sampled_from([(",", ":"), (", ", ": ")]),
        st.sampled_from([b"", b"\n"]),
    )
)


def through_yaml(spec: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(yaml.safe_dump(spec, sort_keys=False))
    return loaded


@st.composite
def exchanges(draw: st.DrawFn) -> HttpExchange:
    """What a decoder may yield, in the order of headers that reading restores."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD", "DELETE"]))
    body: bytes = draw(BODIES)
    headers = (("Host", draw(st.sampled_from(["user-service:5001", "other"]))), *group(draw(HEADERS)))
    if body:
        headers = (*headers, ("Content-Length", str(len(body))))
    elif method == "POST":
        headers = (*headers, ("Content-Length", "0"))
    request = HttpRequest(method=method, target="/" + draw(TOKENS), headers=headers, body=body)
    framing = draw(st.sampled_from(list(Framing)))
    answer: bytes = draw(BODIES) if framing is not Framing.NONE and method != "HEAD" else b""
    status = draw(st.sampled_from([204, 304] if framing is Framing.NONE else [200, 201, 404, 599]))
    headers = group(draw(HEADERS))
    if method == "HEAD":
        framing = Framing.NONE
    if framing is Framing.LENGTH:
        headers = (*headers, ("Content-Length", str(len(answer))))
    elif framing is Framing.CHUNKED:
        headers = (*headers, ("Transfer-Encoding", "chunked"))
    response = HttpResponse(
        status=status,
        reason=draw(st.sampled_from(["OK", "Created", "", "Very Own"])),
        headers=headers,
        body=answer,
        framing=framing,
        trailers=group(draw(HEADERS)) if framing is Framing.CHUNKED else (),
    )
    return exchange(request, response, inbound=draw(st.booleans()))


def group(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    names = list(dict.fromkeys(name for name, _ in headers))
    return tuple((name, value) for wanted in names for name, value in headers if name == wanted)


@settings(max_examples=200)
@given(given_=exchanges())
def test_what_is_written_is_read_again(given_: HttpExchange) -> None:
    spec = to_spec(given_)
    assert from_spec("Http", through_yaml(spec)) == as_read(given_)
    assert to_spec(from_spec("Http", spec)) == spec, "a document that is read and written must not change"


def as_read(given_: HttpExchange) -> HttpExchange:
    """Only where all names are in lower case is that of the length, too."""
    response = given_.response
    assert response is not None
    return replace(
        given_,
        request=replace(given_.request, headers=lengthened(given_.request.headers)),
        response=replace(response, headers=lengthened(response.headers)),
    )


def lengthened(headers: Headers) -> Headers:
    if not headers or headers[-1][0] != "Content-Length":
        return headers
    return (*headers[:-1], (length_name(headers[:-1]), headers[-1][1]))


def test_an_unusual_order_of_headers_is_made_usual() -> None:
    given_ = exchange(
        HttpRequest(
            method="PUT",
            target="/",
            headers=(("Content-Length", "1"), ("A", "1"), ("B", "1"), ("A", "2"), ("Host", "user-service:5001")),
            body=b"x",
        ),
        json_response(b"{}"),
    )
    assert normalised(given_).request.headers == (
        ("Host", "user-service:5001"),
        ("A", "1"),
        ("A", "2"),
        ("B", "1"),
        ("Content-Length", "1"),
    )
    assert normalised(normalised(given_)) == normalised(given_)
