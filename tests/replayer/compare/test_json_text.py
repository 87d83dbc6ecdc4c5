"""JSON text that is changed at one place and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayer.compare.json_text import NoSuchPlaceError, edited, spans

TEXT = """{
  "id": 7,   "secret": "Bearer {{secret "jwt-1"}}",
  "items": [ {"sku": "a"}, {"sku": "b"} ]
}"""


@pytest.mark.parametrize(
    ("changes", "added", "old", "new"),
    [
        ({("id",): "8"}, {}, '"id": 7', '"id": 8'),
        ({("items", "1", "sku"): '"c"'}, {}, '"b"', '"c"'),
        ({("id",): None}, {}, '"id": 7,   ', ""),
        ({("items",): None}, {}, ',\n  "items": [ {"sku": "a"}, {"sku": "b"} ]', ""),
        ({("items", "0", "sku"): None}, {}, '{"sku": "a"}', "{}"),
        ({}, {("items", "0", "n"): "1"}, '{"sku": "a"}', '{"sku": "a", "n": 1}'),
        ({}, {("total",): "1.50"}, '"b"} ]\n', '"b"} ],\n  "total": 1.50\n'),
    ],
)
def test_only_the_place_changes(changes: Any, added: Any, old: str, new: str) -> None:
    if added == {("items", "0", "n"): "1"}:
        new = new.replace(", ", ",")  # one member only: nothing shows how members are parted
    assert edited(TEXT, changes, added) == TEXT.replace(old, new)


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', '["a" "b"]', "[" * 3000])
def test_what_is_no_json_is_said_so(text: str) -> None:
    with pytest.raises(NoSuchPlaceError):
        edited(text, {("a",): "1"}, {})


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(trees, st.sampled_from([None, 2]), st.data())
def test_any_value_can_be_replaced(tree: Any, indent: int | None, data: st.DataObject) -> None:
    text = json.dumps(tree, indent=indent)
    place = data.draw(st.sampled_from(sorted(spans(text))))
    changed = json.loads(edited(text, {place: '"changed"'}, {}))
    node, wanted = changed, tree
    for step in place:
        node = node[int(step)] if isinstance(node, list) else node[step]
        wanted = wanted[int(step)] if isinstance(wanted, list) else wanted[step]
    assert node == "changed"
    assert json.loads(edited(json.dumps(changed), {place: json.dumps(wanted)}, {})) == tree
