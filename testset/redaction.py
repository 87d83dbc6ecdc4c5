"""Takes the secrets out of a document. What comes out, a `RedactedDocument`, is all that the store will write.

A document is a tree of plain values, and is understood only as far as this needs: mappings named `header` hold headers,
`columns` give names to the values in `rows`, a mapping with a name and a value is a pair, any text may be JSON, a form,
a URL, SQL. A secret that was found once is found again wherever it appears, whatever is around it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testset import placeholders
from testset.known import Known
from testset.model import Document
from testset.secret_names import may_be_number
from testset.secret_rules import LONGEST, Finder, Found, Replacement, Rules, without_overlaps
from testset.secrets import Vault
from testset.sql_names import named_literals, named_numbers, names_in, names_of_columns, names_of_parameters

_CONSTRUCTION = object()
_HEADER_MAPS = frozenset(["header", "headers", "trailer", "trailers", "ordinary_headers"])
_NOT_BY_NAME = frozenset(["assertions", "rr"])  # rr's own words about the document: names there name places
_ONLY_SIGNS = frozenset(["signature", "aws-key", "aws-session-token"])
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{20,}={0,2}\s*\Z")
_BASE64_VALUE = re.compile(r'"([A-Za-z0-9+/]{24,}={0,2})\\*"')  # of JSON
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_HEXADECIMAL = re.compile(r"\W?[xX]'")  # what stands before the digits
_BASE64_LIMIT = 1024 * 1024  # decoded bytes
_WRONG_VALUE = re.compile(r"[Ii]ncorrect [^'\r\n]{1,40} value: '(?P<value>.{1,8192}?)'(?= for |\Z)", re.S)

_TEXT = bytes({9, 10, 12, 13, *range(32, 127), *range(0xA0, 0x100)})


@dataclass(frozen=True, slots=True)
class RedactedDocument:
    """A document without secrets. Only a `Redactor` makes one."""

    document: Document
    _made_by: object

    def __post_init__(self) -> None:
        if self._made_by is not _CONSTRUCTION:
            raise TypeError("a RedactedDocument is made by Redactor.redact, and by nothing else")


class Redactor:
    """Replaces secrets by placeholders, and seals them in the vault."""

    def __init__(self, vault: Vault, rules: Rules | None = None) -> None:
        self.vault = vault
        self._rules = rules if rules is not None else Rules()
        self._finder = Finder(self._rules)
        self._known = Known(vault, self._finder.is_exempt)
        self.learned = 0  # values that were not known before they were sealed here

    def redact(self, document: Document, *, outbound: bool = False, stored: bool = False) -> RedactedDocument:
        """`outbound`: the app sent this, so what only signs a request need not be kept. `stored`: the document was read
        from the store, and its placeholders are rr's own."""
        walk = _Walk(self, self._seal_outbound if outbound else self._seal, stored=stored)
        spec = walk.tree(document.spec, None)
        extra = walk.tree(document.extra, None)
        return RedactedDocument(replace(document, spec=spec, extra=extra), _CONSTRUCTION)

    def reveal(self, document: Document, values: Mapping[str, str]) -> RedactedDocument:
        """A stored document with values in the place of their placeholders: these are no secrets after all."""

        def change(text: str) -> str:
            return placeholders.replace_some(text, values.get)

        spec = placeholders.in_tree(document.spec, change)
        extra = placeholders.in_tree(document.extra, change)
        return RedactedDocument(replace(document, spec=spec, extra=extra), _CONSTRUCTION)

    def look(self, tree: Any, note: Callable[[str, str], None]) -> None:
        """Tells `note` each secret in the tree of a document that is not redacted (value, kind); nothing is sealed."""

        def put(value: str, kind: str) -> str:
            note(value, kind)
            return ""

        _Walk(self, put, stored=False).tree(tree, None)

    def redact_text(self, text: str) -> str:
        """For a report or a log, which is never replayed: nothing is sealed, and what is sealed stays as it stands."""
        return _stored(text, self._spans_of_report, self._mask)

    def redact_command(self, command: str) -> str:
        """A shell's command line, for a file: its secrets are sealed like those of a document."""
        return _put(command, self._in_command(command), self._seal, escape=True)

    def mask_command(self, command: str) -> str:
        """The same for the screen: nothing is sealed."""
        return _stored(command, self._in_command, self._mask)

    def expect(self, environment: Mapping[str, str], command: str = "") -> None:
        """What is secret in the app's environment and on its command line is a secret wherever it appears."""
        if self._rules.enabled:
            for value, kind in self._finder.of_environment(environment):
                self._known.expect(value, kind)
            for one in self._in_command(command):
                self._known.expect(command[one.start : one.end], one.kind)

    def is_clear(self, text: str) -> bool:
        """Whether no secret that is known by now stands in a stored text: one that was written before it was known."""
        if not self._rules.enabled:
            return True
        text, stand_in, before = placeholders.set_aside(text)
        return not [one for one in self._known.find(text) if not before or stand_in not in text[one.start : one.end]]

    def redact_stored(self, text: str) -> str:
        """A stored text in which what is known by now to be a secret is sealed: of a side file."""
        return _stored(text, self._known.find, self._seal) if self._rules.enabled else text

    def uncut(self, pieces: Iterable[str]) -> Iterator[str]:
        """The pieces of a stored text, cut anew where neither a placeholder is nor what is known by now."""
        rest = ""
        for piece in pieces:
            rest += piece
            cut = len(rest) - LONGEST
            if cut > LONGEST:
                near = cut - LONGEST
                spans = [(one.start, one.end) for one in self._known.find(rest, near)]
                spans += placeholders.spans(rest, near)
                while crossed := [start for start, end in spans if start < cut < end]:
                    cut = min(crossed)
                yield rest[:cut]
                rest = rest[cut:]
        yield rest

    def stream(self) -> RedactingStream:
        """For a body too large for memory."""
        return RedactingStream(self)

    def _seal(self, value: str, kind: str) -> str:
        placeholder = self.vault.seal(value, kind)
        self.learned += self._known.add(value, kind)
        return placeholder

    def _seal_outbound(self, value: str, kind: str) -> str:
        return placeholders.nothing_kept(kind) if kind in _ONLY_SIGNS else self._seal(value, kind)

    def _mask(self, value: str, kind: str) -> str:
        name = self.vault.values().get(value)
        return placeholders.placeholder(name) if name else placeholders.nothing_kept(kind)

    def _spans(self, text: str, start: int = 0) -> list[Found]:
        if not self._rules.enabled:
            return []
        found = self._finder.find(text, start) if self._finder.may_hold(text) else []
        for match in _BASE64_VALUE.finditer(text, start):
            if self._hides_secret(match[1]):
                found = _merge(found, [Found(*match.span(1), "base64")])
        known = self._known.find(text, start)
        return _merge(found, known) if known else found

    def _spans_of_report(self, text: str) -> list[Found]:
        """As `_spans`, and whatever is in base64 anywhere."""
        found = self._spans(text)
        hidden = [
            Found(*match.span(), "base64")
            for match in _BASE64_RUN.finditer(text if self._rules.enabled else "")
            if self._hides_secret(match[0] + "=" * (-len(match[0]) % 4))
        ]
        return _merge(found, hidden) if hidden else found

    def _hides_secret(self, text: str) -> bool:
        """Whether a secret is in what a text says in base64."""
        if len(text) > _BASE64_LIMIT * 4 // 3:
            return False
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return False
        return bool(self._spans_of_body(data.decode("latin-1"), 0))

    def _spans_of_body(self, text: str, start: int) -> list[Found]:
        """As `_spans`, but quick for images, archives and the like."""
        if _is_binary(text) and not self._finder.may_hold_shape(text):
            return self._known.find(text, start)
        return self._spans(text, start)

    def _in_command(self, command: str) -> list[Found]:
        return self._finder.find_in_command(command) if self._rules.enabled else []


