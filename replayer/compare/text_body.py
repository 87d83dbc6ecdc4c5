"""Bodies that are compared exactly: text of any kind, and bytes; in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from replayer.compare.finding import Finding, Forgive, Kind
from replayer.compare.renaming import Renaming, forgiven
from testset.model import FileBody

_KEPT = 64 * 1024  # of a text, around the first difference, in a finding
_BEFORE = 32  # bytes shown before the first that differs: two lines of sixteen
_AFTER = 64
_CHUNK = 1024 * 1024


def text_findings(
    expected: str, actual: str, *, renaming: Renaming | None, forgive: Forgive | None
) -> Iterator[Finding]:
    if renaming:
        expected = renaming(expected)
    if expected == actual or forgiven(forgive, "body", expected, actual):
        return
    at = first_difference(expected, actual)
    line_start = expected.rfind("\n", 0, at) + 1
    start = max(0, at - _KEPT // 2) if at >= _KEPT else 0
    window = slice(start, start + _KEPT)
    where = f"line {expected.count(chr(10), 0, at) + 1}, column {at - line_start + 1}"
    yield Finding("body", Kind.TEXT, expected[window], actual[window], where, start)


def bytes_findings(expected: bytes, actual: bytes) -> Iterator[Finding]:
    if expected != actual:
        yield _bytes_finding(expected, actual, 0, len(expected), len(actual))


def file_findings(expected: bytes | FileBody, actual: bytes | FileBody) -> Iterator[Finding]:
    """Bytes of which one at least is too large for memory: by hash, then piece by piece to the first difference."""
    if isinstance(expected, FileBody) and isinstance(actual, FileBody) and expected.sha256 == actual.sha256:
        return
    if not (_is_there(expected) and _is_there(actual)):
        note = f"too large to show where it differs ({_size(expected)} bytes recorded, {_size(actual)} now)"
        yield Finding("body", Kind.BYTES, "", "", note)
        return
    offset = 0
    for wanted, got in zip_longest(_chunks(expected), _chunks(actual), fillvalue=b""):
        if wanted != got:
            yield _bytes_finding(wanted, got, offset, _size(expected), _size(actual))
            return
        offset += len(wanted)


def _bytes_finding(expected: bytes, actual: bytes, offset: int, expected_size: int, actual_size: int) -> Finding:
    """`offset`: where the two pieces stand in their bodies."""
    at = first_difference(expected, actual)
    start = max(0, at - at % 16 - _BEFORE)
    window = slice(start, start + _BEFORE + _AFTER)
    sizes = f"of {expected_size}" if expected_size == actual_size else f"({expected_size} recorded, {actual_size} now)"
    note = f"first difference at byte {offset + at} {sizes}"
    return Finding("body", Kind.BYTES, expected[window].hex(), actual[window].hex(), note, offset + start)


def first_difference(one: str | bytes, other: str | bytes) -> int:
    """The first index at which two different sequences differ; slices are compared, not items, to be quick."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _size(body: bytes | FileBody) -> int:
    return body.size if isinstance(body, FileBody) else len(body)


def _is_there(body: bytes | FileBody) -> bool:
    """What the app answers is kept in memory up to a limit; of what is larger, there is the hash."""
    return isinstance(body, bytes) or body.path.is_file()


def _chunks(body: bytes | FileBody) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), _CHUNK):
            yield body[start : start + _CHUNK]
        return
    with body.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
