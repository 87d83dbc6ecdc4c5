"""What an rr that was killed has left in a Docker engine: found by what it noted here, and removed by the next rr."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from intercept import memory
from testset.errors import JournalError

if TYPE_CHECKING:
    from intercept.containers.engine import Engine

LABEL = "dev.rr.session"  # of everything that rr makes in an engine
_FACTS = "facts.json"
_MARK = "containers-"


@dataclass(frozen=True, slots=True)
class Claim:
    """A private folder in memory, for as long as this rr lives: what it has made in an engine, and from which files."""

    path: pathlib.Path
    lock: int
    token: str
    facts: dict[str, Any] = field(default_factory=dict)

    def note(self, **facts: Any) -> None:
        """Say what is about to be made."""
        self.facts.update(facts)
        private(self.path / _FACTS, json.dumps(self.facts).encode())

    def release(self) -> None:
        """Nothing is left."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)

    def leave(self) -> None:
        """Something is left, for another rr to remove."""
        os.close(self.lock)


def claim(host: str) -> Claim:
    """For a new run with the engine at `host`."""
    token = secrets.token_hex(4)
    path = memory.base_folder() / f"{_MARK}{token}"
    path.mkdir(mode=0o700)
    held = memory.lock(path / "lock")
    assert held is not None
    made = Claim(path, held, token)
    made.note(engine=host)
    return made


def private(path: pathlib.Path, content: bytes) -> None:
    """Write a file that nobody else may read: it may name secrets."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)


def are_there() -> bool:
    """Whether any rr has, or had, something in an engine."""
    try:
        return any(memory.base_folder().glob(f"{_MARK}*"))
    except JournalError:
        return False


def abandoned() -> Iterator[Claim]:
    """Those whose rr is gone; they are this process's now."""
    try:
        folders = sorted(memory.base_folder().glob(f"{_MARK}*"))
    except JournalError:
        return
    for path in folders:
        held = memory.lock(path / "lock")
        if held is None:
            continue
        try:
            facts = json.loads((path / _FACTS).read_bytes())
        except (OSError, ValueError):
            facts = {}
        yield Claim(path, held, path.name.removeprefix(_MARK), facts)


def everything_of(engine: Engine, project: str) -> dict[str, list[str]]:
    """The ids of all that belongs to a Compose project just now."""
    found = engine.of_label(f"com.docker.compose.project={project}") if project else {}
    return {kind: [one.id for one in ones] for kind, ones in found.items()}


def clean(engine: Engine, found: Claim) -> int:
    """Remove what a run has made: what has its label, and what its project did not have before. Returns how much."""
    before = found.facts.get("before") or {}
    kinds = ("containers", "networks", "volumes")
    labelled = engine.of_label(f"{LABEL}={found.token}")
    project = found.facts.get("project")
    grown = engine.of_label(f"com.docker.compose.project={project}") if project else {}
    left = {
        kind: {one.id: one for one in (*labelled[kind], *grown.get(kind, ())) if one.id not in before.get(kind, ())}
        for kind in kinds
    }
    if any(left.values()):
        engine.remove(*(list(left[kind].values()) for kind in kinds))
    return sum(map(len, left.values()))