def _is_binary(text: str) -> bool:
    """Whether a piece of a body (Latin-1) is no text in any encoding that a secret would be read in."""
    piece = text[: 4 << 10].encode("latin-1", "replace")
    return len(piece.translate(None, _TEXT)) > len(piece) // 10


def _merge(found: list[Found], known: list[Found]) -> list[Found]:
    """Both, in order; where they overlap, what begins first and reaches furthest."""
    return without_overlaps([*found, *known])


def _put(text: str, found: Iterable[Found], put: Replacement, *, escape: bool) -> str:
    parts: list[str] = []
    position = 0
    for one in found:
        between = text[position : one.start]
        parts.append(placeholders.escape(between) if escape else between)
        parts.append(put(text[one.start : one.end], one.kind))
        position = one.end
    if not parts:
        return placeholders.escape(text) if escape else text
    rest = text[position:]
    parts.append(placeholders.escape(rest) if escape else rest)
    return "".join(parts)


def _stored(text: str, find: Callable[[str], list[Found]], put: Replacement) -> str:
    """A stored text with what else is found in it replaced. What holds a placeholder is sealed already."""
    text, stand_in, before = placeholders.set_aside(text)
    found = [one for one in find(text) if not before or stand_in not in text[one.start : one.end]]
    return placeholders.put_back(_put(text, without_overlaps(found), put, escape=False), stand_in, before)


