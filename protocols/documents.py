"""What the documents of every protocol share: times, endings, servers, text and bytes, and reading with care.

Times are RFC 3339 in UTC with at most microseconds: a reader's eye has no use for more. Whatever is not as it should be
is a `DocumentError` that names the key.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from testset.errors import DocumentError
from testset.model import Ending, Server

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?\s*(?:[Zz]|([+-])(\d\d):?(\d\d))?"
)
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BASE64_LINE = 76


def time_text(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    moment = time.gmtime(seconds)
    text = (
        f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}"
        f"T{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    )
    fraction = f"{rest // 1000:06}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def time_ns(value: Any, key: str) -> int:
    """Nanoseconds since 1970; 0 for a time that was never set (`0001-01-01`, or no key at all)."""
    if value is None:
        return 0
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return max(0, int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000)
    match = _TIME.fullmatch(str(value).strip())
    if match is None:
        raise DocumentError(f"{key}: not a time: {value!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError as error:
        raise DocumentError(f"{key}: not a time: {value!r} ({error})") from error
    if year < 1970:
        return 0
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    if match[8]:
        offset = (int(match[9]) * 60 + int(match[10])) * 60
        seconds += -offset if match[8] == "+" else offset
    return max(0, seconds * 1_000_000_000 + int((match[7] or "").ljust(9, "0")))


def readable(data: bytes) -> str | None:
    """These bytes as text, if a person can read them and YAML gives them back unchanged."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _NOT_TEXT.search(text) else text


_SEALED = re.compile(r'\{\{secret "[^"]*"\}\}\s*')


def base64_text(data: bytes) -> str:
    """Base64 in lines, for a block scalar."""
    text = base64.b64encode(data).decode()
    if len(text) <= _BASE64_LINE:
        return text
    return "".join(text[i : i + _BASE64_LINE] + "\n" for i in range(0, len(text), _BASE64_LINE))


def base64_bytes(value: Any, key: str) -> bytes:
    if _SEALED.fullmatch(str(value)):  # bytes that hold a secret are one
        return str(value).encode()
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError(f"{key}: not base64: {error}") from error


def mapping(value: Any, key: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise DocumentError(f"{key}: expected a mapping, found {value!r}")
    return value


def sequence(value: Any, key: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise DocumentError(f"{key}: expected a list, found {value!r}")
    return list(value)


def string(value: Any, key: str, default: str | None = None) -> str:
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DocumentError(f"{key}: expected text, found {value!r}")
    return str(value)


def integer(value: Any, key: str, default: int | None = None) -> int:
    if value is None and default is not None:
        return default
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError
        return int(value)
    except ValueError:
        raise DocumentError(f"{key}: expected a whole number, found {value!r}") from None


def ending(value: Any, key: str = "ending") -> Ending:
    if value is None:
        return Ending.ANSWERED
    try:
        return Ending(value)
    except ValueError:
        known = ", ".join(Ending)
        raise DocumentError(f"{key}: unknown ending {value!r}; one of {known}") from None


def server(value: Any, key: str = "server") -> Server:
    """`host:port`, `[v6]:port`, or a path."""
    text = string(value, key)
    host, colon, port = text.rpartition(":")
    if text.startswith("/") or not colon:
        return Server(text, 0)
    if not port.isdigit() or int(port) > 65535:
        raise DocumentError(f"{key}: not host and port: {text!r}")
    return Server(host.strip("[]").lower(), int(port))
