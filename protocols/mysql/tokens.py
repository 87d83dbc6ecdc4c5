"""SQL text to tokens, and literals to values: the lexer of MySQL, as far as every text gets through it.

Two regular expressions read a statement. `literals` takes the literals and comments out in one pass of the
machine's own; what is left, the statement's *form*, is the same text each time an app runs the same statement, and is
read word by word (`tokens`) only the first time.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from protocols.mysql.messages import Cell

LARGE = 1 << 20  # bytes: a literal longer than this is known by its digest

_EXACT = 15  # digits that a float keeps
_LONGEST_NUMBER = 300


class Mode(NamedTuple):
    """What of `sql_mode` changes how text is cut into tokens."""

    ansi_quotes: bool = False
    no_backslash_escapes: bool = False


class Literal(NamedTuple):
    """A literal as it was written."""

    sort: str  # "s" text, "n" number, "h" hexadecimal, "b" bits
    text: str


class Token(NamedTuple):
    """`sort`: "w" word, "q" quoted name, "s" "n" "h" "b" a literal (see `Literal`), "?" placeholder, "v" variable,
    "!" a comment that the server reads, "o" anything else."""

    sort: str
    text: str


# -- the two expressions ------------------------------------------------------------------------------------------

# What is repeated and gives nothing back is `(?>...)*+`: Python before 3.11.5 reads `(?:...)*+` wrongly, after a turn
# that fails half-way.

# A placeholder of rr's own may stand in a text, with double quotes in it.
_SEALED = r'\{\{(?:secret|redacted)\ "[^"]*+"\}\}'
_EXPONENT = r"(?>[eE][+-]?\d++)?+"
_NUMBER = rf"(?:\d++(?>\.\d*+)?+|\.\d++){_EXPONENT}(?![\w$])"
_BACKQUOTED = r"`[^`]*+(?>``[^`]*+)*+(?:`|\Z)"
_COMMENT = r"--(?=[\x00-\x20\x7f]|\Z)[^\n]*+|\#[^\n]*+|/\*(?!M?!|\+).*?(?:\*/|\Z)"
_HINT = r"/\*(?:M?!|\+).*?(?:\*/|\Z)"
_OPERATOR = r"<=>|->>|<=|>=|<>|!=|:=|\|\||&&|<<|>>|->|."


def _quoted(mode: Mode) -> tuple[str, str]:
    """Texts in single and in double quotes."""
    if mode.no_backslash_escapes:
        return (
            r"'[^']*+(?>''[^']*+)*+(?:'|\Z)",
            rf'"[^"{{]*+(?>(?:""|{_SEALED}|\{{)[^"{{]*+)*+(?:"|\Z)',
        )
    return (
        r"'[^'\\]*+(?>(?:''|\\(?:.|\Z))[^'\\]*+)*+(?:'|\Z)",
        rf'"[^"\\{{]*+(?>(?:""|{_SEALED}|\{{|\\(?:.|\Z))[^"\\{{]*+)*+(?:"|\Z)',
    )


@lru_cache(maxsize=4)
def _literal_pattern(mode: Mode) -> re.Pattern[str]:
    single, double = _quoted(mode)
    text = rf"[nN]?{single}" if mode.ansi_quotes else rf"[nN]?{single}|{double}"
    names = rf"{_BACKQUOTED}|{double}" if mode.ansi_quotes else _BACKQUOTED
    return re.compile(
        rf"""
        ((?>
            (?![nNxXbB]')[^\W\d][\w$]*+                         # a word
          | [^\w'"`@.\-/\#]++                                   # white space, operators
          | (?!{_NUMBER}|0[xX][0-9a-fA-F]++(?![\w$])|0b[01]++(?![\w$]))\d[\w$]*+   # a name may begin with a digit
          | \.(?!\d++{_EXPONENT}(?![\w$]))
          | {names}
          | @@?(?>{single}|{double}|{_BACKQUOTED}|[\w$.]++)?+
          | (?!{_COMMENT})(?:{_HINT}|[-/])
        )*+)
        (?: ({text}) | ({_NUMBER}) | ([xX]'[^']*+(?:'|\Z)|0[xX][0-9a-fA-F]++) | ([bB]'[^']*+(?:'|\Z)|0b[01]++)
          | ({_COMMENT}) | \Z )
        """,
        re.X | re.S,
    )


@lru_cache(maxsize=4)
def _token_pattern(mode: Mode) -> re.Pattern[str]:
    single, double = _quoted(mode)
    names = rf"{_BACKQUOTED}|{double}" if mode.ansi_quotes else _BACKQUOTED
    return re.compile(
        rf"""
        \s*+(?: ([\w$]++) | ('') | ({names}) | (@@?(?>{single}|{double}|{_BACKQUOTED}|[\w$]++)?+) | ({_HINT}) | (\?)
          | ({_OPERATOR}) )
        """,
        re.X | re.S,
    )


_SORTS = ("", "w", "s", "q", "v", "!", "?", "o")  # by the number of the group
_MARKS = {"s": " '' ", "n": " 0e0 ", "h": " 0x0 ", "b": " 0b0 "}  # texts that are no name wherever they stand
_MARKED = {"0e0": Token("n", "0e0"), "0x0": Token("h", "0x0"), "0b0": Token("b", "0b0")}


def pieces(sql: str, mode: Mode) -> list[tuple[str, str, str, str, str, str]]:
    """`sql` cut at its literals and comments: (what stands before it, text, number, hexadecimal, bits, comment). All
    but the first piece of a row are alternatives; the last row has none."""
    return _literal_pattern(mode).findall(sql)


def literals(sql: str, mode: Mode) -> tuple[str, list[Literal]]:
    """The form of `sql`, in which every literal is a mark and no comment is left, and the literals in order."""
    form: list[str] = []
    found: list[Literal] = []
    for before, text, number, hexadecimal, bits, comment in pieces(sql, mode):
        form.append(before)
        if text:
            form.append(" '' ")
            found.append(Literal("s", text))
        elif number:
            form.append(" 0e0 ")
            found.append(Literal("n", number))
        elif comment:
            form.append(" ")
        elif hexadecimal:
            form.append(" 0x0 ")
            found.append(Literal("h", hexadecimal))
        elif bits:
            form.append(" 0b0 ")
            found.append(Literal("b", bits))
    return "".join(form), found


def tokens(form: str, mode: Mode) -> list[Token]:
    """The tokens of a form."""
    found = []
    for match in _token_pattern(mode).finditer(form.rstrip()):
        number = match.lastindex
        assert number is not None, "one of the groups has matched"
        text = match[number]
        found.append((_MARKED.get(text) if number == 1 else None) or Token(_SORTS[number], text))
    return found


# -- values -------------------------------------------------------------------------------------------------------

# One after the other. `LIKE` reads the backslash of \% and \_ itself; with any other character it means nothing. What
# stays is held by characters that no text from the wire has, until all others are read.
_ESCAPES = (
    ("\\\\", "\ud800"), ("\\%", "\ud801"), ("\\_", "\ud802"),
    ("\\0", "\0"), ("\\b", "\b"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\Z", "\x1a"), ("\\", ""),
    ("\ud800", "\\"), ("\ud801", "\\%"), ("\ud802", "\\_"),
)  # fmt: skip


def value(literal: Literal, mode: Mode) -> Cell:
    """What a literal says."""
    if literal.sort == "s":
        return canonical(content(literal.text, mode))
    if literal.sort == "n":
        return number(literal.text)
    if literal.sort == "h":
        return canonical(octets(literal.text))
    digits = literal.text[2:].rstrip("'")
    return int(digits, 2) if digits.strip("01") == "" and 0 < len(digits) <= 64 else literal.text


def content(text: str, mode: Mode) -> str:
    """The characters between the quotes, unescaped."""
    if text[0] in "nN":
        text = text[1:]
    quote = text[0]
    inner = text[1:-1] if len(text) > 1 and text[-1] == quote else text[1:]
    if quote in inner:
        inner = inner.replace(quote + quote, quote)
    return _unescaped(inner) if "\\" in inner and not mode.no_backslash_escapes else inner


def _unescaped(text: str) -> str:
    """One pass for each escape: a call for each occurrence takes a second for a file of some megabytes."""
    for escape, meant in _ESCAPES:
        text = text.replace(escape, meant)
    return text


def octets(text: str) -> bytes:
    """The bytes of `x'..'` or `0x..`."""
    digits = text[2:].rstrip("'")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def number(text: str) -> Cell:
    """A number, the same however it was written: 5, 5.0 and 5e0. As text where a float would lose digits."""
    if text.isdigit():
        return int(text) if len(text) <= _LONGEST_NUMBER else text
    if "e" not in text and "E" not in text:
        whole, _, fraction = text.partition(".")
        fraction = fraction.rstrip("0")
        if not fraction:
            return number(whole or "0")
        if len(whole.lstrip("0")) + len(fraction) > _EXACT:
            return f"{whole.lstrip('0') or '0'}.{fraction}"
    return canonical(float(text))


def canonical(cell: Cell) -> Cell:
    """A value, the same whichever way it came: text is text also where it came as bytes; what is large is a digest."""
    if isinstance(cell, str):
        if len(cell) * 4 <= LARGE and cell.isascii():
            return cell
        try:
            data = cell.encode()
        except UnicodeEncodeError:
            try:
                data = cell.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:
                data = cell.encode("utf-8", "surrogatepass")
            return digest(data) if len(data) > LARGE else data
        return digest(data) if len(data) > LARGE else cell
    if isinstance(cell, bytes | bytearray | memoryview):
        if len(cell) > LARGE:
            return digest(cell)
        try:
            return bytes(cell).decode()
        except UnicodeDecodeError:
            return bytes(cell)
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell


def digest(data: bytes | bytearray | memoryview) -> str:
    """What is known of a large value."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
