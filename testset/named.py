"""`{{name}}`: a value that a person has given a name in a test case, because no rule can follow it by itself.

What it was at the recording stands in the set's `config.yml` under `template`: the text that is put in place of the
name. Keploy's spellings (`{{.name}}`, `{{string .name}}`) are read. A set without a `template` has no names: there
`{{title}}` is text that was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from testset.model import Document
from testset.placeholders import in_tree

Recorded = str | int | float
_NAMED = re.compile(r"\{\{ *(?:(?:string|int|float) +)?\.?([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_STANDS_IN_A_URL = ":@!$'()*,;=+"
_PARTS = {"req": ("url", "target", "header", "body", "form"), "resp": ("header", "body")}
_IN_A_URL = frozenset(("url", "target"))


def named(name: str) -> str:
    return f"{{{{{name}}}}}"


def names_in(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of each."""
    if "{{" in text:
        for match in _NAMED.finditer(text):
            yield match[1], *match.span()


def names_of(spec: Mapping[str, Any], *parts: str) -> list[str]:
    """The names that a test case uses, in its order; in `parts` (`req`, `resp`) of it only, if any are said."""
    found: list[str] = []

    def look(text: str, in_url: bool) -> str:
        found.extend(name for name, _, _ in names_in(text))
        return text

    _each({part: spec.get(part) for part in parts} if parts else spec, look)
    return list(dict.fromkeys(found))


def rendered(spec: Mapping[str, Any], values: Mapping[str, Recorded]) -> Mapping[str, Any]:
    """A test case with values in the place of its names. Raises `KeyError` for a name that has none."""

    def put(text: str, in_url: bool) -> str:
        def value(match: re.Match[str]) -> str:
            now = str(values[match[1]])
            return quote(now, safe=_STANDS_IN_A_URL) if in_url and "{{" not in now else now

        return _NAMED.sub(value, text) if "{{" in text else text

    return _each(spec, put)


def line_of(document: Document, name: str) -> int | None:
    """Where a name stands first in its file."""
    if document.path is None:
        return document.line
    text = document.path.read_text("utf-8")
    return next((text.count("\n", 0, at) + 1 for one, at, _ in names_in(text) if one == name), document.line)


def _each(spec: Mapping[str, Any], change: Callable[..., str]) -> Mapping[str, Any]:
    """The test case with each text changed that may hold names."""
    changed: dict[str, Any] = {}
    for part, keys in _PARTS.items():
        message = spec.get(part)
        if not isinstance(message, Mapping):
            continue
        for key in keys:
            if key in message:
                new = in_tree(message[key], partial(change, in_url=key in _IN_A_URL))
                if new is not message[key]:
                    changed[part] = {**changed.get(part, message), key: new}
    return {**spec, **changed} if changed else spec
