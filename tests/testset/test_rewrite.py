"""A change touches the lines that it must, and no other."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from testset.emit import dump
from testset.errors import DocumentError
from testset.model import Document
from testset.redaction import Redactor
from testset.rewrite import REMOVE, edit, rewrite, set_to
from testset.secrets import Vault
from testset.text import load

SETTINGS = """\
# top
command: python app.py   # how it starts
test:
    # odd indentation
    delay: 5     # seconds
    empty:
    header: {Accept: '*/*',   X: 1}   # kept
    list:
    -   a
    -   b: 1
        c: |-
              one
              two
          # a comment
    body: |
      x
      y

# end
"""


def changed_lines(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:2] not in ("--", "++", "@@")]


@pytest.mark.parametrize(
    ("place", "value", "lines"),
    [
        (
            ("command",),
            "python other.py",
            ["-command: python app.py   # how it starts", "+command: python other.py   # how it starts"],
        ),
        (
            ("command",),
            "a\nb",
            ["-command: python app.py   # how it starts", "+command: |-   # how it starts", "+  a", "+  b"],
        ),
        (("test", "delay"), 9, ["-    delay: 5     # seconds", "+    delay: 9     # seconds"]),
        (("test", "delay"), {"a": 1}, ["-    delay: 5     # seconds", "+    delay:     # seconds", "+      a: 1"]),
        (("test", "empty"), "no", ["-    empty:", "+    empty: 'no'"]),
        (
            ("test", "header", "X"),
            2,
            ["-    header: {Accept: '*/*',   X: 1}   # kept", "+    header: {Accept: '*/*',   X: 2}   # kept"],
        ),
        (
            ("test", "header", "Y"),
            "3",
            [
                "-    header: {Accept: '*/*',   X: 1}   # kept",
                "+    header: {Accept: '*/*',   X: 1, 'Y': '3'}   # kept",
            ],
        ),
        (("test", "list", 0), "z", ["-    -   a", "+    -   z"]),
        (("test", "list", 1, "c"), "one\nTWO", ["-              two", "+              TWO"]),
        (("test", "list", 1, "b"), REMOVE, ["-    -   b: 1", "-        c: |-", "+    -   c: |-"]),
        (("test", "list", 2), "c", ["+    - c"]),
        (("test", "body"), "x\ny\nz\n", ["+      z"]),
        (("test", "body"), REMOVE, ["-    body: |", "-      x", "-      y"]),
        (("test", "new", "deep"), [1, {"a": 1}], ["+    new:", "+      deep:", "+        - 1", "+        - {a: 1}"]),
        (("journal", "limit"), "1GiB", ["+journal:", "+  limit: 1GiB"]),
        (("none", "there"), REMOVE, []),
    ],
)
def test_only_the_touched_lines_change(place: tuple[Any, ...], value: Any, lines: list[str]) -> None:
    new = edit(SETTINGS, {place: value})
    assert changed_lines(SETTINGS, new) == lines
    load(new)


def test_an_empty_file_is_begun() -> None:
    assert edit("# mine\n", {("test", "delay"): 5}) == "# mine\ntest:\n  delay: 5\n"


leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab:# \n'-", max_size=8)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)
mappings = st.dictionaries(st.text("abc", min_size=1, max_size=2), trees, min_size=1, max_size=4)


@given(mappings, mappings)
def test_any_document_can_be_made_any_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    text = set_to(dump(old), new)
    assert load(text) == new, text


@given(mappings, mappings, st.sampled_from([None, False, True]), st.sampled_from([2, 4]))
def test_in_any_style_of_writing(old: dict[str, Any], new: dict[str, Any], flow: bool | None, indent: int) -> None:
    written = yaml.safe_dump(old, default_flow_style=flow, indent=indent, width=20, sort_keys=False)
    text = set_to(written, new)
    assert load(text) == new, f"{written}\n{text}"


@given(mappings)
def test_nothing_to_do_is_no_change(tree: dict[str, Any]) -> None:
    assert set_to(dump(tree), tree) == dump(tree)


def test_one_document_of_many_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "mocks.yml"
    head = "version: api.keploy.io/v1beta1\nkind:   Http\n"
    path.write_text(
        f"# Ä\n{head}name: a\nspec: {{x: 1}}\n"
        f"--- # two\n{head}name: b   # mine\nspec:\n   x: 1\n"
        f"---\n{head}name: c\nspec: {{}}\n"
    )
    before = path.read_text()
    redactor = Redactor(Vault(tmp_path / "secrets.yml", environ={"XDG_DATA_HOME": str(tmp_path)}))

    wanted = Document(kind="Http", name="b", spec={"x": 2})
    assert rewrite(path, redactor.redact(wanted)) is True
    assert path.read_text() == before.replace("   x: 1", "   x: 2")
    assert rewrite(path, redactor.redact(wanted)) is False
    with pytest.raises(DocumentError, match="no document 'd'"):
        rewrite(path, redactor.redact(Document(kind="Http", name="d", spec={})))
