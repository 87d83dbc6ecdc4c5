"""Documents from YAML text and back: one at a time, so that a file of any size needs the memory of one document.

A file is cut at its `---` lines before anything is parsed (at the start of a line they can be nothing else in
YAML), so a document can be found again by its offset and read alone: `iter_refs` finds, `read_document` reads.

Values are read as YAML 1.2 means them, with two cautions: what looks like a time or a date stays text (timestamps
keep their nanoseconds), and so does a number with a leading zero. A key that is there twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from testset.emit import dump
from testset.errors import DocumentError
from testset.files import reading
from testset.model import Document

__all__ = [
    "VERSION",
    "DocumentRef",
    "check_names",
    "dump",
    "iter_documents",
    "iter_refs",
    "load",
    "load_with_lines",
    "parse_document",
    "positions",
    "read_document",
    "read_only_document",
    "to_text",
]

Read = TypeVar("Read")

VERSION = "api.keploy.io/v1beta1"
_KEYS = ("version", "kind", "name", "spec")
_BLANK = re.compile(rb"(?:[ \t]*(?:[#%][^\n]*)?\r?\n|\.\.\.[ \t]*\r?\n)*[ \t]*(?:[#%][^\n]*|\.\.\.)?\Z")
_BOM = b"\xef\xbb\xbf"  # at the start of a file; the parser takes it
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*(?:#[^\n]*)?\r?\n)*")


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """Where a document stands: `length` bytes from `offset` on, the first of them on line `line` (from 1)."""

    path: Path
    offset: int
    length: int
    line: int


# -- one document -----------------------------------------------------------------------------------------------


def to_text(document: Document) -> str:
    """The document as it stands in a file, without `---`."""
    return dump(
        {
            "version": document.version,
            "kind": document.kind,
            "name": document.name,
            "spec": document.spec,
            **document.extra,
        }
    )


def load(data: bytes | str, *, path: Path | None = None, line: int = 1) -> Any:
    """The one YAML document in `data`; `line` is that of its first line in the file."""
    return _read(data, path, line, lambda loader: loader.get_single_data())


def load_with_lines(data: bytes | str, *, path: Path | None = None) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """The same, and the line of every key (settings want to name it)."""

    def read(loader: Any) -> tuple[Any, dict[tuple[Any, ...], int]]:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines: dict[tuple[Any, ...], int] = {}
        _note_lines(loader, node, (), lines)
        return loader.construct_document(node), lines

    return _read(data, path, 1, read)


def positions(text: str, *, path: Path | None = None, line: int = 1) -> tuple[Any, Any]:
    """The document as PyYAML's nodes, which know where in the text they stand, and as values. Each node has its value
    as `plain`. Both are None for a text without a document."""

    def read(loader: Any) -> tuple[Any, Any]:
        node = loader.get_single_node()
        if node is None:
            return None, None
        return node, _note_values(loader, node)

    return _read(text, path, line, read, _PythonLoader)  # the C parser counts bytes where this one counts characters


def _note_values(loader: Any, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        plain: Any = {_note_values(loader, key): _note_values(loader, value) for key, value in node.value}
    elif isinstance(node, yaml.SequenceNode):
        plain = [_note_values(loader, item) for item in node.value]
    else:
        plain = loader.construct_object(node, deep=True)
    node.plain = plain
    return plain


def _note_lines(loader: Any, node: Any, place: tuple[Any, ...], lines: dict[tuple[Any, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, loader.construct_object(key, deep=True))
            lines[here] = key.start_mark.line + 1
            _note_lines(loader, value, here, lines)


def _read(data: bytes | str, path: Path | None, line: int, read: Callable[[Any], Read], kind: Any = None) -> Read:
    try:
        loader = (kind or _Loader)(data)  # the Python reader looks at the first bytes here
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, path, line) from error
    try:
        return read(loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = line if mark is None else line + mark.line
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(f"this is not YAML: {said}", path=path, line=where) from error
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, path, line) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; a bomb of brackets
        raise DocumentError(f"this cannot be read: {error}", path=path, line=line) from error
    finally:
        loader.dispose()


def _unreadable(error: yaml.reader.ReaderError, path: Path | None, line: int) -> DocumentError:
    return DocumentError(f"this is not YAML: {error.reason} (position {error.position})", path=path, line=line)


def parse_document(data: bytes | str, *, path: Path | None = None, line: int = 1) -> Document:
    """One document; raises `DocumentError` with file and line if it is broken or of an unknown version."""
    tree = load(data, path=path, line=line)
    if not isinstance(tree, dict):
        raise DocumentError(
            f"expected a document (version, kind, name, spec), found {_found(tree)}", path=path, line=line
        )
    first = line + _leading_lines(data.encode() if isinstance(data, str) else data)
    for key in _KEYS:
        if key not in tree:
            raise DocumentError(f"the document has no `{key}`", path=path, line=first)
    version, kind, name, spec = (tree.pop(key) for key in _KEYS)
    if version != VERSION:
        raise DocumentError(
            f"the version {version!r} is unknown; this rr reads {VERSION}",
            path=path,
            line=first,
            remedy="Use the release of rr that wrote it, or record again.",
        )
    for key, value in (("kind", kind), ("name", name)):
        if not isinstance(value, str) or not value:
            raise DocumentError(f"`{key}` must be a text, found {_found(value)}", path=path, line=first)
    if spec is None:
        spec = {}
    if not isinstance(spec, dict):
        raise DocumentError(f"`spec` must be a mapping, found {_found(spec)}", path=path, line=first)
    return Document(kind=kind, name=name, spec=spec, version=version, extra=tree, path=path, line=first)


# -- a file of them ---------------------------------------------------------------------------------------------


def iter_refs(path: Path) -> Iterator[DocumentRef]:
    """Where the documents of a file are, without parsing any and without keeping any in memory."""
    for ref, _ in _cut(path, keep=False):
        yield ref


def iter_documents(path: Path, kinds: Iterable[str] | None = None) -> Iterator[tuple[DocumentRef, Document]]:
    """The documents of a file, one at a time; `kinds`, if given, are all that may occur."""
    known = None if kinds is None else frozenset(kinds)
    for ref, data in _cut(path, keep=True):
        document = parse_document(data, path=path, line=ref.line)
        if known is not None and document.kind not in known:
            raise _unknown_kind(document, known)
        yield ref, document


def read_document(ref: DocumentRef) -> Document:
    """One document, found earlier by `iter_refs` or `iter_documents`."""
    with reading(ref.path), ref.path.open("rb") as file:
        file.seek(ref.offset)
        data = file.read(ref.length)
    return parse_document(data, path=ref.path, line=ref.line)


def read_only_document(path: Path, kinds: Iterable[str] | None = None) -> Document:
    """The document of a file that holds exactly one (a test)."""
    found = list(iter_documents(path, kinds))
    if len(found) != 1:
        raise DocumentError(f"expected one document, found {len(found)}", path=path)
    return found[0][1]


def check_names(documents: Iterable[Document]) -> Iterator[Document]:
    """Passes the documents on; raises `DocumentError` at the first name that was there before."""
    lines: dict[str, tuple[Path | None, int | None]] = {}
    for document in documents:
        if document.name in lines:
            path, line = lines[document.name]
            raise DocumentError(
                f"the name {document.name!r} was used before, in {path}:{line}",
                path=document.path,
                line=document.line,
            )
        lines[document.name] = (document.path, document.line)
        yield document


def _cut(path: Path, *, keep: bool) -> Iterator[tuple[DocumentRef, bytes]]:
    """Cuts a file at its `---` lines; parts with nothing but comments are left out. `keep`: with the bytes."""
    with reading(path), path.open("rb") as file:
        parts: list[bytes] = []
        start, line, empty = 0, 1, True
        offset, number = 0, 1  # of the line that is being read
        for text in file:
            if text.startswith(b"---") and text[3:4] in b" \t\r\n":
                if not empty:
                    yield DocumentRef(path, start, offset - start, line), b"".join(parts)
                rest = text[3:]
                # What stands behind the marker belongs to the document; a bare marker line does not.
                empty = _BLANK.match(rest) is not None
                start, line = (offset + len(text), number + 1) if empty else (offset + 3, number)
                parts = [] if empty or not keep else [rest]
            else:
                if empty:
                    empty = _BLANK.match(text.removeprefix(_BOM) if offset == 0 else text) is not None
                if keep:
                    parts.append(text)
            offset += len(text)
            number += 1
        if not empty:
            yield DocumentRef(path, start, offset - start, line), b"".join(parts)


def _leading_lines(data: bytes) -> int:
    """How many lines of comments and blanks come before the document's first key."""
    match = _LEADING.match(data)
    return match.group().count(b"\n") if match is not None else 0


