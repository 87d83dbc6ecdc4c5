"""The layout of the files, and that nothing is lost in it, whatever the text."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import ruamel.yaml
import yaml
from hypothesis import given
from hypothesis import strategies as st

from testset import text
from testset.emit import dump

awkward = st.sampled_from(
    [
        " ",
        "\n",
        "\t",
        "\r",
        "\r\n",
        ":",
        ": ",
        " #",
        "#",
        "-",
        "---",
        "'",
        '"',
        "\\",
        "{",
        "[",
        ",",
        "\ufeff",
        "\x85",
        "\u2028",
        "\u202e",
        "\x00",
        "e1",
        "0x",
        "é",
        "😀",
        "?",
        "|",
        ">",
        "%",
        "&",
        "*",
        "!",
        "@",
        "`",
        "=",
        "<<",
        "~",
    ]
)
texts = st.text() | st.lists(awkward | st.text(max_size=3), max_size=8).map("".join)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
trees = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(texts, children, max_size=5),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and bool(a == b)


@given(trees)
def test_what_is_written_is_read_again(tree: Any) -> None:
    written = dump(tree)
    assert same(text.load(written), tree), written
    assert same(text.load(written.encode()), tree), written


@given(trees)
def test_both_halves_of_pyyaml_read_the_same(tree: Any) -> None:
    written = dump(tree)
    assert same(text._PythonLoader(written).get_single_data(), tree), written


@given(st.lists(texts, max_size=4) | st.dictionaries(texts, texts, max_size=4))
def test_a_string_is_a_string_to_yaml_1_1_and_1_2(tree: Any) -> None:
    written = dump(tree)
    assert yaml.safe_load(written) == tree, written
    assert ruamel.yaml.YAML(typ="safe", pure=True).load(io.StringIO(written)) == tree, written


@pytest.mark.parametrize(
    "value",
    [
        "9448e1",
        "0x1f",
        "0o17",
        "0b1",
        "1_000",
        "012",
        "1.5",
        ".5",
        "1.",
        "1e3",
        "+1",
        "-1",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "true",
        "null",
        "~",
        "12:30:45",
        "190:20:30.15",
        "2025-09-04",
        "2025-09-04T11:30:48.753Z",
        ".inf",
        ".NaN",
        "nan",
        "=",
        "<<",
    ],
)
def test_what_looks_like_another_type_is_quoted(value: str) -> None:
    assert dump({"a": value, "b": [value]}) == f"a: '{value}'\nb: ['{value}']\n"


@pytest.mark.parametrize(
    "value",
    [
        "11111111-1111-4111-8111-111111111111",
        "http://localhost:8080/a?b=1&c=2",
        "/var/run",
        "application/json",
        "SELECT 1",
        "Zürich",
        "5.7.33-log",
        "text/html; charset=utf-8",
    ],
)
def test_what_no_reader_could_mistake_is_not_quoted(value: str) -> None:
    assert dump({"a": value}) == f"a: {value}\n"


def test_a_document_reads_well() -> None:
    tree = {
        "version": "api.keploy.io/v1beta1",
        "kind": "MySQL",
        "name": "test-2.1",
        "spec": {
            "metadata": {"type": "mocks", "requestOperation": "COM_QUERY", "server": "mysql-orders/order_db"},
            "requests": [{"message": {"query": "SELECT product_id, price\nFROM order_items"}}],
            "responses": [
                {
                    "message": {
                        "columns": [
                            {"name": "product_id", "type": "VAR_STRING", "flags": ["NOT_NULL"]},
                            {"name": "price", "type": "NEWDECIMAL", "length": 12},
                        ],
                        "rows": [["11111111-1111-4111-8111-111111111111", "1200.00"], ["a\nb", None]],
                    }
                }
            ],
            "header": {"Content-Type": "application/json", "Accept": "*/*"},
            "body": '{"id": 1}\n',
            "noise": {"header.Date": []},
        },
    }
    assert dump(tree) == (
        "version: api.keploy.io/v1beta1\n"
        "kind: MySQL\n"
        "name: test-2.1\n"
        "spec:\n"
        "  metadata: {type: mocks, requestOperation: COM_QUERY, server: mysql-orders/order_db}\n"
        "  requests:\n"
        "    - message:\n"
        "        query: |-\n"
        "          SELECT product_id, price\n"
        "          FROM order_items\n"
        "  responses:\n"
        "    - message:\n"
        "        columns:\n"
        "          - {name: product_id, type: VAR_STRING, flags: [NOT_NULL]}\n"
        "          - {name: price, type: NEWDECIMAL, length: 12}\n"
        "        rows:\n"
        "          - [11111111-1111-4111-8111-111111111111, '1200.00']\n"
        "          -\n"
        "            - |-\n"
        "              a\n"
        "              b\n"
        "            - null\n"
        "  header:\n"
        "    Content-Type: application/json\n"
        "    Accept: '*/*'\n"
        "  body: |\n"
        '    {"id": 1}\n'
        "  noise:\n"
        "    header.Date: []\n"
    )


def test_lines_that_a_block_cannot_hold_are_still_lines() -> None:
    assert dump({"sql": "SELECT a \n  FROM b\r\n\nLIMIT 1\n"}) == (
        'sql: "SELECT a \\n\\\n  \\  FROM b\\r\\n\\\n  \\n\\\n  LIMIT 1\\n"\n'
    )


def test_a_very_long_key_is_found_again() -> None:
    tree = {"k" * 5000: {"a": [1, {"b": 2}]}, "x": 1}
    assert text.load(dump(tree)) == tree
