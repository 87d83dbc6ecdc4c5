"""What the values in an SQL statement are called: `password = 'x'`, `INSERT INTO users (password) VALUES (?)`.

No parser: names are told from the tokens next to a value. That is enough to find secrets, and knows every dialect. A
character set in front of a text (`_binary'x'`) is not its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?:_[a-zA-Z]\w*\s*|[nNxX])?(?P<string>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<name>`[^`]*`|[^\W\d][\w$]*)|(?P<mark>\?|%s|\$\d+|:\w+)"
    r"|(?P<number>\d+(?![\w.]))"
    r"|(?P<sign>[(),=;.]|<=>|<>|!=|[<>]=?)|--[^\n]*|/\*.*?\*/|\S",
    re.S,
)
_COMPARING = frozenset(["=", "<=>", "<>", "!=", "like", ":=", "in"])
_LOGIN = re.compile(  # of a statement about users
    r"\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)|set\s+password(?:\s+for\s+\S+)?\s*=)\s*'((?:[^'\\]|\\.|'')+)'", re.I
)


class _Value(NamedTuple):
    name: str | None
    start: int
    end: int
    sort: str  # "string", "number", "mark"


def named_literals(query: str) -> Iterator[tuple[str, int, int]]:
    """The texts in a statement that have a name: (name, start, end), quotes aside."""
    for value in _values(query):
        if value.name is not None and value.sort == "string":
            yield value.name, value.start + 1, value.end - 1
    for match in _LOGIN.finditer(query):
        yield "password", *match.span(1)


def named_numbers(query: str) -> Iterator[tuple[str, int, int]]:
    """The same for whole numbers."""
    for value in _values(query):
        if value.name is not None and value.sort == "number":
            yield value.name, value.start, value.end


def names_of_parameters(query: str) -> list[str | None]:
    """The name of each `?`, in order; None where it has none."""
    return [value.name for value in _values(query) if value.sort == "mark"]


def _values(query: str) -> Iterator[_Value]:
    columns: list[str] = []  # of an INSERT
    inserting = in_columns = in_values = False
    position = 0
    name = comparing = held = None
    around: list[str | None] = []  # by open parenthesis: what the values in it are compared with, or given to
    for match in _TOKEN.finditer(query):
        token = match.group()
        word = token.lower()
        if match["name"]:
            if word in ("insert", "replace"):
                inserting, columns = True, []
            elif inserting and word in ("values", "value") and not around:
                in_values = True
            elif word in ("on", "select", "set") and not around:
                in_values = in_columns = inserting = False
            if in_columns and len(around) == 1:
                columns.append(token.strip("`"))
            if word in _COMPARING:
                comparing = name
            else:
                name, held, comparing = token.strip("`"), comparing, None
        elif match["sign"]:
            if token == "(":  # of a function, or a list: SHA2('x', 256), IN ('x', 'y'), PASSWORD('x')
                opens = comparing or held or (name if name is not None and name.lower() == "password" else None)
                around.append(opens if not (inserting and len(around) == 0) else None)
                in_columns = inserting and not in_values and len(around) == 1 and not columns
                position = 0 if len(around) == 1 else position
                comparing, held = around[-1], None
                continue
            if token == ")":
                if around:
                    around.pop()
                in_columns = False
            elif token == "," and len(around) == 1:
                position += 1
            held = None
            comparing = name if token in _COMPARING else around[-1] if token == "," and around else None
        elif match["string"] or match["mark"] or match["number"]:
            sort = match.lastgroup or ""
            label = dict(enumerate(columns)).get(position) if in_values and around else comparing
            if sort == "number" and (len(around) > 1 if in_values else comparing is not name):
                label = None  # of a function: how many, how long
            yield _Value(label, match.start(sort), match.end(sort), sort)
            comparing = None
