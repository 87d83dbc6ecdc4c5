"""A response is replaced by a new one, and the names that a person has put into it stay."""

from __future__ import annotations

from typing import Any

import pytest

from replayer.names_kept import is_named, with_names

VALUES = {"order": "A-418", "number": "419", "other": "B-1"}


@pytest.mark.parametrize(
    ("written", "new", "kept"),
    [
        ('{"id": "{{order}}"}', '{"id": "A-418"}', '{"id": "{{order}}"}'),
        ('{"id": {{number}}}', '{"id": 419}', '{"id": {{number}}}'),
        ('{"id": "{{number}}"}', '{"id": "419"}', '{"id": "{{number}}"}'),
        ('{"id": {{number}}}', '{"id": 419, "count": 419}', '{"id": {{number}}, "count": 419}'),
        ('{"n": "order {{order}}"}', '{"n": "for order A-418, paid"}', '{"n": "for order {{order}}, paid"}'),
        (
            '[{"id": "{{order}}"}, {"id": {{number}}}]',
            '[{"id": "new"}, {"id": "A-418"}, {"id": 419}]',
            '[{"id": "new"}, {"id": "{{order}}"}, {"id": {{number}}}]',
        ),
        ('{"a": "{{order}}", "t": "{{secret "k-1"}}"}', '{"t": "{{secret "k-1"}}", "a": "A-418"}',
         '{"t": "{{secret "k-1"}}", "a": "{{order}}"}'),
        ("<b>{{order}}</b>", "<i>A-418 A-4180</i>", "<i>{{order}} A-4180</i>"),
    ],
)  # fmt: skip
def test_a_name_stays_where_its_value_is(written: str, new: str, kept: str) -> None:
    assert with_names({"body": written}, {"body": new}, VALUES) == ({"body": kept}, [])


def test_what_has_no_names_is_as_it_is_now() -> None:
    new = {"status_code": 201, "header": {"X-Id": "A-418"}, "body": '{"id": "A-418"}', "body_format": "json-compact"}
    assert with_names({"status_code": 200, "header": {"X-Id": "x"}, "body": "{}"}, new, VALUES) == (new, [])
    assert with_names({}, new, VALUES) == (new, [])


def test_headers() -> None:
    written = {
        "header": {"Location": "/orders/{{order}}", "Set-Cookie": ["a={{number}}", "b=2"], "X-Gone": "{{other}}"}
    }
    new = {"header": {"location": "/orders/A-418?v=2", "Set-Cookie": ["a=419; Path=/", "b=419", "c=419"]}}
    kept, gone = with_names(written, new, VALUES)
    assert kept["header"] == {
        "location": "/orders/{{order}}?v=2",
        "Set-Cookie": ["a={{number}}; Path=/", "b=419", "c=419"],
    }
    assert gone == ["header.x-gone: {{other}} is gone, for another value stands there now"]


@pytest.mark.parametrize(
    ("written", "new"),
    [
        ('{"id": "{{order}}"}', {"body": '{"id": "A-99"}'}),
        ('{"id": {{number}}}', {"body": '{"id": "x"}'}),
        ('{"id": "{{order}}"}', {"body": "none"}),
        ('{"id": "{{order}}"}', {"body_base64": "AAE="}),
        ("No. {{number}}", {"body": "No. 419 of 419"}),  # so short a number may be anything in a text
    ],
)
def test_what_does_not_fit_takes_its_place_and_is_said(written: str, new: dict[str, Any]) -> None:
    kept, gone = with_names({"body": written}, new, VALUES)
    assert kept == new
    [line] = gone
    assert line.startswith("body: {{")


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("body.list[0].id", True), ('body["a.b"]', True), ("body.list[1].id", False), ("body.list", False),
        ("body", False), ("header.x-order", True), ("header.X-Other", False), ("status", False),
    ],
)  # fmt: skip
def test_where_a_name_stands(place: str, named: bool) -> None:
    body = '{"list": [{"id": {{number}}}, {"id": 7}], "a.b": "see {{order}}"}'
    assert is_named({"header": {"X-Order": "{{order}}", "X-Other": "7"}, "body": body}, place) is named
