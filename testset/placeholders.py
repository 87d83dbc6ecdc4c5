"""`{{secret "jwt-1"}}`: how a sealed value is written in a document, and how a text that looks like one is told apart.

A recorded text may hold `{{secret "x"}}` itself (a page about rr, a template). Where it does, its `{{` is written as
`{{"{{"}}`, so that nothing but rr's own placeholders is ever replaced at replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_ESCAPED_BRACES = '{{"{{"}}'
_LOOKS_LIKE_OURS = re.compile(r'\{\{(?=secret "|"\{\{"\}\})')
_OURS = re.compile(r'\{\{"\{\{"\}\}|\{\{secret "([a-z0-9]+(?:-[a-z0-9]+)*)"\}\}')
_IN_YAML = re.compile(r'\{\{secret \\?"([a-z0-9]+(?:-[a-z0-9]+)*)\\?"\}\}')
_ANY = re.compile(r'(\{\{"\{\{"\}\}|\{\{(?:secret|redacted) "[a-z0-9\-]+"\}\})')
LONGEST = 120  # characters of the longest placeholder: a reader in pieces keeps so much back


def placeholder(name: str) -> str:
    return f'{{{{secret "{name}"}}}}'


def nothing_kept(kind: str) -> str:
    """Stands for a value that was not kept, because no replay needs it: it is never replaced again."""
    return f'{{{{redacted "{kind}"}}}}'


def escape(text: str) -> str:
    return _LOOKS_LIKE_OURS.sub(lambda _: _ESCAPED_BRACES, text) if "{{" in text else text


def replace(text: str, value: Callable[[str], str]) -> str:
    """The text as it was before redaction; `value` knows what a name stands for."""
    if "{{" not in text:
        return text
    return _OURS.sub(lambda match: "{{" if match[1] is None else value(match[1]), text)


def is_any_in(text: str) -> bool:
    """Whether a stored text says anything but what was recorded."""
    return "{{" in text and _OURS.search(text) is not None


def replace_some(text: str, value: Callable[[str], str | None]) -> str:
    """A stored text with values in the place of some placeholders; it stays a stored text."""

    def put(match: re.Match[str]) -> str:
        now = None if match[1] is None else value(match[1])
        return match[0] if now is None else escape(now)

    return _OURS.sub(put, text) if "{{" in text else text


def in_tree(tree: Any, change: Callable[[str], str]) -> Any:
    """A tree with all its texts changed; what stays as it is is not copied."""
    if isinstance(tree, str):
        return change(tree)
    if isinstance(tree, Mapping):
        changed = {key: in_tree(member, change) for key, member in tree.items()}
        return changed if any(changed[key] is not member for key, member in tree.items()) else tree
    if isinstance(tree, (list, tuple)):
        items = [in_tree(item, change) for item in tree]
        return items if any(new is not old for new, old in zip(items, tree, strict=True)) else tree
    return tree


def names_in(tree: Any) -> set[str]:
    """The names of the placeholders in all texts of a tree."""
    found: set[str] = set()

    def look(text: str) -> str:
        found.update(names(text))
        return text

    in_tree(tree, look)
    return found


def safe_cut(text: str) -> int:
    """Where a text that goes on may be cut, so that no placeholder is."""
    cut = max(0, len(text) - LONGEST)
    for match in _OURS.finditer(text, max(0, cut - LONGEST)):
        if match.start() < cut < match.end():
            return match.end()
    return cut


def spans(text: str, start: int) -> list[tuple[int, int]]:
    """Where rr's placeholders are from `start` on."""
    return [match.span() for match in _ANY.finditer(text, start)]


def names(text: str) -> Iterator[str]:
    """The names of the placeholders in a text, with repetitions."""
    if "{{" in text:
        for match in _OURS.finditer(text):
            if match[1] is not None:
                yield match[1]


def set_aside(text: str) -> tuple[str, str, list[str]]:
    """A stored text with one character, which it does not hold, for each of rr's placeholders: (text, the character,
    the placeholders). So it can be searched as if they were not there; `put_back` undoes it."""
    if "{{" not in text:
        return text, "", []
    stand_in = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)  # of no meaning in Unicode
    found: list[str] = _ANY.findall(text)
    return _ANY.sub(stand_in, text), stand_in, found


def put_back(text: str, stand_in: str, found: list[str]) -> str:
    if not found:
        return text
    parts = text.split(stand_in)
    return "".join(part for pair in zip(parts, [*found, ""], strict=True) for part in pair)


def names_in_yaml(text: str) -> Iterator[tuple[str, int]]:
    """The names of the placeholders in a YAML file, quoted in whichever way, and where they stand."""
    if "{{" in text:
        for match in _IN_YAML.finditer(text):
            yield match[1], match.start()
