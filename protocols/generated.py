"""Which values look made up by a program: the ground under the rule of given and made-up values.

It errs on the side of *no*: a word, a name, a price, a short number, a date or a phone number must be equal in a
replay, and only what nobody would type (UUID, ULID, hash, token, time, long number) may be renamed. Whether such a
value really was made up, or was given to the app before, is not decided here.
"""

from __future__ import annotations

import re
from functools import lru_cache

_EPOCH_FIRST = 946_684_800  # 2000-01-01
_EPOCH_LAST = 4_102_444_800  # 2100-01-01

_UUID = r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
_INNER_UUID = re.compile(r"(?<=[-_])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])")
_CLOCK = r"(?:[01]\d|2[0-3]):?[0-5]\d(?::?[0-6]\d(?:[.,]\d{1,9})?)?"
_ISO = (
    r"(?<![0-9A-Za-z])20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:T|\ |%20|\+)"
    rf"{_CLOCK}(?:\ ?(?:Z|UTC|[+-][01]\d:?[0-5]\d|%2B[01]\d:?[0-5]\d))?(?![0-9A-Za-z])"
)
_RFC1123 = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ [0-3]\d[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ -]20\d\d\ "
    r"[0-2]\d:[0-5]\d:[0-6]\d(?:\ (?:GMT|UTC|[+-]\d{4}))"
)
_JWT = r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{2,}(?:\.[0-9A-Za-z_-]*)?"
# What Django and itsdangerous put behind what they sign: the time in six characters, and a signature of 20 or 32 bytes.
_SIGNED = r"(?<=[0-9A-Za-z_=-][:.])[0-9A-Za-z_-]{6}[:.](?:[0-9A-Za-z_-]{27}|[0-9A-Za-z_-]{43})(?![0-9A-Za-z_-])"
_BCRYPT = r"\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}"
_BASE64 = r"(?<![^\s\"'=:,(\[{<>])[0-9A-Za-z+/]{20,}+={0,2}+(?![^\s\"',;)\]}&<>])"
_NUMBER = r"(?<![0-9A-Za-z.])(?:(?<![0-9A-Za-z_])-)?\d{10,}(?:\.\d{1,9})?(?![0-9A-Za-z.]*[0-9A-Za-z])"
_RUN = r"[0-9A-Za-z_-]{8,}"

