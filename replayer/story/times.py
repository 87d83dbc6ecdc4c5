"""Times in texts and numbers: reading them, and comparing them as offsets from a clock.

A time that the app reads from its clock is never the same twice. What stays is its distance from the moment at which
the test ran: recorded five minutes ahead of the test, it is five minutes ahead of it now. A time that the app was
given (a date in a row) stays as it is; it is equal then, and needs no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECOND = 1_000_000_000
DAY = 86_400 * SECOND

# A number is a time only near the clock of its test: an order number of ten digits is none.
_NEAR = 400 * DAY
_QUARTER = 900 * SECOND  # zones are whole quarters of an hour away from UTC
_UNITS = {10: SECOND, 13: 1_000_000, 16: 1_000, 19: 1}  # digits of an epoch's integer part: nanoseconds a unit

_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:(?:T| |%20|\+)(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|UTC|(?:[+-]|%2B)\d\d:?(?:\d\d)?)?)?"
)
_RFC_1123 = re.compile(r"[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})")
_EPOCH = re.compile(r"(\d{10}|\d{13}|\d{16}|\d{19})(?:\.(\d{1,9})\d*)?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, and how coarsely it was written: a date alone stands for its whole day."""

    ns: int
    grain: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """When something happened in the recording and when it happens now, as the app believes it to be."""

    recorded_ns: int
    now_ns: int


def moment(text: str, near_ns: int) -> Moment | None:
    """The time that `text` is as a whole, or None. `near_ns` is a time of the recording that it was found in."""
    if len(text) < 10 or len(text) > 40:
        return None
    found = _ISO.fullmatch(text)
    if found is not None:
        return _iso(found)
    if text[0].isalpha():
        return _rfc_1123(text)
    found = _EPOCH.fullmatch(text)
    if found is None:
        return None
    whole, fraction = found.groups()
    unit = _UNITS[len(whole)]
    ns = int(whole) * unit + (int(fraction.ljust(9, "0")) * unit // SECOND if fraction else 0)
    return Moment(ns, unit) if abs(ns - near_ns) <= _NEAR else None


def same_offset(recorded: str, now: str, clocks: Clocks, tolerance_ns: int) -> bool:
    """Whether both are times, written as coarsely, and as far from their clocks, give or take `tolerance_ns`."""
    then = moment(recorded, clocks.recorded_ns)
    today = moment(now, clocks.now_ns)
    if then is None or today is None or (then.grain == DAY) is not (today.grain == DAY):
        return False
    if _digits(recorded) != _digits(now):  # seconds are no milliseconds
        return False
    if then.grain == DAY:
        return (today.ns - then.ns) // DAY in _days_between(clocks, tolerance_ns)
    drift = (today.ns - clocks.now_ns) - (then.ns - clocks.recorded_ns)
    return abs(drift) <= max(tolerance_ns, then.grain, today.grain)


def _days_between(clocks: Clocks, tolerance_ns: int) -> set[int]:
    """How many days later a date may be. What is made of the clock is a zone or some hours away from it, in whole
    quarters: the date changes when one of them begins, and else stays as it is, or moves by whole days."""
    moved = {
        (now_ns // _QUARTER) - (recorded_ns // _QUARTER)
        for recorded_ns in (clocks.recorded_ns, clocks.recorded_ns + tolerance_ns)
        for now_ns in (clocks.now_ns, clocks.now_ns + tolerance_ns)
    }
    return {days for quarters in moved for days in (quarters * _QUARTER // DAY, -(-quarters * _QUARTER // DAY))}


def _digits(text: str) -> int:
    """Of an epoch's integer part: its unit. 0 for a date."""
    whole = text.partition(".")[0]
    return len(whole) if whole.isdigit() and len(whole) in _UNITS else 0


def _iso(found: re.Match[str]) -> Moment | None:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:  # the digits have the form of a date and are none: 2025-99-99
        return None
    ns = int(at.timestamp()) * SECOND + int((fraction or "").ljust(9, "0"))
    if zone is not None and zone[0] in "+-%":
        digits = zone.removeprefix("%2B").lstrip("+-").replace(":", "").ljust(4, "0")
        ns -= (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * SECOND
    grain = DAY if hour is None else 60 * SECOND if second is None else SECOND
    return Moment(ns, grain if fraction is None else 1)


def _rfc_1123(text: str) -> Moment | None:
    if _RFC_1123.fullmatch(text) is None:
        return None
    try:
        return Moment(int(parsedate_to_datetime(text.replace("UTC", "GMT")).timestamp()) * SECOND, SECOND)
    except ValueError:
        return None
