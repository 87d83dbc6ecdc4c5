"""How the values of settings are read: each function takes what a file, a flag or the environment says and returns what
it means, or raises `ValueError` with what it expected ("a size such as 128MiB").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Read = Callable[[Any], Any]
Object = TypeVar("Object")

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*\Z", re.I)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+\Z")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def size(value: object) -> int:
    """Bytes of `128MiB`, `8GB`, `64k` or of a plain number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a size such as 128MiB")
    number, prefix, binary = match.groups()
    # `64k` without a B is what people write for 64 KiB.
    base = 1024 if binary or not match[0].strip().lower().endswith("b") else 1000
    return int(float(number) * base ** " kmgt".index(prefix.lower() or " "))


def duration(value: object) -> float:
    """Seconds of `30s`, `1m30s`, `500ms` or of a plain number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        return float(text)
    if not _DURATION.match(text):
        raise ValueError("a duration such as 30s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def percentage(value: object) -> float:
    """`80`, `82.5` or `80%`."""
    given = value.strip().removesuffix("%") if isinstance(value, str) else value
    try:
        number = float(given) if isinstance(given, (str, int, float)) and not isinstance(given, bool) else -1.0
    except ValueError:
        number = -1.0
    if 0 <= number <= 100:
        return number
    raise ValueError("a percentage, 0 to 100")


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a text")


def optional_text(value: Any) -> str | None:
    return text(value) or None


def true_or_false(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in ("true", "yes", "1", "on"):
        return True
    if word in ("false", "no", "0", "off"):
        return False
    raise ValueError("true or false")


def port(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
        return value
    raise ValueError("a port (1 to 65535)")


def names(value: Any) -> tuple[str, ...]:
    """One text, or several."""
    found: tuple[str, ...] = list_of(text)(value)
    return tuple(one for one in found if one)


def list_of(read: Read) -> Read:
    def reader(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):  # a flag or an environment variable
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, (list, tuple)):
            raise ValueError("a list")
        return tuple(read(item) for item in value)

    return reader


def one_of(*words: str) -> Read:
    def reader(value: Any) -> str:
        if isinstance(value, str) and value.lower() in words:
            return value.lower()
        raise ValueError(" or ".join(words) if len(words) < 3 else f"one of {', '.join(words)}")

    return reader


def pattern(value: Any) -> str:
    try:
        re.compile(text(value))
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return str(value)


def mapping_of(read: Read) -> Read:
    def reader(value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError("keys and values")
        return {str(key): read(item) for key, item in value.items()}

    return reader


def patterns(value: Any) -> tuple[str, ...]:
    """Keploy allows a single pattern in place of a list, and `*` for any value."""
    return tuple("*" if item == "*" else pattern(item) for item in (value if isinstance(value, list) else [value]))


def members(cls: type[Object], readers: Mapping[str, Read]) -> Read:
    """A mapping with known keys, as an object of `cls`. Keploy's names of keys are in `readers` by their last part."""

    def reader(value: Any) -> Object:
        if not isinstance(value, Mapping):
            raise ValueError(f"a mapping of {', '.join(readers)}")
        values: dict[str, Any] = {}
        for key, item in value.items():
            name = next((name for name in readers if plain(name) == plain(str(key))), None)
            if name is None:
                raise ValueError(f"a mapping of {', '.join(readers)} (found the key {key!r})")
            if item is not None and not (item == "" or item == 0):  # Keploy writes what is not set so
                values["methods" if name == "url_methods" else name] = readers[name](item)
        return cls(**values)

    return reader


def plain(key: str) -> str:
    """`build_delay`, `build-delay` and `buildDelay` are one key."""
    return key.replace("_", "").replace("-", "").lower()
