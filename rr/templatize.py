"""`rr templatize`: proposes names for values that rr cannot follow by itself, and writes them if asked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replayer.loading import LoadedSet, room_of
from replayer.naming import Proposal, propose
from replayer.story.template import text_of
from rr.console import Console
from rr.record import KEPLOY
from rr.recover import many, shown
from rr.settings import load_settings
from testset.config import edit_config
from testset.errors import NoTestSetError
from testset.files import write_whole
from testset.model import Document
from testset.named import named, names_of
from testset.rewrite import set_to
from testset.store import TestSet, TestSetStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said."""

    flags: Mapping[str, Any]
    config_folder: Path
    write: bool
    debug: bool


def templatize(options: Options) -> int:
    """Returns 0, whether there was something to propose or not."""
    console = Console(debug=options.debug)
    settings = load_settings(options.config_folder, options.flags)
    store = TestSetStore(settings.path / KEPLOY)
    names = settings.test.test_sets or tuple(store.names())
    sets = [each for each in map(store.get, names) if each.test_paths()]
    if not sets:
        raise NoTestSetError(f"There is no test set with tests in {store.root}.")
    count = 0
    for each in sets:
        loaded = LoadedSet(each, store.vault())
        found = propose(list(each.tests()), _Given(loaded), loaded.config.template)
        count += len(found)
        _show(console, each, found)
        if options.write and found:
            _write(each, found)
    if not count:
        console.note("Nothing to name: what later requests speak of is found by itself.")
    elif options.write:
        console.headline(f"{many(count, 'name')} written", "rr test shows whether they are right")
    else:
        console.headline(f"{many(count, 'name')} proposed", "nothing is written without --write")
    return 0


class _Given:
    """What the app's dependencies have told it, and up to which test."""

    def __init__(self, loaded: LoadedSet) -> None:
        self._rank = {test.name: index for index, test in enumerate(loaded.tests)}
        self._told: dict[str, int] = {}  # a value: the first test in which it was told, before the app had said it
        said: set[str] = set()
        for mock in loaded.mocks():
            room, exchange = room_of(mock.exchange), mock.exchange
            said.update(text_of(value) for value in room.values(exchange.request))
            rank = min((self._rank.get(owner, -1) for owner in mock.owner.split("+")), default=-1)
            for value in room.response_values(exchange.response) if exchange.response is not None else ():
                text = text_of(value)
                if text not in said:
                    self._told[text] = min(rank, self._told.get(text, rank))

    def __call__(self, test: str, text: str) -> bool:
        return self._told.get(text, len(self._rank)) <= self._rank.get(test, -1)


def _show(console: Console, test_set: TestSet, proposals: list[Proposal]) -> None:
    texts = {path: path.read_text("utf-8") for path in test_set.test_paths()}
    paths = {document.name: document.path for document in test_set.tests()}
    for one in proposals:
        asked = ", ".join(one.asked[:3]) + (f" and {len(one.asked) - 3} more" if len(one.asked) > 3 else "")
        console.headline(
            f"{test_set.name}: {named(one.name)} for {one.value}",
            f"{one.test} says it in {one.place}; asked in {asked}",
        )
        for name, document in one.documents.items():
            path = paths[name]
            if path is None:
                continue
            new = set_to(texts[path], _tree(document), path=path)
            console.note(f"  {shown(path)}")
            lines = difflib.unified_diff(texts[path].splitlines(), new.splitlines(), n=0, lineterm="")
            for line in lines:
                if not line.startswith(("---", "+++", "@@")):
                    console.note(f"    {line}")
            texts[path] = new
        console.blank()


def _write(test_set: TestSet, proposals: list[Proposal]) -> None:
    before = list(test_set.tests())
    last: dict[str, Document] = {}
    for one in proposals:
        last.update(one.documents)
    for document in last.values():
        if document.path is not None:
            text = document.path.read_text("utf-8")
            write_whole(document.path, set_to(text, _tree(document), path=document.path).encode())
    changes: dict[tuple[Any, ...], Any] = {("template", one.name): one.value for one in proposals}
    if not test_set.config().template:  # what looks like a name has been text until now, and stays it
        texts = (name for document in before for name in names_of(document.spec))
        changes |= {("template", name): named(name) for name in texts}
    edit_config(test_set.config_path(), changes)


def _tree(document: Document) -> dict[str, Any]:
    head = {"version": document.version, "kind": document.kind, "name": document.name, "spec": document.spec}
    return {**head, **document.extra}
