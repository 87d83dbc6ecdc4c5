"""Functions that are imported when they are first called: whoever only detects a protocol need not load all of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def late(module: str, name: str) -> Callable[..., Any]:
    """`name` of `module`, loaded at its first call."""
    found: Callable[..., Any] | None = None

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal found
        if found is None:
            found = getattr(import_module(module), name)
        return found(*arguments, **named)

    call.__name__ = call.__qualname__ = name
    return call


def room_parts(package: str, decoder: str, responder: str) -> dict[str, Any]:
    """What the modules of a room offer under the same names in every room, as arguments of `Room`."""
    parts: dict[str, Any] = {
        "decoder": late(f"{package}.decode", decoder),
        "responder": late(f"{package}.serve", responder),
        "to_spec": late(f"{package}.yaml", "to_spec"),
        "from_spec": late(f"{package}.yaml", "from_spec"),
    }
    for name in ("route", "values", "response_values", "rebind", "is_effect", "difference", "title"):
        parts[name] = late(f"{package}.match", name)
    return parts
