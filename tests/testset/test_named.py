"""`{{name}}` in a test case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testset.model import Document
from testset.named import Recorded, line_of, names_in, names_of, rendered

SPEC: dict[str, Any] = {
    "req": {
        "method": "GET",
        "url": "http://localhost/orders/{{order}}?by={{ user }}",
        "header": {"X-Orders": ["{{order}}", "{{.other}}"]},
        "body": '{"id": {{int .number}}, "text": "{{title"}',
    },
    "resp": {"status_code": 200, "body": '{"order": "{{string .order}}", "token": "{{secret "jwt-1"}}"}'},
    "assertions": {"noise": {"body.{{no}}": []}},
}
VALUES: dict[str, Recorded] = {"order": "A/17", "user": "zoë", "other": "x", "number": 418}


def test_names_are_put_in_where_a_request_or_a_response_holds_them() -> None:
    spec = rendered(SPEC, VALUES)
    assert spec["req"]["url"] == "http://localhost/orders/A%2F17?by=zo%C3%AB", "an address is quoted"
    assert spec["req"]["header"] == {"X-Orders": ["A/17", "x"]}
    assert spec["req"]["body"] == '{"id": 418, "text": "{{title"}'
    assert spec["resp"]["body"] == '{"order": "A/17", "token": "{{secret "jwt-1"}}"}'
    assert spec["assertions"] is SPEC["assertions"]
    assert spec["resp"]["status_code"] == 200


def test_the_names_of_a_test() -> None:
    assert names_of(SPEC) == ["order", "user", "other", "number"]
    assert names_of(SPEC, "resp") == ["order"]
    assert names_of({"req": None, "resp": {"status_code": 204}}) == []


def test_a_spec_without_names_is_not_copied() -> None:
    spec = {"req": {"url": "/"}, "resp": {"body": "{}"}}
    assert rendered(spec, VALUES) is spec


@pytest.mark.parametrize(
    "text",
    [
        '{{secret "jwt-1"}}', '{{redacted "date"}}', '{{"{{"}}order}}', "{{}}", "{{ }}", "{{1st}}", "{{a.b}}", "{{{}}}",
        "{order}", "{{#each items}}", "{{a|upper}}",
    ],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    assert list(names_in(text)) == []


def test_a_name_without_a_value_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError, match="order"):
        rendered(SPEC, {})


def test_where_a_name_stands(tmp_path: Path) -> None:
    path = tmp_path / "test-1.yml"
    path.write_text("name: test-1\nspec:\n  req: {url: '/{{a}}'}\n  resp: {body: '{{b}}{{a}}'}\n")
    document = Document(kind="Http", name="test-1", spec={}, path=path, line=1)
    assert (line_of(document, "a"), line_of(document, "b"), line_of(document, "c")) == (3, 4, 1)
