"""A token that is issued once more: the same claims at another moment, and so another signature.

Whoever logs in twice within a second gets the same JWT twice; a second later it would have been another. That is
chance, as a time's last digits are, and no test depends on it. The same holds for signed cookies that carry the
moment of their signing (`data.moment.signature`, as Flask's sessions are).
"""

from __future__ import annotations

import base64
import binascii
import json

from replayer.story.times import SECOND

_TIMES = frozenset({"iat", "nbf", "exp", "auth_time"})  # RFC 7519, OpenID Connect
_LONGEST_MOMENT = 8  # bytes
_LATEST = 1 << 40  # seconds


def is_reissued(earlier: str, later: str, tolerance_ns: int) -> bool:
    """Whether both are tokens that say the same, at moments no further apart than that."""
    one, other = earlier.split("."), later.split(".")
    if len(one) != 3 or len(other) != 3 or one[0] != other[0] or one[2] == other[2]:
        return False
    then, now = _decoded(one[1]), _decoded(other[1])
    if then is None or now is None:
        return False
    if max(len(then), len(now)) <= _LONGEST_MOMENT:
        return _are_near(int.from_bytes(then, "big"), int.from_bytes(now, "big"), tolerance_ns)
    claimed, claims = _claims(then), _claims(now)
    if claimed is None or claims is None or claimed.keys() != claims.keys():
        return False
    moved = [name for name, value in claimed.items() if value != claims[name]]
    return bool(moved) and all(
        name in _TIMES and _are_near(claimed[name], claims[name], tolerance_ns) for name in moved
    )


def carries_moment(token: str) -> bool:
    """Whether it is a token that tells the time at which it was issued."""
    parts = token.split(".")
    content = _decoded(parts[1]) if len(parts) == 3 else None
    if content is None:
        return False
    return 4 <= len(content) <= _LONGEST_MOMENT or not _TIMES.isdisjoint(_claims(content) or ())


def _are_near(one: object, other: object, tolerance_ns: int) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    is_time = abs(one) < _LATEST and abs(other) < _LATEST
    return is_time and abs(one - other) * SECOND <= max(tolerance_ns, SECOND)


def _claims(text: bytes) -> dict[str, object] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _decoded(segment: str) -> bytes | None:
    try:
        return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
