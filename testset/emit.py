"""Writes a tree of plain values as YAML that a reviewer likes to read, the same bytes every time.

The layout is part of what rr promises (small diffs in pull requests, the same file from an unchanged re-record), so it
is not left to a library whose emitter differs between its C and its Python half:

- text of several lines is a block scalar; where that cannot hold it exactly (line ends that an editor would strip,
  carriage returns, control characters) it is double quoted, still one line of text a line;
- mappings and lists are in block style, but a short list of scalars (a row) or a short mapping in a list (a column)
  is on one line; `metadata` too;
- a string is unquoted only where no YAML reader, 1.1 or 1.2, could take it for anything but a string;
- no anchors, no tags but `!!binary`, no line breaks in the middle of a text.

Reading is `text`'s; what a document is, `document`'s.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any

from testset.errors import DocumentError

_LINE = 120  # a list or mapping on one line is at most this long
_ROW = 200  # a row or a column of a result set, which is worth a longer line; and what a document says of itself
_COLUMN = frozenset({"name", "type"})
_LONG_KEY = 120  # YAML readers look for the colon within 1024 bytes; a longer key is written after `?`
_ON_ONE_LINE = frozenset({"metadata"})

# What may not stand in the file as it is: controls, line breaks other than \n, invisible and direction-changing marks.
_SPECIAL = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\ufffe\uffff"
)
_UNPRINTABLE = re.compile(f"[\t\n{_SPECIAL}]")
_NO_BLOCK = re.compile(f"[{_SPECIAL}]|[ \t](?:\n|\\Z)|\n\n\\Z|\\A\\s*\\Z")
_ESCAPED = re.compile(f'[\t\n"\\\\{_SPECIAL}]')
_SURROGATE = re.compile("[\ud800-\udfff]")

_WORD = re.compile(r"(?:[^\W\d]|[/$(])(?:.*[^\s:])?\Z")
_NUMERAL = re.compile(  # starts with a digit, and is no number, time or date to anybody
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z"
    r"|\d[\w./\-]*[g-np-suvwyG-NP-SUVWY][\w./\-]*\Z"
)
_NOT_PLAIN = re.compile(f": | #|[\t\n{_SPECIAL}]")
_NOT_PLAIN_IN_LINE = re.compile(r"[,:?#\[\]{}]")
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"])
_SHORT_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def dump(tree: Any) -> str:
    """The tree as one YAML document, without `---`. Raises `DocumentError` for what YAML cannot hold."""
    out: list[str] = []
    if isinstance(tree, Mapping) and tree:
        write_mapping(out, tree, 0, inline=False)
    elif isinstance(tree, (list, tuple)) and tree:
        write_list(out, tree, 0)
    else:
        out.append(_scalar(tree, 0, root=True) + "\n")
    text = "".join(out)
    if _SURROGATE.search(text):
        raise DocumentError("a text holds half of a surrogate pair, which no file can hold")
    return text


def write_mapping(out: list[str], tree: Mapping[Any, Any], indent: int, *, inline: bool) -> None:
    """In block style. `inline`: the first key goes on the line that has been begun (`- key: value`)."""
    pad = " " * indent
    for key, value in tree.items():
        name = _in_line(key)
        if not inline:
            out.append(pad)
        inline = False
        out.append(f"? {name}\n{pad}:" if len(name) > _LONG_KEY else f"{name}:")
        if isinstance(value, str):
            out.append(f" {_scalar(value, indent)}\n")
        elif isinstance(value, Mapping):
            line = _one_line(value, _ROW) if not value or key in _ON_ONE_LINE else None
            if line is not None:
                out.append(f" {line}\n")
            else:
                out.append("\n")
                write_mapping(out, value, indent + 2, inline=False)
        elif isinstance(value, (list, tuple)):
            line = _one_line(value, _LINE) if _is_flat(value) else None
            if line is not None:
                out.append(f" {line}\n")
            else:
                out.append("\n")
                write_list(out, value, indent + 2)
        else:
            out.append(f" {_scalar(value, indent)}\n")


def write_list(out: list[str], tree: list[Any] | tuple[Any, ...], indent: int) -> None:
    pad = " " * indent
    for item in tree:
        out.append(f"{pad}- ")
        if isinstance(item, (list, tuple)):
            line = _one_line(item, _ROW) if _is_flat(item) else None
            if line is None:
                out[-1] = f"{pad}-\n"
                write_list(out, item, indent + 2)
                continue
            out.append(f"{line}\n")
        elif isinstance(item, Mapping):
            limit = _ROW if item.keys() >= _COLUMN else _LINE
            line = _one_line(item, limit) if _is_flat(item.values(), lists=True) else None
            if line is None:
                write_mapping(out, item, indent + 2, inline=True)
                continue
            out.append(f"{line}\n")
        else:
            out.append(f"{_scalar(item, indent)}\n")


def in_line(tree: Any) -> str:
    """In flow style, however long."""
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{_in_line(key)}: {in_line(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, (list, tuple)):
        return "[" + ", ".join(in_line(item) for item in tree) + "]"
    return _in_line(tree)


def _is_flat(values: Any, *, lists: bool = False) -> bool:
    """Only scalars and empty collections; `lists`: lists of such as well."""
    for value in values:
        if isinstance(value, (Mapping, list, tuple)) and value:
            if not lists or isinstance(value, Mapping) or not _is_flat(value):
                return False
        elif isinstance(value, str) and "\n" in value:
            return False
    return True


def _one_line(tree: Any, limit: int) -> str | None:
    """In flow style, or None if that is longer than `limit`."""
    if isinstance(tree, Mapping):
        parts = []
        room = limit
        for key, value in tree.items():
            line = _one_line(value, room)
            if line is None:
                return None
            part = f"{_in_line(key)}: {line}"
            room -= len(part) + 2
            if room < -2:
                return None
            parts.append(part)
        return "{" + ", ".join(parts) + "}"
    if isinstance(tree, (list, tuple)):
        parts = []
        room = limit
        for value in tree:
            line = _one_line(value, room)
            if line is None:
                return None
            room -= len(line) + 2
            if room < -2:
                return None
            parts.append(line)
        return "[" + ", ".join(parts) + "]"
    if isinstance(tree, str) and ("\n" in tree or len(tree) > limit):
        return None
    line = _in_line(tree)
    return line if len(line) <= limit else None


def _in_line(value: Any) -> str:
    """A scalar that may stand as a key or within `[...]` and `{...}`."""
    if isinstance(value, str):
        if _is_plain(value) and not _NOT_PLAIN_IN_LINE.search(value):
            return value
        return _quoted(value)
    return _other(value)


def _scalar(value: Any, indent: int, *, root: bool = False) -> str:
    """A scalar in block context; `indent` is that of the collection it stands in."""
    if not isinstance(value, str):
        return _other(value)
    if "\n" not in value:
        return value if _is_plain(value) else _quoted(value)
    return write_text(value, indent, indent + 2, root=root)


def write_text(value: str, indent: int, width: int, *, root: bool = False) -> str:
    """A text of several lines, each `width` blanks from the left."""
    pad = " " * width
    needs_indicator = value[0] in " \t\n"
    if _NO_BLOCK.search(value) or (needs_indicator and (root or width - indent > 9)):
        return _quoted_lines(value, pad)
    head = "|" + (str(width - indent) if needs_indicator else "") + ("" if value.endswith("\n") else "-")
    lines = value.removesuffix("\n").split("\n")
    return "\n".join([head, *(pad + line if line else "" for line in lines)])


def _is_plain(value: str) -> bool:
    if not value or _NOT_PLAIN.search(value):
        return False
    if value[0].isdecimal():
        return _NUMERAL.match(value) is not None
    return _WORD.match(value) is not None and value.lower() not in _RESERVED


def _quoted(value: str) -> str:
    if _UNPRINTABLE.search(value) or ("'" in value and '"' not in value and "\\" not in value):
        return '"' + _ESCAPED.sub(_escape, value) + '"'
    return "'" + value.replace("'", "''") + "'"


def _quoted_lines(value: str, pad: str) -> str:
    lines = [_ESCAPED.sub(_escape, line) for line in value.split("\n")]
    last = lines.pop()
    if not last and lines:
        last = lines.pop() + "\\n"
    # A blank at the start of a line would be taken for indentation.
    parts = [line + "\\n\\\n" for line in lines] + [last]
    return '"' + pad.join([parts[0], *("\\" + part if part[0:1] == " " else part for part in parts[1:])]) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    short = _SHORT_ESCAPES.get(character)
    if short is not None:
        return short
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _other(value: Any) -> str:
    match value:
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case int():
            return str(int(value))
        case float():
            return _float(value)
        case Mapping() if not value:
            return "{}"
        case list() | tuple() if not value:
            return "[]"
        case bytes():
            return f"!!binary '{base64.b64encode(value).decode()}'"
    raise DocumentError(f"a value of type {type(value).__name__} cannot be written as YAML")


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text
