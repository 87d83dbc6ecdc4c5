"""What the values in an SQL statement are called: `password = 'x'`, `INSERT INTO users (password) VALUES (?)`; and what
its result columns are made of.

No parser: names are told from the tokens next to a value. That is enough to find secrets, and knows every dialect. A
character set in front of a text (`_binary'x'`) is not its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"(?:_[a-zA-Z]\w*\s*|[nNxX])?(?P<string>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<name>`[^`]*`|[^\W\d][\w$]*)|(?P<mark>\?|%s|\$\d+|:\w+)"
    r"|(?P<number>\d+(?![\w.]))"
    r"|(?P<sign>[(),=;.]|<=>|<>|!=|[<>]=?)|--[^\n]*|/\*.*?\*/|\S",
    re.S,
)
_COMPARING = frozenset(["=", "<=>", "<>", "!=", "like", ":=", "in", "regexp", "rlike"])
_BETWEEN = frozenset(["not", "binary"])  # a name and its value: token NOT IN ('x'), token = BINARY 'x'
_CIPHERS = frozenset(["aes_encrypt", "aes_decrypt", "des_encrypt", "des_decrypt", "encode", "decode", "hmac"])
_JSON_PAIRS = frozenset(["json_object"])  # name, value, name, value
_JSON_PATHS = frozenset(["json_set", "json_insert", "json_replace", "json_array_append", "json_array_insert"])
_LAST_OF_PATH = re.compile(r"[\w\- ]+(?=\W*\Z)")
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


@dataclass(slots=True)
class _Open:
    """An open parenthesis: of a function, of a list, of an expression."""

    label: str | None  # what the values in it are compared with, or given to
    function: str
    argument: int = 0
    text: str = ""  # the last there was

    def own_label(self) -> str | None:
        """What a function calls its argument."""
        if self.function in _CIPHERS and self.argument == 1:
            return "secret_key"
        is_pair = self.function in _JSON_PAIRS and self.argument % 2 == 1
        if is_pair or (self.function in _JSON_PATHS and self.argument % 2 == 0 and self.argument > 0):
            name = _LAST_OF_PATH.search(self.text)
            return name[0] if name else None
        return None


def _values(query: str) -> Iterator[_Value]:
    columns: list[str] = []  # of an INSERT
    inserting = in_columns = in_values = False
    position = 0
    name = comparing = held = None
    after_name = False
    around: list[_Open] = []
    for match in _TOKEN.finditer(query):
        token = match.group()
        word = token.lower()
        was_after_name, after_name = after_name, match["name"] is not None
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
            elif word not in _BETWEEN:
                name, held, comparing = token.strip("`"), comparing, None
        elif match["sign"]:
            if token == "(":  # of a function, or a list: SHA2('x', 256), IN ('x', 'y'), PASSWORD('x')
                opens = comparing or held or (name if name is not None and name.lower() == "password" else None)
                function = name.lower() if was_after_name and name is not None else ""
                around.append(_Open(opens if not (inserting and len(around) == 0) else None, function))
                in_columns = inserting and not in_values and len(around) == 1 and not columns
                position = 0 if len(around) == 1 else position
                comparing, held = around[-1].label, None
                continue
            if token == ")":
                if around:
                    around.pop()
                in_columns = False
            elif token == "," and around:
                around[-1].argument += 1
                position += len(around) == 1
            held = None
            comparing = name if token in _COMPARING else around[-1].label if token == "," and around else None
        elif match["string"] or match["mark"] or match["number"]:
            sort = match.lastgroup or ""
            label = dict(enumerate(columns)).get(position) if in_values and around else comparing
            if sort == "number" and (len(around) > 1 if in_values else comparing is not name):
                label = None  # of a function: how many, how long
            label = (around[-1].own_label() if around else None) or label
            if around and sort == "string":
                around[-1].text = match["string"][1:-1]
            yield _Value(label, match.start(sort), match.end(sort), sort)
            comparing = None


def names_of_columns(query: str) -> Iterator[tuple[str, list[str]]]:
    """Of each result column that is computed: what it is called, and the names in what it is made of. `AS` a name is
    what it is called by; what has none is called as it is written, which says it all."""
    depth, selecting = 0, False
    names: list[str] = []
    computed = False
    for match in _TOKEN.finditer(query):
        token = match.group()
        word = token.lower()
        if depth == 0 and (word in ("select", "from", "union") or token in (",", ";")):
            if selecting and computed and len(names) > 1:
                yield names[-1], names[:-1]
            names, computed = [], False
            selecting = word == "select" or (selecting and token == ",")
        elif token in ("(", ")"):
            depth += 1 if token == "(" else -1
            computed = True
        elif match["name"]:
            names.append(token.strip("`"))
        elif match["string"] or match["mark"]:
            computed = True
    if selecting and computed and len(names) > 1:
        yield names[-1], names[:-1]


def names_in(query: str) -> Iterator[str]:
    """All names in a statement, of whatever."""
    for match in _TOKEN.finditer(query):
        if match["name"]:
            yield match.group().strip("`")