_CANDIDATE = re.compile(
    rf"(?P<uuid>{_UUID})|(?P<iso>{_ISO})|(?P<rfc1123>{_RFC1123})|(?P<jwt>{_JWT})|(?P<signed>{_SIGNED})|(?P<bcrypt>{_BCRYPT})"
    rf"|(?P<base64>{_BASE64})|(?P<number>{_NUMBER})|(?P<run>{_RUN})"
)
_CONSTANT_UUID = re.compile(r"0{8}-(?:0{4}-){3}0{12}|[fF]{8}-(?:[fF]{4}-){3}[fF]{12}")
_ULID = re.compile(r"0[0-3][0-9A-HJKMNP-TV-Z]{24}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PREFIXED = re.compile(r"(?<![0-9A-Za-z])(?:[A-Za-z][A-Za-z0-9]{0,9}[-_:#]+)+\Z")
_SEPARATED = re.compile(r"[^-_+/=.]+")
_LETTERS = re.compile(r"[a-z]{2,}")
# The pairs of letters that most words are made of: three in four of English text, one in four of random letters.
_PAIRS = (
    "th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld "
    "ur io ic ne me co ro ce ll ch ta li ri el om la ma us ho ut pe di ec ca tr no wi ns so ss pr ac sh ct ad em il id "
    "lo ol po do wh be un ot ge ai ee fo wa pl ul mo ni am ir ay ts fi ke rt pa ie ow bl na ry sp ig ck op ev ab im vi "
    "ag ap su up ex pp fe mp oo iv bu br cr rs ba go gr mi nc qu rd rm sc ty ue um od os ov pi ph gi if da du cl ci cu "
    "sk sw rv ub"
)
_COMMON_PAIRS = frozenset(_PAIRS.split())
_CLASS = re.compile(r"[0-9]+|[A-Z]?[a-z]+|[A-Z]+")

Span = tuple[int, int, str]


def looks_generated(value: str | int | float | bool | None) -> str | None:
    """What kind of made-up value this is: `uuid`, `ulid`, `hex`, `token`, `time`, `number`; None if it is none.

    A value with a generated part counts (`ORD-8f3a9c21`), a text in which one appears does not: see `generated_spans`.
    """
    if isinstance(value, str):
        return _text_kind(value) if 8 <= len(value) <= 4096 else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return _number_kind(str(value))
    return _number_kind(repr(value)) if _EPOCH_FIRST <= value <= _EPOCH_LAST else None


def generated_spans(text: str) -> list[Span]:
    """Where generated-looking values stand in a larger text (a URL, SQL, a message): start, end, kind."""
    spans: list[Span] = []
    for match in _CANDIDATE.finditer(text):
        name = match.lastgroup
        start, end = match.span()
        if name == "uuid":
            if not _CONSTANT_UUID.fullmatch(match[0]):
                spans.append((start, end, "uuid"))
        elif name in ("iso", "rfc1123"):
            spans.append((start, end, "time"))
        elif name in ("jwt", "signed", "bcrypt"):
            spans.append((start, end, "token"))
        elif name == "base64":
            if match[0].isalnum():
                spans.extend(_run_spans(text, start, end))
            elif _is_random(match[0].rstrip("="), 20):
                spans.append((start, end, "token"))
            else:
                spans.extend(
                    (start + s, start + e, kind)
                    for piece in re.finditer(_RUN, match[0])
                    for s, e, kind in _run_spans(match[0], piece.start(), piece.end())
                )
        elif name == "number":
            kind = _number_kind(match[0])
            if kind is not None:
                spans.append((start, end, kind))
        else:
            spans.extend(_run_spans(text, start, end))
    return spans


@lru_cache(maxsize=16_384)
def _text_kind(text: str) -> str | None:
    spans = generated_spans(text)
    if not spans:
        return None
    start, end, kind = spans[0]
    if start == 0 and end == len(text):
        return kind
    if any(character in text for character in " /?&<>{}\n\t,;\"'"):
        return None  # a text or an address with an id in it, not an id
    return kind


def _number_kind(text: str) -> str | None:
    digits, _, fraction = text.lstrip("-").partition(".")
    if len(set(digits)) < 3:  # 1000000000000 is an amount
        return None
    if not text.startswith("-") and len(digits) in (10, 12, 13, 15, 16, 18, 19):
        value = int(digits)
        for unit in (1, 1_000, 1_000_000, 1_000_000_000):
            if _EPOCH_FIRST * unit <= value <= _EPOCH_LAST * unit:
                return "time"
    return "number" if len(digits) >= 12 and not fraction and digits[0] != "0" else None


def _run_spans(text: str, start: int, end: int) -> list[Span]:
    """Generated values in one run of letters, digits, `_` and `-`: the run as a whole, or else its pieces."""
    inner = _INNER_UUID.search(text, start, end)
    if inner is not None:  # order-<uuid>: the word before it and what follows are read by themselves
        return [
            *_run_spans(text, start, inner.start()),
            (inner.start(), inner.end(), "uuid"),
            *_run_spans(text, inner.end(), end),
        ]
    spans: list[Span] = []
    pieces = [(m.start(), m.end()) for m in re.finditer(r"[0-9A-Za-z]+", text[start:end])]
    first = 0  # where a token may begin: behind a prefix of words
    for index, (s, e) in enumerate(pieces):
        piece = text[start + s : start + e]
        kind = _piece_kind(piece, prefixed=index > 0 and _is_prefixed(text, start + s))
        if kind is not None:
            signed = piece.isdigit() and s >= 2 and text[start + s - 1] == "-" and text[start + s - 2] in "-_"
            spans.append((start + s - signed, start + e, kind))
        if first == index and (piece.isalpha() and len(piece) <= 10 and (piece.islower() or piece.isupper())):
            first = index + 1
    if first < len(pieces) - 1:  # an alphabet with - and _ in it, as nanoid's
        s, e = start + pieces[first][0], start + pieces[-1][1]
        if _is_random(text[s:e], 16) and not any(kind in ("ulid", "hex", "number", "time") for _, _, kind in spans):
            return [(s, e, "token")]
    return spans


def _is_prefixed(text: str, start: int) -> bool:
    return _PREFIXED.search(text, max(0, start - 40), start) is not None


def _piece_kind(piece: str, *, prefixed: bool) -> str | None:
    size = len(piece)
    if piece.isdigit():
        return _number_kind(piece) if size >= 10 else None
    if size == 26 and _ULID.fullmatch(piece) and any(c.isdigit() for c in piece[10:]):
        return "ulid"
    if size >= (8 if prefixed else 16) and _HEX.fullmatch(piece):
        changes = len(_CLASS.findall(piece)) - 1  # an account number may begin with two letters
        return "hex" if changes >= (1 if size < 16 else 2) and len(set(piece)) >= 4 else None
    if _is_random(piece, 8 if prefixed else 16):
        return "token"
    return None


def _is_random(text: str, least: int) -> bool:
    """Whether characters follow each other without the order that words and plain numbers have."""
    size = len(text)
    if size < least or len(set(text)) < min(8, size // 2 + 2):
        return False
    upper = any(c.isupper() for c in text)
    lower = any(c.islower() for c in text)
    digits = any(c.isdigit() for c in text)
    if upper + lower + digits < 2:
        return False
    pairs = common = changes = telling = 0
    for piece in _SEPARATED.findall(text):
        if len(piece) <= 3 or (piece.isdigit() and len(piece) < 12):
            continue
        telling += len(piece)
        changes += len(_CLASS.findall(piece)) - 1
        for word in _LETTERS.findall(piece.lower()):
            pairs += len(word) - 1
            common += sum(word[i : i + 2] in _COMMON_PAIRS for i in range(len(word) - 1))
    if telling * 2 < size:
        return False
    if size < 16 and sum(c.isalpha() for c in text) < 3:  # 1024x768
        return False
    if not digits and (size < 16 or common > pairs * 0.4):
        return False
    if common <= pairs * 0.55 and changes >= (2 if size < 16 else 3 if size < 24 else 4):
        return True
    return size >= (16 if digits else 20) and upper and lower and _surprise(text) < -1


def _surprise(text: str) -> float:
    """How much rather a person than chance wrote this: chance changes between digits and letters of both cases at every
    second character, a person at every fifth; and a person writes words. Each is a logarithm of the two likelihoods."""
    likelihood = 0.0
    for piece in _SEPARATED.findall(text):
        changes = len(_CLASS.findall(piece)) - 1
        likelihood += 0.51 * (len(piece) - 1 - changes) - 0.79 * changes
        for word in _LETTERS.findall(piece.lower()):
            pairs = len(word) - 1
            common = sum(word[i : i + 2] in _COMMON_PAIRS for i in range(pairs))
            likelihood += 0.9 * (2 * common - pairs)
    return likelihood
