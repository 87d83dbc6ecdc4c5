"""Functions that are imported when they are first called: whoever only detects a protocol need not load all of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Late:
    """`name` of `module`, loaded at its first call."""

    __slots__ = ("_found", "_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name
        self._found: Callable[..., Any] | None = None

    def load(self) -> Callable[..., Any]:
        if self._found is None:
            self._found = getattr(import_module(self._module), self._name)
        return self._found

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return (self._found or self.load())(*arguments, **named)

    def __repr__(self) -> str:
        return f"<{self._module}.{self._name}>"


def room_parts(package: str, decoder: str, responder: str) -> dict[str, Any]:
    """What the modules of a room offer under the same names in every room, as arguments of `Room`."""
    parts: dict[str, Any] = {
        "decoder": Late(f"{package}.decode", decoder),
        "responder": Late(f"{package}.serve", responder),
        "to_spec": Late(f"{package}.yaml", "to_spec"),
        "from_spec": Late(f"{package}.yaml", "from_spec"),
    }
    for name in ("route", "values", "response_values", "rebind", "is_effect", "difference", "title"):
        parts[name] = Late(f"{package}.match", name)
    return parts
