"""What a comparison yields: findings, each one place where the answer is not what the recording says.

A finding carries plain text, so that it can be printed, put into a report, redacted and read back without knowing
where it came from. Saying it in words is `explain`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of difference a finding is."""

    STATUS = "status"
    MISSING = "missing"  # the recording has it, the answer does not
    EXTRA = "extra"  # the answer has it, the recording does not
    TYPE = "type"  # another JSON type, or JSON no more
    VALUE = "value"
    ORDER = "order"  # the same elements in another order
    TEXT = "text"
    BYTES = "bytes"
    ENCODING = "encoding"  # a body that cannot be undone from its Content-Encoding
    ASSERTION = "assertion"  # an assertion of the test does not hold


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. JSON values are JSON text (`"7"` is a string, `7` a number), bytes are hex; None: not there."""

    place: str  # "status", "header.Content-Type", "body.items[0].id", "body", "trailer.Checksum"
    kind: Kind
    expected: str | None
    actual: str | None
    note: str = ""  # what else helps: "line 3, column 14", "first difference at byte 4097 of 8192"
    start: int = 0  # where `expected` and `actual` begin in the body, when they are a window of it

    @property
    def breaks_callers(self) -> bool:
        """Status or schema: what a caller of the app is likely to stumble over, beyond another value."""
        if self.kind in (Kind.STATUS, Kind.TYPE):
            return True
        named = not self.place.endswith("]") or self.place.endswith('"]')  # a field, not an element of an array
        return self.kind is Kind.MISSING and named and self.place.startswith("body")


Forgive = Callable[[str, str, str], str | None]
"""Asked with (place, expected, actual) about each value that differs; the reason why that is as it should be
("made up by the app, bound here"), or None. Values are as `protocols.furniture.Value` would print them: strings
without quotes."""
