"""Changes documents and side files of a whole test set, one pass a file; all that is not concerned stays, to the byte.

For what comes to light after a document was written: a value that is no secret after all, or is one. What a document
becomes, the caller says; which documents are worth parsing, `concerns` tells from their text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from testset import placeholders
from testset.files import reading, write_whole
from testset.model import Document
from testset.redaction import RedactedDocument
from testset.rewrite import set_to
from testset.store import TestSet
from testset.text import DocumentRef, iter_refs, parse_document

_PIECE = 1 << 20


class Text(NamedTuple):
    """A document as it stands in its file."""

    ref: DocumentRef
    text: str

    def parsed(self) -> Document:
        return parse_document(self.text, path=self.ref.path, line=self.ref.line)


def files(test_set: TestSet) -> list[Path]:
    """The files that hold the documents of a set, tests first."""
    mocks = test_set.mocks_path()
    return [*test_set.test_paths(), *([mocks] if mocks is not None else [])]


def side_files(test_set: TestSet) -> list[Path]:
    """The bodies that are too large for a document."""
    folder = test_set.path / "assets"
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def texts(path: Path) -> Iterator[Text]:
    """The documents of a file, as they stand there."""
    with reading(path), path.open("rb") as file:
        for ref in iter_refs(path):
            yield Text(ref, b"".join(_bytes(file, ref.offset, ref.offset + ref.length)).decode("utf-8", "replace"))


def revise(
    test_set: TestSet, concerns: Callable[[Text], bool], change: Callable[[Document], RedactedDocument]
) -> list[str]:
    """Changes the documents that are concerned; returns the names of those that became others."""
    changed: list[str] = []
    for path in files(test_set):
        edits: dict[DocumentRef, bytes] = {}
        for text in texts(path):
            if concerns(text):
                document = text.parsed()
                wanted = change(document).document
                tree = {"version": wanted.version, "kind": wanted.kind, "name": wanted.name, "spec": wanted.spec}
                new = set_to(text.text, {**tree, **wanted.extra}, path=path, line=text.ref.line)
                if new != text.text:
                    edits[text.ref] = new.encode()
                    changed.append(wanted.name)
        if edits:
            with reading(path), path.open("rb") as file:
                write_whole(path, _edited(file, edits))
    return changed


def _edited(file: BinaryIO, edits: Mapping[DocumentRef, bytes]) -> Iterator[bytes]:
    end = 0
    for ref, new in edits.items():
        yield from _bytes(file, end, ref.offset)
        yield new
        end = ref.offset + ref.length
    yield from _bytes(file, end, file.seek(0, 2))


def _bytes(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (piece := file.read(min(_PIECE, end - start))):
        start += len(piece)
        yield piece


def revise_file(path: Path, whole: Callable[[Iterator[str]], Iterator[str]], change: Callable[[str], str]) -> bool:
    """Changes a side file of any size, a piece at a time; returns whether it became another. `whole` cuts the pieces
    where nothing is that is to be changed."""
    if all(change(piece) == piece for piece in whole(pieces_of(path))):
        return False
    write_whole(path, (change(piece).encode("latin-1") for piece in whole(pieces_of(path))))
    return True


def pieces_of(path: Path) -> Iterator[str]:
    """A side file as text, one character a byte, cut where no placeholder is."""
    rest = ""
    with reading(path), path.open("rb") as file:
        while piece := file.read(_PIECE):
            text = rest + piece.decode("latin-1")
            cut = placeholders.safe_cut(text)
            yield text[:cut]
            rest = text[cut:]
    yield rest
