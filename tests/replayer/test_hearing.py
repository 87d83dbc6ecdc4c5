"""What an answer calls the values that a person has named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.http.wire import HttpResponse
from replayer.hearing import heard, marked, unmarked
from testset.model import FileBody
from testset.named import Recorded

KNOWN: Mapping[str, Recorded] = {"order": "A-17", "number": 17, "rate": 0.5}


def answer(body: str, media: str = "application/json", **headers: str) -> HttpResponse:
    fields = {"Content-Type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return HttpResponse(status=200, headers=tuple(fields.items()), body=body.encode())


@pytest.mark.parametrize(
    ("recorded", "now", "expected"),
    [
        ('{"id": "{{order}}"}', '{"id":"A-18"}', {"order": "A-18"}),
        ('{"id": {{number}}}', '{"id":18}', {"number": 18}),
        ('{"id": {{number}}}', '{"id":"18"}', {}),  # a text is no number
        ('{"id": {{number}}}', '{"id":1.5}', {}),
        ('{"rate": {{rate}}}', '{"rate":1.5}', {"rate": 1.5}),
        ('{"rate": {{rate}}}', '{"rate":true}', {}),
        ('{"id": "{{order}}"}', '{"id":18}', {}),
        ('{"id": "{{order}}"}', '{"id":""}', {}),
        ('{"id": "{{order}}"}', '{"id":null}', {}),
        ('{"id": "{{order}}"}', "{}", {}),
        ('{"id": "{{order}}"}', "<html>", {}),
        ('{"a": [{"b": "{{order}}"}, {"b": {{number}}}]}', '{"a":[{"b":"x"},{"b":3}]}', {"order": "x", "number": 3}),
        ('{"a": "{{order}}", "b": "{{order}}"}', '{"b":"second","a":"first"}', {"order": "first"}),
        ('{"see": "/orders/{{order}}/{{number}}"}', '{"see":"/orders/A-18/4"}', {"order": "A-18", "number": "4"}),
        ('{"see": "/orders/{{order}}"}', '{"see":"/users/A-18"}', {}),
        ('{"token": "{{secret "jwt-1"}}", "id": {{number}}}', '{"token":"eyJ","id":5}', {"number": 5}),
        ('{"see": "{{secret "key-1"}}/{{order}}"}', '{"see":"abc/A-18"}', {"order": "A-18"}),
        ('{"see": "44b0885e-e6e7-4e27-8ffe-97d87791b0b1/{{order}}"}', '{"see":"9b/A-18"}', {"order": "A-18"}),
        ("Order {{order}}\nthank you", "Order A-18\r\nthank you", {"order": "A-18"}),
        ("<b>{{order}}</b>", "<i>A-18</i>", {}),
    ],
)  # fmt: skip
def test_a_body(recorded: str, now: str, expected: dict[str, Any]) -> None:
    media = "application/json" if now[:1] == "{" else "text/plain"
    assert heard({"body": recorded}, answer(now, media), KNOWN) == expected


def test_a_header() -> None:
    recorded = {"header": {"Location": "/orders/{{order}}", "Set-Cookie": ["a={{number}}; Path=/", "b=1"]}}
    now = answer("", location="/orders/A-18", Set_Cookie="a=18; Path=/")
    assert heard(recorded, now, KNOWN) == {"order": "A-18", "number": "18"}


def test_what_cannot_be_read_says_nothing() -> None:
    recorded = {"body": "{{order}}"}
    assert heard(recorded, HttpResponse(status=200, body=b"\xff\xfe\x00"), KNOWN) == {}
    torn = HttpResponse(status=200, headers=(("Content-Encoding", "gzip"),), body=b"torn")
    assert heard(recorded, torn, KNOWN) == {}
    assert heard({}, answer("{}"), KNOWN) == {}
    assert heard({"body": "[" * 9000 + "{{order}}"}, answer("[" * 9000), KNOWN) == {}


def test_a_body_in_a_file_is_not_read(tmp_path: Any) -> None:
    body = FileBody(tmp_path / "body", 5, "0" * 64)
    assert heard({"body": "{{order}}"}, HttpResponse(status=200, body=body), KNOWN) == {}


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_marks_come_off_again(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    with_name = '{"id": {{number}}, "text": "{{order}}", "more": ' + text + "}"
    if "{{" not in text and "\uf8ff" not in text:
        assert json.loads(marked(with_name))["more"] == value
        assert unmarked(marked(with_name)) == with_name
