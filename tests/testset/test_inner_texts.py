"""Texts within texts, and the way back from a place in one to the place in the other."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testset.inner_texts import inner_texts


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (json.dumps({"Message": json.dumps({"a": "ü", "b": [1]})}), [json.dumps({"a": "ü", "b": [1]})]),
        (json.dumps({"a": json.dumps(["x"]), "b": 'no "JSON"', "c": json.dumps({"y": 1})}), ['["x"]', '{"y": 1}']),
        ("payload=" + quote_plus('{"a": "b c"}') + "&x=1", ['{"a": "b c"}']),
        ("next=" + quote("/login?token=abc&page=2", "") + "&x=a%2Fb", ["/login?token=abc&page=2"]),
        ("a=b&c=%2Fd", []),
        ('{"a": "b"}', []),
    ],
)
def test_what_is_within(text: str, inner: list[str]) -> None:
    assert [each.text for each in inner_texts(text)] == inner


@given(st.dictionaries(st.text(), st.text()), st.text(), st.booleans())
def test_each_place_of_json_in_json_has_its_place_outside(value: dict[str, str], before: str, ascii_only: bool) -> None:
    within = json.dumps({"first": value, "looked for": "here"}, ensure_ascii=False)
    text = json.dumps({"before": before, "within": within}, ensure_ascii=ascii_only)
    found = next(each for each in inner_texts(text) if '"looked for"' in each.text)
    start = found.text.rindex("here")
    assert text[found.outside(start) : found.outside(start + 4)] == "here"


@given(st.text(st.characters(max_codepoint=0x7F)), st.text(st.characters(max_codepoint=0x7F)))
def test_each_place_of_a_parameter_has_its_place_outside(before: str, after: str) -> None:
    text = f"a=1&next={quote_plus(before + '?token=here&' + after)}&b=2"
    (found,) = inner_texts(text)
    assert found.text == before + "?token=here&" + after
    start = found.text.index("token=here") + len("token=")
    assert text[found.outside(start) : found.outside(start + 4)] == "here"


@given(st.text())
def test_any_text_may_be_asked(text: str) -> None:
    for each in inner_texts(text):
        assert 0 <= each.outside(0) <= each.outside(len(each.text)) <= len(text)
