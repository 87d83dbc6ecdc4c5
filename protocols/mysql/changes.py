"""What an OK says of changes to the session, to a client that tracks them (CLIENT_SESSION_TRACK): bytes to and from a
list that a person can read. What does not come back as the same bytes stays `!!binary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols.documents import mapping, sequence
from protocols.mysql.texts import octets, said
from testset.errors import DocumentError

# The manual's enum_session_state_type, but for GTIDs, which are new with each transaction and stay bytes.
_VARIABLE = 0
_NAMES = {1: "schema", 2: "state", 4: "transaction_characteristics", 5: "transaction_state"}
_CODES = {name: code for code, name in _NAMES.items()}


def to_spec(data: bytes) -> list[dict[str, str]] | bytes:
    try:
        spec = list(_read(data))
        return spec if from_spec(spec, "changes") == data else data
    except (_Unknown, UnicodeDecodeError):
        return data


class _Unknown(Exception):
    """It is none of the changes that have a name here."""


def _read(data: bytes) -> Any:
    at = 0
    while at < len(data):
        code = data[at]
        content, at = _text(data, at + 1)
        first, end = _text(content, 0)
        if code == _VARIABLE:
            second, end = _text(content, end)
            yield {"variable": first.decode(), "value": second.decode()}
        elif code in _NAMES:
            yield {_NAMES[code]: first.decode()}
        else:
            raise _Unknown


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(data) or data[at] >= 0xFB:
        raise _Unknown  # longer ones are not worth a reader's time
    start = at + 1
    end = start + data[at]
    if end > len(data):
        raise _Unknown
    return data[start:end], end


def from_spec(value: Any, key: str) -> bytes:
    if isinstance(value, bytes | Mapping):
        return octets(value, key)
    return b"".join(
        _change(mapping(item, f"{key}[{turn}]"), f"{key}[{turn}]") for turn, item in enumerate(sequence(value, key))
    )


def _change(spec: Mapping[str, Any], key: str) -> bytes:
    if "variable" in spec:
        content = _sized(said(spec["variable"], key), key) + _sized(said(spec.get("value"), key, ""), key)
        return bytes((_VARIABLE, len(content))) + content if len(content) < 0xFB else _too_long(key)
    if len(spec) == 1:
        ((name, text),) = spec.items()
        if name in _CODES:
            content = _sized(said(text, key), key)
            return bytes((_CODES[name], len(content))) + content if len(content) < 0xFB else _too_long(key)
    raise DocumentError(f"{key}: expected one of variable, {', '.join(_CODES)}")


def _sized(text: str, key: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return bytes((len(data),)) + data if len(data) < 0xFB else _too_long(key)


def _too_long(key: str) -> bytes:
    raise DocumentError(f"{key}: too long to be a change of the session")
