"""Documents are taken out of a file, and nothing else of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from testset.errors import StorageError
from testset.pruning import drop
from testset.text import iter_documents, iter_refs


def document(name: str) -> str:
    return f"version: api.keploy.io/v1beta1\nkind: Http\nname: {name}\nspec:\n  note: 'of  {name}'   # by hand\n"


FILE = "# the mocks of the shop\n" + "---\n".join(map(document, "abcd"))


@pytest.mark.parametrize("gone", ["a", "b", "d", "bc", "ab", "abc", "acd"])
def test_the_others_stay_to_the_byte(gone: str, tmp_path: Path) -> None:
    path = tmp_path / "mocks.yml"
    path.write_text(FILE)
    drop(path, [ref for ref, each in iter_documents(path) if each.name in gone])
    text = path.read_text()
    assert [each.name for _, each in iter_documents(path)] == [name for name in "abcd" if name not in gone]
    for name in "abcd":
        assert (document(name) in text) is (name not in gone)


def test_what_stands_before_the_first_document_stays(tmp_path: Path) -> None:
    path = tmp_path / "mocks.yml"
    path.write_text("# Generated\n---\n" + document("a") + "---\n" + document("b"))
    drop(path, list(iter_refs(path))[:-1])
    assert path.read_text() == "# Generated\n---\n" + document("b")


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mocks.yml"
    path.write_text(FILE)
    refs = list(iter_refs(path))
    path.write_text("# one more line\n" + FILE)
    with pytest.raises(StorageError, match="was changed"):
        drop(path, refs[1:2])
    assert path.read_text() == "# one more line\n" + FILE
