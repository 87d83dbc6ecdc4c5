"""Test sets on disk: folders and files, read lazily and written so that nobody ever sees a half of anything.

    keploy/test-set-0/tests/test-1.yml     one test a file
    keploy/test-set-0/mocks.yml            mocks in the order of the recording
    keploy/test-set-0/config.yml           what the set needs
    keploy/test-set-0/assets/…             bodies too large for a document

Keploy's `.yaml` names are read as well. What is written has been redacted: the writer takes nothing else, and the vault
is saved before a document that leans on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from testset.config import SetConfig, read_config, write_config
from testset.errors import DocumentError, NoTestSetError, StorageError, UsageError
from testset.files import reading, storage, write_aside, write_whole
from testset.model import Document, FileBody
from testset.redaction import RedactedDocument, Redactor
from testset.secrets import FILE_NAME, Vault
from testset.text import DocumentRef, iter_documents, iter_refs, read_only_document, to_text

_SUFFIXES = (".yml", ".yaml")
_NUMBERED = re.compile(r"test-set-([0-9]+)\Z")
_NAME = re.compile(r"[^\W_][\w.+\-]*\Z")
_PIECE = 1024 * 1024
_NAME_LINE = re.compile(rb"^name: (\S+)$", re.MULTILINE)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Orders test-2 before test-10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name))


class TestSetStore:
    """The `keploy` folder of a project (or of one service in it)."""

    __test__ = False  # pytest: this is no test class

    def __init__(self, root: Path) -> None:
        self.root = root

    def vault(self) -> Vault:
        return Vault(self.root / FILE_NAME)

    def names(self) -> list[str]:
        """The test sets that there are, in natural order."""
        if not self.root.is_dir():
            return []
        with reading(self.root):
            return sorted((path.name for path in self.root.iterdir() if _is_test_set(path)), key=natural)

    def test_sets(self) -> Iterator[TestSet]:
        for name in self.names():
            yield TestSet(self.root / name)

    def get(self, name: str) -> TestSet:
        """Raises `NoTestSetError`, naming those that there are."""
        if name in (names := self.names()):
            return TestSet(self.root / name)
        there = f"there are: {', '.join(names)}" if names else "there is none yet"
        raise NoTestSetError(f"no test set {name!r} in {self.root} ({there})")

    def next_name(self) -> str:
        """`test-set-N`, N being one more than the largest, so that an old name never comes back with new content."""
        numbers = []
        if self.root.is_dir():
            with reading(self.root):
                numbers = [int(match[1]) for path in self.root.iterdir() if (match := _NUMBERED.match(path.name))]
        return f"test-set-{max(numbers, default=-1) + 1}"

    def create(self, name: str | None, vault: Vault) -> TestSetWriter:
        """A new test set; raises `UsageError` if there is one of that name already."""
        name = name if name is not None else self.next_name()
        _check_name(name)
        folder = self.root / name
        with storage(folder):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
            except FileExistsError:
                if any(folder.iterdir()):
                    raise UsageError(
                        f"there is a test set {name!r} already", remedy="Choose another name, or remove it first."
                    ) from None
        return TestSetWriter(folder, vault)

    def open(self, name: str, vault: Vault) -> TestSetWriter:
        """The writer of a test set that is there: to add to it."""
        return TestSetWriter(self.get(name).path, vault)

    def reopen(self, name: str, vault: Vault) -> TestSetWriter:
        """The writer of a test set whose recording was cut off: its folder may be empty, or not there yet."""
        _check_name(name)
        folder = self.root / name
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return TestSetWriter(folder, vault)

    def check_new(self, name: str) -> None:
        """Raises `UsageError` if there is a test set of that name, or cannot be."""
        _check_name(name)
        folder = self.root / name
        with storage(folder):
            if folder.exists() and any(folder.iterdir()):
                raise UsageError(
                    f"There is a test set {name!r} already.", remedy="Choose another name, or remove it first."
                )

    def check_writable(self) -> None:
        """Raises `StorageError` now rather than when there is something to be lost."""
        with storage(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            write_aside(self.root, [b"\0" * 4096]).unlink()

    def discard(self, name: str) -> None:
        """Removes a test set in which nothing was recorded, and the folder of all sets if it was the only thing."""
        shutil.rmtree(self.root / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.root.rmdir()


class TestSet:
    """A recorded test set, for reading."""

    __test__ = False

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    def test_paths(self) -> list[Path]:
        folder = self.path / "tests"
        if not folder.is_dir():
            return []
        with reading(folder):
            found = [path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.name.startswith(".")]
        return sorted(found, key=lambda path: natural(path.stem))

    def tests(self, kinds: Iterable[str] | None = None) -> Iterator[Document]:
        """The tests in natural order, each read when it is asked for."""
        seen: dict[str, Path] = {}
        for path in self.test_paths():
            document = read_only_document(path, kinds)
            if document.name in seen:
                raise DocumentError(
                    f"the test {document.name!r} is there twice, here and in {seen[document.name].name}",
                    path=path,
                    line=document.line,
                )
            seen[document.name] = path
            yield document

    def mocks(self, kinds: Iterable[str] | None = None) -> Iterator[tuple[DocumentRef, Document]]:
        """The mocks in the order of the recording, one at a time; the reference reads one again (`read_document`)."""
        path = self.mocks_path()
        lines: dict[str, int] = {}
        for ref, document in iter_documents(path, kinds) if path is not None else ():
            if document.name in lines:
                raise DocumentError(
                    f"the mock {document.name!r} is there twice, here and on line {lines[document.name]}",
                    path=path,
                    line=document.line,
                )
            lines[document.name] = document.line or ref.line
            yield ref, document

    def mock_refs(self) -> Iterator[DocumentRef]:
        """Where the mocks are, without parsing them."""
        path = self.mocks_path()
        return iter_refs(path) if path is not None else iter(())

    def mocks_path(self) -> Path | None:
        return _one_of(self.path, "mocks")

    def config_path(self) -> Path:
        """Where it is, or would be written."""
        return _one_of(self.path, "config") or self.path / "config.yml"

    def config(self) -> SetConfig:
        path = self.config_path()
        return read_config(path) if path.exists() else SetConfig()

    def asset(self, relative: str) -> Path:
        """The file of a large body. Raises `DocumentError` for one that is not there, or not of this test set."""
        path = self.path / relative
        inside = path.resolve().is_relative_to(self.path.resolve())
        if not inside or not path.is_file():
            raise DocumentError(f"the body {relative!r} is not in the test set", path=self.path)
        return path


class TestSetWriter:
    """Writes one test set. Use it as a context manager, or call `close`."""

    __test__ = False

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.path = folder
        self._vault = vault
        self._mocks: BinaryIO | None = None
        self._end = 0  # of the mocks' file
        self._abandoned = False

    def write_test(self, redacted: RedactedDocument) -> Path:
        """Writes `tests/<name>.yml`, over an older one of that name."""
        document = redacted.document
        _check_name(document.name)
        self._vault.save()
        path = self.path / "tests" / f"{document.name}.yml"
        write_whole(path, to_text(document).encode())
        path.with_suffix(".yaml").unlink(missing_ok=True)  # Keploy's file of the same test
        return path

    def append_mock(self, redacted: RedactedDocument) -> tuple[int, int]:
        """Adds a mock behind the last; returns its offset and length, for a `DocumentRef`."""
        file = self._open_mocks()
        self._vault.save()
        text = to_text(redacted.document).encode()
        separator = b"---\n" if self._end else b""
        with storage(Path(file.name)):
            try:
                self._append(file, separator + text)
            except OSError:
                os.ftruncate(file.fileno(), self._end)
                file.seek(self._end)
                raise
        offset = self._end + len(separator)
        self._end = offset + len(text)
        return offset, len(text)

    def mocks_end(self) -> int:
        """Where the next mock will be appended."""
        self._open_mocks()
        return self._end

    def truncate_mocks(self, offset: int) -> None:
        """Drops what was written after `offset` (the end of a mock): a recovery writes it again."""
        file = self._open_mocks()
        if offset > self._end:
            raise StorageError(
                f"{file.name} ends at {self._end}, before {offset}: it was changed since the crash",
                remedy="Restore the file, or record again.",
            )
        with storage(Path(file.name)):
            os.ftruncate(file.fileno(), offset)
            file.seek(offset)
        self._end = offset

    def rename_mocks(self, renamed: Callable[[str], str]) -> None:
        """Gives mocks other names, each asked for in the order of the file; nothing else of them changes."""
        path = _one_of(self.path, "mocks")
        if path is None:
            return
        names = {ref: match[1].decode() for ref in iter_refs(path) if (match := _NAME_LINE.search(_bytes_of(ref)))}
        fresh = {ref: renamed(name) for ref, name in names.items()}
        if all(fresh[ref] == name for ref, name in names.items()):
            return

        def pieces() -> Iterator[bytes]:
            for number, ref in enumerate(iter_refs(path)):
                data = _bytes_of(ref)
                if ref in fresh:
                    data = _NAME_LINE.sub(b"name: " + fresh[ref].encode(), data, count=1)
                yield (b"---\n" if number else b"") + data

        self.close()
        write_whole(path, pieces())

    def write_config(self, config: SetConfig) -> Path:
        path = TestSet(self.path).config_path()
        write_config(path, config)
        return path

    def add_asset(self, body: FileBody, redactor: Redactor, extension: str = "bin") -> str:
        """Copies a large body, redacting it; returns its path in the test set. The same content is kept once."""
        folder = self.path / "assets"
        digest = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            stream = redactor.stream()
            with body.path.open("rb") as file:
                while data := file.read(_PIECE):
                    yield stream.feed(data)
            yield stream.finish()

        def hashed() -> Iterator[bytes]:
            for piece in pieces():
                digest.update(piece)
                yield piece

        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = write_aside(folder, hashed())
            try:
                self._vault.save()
                relative = f"assets/{digest.hexdigest()[:16]}.{extension.lstrip('.')}"
                os.replace(temporary, self.path / relative)
            finally:
                temporary.unlink(missing_ok=True)
        return relative

    def abandon(self) -> None:
        """Lets go of the files as they are: another writer goes on where this one failed."""
        self._abandoned = True
        self.close()

    def close(self) -> None:
        if not self._abandoned:
            self._vault.save()
        if self._mocks is not None:
            self._mocks.close()
            self._mocks = None

    def __enter__(self) -> TestSetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_mocks(self) -> BinaryIO:
        if self._mocks is None:
            path = _one_of(self.path, "mocks") or self.path / "mocks.yml"
            with storage(path):
                path.touch()
                file = path.open("r+b", buffering=0)
                self._end = file.seek(0, os.SEEK_END)
                if self._end:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":  # edited by hand: the next marker must begin a line
                        self._end += self._append(file, b"\n")
            self._mocks = file
        return self._mocks

    @staticmethod
    def _append(file: BinaryIO, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        return len(data)


def _bytes_of(ref: DocumentRef) -> bytes:
    with ref.path.open("rb") as file:
        file.seek(ref.offset)
        return file.read(ref.length)


def _is_test_set(path: Path) -> bool:
    if path.name == "reports" or path.name.startswith(".") or not path.is_dir():
        return False
    return (path / "tests").is_dir() or any((path / f"mocks{suffix}").is_file() for suffix in _SUFFIXES)


def _one_of(folder: Path, stem: str) -> Path | None:
    """`stem.yml` or `stem.yaml`; both at once would leave open which one counts."""
    found = [path for suffix in _SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise DocumentError(f"there is a {found[1].name} as well", path=found[0], remedy="Remove one of the two.")
    return found[0] if found else None


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} cannot be the name of a file",
            remedy="Use letters, digits, `-`, `_`, `.` and `+`, and begin with a letter or digit.",
        )