class _Walk:
    """One pass over one document's tree; what does not change is not copied."""

    def __init__(self, redactor: Redactor, put: Replacement, *, stored: bool) -> None:
        self._redactor = redactor
        self._finder = redactor._finder
        self._enabled = redactor._rules.enabled
        self._put = put
        self._stored = stored
        self._names = True
        self._computed: dict[str, str] = {}  # result columns of the statement that are made of secrets: their kinds
        self._speaks_of: str | None = None  # the kind of a column that the statement names

    def tree(self, tree: Any, kind: str | None) -> Any:
        """`kind`: what a value here is by its name, if it is a secret."""
        if isinstance(tree, str):
            return self._text(tree, kind)
        if isinstance(tree, Mapping):
            return self._mapping(tree)
        if isinstance(tree, (list, tuple)):
            items = [self.tree(item, kind) for item in tree]
            return items if any(new is not old for new, old in zip(items, tree, strict=True)) else tree
        if isinstance(tree, bytes):
            return self._bytes(tree, kind)
        return tree

    def _bytes(self, data: bytes, kind: str | None) -> Any:
        """What is no text is sealed whole: a piece of it might be the middle of anything."""
        if not self._enabled:
            return data
        if kind is None:
            if len(data) > _BASE64_LIMIT or not self._redactor._spans_of_body(data.decode("latin-1"), 0):
                return data
            kind = "base64"
        return {"base64": self._put(base64.b64encode(data).decode(), kind)}

    def _cell(self, value: Any, kind: str | None) -> Any:
        """Text or bytes of a row or a parameter. Bytes that are text are sealed as text: a server reads them alike."""
        if not isinstance(value, bytes):
            return self.tree(value, kind)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return self._bytes(value, kind)
        return self._text(text, kind) if self._in_text(text, kind) else value

    def _result(self, value: Any, kind: str | None) -> Any:
        """A value of a row, or a parameter. A number may be a secret too."""
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and kind is not None and self._enabled and may_be_number(kind):
            return {"number": self._put(repr(value), kind)}
        return self._cell(value, kind)

    def _text(self, text: str, kind: str | None) -> str:
        return self._replaced(text, lambda part: self._in_text(part, kind))

    def _in_text(self, text: str, kind: str | None) -> list[Found]:
        if kind is not None and self._enabled and not self._finder.is_exempt(text):
            return [self._finder.whole(text, kind)]
        found = self._redactor._spans(text)
        if not found and self._enabled and _BASE64.match(text) and self._redactor._hides_secret(text):
            return [Found(0, len(text), "base64")]
        return found

    def _replaced(self, text: str, find: Callable[[str], list[Found]]) -> str:
        return _stored(text, find, self._put) if self._stored else _put(text, find(text), self._put, escape=True)

    def _mapping(self, tree: Mapping[Any, Any]) -> Mapping[Any, Any]:
        by_name = self._enabled and self._names
        changed: dict[Any, Any] = {}
        for key, value in tree.items():
            if by_name and key in _HEADER_MAPS and isinstance(value, Mapping):
                new: Any = self._headers(value)
            elif key in _NOT_BY_NAME:
                before, self._names = self._names, False
                new = self.tree(value, None)
                self._names = before
            else:
                new = self.tree(value, self._finder.names.kind(key) if by_name and isinstance(key, str) else None)
            if new is not value:
                changed[key] = new
        if by_name:
            self._pair(tree, changed)
            self._rows(tree, changed)
            self._sql(tree, changed)
            self._refusal(tree, changed)
        return {**tree, **changed} if changed else tree

    def _headers(self, headers: Mapping[Any, Any]) -> Mapping[Any, Any]:
        changed = {}
        for name, value in headers.items():
            kind = self._finder.names.kind_of_header(name) if isinstance(name, str) else None
            if isinstance(value, str):
                new: Any = self._header(kind, value)
            elif isinstance(value, (list, tuple)):
                new = [self._header(kind, item) if isinstance(item, str) else self.tree(item, None) for item in value]
                new = value if new == list(value) else new
            else:
                new = self.tree(value, None)
            if new is not value:
                changed[name] = new
        return {**headers, **changed} if changed else headers

    def _header(self, kind: str | None, value: str) -> str:
        if kind is None:
            return self._text(value, None)
        return self._replaced(
            value, lambda part: _merge(self._finder.find_in_header(kind, part), self._redactor._spans(part))
        )

    def _pair(self, tree: Mapping[Any, Any], changed: dict[Any, Any]) -> None:
        """`{name: password, value: x}`, `{key: password, values: [x]}`."""
        name = tree.get("name", tree.get("key"))
        if isinstance(name, str):
            kind = self._finder.names.kind(name)
            if kind is not None:
                for key in ("value", "values"):
                    if key in tree:
                        changed[key] = self.tree(tree[key], kind)

    def _rows(self, tree: Mapping[Any, Any], changed: dict[Any, Any]) -> None:
        """A result set: the columns say what the values in the rows are called."""
        columns, rows = tree.get("columns"), tree.get("rows")
        if not isinstance(columns, (list, tuple)) or not isinstance(rows, (list, tuple)):
            return
        kinds: dict[int, str] = {}
        for index, column in enumerate(columns):
            names = [column.get("name"), column.get("org_name")] if isinstance(column, Mapping) else [column]
            for name in names:  # SELECT password AS p
                kind = self._finder.names.kind(name) if isinstance(name, str) else None
                if kind is not None:
                    kinds[index] = kind
        computed = {
            index: self._computed[str(column["name"])]
            for index, column in enumerate(columns)
            if isinstance(column, Mapping) and not column.get("table") and str(column.get("name")) in self._computed
        }
        if kinds or computed:
            changed["rows"] = [
                [
                    self._cell(value, computed[index]) if index in computed else self._result(value, kinds.get(index))
                    for index, value in enumerate(row)
                ]
                if isinstance(row, (list, tuple))
                else self.tree(row, None)
                for row in rows
            ]

    def _sql(self, tree: Mapping[Any, Any], changed: dict[Any, Any]) -> None:
        """`INSERT INTO users (password) VALUES (?)`: the statement says what the parameters are called."""
        query, parameters = tree.get("query"), tree.get("parameters")
        if not isinstance(query, str) or not self._finder.may_hold(query):
            return
        self._listen(query)
        new = self._replaced(
            self._unmarked(query), lambda part: _merge(self._redactor._spans(part), self._in_statement(part))
        )
        if new != query:
            changed["query"] = new
        if isinstance(parameters, (list, tuple)) and parameters:
            kinds = [self._finder.names.kind(name) if name else None for name in names_of_parameters(query)]
            if any(kinds):
                kinds += [None] * (len(parameters) - len(kinds))
                changed["parameters"] = [
                    self._parameter(value, kind) for value, kind in zip(parameters, kinds, strict=False)
                ]

    def _listen(self, query: str) -> None:
        """What a statement says of its answer, which comes after it."""
        self._speaks_of = self._secret_among(names_in(query))
        self._computed = {
            name: kind for name, parts in names_of_columns(query) if (kind := self._secret_among(parts)) is not None
        }

    def _secret_among(self, names: Iterable[str]) -> str | None:
        return next((kind for name in names if (kind := self._finder.names.kind(name)) is not None), None)

    def _refusal(self, tree: Mapping[Any, Any], changed: dict[Any, Any]) -> None:
        """`UPDATE users SET age = password`: the server says which password is no number."""
        message, kind = tree.get("error_message"), self._speaks_of
        if isinstance(message, str) and kind is not None:

            def wrong(part: str) -> list[Found]:
                found = [Found(*match.span("value"), kind) for match in _WRONG_VALUE.finditer(part)]
                return _merge(self._redactor._spans(part), found)

            new = self._replaced(message, wrong)
            if new != message:
                changed["error_message"] = new

    def _unmarked(self, query: str) -> str:
        """`password = 'ff'` for `password = x'ff'`: what is sealed is no hexadecimal number any more."""
        for one in reversed(self._in_statement(query)):
            if _HEXADECIMAL.fullmatch(query[max(0, one.start - 3) : one.start]):
                query = query[: one.start - 2] + query[one.start - 1 :]
        return query

    def _in_statement(self, query: str) -> list[Found]:
        found = [Found(start, end, self._finder.names.kind(name) or "") for name, start, end in named_literals(query)]
        for name, start, end in named_numbers(query):
            if end - start > 2:  # a smaller one is a flag or a count
                found.append(Found(start, end, self._finder.names.kind_of_number(name) or ""))
        return [one for one in found if one.kind and not self._finder.is_exempt(query[one.start : one.end])]

    def _parameter(self, value: Any, kind: str | None) -> Any:
        if isinstance(value, Mapping) and "value" in value:
            return {**value, "value": self.tree(value["value"], kind)}
        if isinstance(value, int) and -100 < value < 100:  # a flag or a count
            return value
        return self._result(value, kind)


