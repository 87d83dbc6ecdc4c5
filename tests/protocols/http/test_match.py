"""What makes two requests the same, and how a difference is told."""

from __future__ import annotations

import gzip

import pytest

from protocols.furniture import Value
from protocols.http import match
from protocols.http.wire import Framing, Headers, HttpRequest, HttpResponse
from testset.model import Body, Server

USERS = Server("user-service", 5001)
ID = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
OTHER = "0b3f7f0e-5a55-4c7e-9f6f-0d5f0f7a1c11"
JSON = ("Content-Type", "application/json")


def request(target: str = "/", body: Body = b"", *headers: tuple[str, str], method: str = "GET") -> HttpRequest:
    return HttpRequest(method=method, target=target, headers=(("Host", "user-service:5001"), *headers), body=body)


def values(asked: HttpRequest) -> dict[str, object]:
    return {value.place: value.value for value in match.values(asked)}


def test_a_route_has_marks_where_its_path_was_made_up() -> None:
    route = match.route(USERS, request(f"/users/{ID}/orders?full=1"))
    assert route == ("http", "http", "user-service", 5001, "GET", "/users/{}/orders", "")
    assert route == match.route(USERS, request(f"/users/{OTHER}/orders"))
    assert route != match.route(USERS, request("/users/7/orders"))
    assert match.route(USERS, request("/users/7")) != match.route(USERS, request("/users/8"))
    assert match.route(USERS, request()) != match.route(USERS, request(method="PUT"))
    assert match.route(USERS, request()) != match.route(Server("user-service", 5002), request())


def test_a_route_knows_the_name_behind_an_address() -> None:
    assert match.route(Server("172.18.0.4", 5001), request()) == match.route(USERS, request())


def test_an_operation_in_a_header_is_part_of_the_route() -> None:
    send = request("/", b"", ("X-Amz-Target", "AmazonSQS.SendMessage"), method="POST")
    receive = request("/", b"", ("X-Amz-Target", "AmazonSQS.ReceiveMessage"), method="POST")
    assert match.route(USERS, send) != match.route(USERS, receive)
    found = match.difference(USERS, send, USERS, receive)
    assert found is not None
    assert found.place == "operation"


def test_values_have_places() -> None:
    asked = request(
        f"/users/{ID}?limit=10&tag=a&tag=b",
        b'{"items":[{"productId":"p","quantity":2}],"note":null,"empty":{},"paid":true}',
        JSON,
        method="POST",
    )
    assert match.values(asked) == [
        Value("path[1]", ID),
        Value("query.limit", "10"),
        Value("query.tag", "a"),
        Value("query.tag[1]", "b"),
        Value("header.Content-Type", "application/json"),
        Value("body.empty", "{}"),
        Value("body.items[0].productId", "p"),
        Value("body.items[0].quantity", 2),
        Value("body.note", None),
        Value("body.paid", True),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (request("/?a=1&b=2"), request("/?b=2&a=1")),
        (request("/", b'{"a":1,"b":2}'), request("/", b'{ "b": 2, "a": 1.0 }')),
        (request("/", b'{"a":1}'), request("/", gzip.compress(b'{"a":1}'), ("Content-Encoding", "gzip"))),
        (
            request(
                "/", b"", ("User-Agent", "a"), ("traceparent", "1"), ("X-Request-Id", "1"), ("Accept-Encoding", "x")
            ),
            request("/", b"", ("User-Agent", "b"), ("Date", "now"), ("Connection", "close")),
        ),
        (
            request("/", b"", ("Authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=1")),
            request("/", b"", ("Authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=2")),
        ),
        (
            request("/", b"--x1\r\nfile\r\n--x1--", ("Content-Type", "multipart/form-data; boundary=x1")),
            request("/", b"--y22\r\nfile\r\n--y22--", ("Content-Type", 'multipart/form-data; boundary="y22"')),
        ),
        (request("/", b"", ("Cookie", "a=1; b=2")), request("/", b"", ("cookie", "b=2; a=1"))),
    ],
)
def test_what_does_not_make_a_difference(one: HttpRequest, other: HttpRequest) -> None:
    assert values(one) == values(other)
    assert match.difference(USERS, one, USERS, other) is None


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (request(), request(method="PUT"), "method: recorded GET, now PUT"),
        (request("/users/7"), request("/users/8"), "path: recorded /users/7, now /users/8"),
        (request("/?limit=10"), request("/?limit=20"), 'query.limit: recorded "10", now "20"'),
        (request("/?a=1"), request("/"), 'query.a: recorded "1", now not there'),
        (request("/"), request("/?a=1"), 'query.a: recorded not there, now "1"'),
        (
            request("/", b"", ("Accept", "text/html")),
            request("/", b"", ("accept", "text/csv")),
            'header.Accept: recorded "text/html", now "text/csv"',
        ),
        (
            request("/", b'{"items":[{"quantity":1}]}'),
            request("/", b'{"items":[{"quantity":2}]}'),
            "body.items[0].quantity: recorded 1, now 2",
        ),
        (request("/", b'{"a":true}'), request("/", b'{"a":1}'), "body.a: recorded true, now 1"),
        (
            request("/", b"a=1&b=2", ("Content-Type", "application/x-www-form-urlencoded")),
            request("/", b"a=1&b=3", ("Content-Type", "application/x-www-form-urlencoded")),
            'body.b: recorded "2", now "3"',
        ),
        (
            request("/", b"x" * 80 + b"old"),
            request("/", b"x" * 80 + b"new"),
            'body offset 80: recorded "xxxxxxxxxxxxxxxold", now "xxxxxxxxxxxxxxxnew"',
        ),
    ],
)
def test_the_first_difference_in_words(one: HttpRequest, other: HttpRequest, text: str) -> None:
    assert str(match.difference(USERS, one, USERS, other)) == text


