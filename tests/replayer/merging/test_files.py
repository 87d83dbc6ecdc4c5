"""Files that are written together: all of them, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from replayer.merging.files import write_together
from testset.errors import StorageError


def test_all_are_written(tmp_path: Path) -> None:
    write_together({tmp_path / "a.yml": b"a", tmp_path / "assets" / "b.bin": b"b"})
    assert (tmp_path / "a.yml").read_bytes() == b"a"
    assert (tmp_path / "assets" / "b.bin").read_bytes() == b"b"


def test_when_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"as it was")
    (tmp_path / "mocks.yml").mkdir()  # in the way
    with pytest.raises(StorageError, match=r"mocks\.yml cannot be written: a folder of that name is in the way"):
        write_together({tmp_path / "a.yml": b"new", tmp_path / "b.yml": b"new", tmp_path / "mocks.yml": b"new"})
    assert (tmp_path / "a.yml").read_bytes() == b"as it was"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.yml", "mocks.yml"]


def test_a_folder_that_cannot_be_made_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "assets").write_bytes(b"a file")
    with pytest.raises(StorageError):
        write_together({tmp_path / "a.yml": b"new", tmp_path / "assets" / "b.bin": b"b"})
    assert [one.name for one in tmp_path.iterdir()] == ["assets"]
