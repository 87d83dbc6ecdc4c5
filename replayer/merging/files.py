"""The files of a merged test set: only values that change are written, and either all of them or none.

What a document says now is put into its text as it stands, so comments and layout stay.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replayer.merging.sets import Merged
from testset import revision
from testset.files import storage, write_aside
from testset.model import Document
from testset.rewrite import set_to
from testset.store import TestSet
from testset.text import iter_documents, to_text


def write(test_set: TestSet, merged: Merged, fresh: TestSet) -> None:
    """`fresh`: the new recording, which has the side files that are new."""
    wanted = {**_tests(test_set, merged), **_mocks(test_set, merged)}
    said = [content.decode("utf-8", "replace") for content in wanted.values()]
    assets = {
        test_set.path / "assets" / one.name: one.read_bytes()
        for one in revision.side_files(fresh)
        if any(one.name in text for text in said)
    }
    write_together({**assets, **wanted})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Writes all of these files or, when one cannot be written, none: then they are as they were."""
    before: dict[Path, bytes | None] = {}
    aside: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            with storage(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                aside[path] = write_aside(path.parent, [content])
        for path, temporary in aside.items():
            with storage(path):
                was = path.read_bytes() if path.is_file() else None
                os.replace(temporary, path)
                before[path] = was
    except BaseException:
        for path, was in before.items():
            with contextlib.suppress(OSError):  # the error that is on its way is the one to tell
                if was is None:
                    path.unlink()
                else:
                    path.write_bytes(was)
        raise
    finally:
        for temporary in aside.values():
            temporary.unlink(missing_ok=True)


def _tests(test_set: TestSet, merged: Merged) -> dict[Path, bytes]:
    found: dict[Path, bytes] = {}
    for path in test_set.test_paths():
        for _, document in iter_documents(path):
            if document.name in merged.tests:
                text = path.read_text("utf-8")
                found[path] = set_to(text, _tree(merged.tests[document.name]), path=path).encode()
    return found


def _mocks(test_set: TestSet, merged: Merged) -> dict[Path, bytes]:
    path = test_set.mocks_path() or test_set.path / "mocks.yml"
    texts = {one.parsed().name: one.text for one in revision.texts(path)} if path.exists() else {}
    pieces = []
    for mock in merged.mocks:
        if mock.old is None:
            pieces.append(to_text(mock.document))
        elif mock.old == mock.document:
            pieces.append(texts[mock.old.name])
        else:
            pieces.append(set_to(texts[mock.old.name], _tree(mock.document), path=path))
    whole = "---\n".join(piece if piece.endswith("\n") else piece + "\n" for piece in pieces).encode()
    is_as_it_was = path.read_bytes() == whole if path.exists() else not whole
    return {} if is_as_it_was else {path: whole}


def _tree(document: Document) -> dict[str, Any]:
    return {
        "version": document.version, "kind": document.kind, "name": document.name, "spec": document.spec,
        **document.extra,
    }  # fmt: skip
