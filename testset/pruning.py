"""Takes documents out of a file of many; every other byte of it stays as it is, comments and layout included."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from testset.errors import StorageError
from testset.files import reading, write_whole
from testset.text import DocumentRef, iter_refs

_PIECE = 1 << 20


def drop(path: Path, unwanted: Collection[DocumentRef]) -> None:
    """Rewrites the file without the documents that `unwanted` refers to."""
    refs = list(iter_refs(path))
    if not set(refs) >= set(unwanted):
        raise StorageError(f"{path} was changed since it was read", remedy="Run the command again.")
    with reading(path), path.open("rb") as file:
        write_whole(path, _without(file, refs, frozenset(unwanted)))


def _without(file: BinaryIO, refs: list[DocumentRef], unwanted: frozenset[DocumentRef]) -> Iterator[bytes]:
    """A document goes with the marker before it. The first that stays gets what stood before the very first."""
    end, first = 0, True
    for ref in refs:
        before, end = end, ref.offset + ref.length
        if ref in unwanted:
            continue
        if first:
            yield from _bytes(file, 0, refs[0].offset)
            yield from _bytes(file, ref.offset, end)
            first = False
        else:
            yield from _bytes(file, before, end)


def _bytes(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (piece := file.read(min(_PIECE, end - start))):
        start += len(piece)
        yield piece
