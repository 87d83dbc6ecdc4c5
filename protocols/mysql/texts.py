"""Text of MySQL in a document. What is no text in any character set stands there as `!!binary`, and comes back.

SQL is shown as a person would write it: blanks at line ends, blank lines around it and an indentation that its lines
share are how a program's source was laid out, and say nothing. It stays the same statement with the same values.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from protocols import documents
from protocols.documents import string
from protocols.mysql import tokens
from protocols.mysql.statement import mode_in, parse_in, shortened
from protocols.mysql.tokens import Mode

SEALED = "{{"  # what a placeholder begins with
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"[ \t]*\r?\n")


def shown(text: str) -> str | bytes:
    """A text as a document has it."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def said(value: Any, key: str, default: str | None = None) -> str:
    """A text of a document, back."""
    if isinstance(value, bytes | Mapping):
        return octets(value, key).decode("utf-8", "surrogateescape")
    return string(value, key, default)


def octets(value: Any, key: str) -> bytes:
    """Bytes of a document: `!!binary`, or `{base64: …}`. For sealed ones their placeholder stands."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        value = value.get("base64")
    text = string(value, key)
    return text.encode() if text.startswith(SEALED) else documents.base64_bytes(text, key)


def sql_shown(sql: str, sql_mode: str = "") -> str | bytes:
    """A statement as a document has it: the same skeleton and the same values, laid out for a reader. Large literals
    are digests."""
    mode = mode_in(sql_mode)
    sql = shortened(sql, ansi_quotes=mode.ansi_quotes, no_backslash_escapes=mode.no_backslash_escapes)
    if "\n" in sql or sql[:1].isspace() or sql[-1:].isspace():
        tidy = _tidied(sql, mode)
        before, after = parse_in(sql, sql_mode), parse_in(tidy, sql_mode)
        if (before.parts, before.slots) == (after.parts, after.slots):
            sql = tidy
    return shown(sql)


def _tidied(sql: str, mode: Mode) -> str:
    pieces: list[str] = []
    one_line = True  # each literal is on one
    for before, text, number, hexadecimal, bits, comment in tokens.pieces(sql, mode):
        one_line = one_line and "\n" not in text
        pieces += (_LINE_END.sub("\n", before), text or number or hexadecimal or bits)
        if comment:
            pieces.append(
                _LINE_END.sub("\n", comment).rstrip() if comment[:2] != "/*" else _LINE_END.sub("\n", comment)
            )
    lines = "".join(pieces).rstrip().split("\n")
    while len(lines) > 1 and not lines[0].strip():
        del lines[0]
    if not one_line:
        return "\n".join(lines).lstrip()
    if lines[0][:1].isspace():
        return textwrap.dedent("\n".join(lines)).strip()
    return "\n".join([lines[0], *textwrap.dedent("\n".join(lines[1:])).split("\n")]) if len(lines) > 1 else lines[0]
