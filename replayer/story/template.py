"""A value taken apart: the text that stands as it is, and the generated-looking pieces in it.

`order-44b0885e-e6e7-4e27-8ffe-97d87791b0b1.pdf` is the text `order-` and `.pdf` around one *atom*, the UUID. Atoms are
what may be made up, and so renamed; the text around them never is. Whether an atom was in fact made up or given, the
text cannot tell: that is `Story`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from protocols.furniture import Value
from protocols.generated import generated_spans, looks_generated

_SEALED = re.compile(r'\{\{(secret|redacted) "[^"]*"\}\}')
_LONG = 512  # a text this long is not worth remembering
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_DIGITS = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Template:
    """`texts` stand around `atoms`: always one more of them. `number` if the value was a number and not a string."""

    texts: tuple[str, ...]
    atoms: tuple[str, ...]
    number: bool = False

    @property
    def shape(self) -> tuple[object, ...]:
        """What two values have in common that differ in nothing but their atoms."""
        return (self.number, *self.texts)

    def align(self, value: str) -> tuple[str, ...] | None:
        """The pieces of `value` that stand where this template has its atoms, or None if the text around them differs.

        Asked where `value` has no shape of its own that could be compared: what an app makes up need not look so.
        """
        if len(self.texts) == 1:
            return () if value == self.texts[0] else None
        first, *between, last = self.texts
        end = len(value) - len(last)
        if not value.startswith(first) or not value.endswith(last) or end <= len(first):
            return None
        found, start = [], len(first)
        for text in between:  # each atom takes as little as the text after it allows
            stop = value.find(text, start + 1, end)
            if stop < 0:
                return None
            found.append(value[start:stop])
            start = stop + len(text)
        return (*found, value[start:end]) if start < end else None


def template(value: Value) -> Template:
    """`value` taken apart."""
    content = value.value
    if isinstance(content, str):
        return _of_text(content) if len(content) <= _LONG else _take_apart(content)
    if isinstance(content, bool) or content is None:
        return Template((repr(content),), (), number=True)
    text = number_text(content)
    return Template(("", ""), (text,), number=True) if looks_generated(content) else Template((text,), (), number=True)


def atoms_of(values: Iterable[Value]) -> Iterable[tuple[str, str]]:
    """(place, atom) of all that looks generated in `values`."""
    for value in values:
        for atom in template(value).atoms:
            yield value.place, atom


def text_of(value: Value) -> str:
    """`value` as it is written in a message, and as it is bound: strings without quotes."""
    content = value.value
    if isinstance(content, str):
        return content
    return repr(content) if isinstance(content, bool) or content is None else number_text(content)


def number_text(number: int | float) -> str:
    """A number as one text, however it was written: 12.0 is 12."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def spans(text: str) -> Sequence[tuple[int, int]]:
    """Where `text` has atoms: (start, end), in order, never touching each other's characters."""
    if text.startswith("sha256:"):  # stands for a body too large or too binary to be looked into: given, every byte
        return []
    if "{{" in text and _SEALED.search(text):
        return [found.span() for found in _SEALED.finditer(text)]
    return [(start, end) for start, end, _ in generated_spans(text)]


def is_sealed(text: str) -> bool:
    """Whether `text` holds a secret's placeholder: what stood there is not to be known."""
    return "{{" in text and _SEALED.search(text) is not None


def is_secret(atom: str) -> bool:
    """Whether `atom` is the placeholder of one secret: equal secrets have equal placeholders."""
    found = _SEALED.fullmatch(atom) if atom.startswith("{{") else None
    return found is not None and found[1] == "secret"


def is_redacted(atom: str) -> bool:
    """Whether `atom` stands for a value that was not kept at all, and not always for the same."""
    found = _SEALED.fullmatch(atom) if atom.startswith("{{") else None
    return found is not None and found[1] == "redacted"


def fits(recorded: str, now: str) -> bool:
    """Whether `now` is the sort of thing that `recorded` is: a UUID for a UUID, a digest for one of the same length."""
    if is_sealed(recorded):
        return bool(now)
    if _UUID.fullmatch(recorded):
        return _UUID.fullmatch(now) is not None and len(recorded) == len(now)
    if _ULID.fullmatch(recorded):
        return _ULID.fullmatch(now) is not None
    if _DIGITS.fullmatch(recorded):  # a random hexadecimal text is all digits now and then
        return _DIGITS.fullmatch(now) is not None or (len(recorded) == len(now) and bool(_HEX.fullmatch(now)))
    if _HEX.fullmatch(recorded):
        return len(recorded) == len(now) and _HEX.fullmatch(now) is not None
    return bool(now) and not any(character.isspace() for character in now)


@lru_cache(maxsize=32_768)
def _of_text(text: str) -> Template:
    return _take_apart(text)


def _take_apart(text: str) -> Template:
    texts, atoms, position = [], [], 0
    for start, end in spans(text):
        texts.append(text[position:start])
        atoms.append(text[start:end])
        position = end
    texts.append(text[position:])
    return Template(tuple(texts), tuple(atoms))
