"""A test set's `config.yml`: what the set needs to be replayed as it was recorded.

Keploy's own keys (`preScript`, `postScript`, `appCommand`, `metadata`) are read where they mean the same,
and kept in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from testset.emit import dump
from testset.errors import DocumentError
from testset.files import reading, write_whole
from testset.named import Recorded
from testset.rewrite import Place, edit
from testset.text import load

_KEPLOY = {"appCommand": "command", "preScript": "pre_script", "postScript": "post_script"}
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConfig:
    """`extra` holds keys that rr does not know; they survive."""

    command: str | None = None
    container: str | None = None
    app_ports: tuple[int, ...] = ()
    certificates: Mapping[str, str] = field(default_factory=dict)  # of TLS servers: what is wrong with them
    hash_seed: int | None = None  # PYTHONHASHSEED
    time_zone: str | None = None
    clock: str | None = None  # when the recording began
    pre_script: str | None = None  # run before the set
    post_script: str | None = None  # and after it
    recorded_by: str | None = None  # the version of rr
    template: Mapping[str, Recorded] = field(default_factory=dict)  # what the names in its tests stood for
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_config(path: Path, *, running: str | None = None) -> SetConfig:
    """`running`: the version of this rr. Raises `DocumentError` if a newer one recorded the set."""
    with reading(path):
        data = path.read_bytes()
    tree = load(data, path=path)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise DocumentError("expected keys and values", path=path)
    _check_version(path, tree.get("recorded_by"), running if running is not None else _installed())
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in tree.items():
        name = _KEPLOY.get(key, key)
        if name not in _CHECKS:
            extra[key] = value
        elif value is not None and not (key in _KEPLOY and (value == "" or name in tree)):
            known[name] = _checked(path, data, key, name, value)
    return SetConfig(**known, extra=extra)


def write_config(path: Path, config: SetConfig) -> None:
    tree: dict[str, Any] = {}
    for one in fields(config):
        value = getattr(config, one.name)
        if one.name != "extra" and value not in (None, (), {}):
            tree[one.name] = list(value) if isinstance(value, tuple) else value
    write_whole(path, dump({**tree, **config.extra}).encode())


def edit_config(path: Path, changes: Mapping[Place, Any]) -> None:
    """Writes new values into the file, whose comments and layout stay."""
    text = path.read_text("utf-8") if path.exists() else ""
    write_whole(path, edit(text, changes, path=path).encode())


_CHECKS: dict[str, type] = {
    "command": str,
    "container": str,
    "app_ports": list,
    "certificates": dict,
    "hash_seed": int,
    "time_zone": str,
    "clock": str,
    "pre_script": str,
    "post_script": str,
    "recorded_by": str,
    "template": dict,
}


def _checked(path: Path, data: bytes, key: str, name: str, value: Any) -> Any:
    kind: Any = _CHECKS[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {str: "a text", int: "a whole number", list: "a list of ports", dict: "keys and values"}[kind]
        raise DocumentError(f"`{key}` must be {words}, found {value!r}", path=path, line=_line_of(data, key))
    if name == "app_ports":
        if not all(isinstance(port, int) and 0 < port < 65536 for port in value):
            raise DocumentError(
                f"`{key}` must be a list of ports, found {value!r}", path=path, line=_line_of(data, key)
            )
        return tuple(value)
    if name == "template":
        for each, recorded in value.items():
            if not isinstance(recorded, (str, int, float)) or isinstance(recorded, bool):
                raise DocumentError(
                    f"`{key}.{each}` must be a text or a number, found {recorded!r}",
                    path=path,
                    line=_line_of(data, key),
                )
        return {str(each): recorded for each, recorded in value.items()}
    if name == "certificates":
        return {str(server): str(fault) for server, fault in value.items()}
    return value


def _check_version(path: Path, recorded: object, running: str | None) -> None:
    """First of all: what a newer rr has written may look wrong, and be right."""
    then, now = _VERSION.match(str(recorded or "")), _VERSION.match(running or "")
    if then and now and (int(then[1]), int(then[2])) > (int(now[1]), int(now[2])):
        raise DocumentError(
            f"this test set was recorded by rr {recorded}; this is rr {running}",
            path=path,
            remedy=f"Install rr {recorded} or newer, or record again.",
        )


def _installed() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rr-record-replay")
    except PackageNotFoundError:
        return None


def _line_of(data: bytes, key: str) -> int | None:
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.startswith(key.encode() + b":"):
            return number
    return None
