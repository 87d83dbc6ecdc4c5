"""What the values that a person has named are called in this run: `{{order}}` in a recorded response.

A name stands for one value throughout a run. Where it appears first in a response, what stands at its place now is
taken, if it is of the same type: a number for a number, a text with the same text around it. What is of another type is
not heard, and the comparison then says that it is not as recorded. Where a name appears first in a request, nothing has
said another value, and the recorded one is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from protocols.generated import generated_spans
from protocols.http.wire import HttpResponse
from replayer.compare.content import CannotUndoError, codings, media_type, text_of, undo
from testset import placeholders
from testset.model import FileBody, TestCase
from testset.named import Recorded, names_in, names_of

if TYPE_CHECKING:
    from replayer.loading import LoadedSet
    from replayer.story import Replay

_VALUE = r'[^"\\\x00-\x1f]+?'
_MARK = "\uf8ff"  # of no meaning in Unicode: around a name that stands for a number in a JSON text
_ANYTHING = ".+?"


class Hearing:
    """The names of one set, in one run of it."""

    def __init__(self, loaded: LoadedSet, replay: Replay) -> None:
        self._loaded = loaded
        self._replay = replay
        self.values: dict[str, Recorded] = {}

    def asked(self, case: TestCase) -> TestCase:
        """A test whose turn it is, with the values of this run."""
        document = self._loaded.as_written(case.name)
        if document is None:
            return case
        template = self._loaded.config.template
        self._take({name: template[name] for name in names_of(document.spec, "req")})
        return self._loaded.in_words_of(case, self.values)

    def answered(self, case: TestCase, response: HttpResponse) -> TestCase:
        """The same, when the app has answered."""
        document = self._loaded.as_written(case.name)
        if document is None:
            return case
        self._take(heard(document.spec.get("resp") or {}, response, self._loaded.config.template))
        return self._loaded.in_words_of(case, self.values)

    def _take(self, values: Mapping[str, Recorded]) -> None:
        for name, value in values.items():
            if name not in self.values:
                recorded = str(self._loaded.config.template[name])
                self.values[name] = self._replay.named(recorded, str(value))


def heard(recorded: Mapping[str, Any], response: HttpResponse, known: Mapping[str, Recorded]) -> dict[str, Recorded]:
    """The values of now. `recorded`: `resp` of the test case, with the names in it; `known`: what they were."""
    found: dict[str, Recorded] = {}
    for name, value in _places(recorded, response, known):
        found.setdefault(name, value)  # where it appears first; the other places are compared with it
    return found


def _places(
    recorded: Mapping[str, Any], response: HttpResponse, known: Mapping[str, Recorded]
) -> Iterator[tuple[str, Recorded]]:
    for header, then in (recorded.get("header") or {}).items():
        now = [value for name, value in response.headers if name.lower() == str(header).lower()]
        for one, other in zip(then if isinstance(then, list) else [then], now, strict=False):
            yield from _in_text(str(one), other)
    body, text = recorded.get("body"), _text(response)
    if not isinstance(body, str) or text is None or not any(names_in(body)):
        return
    body, secret, _ = placeholders.set_aside(body)
    try:
        pair = json.loads(marked(body)), json.loads(text)
    except (ValueError, RecursionError):
        lines = body.splitlines(), text.splitlines()
        for one, other in zip(*lines, strict=False):
            yield from _in_text(one, other, secret)
    else:
        yield from _in_json(*pair, known, secret)


def _in_json(then: Any, now: Any, known: Mapping[str, Recorded], secret: str) -> Iterator[tuple[str, Recorded]]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key, value in then.items():
            if key in now:
                yield from _in_json(value, now[key], known, secret)
    elif isinstance(then, list) and isinstance(now, list):
        for one, other in zip(then, now, strict=False):
            yield from _in_json(one, other, known, secret)
    elif isinstance(then, str) and then.startswith(_MARK):
        name = next(names_in(then))[0]
        kinds = (int, float) if isinstance(known.get(name), float) else (int,)
        if isinstance(now, kinds) and not isinstance(now, bool):
            yield name, now
    elif isinstance(then, str) and isinstance(now, str):
        yield from _in_text(then, now, secret)


def _in_text(then: str, now: str, secret: str = "") -> Iterator[tuple[str, Recorded]]:
    found = list(names_in(then))
    if not found:
        return
    if not secret:
        then, secret, aside = placeholders.set_aside(then)
        found = list(names_in(then)) if aside else found
    pattern, position = "", 0
    for _, start, end in found:
        pattern += _around(then[position:start], secret) + f"({_VALUE})"
        position = end
    match = re.fullmatch(pattern + _around(then[position:], secret), now.strip("\r"))
    if match is not None:
        yield from zip((name for name, _, _ in found), match.groups(), strict=True)


def _around(text: str, secret: str) -> str:
    """A pattern for the text beside a name, in which other values may be made up or secret as well."""
    if secret and secret in text:
        return _ANYTHING.join(_around(part, "") for part in text.split(secret))
    pattern, position = "", 0
    for start, end, _ in generated_spans(text):
        pattern += re.escape(text[position:start]) + _ANYTHING
        position = end
    return pattern + re.escape(text[position:])


def marked(body: str) -> str:
    """A JSON text in which names that stand outside of quotes are texts as well."""
    parts, position = [], 0
    for start, end in _outside_of_quotes(body):
        parts += [body[position:start], json.dumps(_MARK + body[start:end], ensure_ascii=False)]
        position = end
    return "".join([*parts, body[position:]])


def unmarked(body: str) -> str:
    """The way back from `marked`."""
    return re.sub(f'"{_MARK}([^"]*)"', r"\1", body) if _MARK in body else body


def _outside_of_quotes(body: str) -> Sequence[tuple[int, int]]:
    quoted = [match.span() for match in re.finditer(r'"(?:[^"\\]|\\.)*"', body)]
    return [
        (start, end)
        for _, start, end in names_in(body)
        if not any(opened < start < closed for opened, closed in quoted)
    ]


def _text(response: HttpResponse) -> str | None:
    if isinstance(response.body, FileBody):
        return None
    try:
        return text_of(undo(response.body, codings(response.headers)), media_type(response.headers))
    except CannotUndoError:
        return None
