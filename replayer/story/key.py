"""Keys: a request as a few bytes, so that finding a mock costs the same among a hundred and a hundred thousand.

Three keys, from strict to loose:

- `literal`: the request as it stands;
- `shape`: the request with every atom left out, which only says what sort of request it is;
- `renamed`: the shape, plus the atoms that are known (given, or made up earlier); what is made up right here is free.

Digests stand for the requests, because the requests themselves may be gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from protocols.furniture import Value
from replayer.story.template import Template

Key = bytes


def literal(route: int | None, values: Iterable[Value]) -> Key:
    return _digest((route, [(value.place, _plain(value.value)) for value in values]))


def shape(route: int | None, values: Iterable[Value], templates: Iterable[Template]) -> Key:
    return _digest((route, [(value.place, one.shape) for value, one in zip(values, templates, strict=True)]))


def renamed(shape_key: Key, roles: str, known: Sequence[str | None]) -> Key:
    """`roles` has a letter for each atom of the shape; `known` are the atoms that are not free, as recorded."""
    return _digest((shape_key, roles, known))


def _plain(content: str | int | float | bool | None) -> str | int | float | bool | None:
    return int(content) if isinstance(content, float) and content.is_integer() else content


def _digest(content: object) -> Key:
    return blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