class RedactingStream:
    """Redacts a body piece by piece. It holds back as much as the longest secret that it could be in the middle of."""

    _CONTEXT = 256  # characters that are out already, and that a rule may look back at

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._text = ""  # Latin-1: one character a byte, so every byte comes out as it was
        self._done = 0  # characters of it that are out

    def feed(self, data: bytes) -> bytes:
        self._text += data.decode("latin-1")
        if len(self._text) - self._done < 2 * LONGEST:
            return b""
        return self._out(len(self._text) - LONGEST)

    def finish(self) -> bytes:
        return self._out(len(self._text))

    def _out(self, limit: int) -> bytes:
        parts: list[str] = []
        text, position = self._text, self._done
        for one in self._redactor._spans_of_body(text, position):
            if one.end > limit:
                limit = min(limit, one.start)
                break
            parts.append(placeholders.escape(text[position : one.start]))
            parts.append(self._redactor._seal(text[one.start : one.end], one.kind))
            position = one.end
        if limit < len(text):  # never between the braces of what looks like a placeholder
            cut = text.rfind("{{", max(position, limit - placeholders.LONGEST), limit)
            limit = cut if cut >= position else limit
            while limit > position and text[limit - 1] == "{":
                limit -= 1
        parts.append(placeholders.escape(text[position:limit]))
        kept = max(0, limit - self._CONTEXT)
        self._text, self._done = text[kept:], limit - kept
        return "".join(parts).encode("latin-1")
