"""What a body says, by its type."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Value
from protocols.http import contents
from protocols.http.wire import Headers

CRLF = "\r\n"


def upload(boundary: str, *parts: tuple[str, bytes]) -> tuple[Headers, bytes]:
    """A multipart body of parts, each a head and a content."""
    body = b"".join(f"--{boundary}{CRLF}{head}{CRLF * 2}".encode() + content + b"\r\n" for head, content in parts)
    headers = (("Content-Type", f"multipart/form-data; boundary={boundary}"),)
    return headers, body + f"--{boundary}--{CRLF}".encode()


NOTE = ('Content-Disposition: form-data; name="note"', b"hello")
PICTURE = (
    'Content-Disposition: form-data; name="picture"; filename="a \\"b\\".png"\r\nContent-Type: image/png',
    b"\x89PNG\r\n\x1a\n\xff",
)
ORDER = ('Content-Disposition: form-data; name="order"\r\nContent-Type: application/json', b'{"id": 7, "of": [1, 2]}')


def test_a_multipart_body_has_parts() -> None:
    assert contents.body_values(*upload("x", PICTURE, NOTE, ORDER)) == [
        Value("body.note", "hello"),
        Value("body.order.type", "application/json"),
        Value("body.order.id", 7),
        Value("body.order.of[0]", 1),
        Value("body.order.of[1]", 2),
        Value("body.picture.filename", 'a "b".png'),
        Value("body.picture.type", "image/png"),
        Value("body.picture", f"sha256:{hashlib.sha256(PICTURE[1]).hexdigest()}"),
    ]


def test_boundary_and_order_of_names_are_the_client_s_own() -> None:
    assert contents.body_values(*upload("x", NOTE, ORDER)) == contents.body_values(*upload("----y9", ORDER, NOTE))


def test_parts_of_one_name_keep_their_order() -> None:
    one, two = (NOTE[0], b"1"), (NOTE[0], b"2")
    assert contents.body_values(*upload("x", one, two)) == [Value("body.note", "1"), Value("body.note[1]", "2")]
    assert contents.body_values(*upload("x", one, two)) != contents.body_values(*upload("x", two, one))


def test_a_large_upload_is_known_by_the_digests_of_its_parts() -> None:
    large = (PICTURE[0], b"\0" * contents.LARGE)
    values = contents.body_values(*upload("x", large))
    assert values == contents.body_values(*upload("another", large))
    assert values[-1] == Value("body.picture", f"sha256:{hashlib.sha256(large[1]).hexdigest()}")


def test_a_file_name_in_another_alphabet() -> None:
    head = "Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac.txt"
    assert contents.body_values(*upload("x", (head, b"")))[0] == Value("body.part.filename", "€.txt")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\nno head\r\n--x--", b"--x--\r\n", b"--x\r\n\xff\r\n\r\n--x--"])
def test_what_only_says_that_it_is_multipart_is_compared_as_it_stands(body: bytes) -> None:
    headers = (("Content-Type", "multipart/form-data; boundary=x"),)
    assert len(contents.body_values(headers, body)) <= 1


@given(st.binary(max_size=200), st.sampled_from(["multipart/form-data; boundary=b", "application/json", "text/xml"]))
def test_any_body_says_something(body: bytes, content_type: str) -> None:
    headers = (("Content-Type", content_type),)
    values = contents.body_values(headers, body)
    assert bool(values) == bool(body)
    assert all(value.place.startswith("body") for value in values)


def test_pieces_that_are_signed_one_by_one() -> None:
    signed = (("Content-Encoding", "aws-chunked"), ("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
    trailer = b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    body = b'4;chunk-signature=0a\r\n{"a"\r\n4;chunk-signature=0b\r\n: 1}\r\n0;chunk-signature=0c\r\n' + trailer
    assert contents.body_values(signed, body) == [Value("body.a", 1)]
    assert contents.body_values(signed, b"8\r\n" + b'{"a": 1}' + b"\r\n0\r\n" + trailer) == [Value("body.a", 1)]


@pytest.mark.parametrize("body", [b"4\r\nab\r\n0\r\n", b"zz\r\n", b"4\r\nabcd\r\n", b"ffffffff\r\na"])
def test_pieces_that_do_not_add_up_stay_as_they_are(body: bytes) -> None:
    signed = (("Content-Encoding", "aws-chunked"),)
    assert contents.body_values(signed, body) == [Value("body", body.decode())]
