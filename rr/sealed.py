"""The secrets of a project, and where each stands: in documents, side files, and the commands that rr remembers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rr.record import KEPLOY
from rr.recover import shown
from rr.settings import Settings, load_settings
from testset import placeholders, revision
from testset.errors import SecretError, UsageError
from testset.files import reading
from testset.secrets import FILE_NAME, Vault
from testset.store import TestSet, TestSetStore, natural


@dataclass(frozen=True, slots=True)
class Place:
    """Where a placeholder stands."""

    file: str
    line: int
    document: str | None  # a test or a mock; None: a file that holds none
    test_set: str | None


@dataclass(slots=True)
class Secret:
    """One secret of the project, without its value."""

    name: str
    state: str = "unsealed"  # "unsealed" with the key at hand, or why it cannot be
    places: list[Place] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.name.rpartition("-")[0]


class Project:
    """The secrets of a project and the files that they stand in."""

    def __init__(self, path: Path | None, config_folder: Path) -> None:
        self.config_folder = config_folder
        self.settings: Settings = load_settings(config_folder, {"path": str(path) if path is not None else None})
        self.store = TestSetStore(self.settings.path / KEPLOY)
        self.vault: Vault = self.store.vault()

    def other_files(self) -> list[Path]:
        """What may name a secret besides documents and side files: commands are written there."""
        configs = [
            file
            for each in self.store.test_sets()
            for name in ("config.yml", "config.yaml")
            if (file := each.path / name).is_file()
        ]
        return [*configs, *([self.settings.source] if self.settings.source is not None else [])]

    def secrets(self) -> list[Secret]:
        """All of them, those that are only named somewhere included, in natural order."""
        found = {name: Secret(name, self._state(name)) for name in self.vault.names()}
        for place, name in self._places():
            found.setdefault(name, Secret(name, f"not in {FILE_NAME}")).places.append(place)
        return sorted(found.values(), key=lambda secret: natural(secret.name))

    def secret(self, name: str) -> str:
        """The name as it is in the vault; `{{secret "jwt-1"}}` is understood as well. Raises `UsageError`."""
        known = self.vault.names()
        bare = next(iter(placeholders.names(name)), name)
        if bare in known:
            return bare
        there = ", ".join(sorted(known, key=natural)[:8]) + (", …" if len(known) > 8 else "")
        raise UsageError(
            f"There is no secret {name!r} in {self.vault.path}.",
            remedy=f"There are: {there}." if known else "There is none yet: nothing secret was recorded.",
        )

    def _state(self, name: str) -> str:
        try:
            self.vault.value(name)
        except SecretError as error:
            if "was changed" in str(error):
                return "changed since it was sealed"
            return f"sealed with the key {self.vault.key_id}, which is not here"
        return "unsealed"

    def _places(self) -> Iterator[tuple[Place, str]]:
        for each in self.store.test_sets():
            for path in revision.files(each):
                for text in revision.texts(path):
                    yield from self._in_document(text, each)
            for path in revision.side_files(each):
                names = {name for piece in revision.pieces_of(path) for name in placeholders.names(piece)}
                for name in sorted(names):
                    yield Place(shown(path), 1, None, each.name), name
        for path in self.other_files():
            with reading(path):
                content = path.read_text("utf-8", "replace")
            for name, at in placeholders.names_in_yaml(content):
                yield Place(shown(path), content.count("\n", 0, at) + 1, None, None), name

    @staticmethod
    def _in_document(text: revision.Text, test_set: TestSet) -> Iterator[tuple[Place, str]]:
        named = list(placeholders.names_in_yaml(text.text))
        if named:
            title = re.search(r"^name: *['\"]?([^'\"\n]+)", text.text, re.M)
            for name, at in named:
                line = text.ref.line + text.text.count("\n", 0, at)
                yield Place(shown(text.ref.path), line, title[1].strip() if title else None, test_set.name), name
