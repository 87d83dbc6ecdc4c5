"""Bodies that are compared exactly: text of any kind, and bytes; in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

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
    line = expected.count("\n", 0, at) + 1
    column = at - (expected.rfind("\n", 0, at) + 1) + 1
    start = max(0, at - _KEPT // 2)
    window = slice(start, start + _KEPT)
    yield Finding("body", Kind.TEXT, expected[window], actual[window], f"line {line}, column {column}")


def bytes_findings(expected: bytes, actual: bytes) -> Iterator[Finding]:
    if expected != actual:
        at = first_difference(expected, actual)
        start = max(0, at - at % 16 - _BEFORE)
        window = slice(start, start + _BEFORE + _AFTER)
        yield _bytes_finding(at, len(expected), len(actual), expected[window], actual[window])


def file_findings(expected: bytes | FileBody, actual: bytes | FileBody) -> Iterator[Finding]:
    """Bodies of which one at least is too large for memory: by size and hash, then to the first difference."""
    if isinstance(expected, FileBody) and isinstance(actual, FileBody) and expected.sha256 == actual.sha256:
        return
    one, other = _chunks(expected), _chunks(actual)
    offset = 0
    while True:
        wanted, got = next(one, b""), next(other, b"")
        if wanted != got:
            at = first_difference(wanted, got)
            start = max(0, at - at % 16 - _BEFORE)
            window = slice(start, start + _BEFORE + _AFTER)
            yield _bytes_finding(offset + at, _size(expected), _size(actual), wanted[window], got[window])
            return
        if not wanted:
            return
        offset += len(wanted)


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


def _bytes_finding(at: int, expected_size: int, actual_size: int, expected: bytes, actual: bytes) -> Finding:
    sizes = (
        f"of {expected_size}" if expected_size == actual_size else f"({expected_size} recorded, {actual_size} now)"
    )
    return Finding("body", Kind.BYTES, expected.hex(), actual.hex(), f"first difference at byte {at} {sizes}")


def _size(body: bytes | FileBody) -> int:
    return body.size if isinstance(body, FileBody) else len(body)


def _chunks(body: bytes | FileBody) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), _CHUNK):
            yield body[start : start + _CHUNK]
        return
    with body.path.open("rb") as file:
        yield from _read(file)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
