"""Values that are known to be secrets, found again wherever they appear and whatever is around them.

Known is what was sealed before, and what the caller has (`expect`: values of the app's environment). Each is looked for
as it is and in the forms that it takes on the way: percent-encoded, in JSON, in HTML, in SQL, in base64, in
hexadecimal, as the password in a `Basic` credential. The time does not grow with the number of values: each is filed
under the ends of its longest run of letters and digits, and the runs of a text are looked up.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from testset.secret_rules import Found
from testset.secrets import Vault

_RUN = re.compile(r"%[0-9A-Fa-f]{2}|\\+(?:u[0-9A-Fa-f]{4}|[bfnrt])|([A-Za-z0-9]{6,})")  # escapes end a run
_END = 6  # characters of a run that it is filed under
_SHORTEST = 6  # a shorter secret is not looked for beyond its own place: it could be any word
_ANYWHERE = 8  # from this length on also in the middle of a word
_TELLING = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9]).*\Z", re.S)  # short, and yet hardly anything else
_MOST_ODD = 200  # values without a run, which are looked for one by one
_ESCAPE = re.compile(r"(?:%[0-9A-Fa-f]{2}|\\(?:u[0-9A-Fa-f]{4}|[bfnrt]))\Z")
_ESCAPED = re.compile(r"\\(['\"\\])")  # in SQL
_QUOTE = re.compile(r"['\"\\]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}\Z")
_READABLE = re.compile(rb"[ -~]{8,}")
_HEAD = itemgetter(slice(0, _END))
_TAIL = itemgetter(slice(-_END, None))


class _Filed(NamedTuple):
    value: str
    start: int  # of its run
    end: int
    kind: str

    def is_whole(self, begin: int, run: re.Match[str]) -> bool:
        """Whether it stands at `begin` as a word of its own, `run` being the run of the text that its own is in."""
        starts_alone = self.start > 0 or run.start(1) == begin
        return starts_alone and (self.end < len(self.value) or run.end(1) == begin + len(self.value))


class Known:
    """The known values of one project. Not read before the first text is asked about."""

    def __init__(self, vault: Vault, is_exempt: Callable[[str], bool]) -> None:
        self._vault = vault
        self._is_exempt = is_exempt
        self._filled = False
        self._seen: set[str] = set()
        self._heads: dict[str, list[_Filed]] = {}
        self._tails: dict[str, list[_Filed]] = {}
        self._odd: list[tuple[str, str]] = []  # (value, kind)
        self._expected: list[tuple[str, str]] = []

    def expect(self, value: str, kind: str) -> None:
        """A value that may appear, and is a secret then."""
        if self._filled:
            self.add(value, kind)
        else:
            self._expected.append((value, kind))

    def add(self, value: str, kind: str) -> bool:
        """A value that was sealed just now; returns whether it is looked for only from here on."""
        if not self._filled:
            self._fill()
        if not _is_looked_for(value) or value in self._seen:
            return False
        for form, kind_of_form in _forms(value, kind):
            if _is_looked_for(form) and form not in self._seen and not self._is_exempt(form):
                self._seen.add(form)
                self._file(form, kind_of_form)
        return True

    def find(self, text: str, start: int = 0) -> list[Found]:
        """In no order, and perhaps overlapping."""
        if not self._filled:
            self._fill()
        if not self._seen or len(text) - start < _SHORTEST:
            return []
        found = []
        runs = _RUN.findall(text, start)
        if not (self._heads.keys().isdisjoint(map(_HEAD, runs)) and self._tails.keys().isdisjoint(map(_TAIL, runs))):
            found = [one for match in _RUN.finditer(text, start) if match[1] for one in self._at(text, match, start)]
        for value, kind in self._odd:
            at = text.find(value, start)
            while at >= 0:
                if len(value) >= _ANYWHERE or _stands_alone(text, at, at + len(value)):
                    found.append(Found(at, at + len(value), kind))
                at = text.find(value, at + len(value))
        return found

    def _at(self, text: str, run: re.Match[str], start: int) -> Iterator[Found]:
        word = run[1]
        for filed in self._heads.get(word[:_END], ()):
            begin = run.start(1) - filed.start
            if begin >= start and text.startswith(filed.value, begin) and _fits(filed, begin, run):
                yield Found(begin, begin + len(filed.value), filed.kind)
        for filed in self._tails.get(word[-_END:], ()):
            begin = run.end(1) - filed.end
            if begin >= start and text.startswith(filed.value, begin) and _fits(filed, begin, run):
                yield Found(begin, begin + len(filed.value), filed.kind)

    def _fill(self) -> None:
        self._filled = True  # `add` asks
        for value, name in self._vault.values().items():
            self.add(value, name.rpartition("-")[0])
        for value, kind in self._expected:
            self.add(value, kind)

    def _file(self, value: str, kind: str) -> None:
        runs = [match for match in _RUN.finditer(value) if match[1]]
        if not runs:
            if len(self._odd) < _MOST_ODD:
                self._odd.append((value, kind))
            return
        run = max(runs, key=lambda match: len(match[1]))
        filed = _Filed(value, run.start(1), run.end(1), kind)
        self._heads.setdefault(run[1][:_END], []).append(filed)
        self._tails.setdefault(run[1][-_END:], []).append(filed)


def _is_looked_for(value: str) -> bool:
    return len(value) >= _ANYWHERE or (len(value) >= _SHORTEST and _TELLING.match(value) is not None)


def _fits(filed: _Filed, begin: int, run: re.Match[str]) -> bool:
    return len(filed.value) >= _ANYWHERE or filed.is_whole(begin, run)


def _stands_alone(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 6) : start]
    return (not before[-1:].isalnum() or _ESCAPE.search(before) is not None) and not text[end : end + 1].isalnum()


def _forms(value: str, kind: str) -> Iterator[tuple[str, str]]:
    """A value and its kind, and how else it is written where it is the same."""
    yield value, kind
    if kind == "basic":
        user, colon, password = _decoded(value).partition(":")
        if colon:
            yield f"{user}:{password}", kind
            yield from _forms(password, "password")
        return
    for encoded in (quote(value, "", errors="surrogatepass"), quote(value, errors="surrogatepass")):
        yield encoded, kind
        yield quote(encoded, "", errors="surrogatepass"), kind
        yield encoded.replace("%20", "+"), kind
    yield json.dumps(value)[1:-1], kind
    yield json.dumps(value, ensure_ascii=False)[1:-1], kind
    yield html.escape(value), kind
    if "%" in value or "+" in value:
        yield unquote_plus(value), kind
    if "\\" in value:
        yield _from_json(value), kind
        yield _ESCAPED.sub(r"\1", value), kind
    if "'" in value:
        yield value.replace("'", "''"), kind
        yield value.replace("''", "'"), kind
    if "'" in value or '"' in value:
        yield _QUOTE.sub(r"\\\g<0>", value), kind
    data = value.encode("utf-8", "surrogatepass")
    yield base64.b64encode(data).decode().rstrip("="), kind
    yield data.hex(), kind
    yield data.hex().upper(), kind
    for text in _texts_in(value):
        yield text, kind


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _texts_in(value: str) -> Iterator[str]:
    """What can be read of a secret that is no text, and was sealed in base64 therefore."""
    if len(value.rstrip("=")) % 4 != 1 and _BASE64.match(value):
        data = base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
        try:
            data.decode()
        except UnicodeDecodeError:
            yield from (run[0].decode() for run in _READABLE.finditer(data))


def _from_json(value: str) -> str:
    try:
        text = json.loads(f'"{value}"')
    except ValueError:
        return value
    return text if isinstance(text, str) else value
