"""Values that are known to be secrets, found again wherever they appear and whatever is around them.

Known is what was sealed before, and what the caller has (`expect`: values of the app's environment). Each is looked for
as it is and in the forms that it takes on the way: percent-encoded, in JSON, in HTML, in base64, as the password in a
`Basic` credential. The time does not grow with the number of values: each is filed under the ends of its longest run of
letters and digits, and the runs of a text are looked up.
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
_SHORTEST = 8  # a shorter secret is not looked for beyond its own place: it could be any word
_MOST_ODD = 200  # values without a run, which are looked for one by one
_HEAD = itemgetter(slice(0, _END))
_TAIL = itemgetter(slice(-_END, None))


class _Filed(NamedTuple):
    value: str
    start: int  # of its run
    end: int
    kind: str


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
        if len(value) < _SHORTEST or value in self._seen:
            return False
        for form, kind_of_form in _forms(value, kind):
            if len(form) >= _SHORTEST and form not in self._seen and not self._is_exempt(form):
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
                found.append(Found(at, at + len(value), kind))
                at = text.find(value, at + len(value))
        return found

    def _at(self, text: str, run: re.Match[str], start: int) -> Iterator[Found]:
        word = run[1]
        for filed in self._heads.get(word[:_END], ()):
            begin = run.start(1) - filed.start
            if begin >= start and text.startswith(filed.value, begin):
                yield Found(begin, begin + len(filed.value), filed.kind)
        for filed in self._tails.get(word[-_END:], ()):
            begin = run.end(1) - filed.end
            if begin >= start and text.startswith(filed.value, begin):
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
        yield encoded.replace("%20", "+"), kind
    yield json.dumps(value)[1:-1], kind
    yield json.dumps(value, ensure_ascii=False)[1:-1], kind
    yield html.escape(value), kind
    if "%" in value or "+" in value:
        yield unquote_plus(value), kind
    if "\\" in value:
        yield _from_json(value), kind
    yield base64.b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("="), kind


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _from_json(value: str) -> str:
    try:
        text = json.loads(f'"{value}"')
    except ValueError:
        return value
    return text if isinstance(text, str) else value