def test_a_request_to_another_host_differs_in_that() -> None:
    found = match.difference(USERS, request(), Server("product-service", 5002), request())
    assert str(found) == "host: recorded http://user-service:5001, now http://product-service:5002"


@pytest.mark.parametrize(
    ("method", "effect"), [("GET", False), ("HEAD", False), ("OPTIONS", False), ("POST", True), ("DELETE", True)]
)
def test_effects(method: str, effect: bool) -> None:
    assert match.is_effect(request(method=method)) is effect


def test_titles() -> None:
    assert match.title(USERS, request("/users/7?full=1")) == "GET http://user-service:5001/users/7?full=1"


def test_json_that_python_cannot_nest_is_compared_as_text() -> None:
    deep = b"[" * 100_000
    assert values(request("/", deep))["body"] == deep.decode()
    nested = b"[" * 500 + b"]" * 500
    assert match.difference(USERS, request("/", nested), USERS, request("/", nested)) is None


def response(body: Body, *headers: tuple[str, str]) -> HttpResponse:
    size = len(body) if isinstance(body, bytes) else body.size
    return HttpResponse(status=200, headers=(*headers, ("Content-Length", str(size))), body=body)


def test_rebinding_puts_actual_values_where_recorded_ones_stood() -> None:
    recorded = response(
        b'{"id":"%b","url":"/orders/%b","n":7281930192837,"m":72819301928370}' % (ID.encode(), ID.encode()),
        ("Location", f"/orders/{ID}?full=1"),
    )
    bound = match.rebind(recorded, {ID: "short", "7281930192837": "42"})
    assert bound.body == b'{"id":"short","url":"/orders/short","n":42,"m":72819301928370}'
    assert bound.headers == (("Location", "/orders/short?full=1"), ("Content-Length", str(len(bound.body))))
    assert match.rebind(recorded, {}) is recorded


def test_rebinding_swaps_and_escapes() -> None:
    assert match.rebind(response(b'["aa","bb"]'), {"aa": "bb", "bb": "aa"}).body == b'["bb","aa"]'
    assert match.rebind(response(b'["Zo\\u00eb"]'), {"Zoë": 'a"b'}).body == b'["a\\"b"]'


def test_rebinding_within_a_compressed_body() -> None:
    recorded = response(gzip.compress(b'{"id":"%b"}' % ID.encode()), ("Content-Encoding", "gzip"))
    bound = match.rebind(recorded, {ID: OTHER})
    assert isinstance(bound.body, bytes)
    assert gzip.decompress(bound.body) == b'{"id":"%b"}' % OTHER.encode()
    assert ("Content-Length", str(len(bound.body))) in bound.headers


def test_rebinding_leaves_binary_and_chunked_framing_alone() -> None:
    headers: Headers = (("Transfer-Encoding", "chunked"),)
    chunked = HttpResponse(status=200, headers=headers, body=b'"aaaa"', framing=Framing.CHUNKED)
    assert match.rebind(chunked, {"aaaa": "b"}).headers == headers
    assert match.rebind(response(b"\xff\x00aaaa"), {"aaaa": "b"}).body == b"\xff\x00aaaa"


def test_values_of_a_response() -> None:
    recorded = response(
        b'{"id":"%b"}' % ID.encode(),
        ("Date", "now"),
        ("Location", f"/orders/{ID}?t=1"),
        ("Set-Cookie", "session=abc; Path=/"),
    )
    found = {value.place: value.value for value in match.response_values(recorded)}
    assert found == {
        "header.Location": f"/orders/{ID}?t=1",
        "header.Location.path[0]": "orders",
        "header.Location.path[1]": ID,
        "header.Location.query.t": "1",
        "header.Set-Cookie.session": "abc",
        "body.id": ID,
    }


def test_a_secret_s_placeholder_leaves_json_json() -> None:
    body = b'{"token": "{{secret "token-1"}}", "link": "/in?key={{redacted "signature"}}"}'
    assert match.body_values((("Content-Type", "application/json"),), body) == [
        Value("body.link", '/in?key={{redacted "signature"}}'),
        Value("body.token", '{{secret "token-1"}}'),
    ]