def _unknown_kind(document: Document, known: frozenset[str]) -> DocumentError:
    return DocumentError(
        f"the kind {document.kind!r} is unknown; known are {', '.join(sorted(known))}",
        path=document.path,
        line=document.line,
        remedy="Correct the kind, or use a release of rr that knows it.",
    )


def _found(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", type(None): "nothing", bool: "true or false"}
    return names.get(type(value), "a number")


# -- how scalars are read ---------------------------------------------------------------------------------------


def _make_loader(base: Any) -> Any:
    """A loader on PyYAML's C parser or, if `base` says so, on its Python one; both read the same."""

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool, type(None))):
                problem = "a key must be a scalar (a text that begins with { needs quotes)"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if key in result:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", key_node.start_mark
                )
            result[key] = loader.construct_object(value_node, deep=True)
        return result

    def integer(loader: Any, node: Any) -> int:
        return int(node.value, 0)

    def number(loader: Any, node: Any) -> float:
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))

    rules = (
        ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
        ("int", r"(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)\Z", "-+0123456789"),
        (
            "float",
            r"(?:[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
            "-+0123456789.",
        ),
        ("null", r"(?:~|null|Null|NULL|)\Z", "~nN\0"),
    )
    for tag, pattern, first in rules:
        Loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(pattern), [c if c != "\0" else "" for c in first]
        )
    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    Loader.add_constructor("tag:yaml.org,2002:int", integer)
    Loader.add_constructor("tag:yaml.org,2002:float", number)
    return Loader


_PythonLoader = _make_loader(yaml.SafeLoader)
_Loader = _make_loader(yaml.CSafeLoader) if yaml.__with_libyaml__ else _PythonLoader
