"""JSON that was sent on one line, shown on many, and back to the same bytes.

Only the white space between tokens is touched, so numbers, escapes and doubled keys stay as they were. How the text
was written is kept in a word or two (`json-compact`, `json-python+ascii+newline`) that an editor leaves alone.
"""

from __future__ import annotations

import json
import re

# A string may hold a secret's placeholder, and that holds quotes. A number may be one.
_SEALED = r'\{\{[a-z_]+ "[^"]*"\}\}'
_STRING = rf'"(?:{_SEALED}|[^"\\\x00-\x1f]|\\.)*"'
_TOKEN = re.compile(rf"\s*({_STRING}|{_SEALED}|[{{}}\[\],:]|[^\s{{}}\[\],:\"]+)")
_SEPARATORS = {"json-compact": (",", ":"), "json-python": (", ", ": ")}
_LARGEST = 4 << 20
_DEEPEST = 100


def unfold(text: str) -> tuple[str, str] | None:
    """The indented text and the format's name; None when the text cannot be had back from that, or need not be."""
    if text[:1] not in ("{", "[") or len(text) > _LARGEST:
        return None
    body, newline = (text[:-1], "+newline") if text.endswith("\n") else (text, "")
    tokens = _tokens(body)
    if tokens is None:
        return None
    for style in _SEPARATORS:
        if _join(tokens, style) != body:
            continue
        ascii_only = ""
        if "\\u" in body and body.isascii():
            shown = [_readable(token) for token in tokens]
            if [_escaped(token) for token in shown] == tokens:
                tokens, ascii_only = shown, "+ascii"
        indented = _indent(tokens)
        if indented is None or indented == text:
            return None
        return indented, f"{style}{ascii_only}{newline}"
    return None


def fold(text: str, name: str) -> str | None:
    """What `unfold` made, as it was sent; None for an unknown format or for what is no JSON."""
    style, *marks = name.split("+")
    if style not in _SEPARATORS or not set(marks) <= {"ascii", "newline"}:
        return None
    tokens = _tokens(text)
    if tokens is None:
        return None
    if "ascii" in marks:
        tokens = [_escaped(token) for token in tokens]
    return _join(tokens, style) + ("\n" if "newline" in marks else "")


def _tokens(text: str) -> list[str] | None:
    tokens: list[str] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        tokens.append(match[1])
        position = match.end()
    return tokens


def _join(tokens: list[str], style: str) -> str:
    comma, colon = _SEPARATORS[style]
    return "".join(comma if token == "," else colon if token == ":" else token for token in tokens)


def _indent(tokens: list[str]) -> str | None:
    parts: list[str] = []
    depth = 0
    previous = ""
    for token in tokens:
        if token in ("}", "]"):
            depth -= 1
            if depth < 0:
                return None
            if previous not in ("{", "["):
                parts.append("\n" + "  " * depth)
        elif previous in ("{", "["):
            parts.append("\n" + "  " * depth)
        parts.append(token)
        if token in ("{", "["):
            depth += 1
            if depth > _DEEPEST:
                return None
        elif token == ",":
            parts.append("\n" + "  " * depth)
        elif token == ":":
            parts.append(" ")
        previous = token
    return "".join(parts) if depth == 0 else None


def _readable(token: str) -> str:
    if "\\u" not in token:
        return token
    try:
        return json.dumps(json.loads(token), ensure_ascii=False)
    except ValueError:
        return token


def _escaped(token: str) -> str:
    if token.isascii():
        return token
    return "".join(c if c < "\x80" else json.dumps(c)[1:-1] for c in token)
