"""What an rr notes of what it makes in an engine, and what another removes when it was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from intercept import memory
from intercept.containers import leftovers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Not that of the rrs that other tests run at the same time."""
    monkeypatch.setattr(memory, "base_folder", lambda: tmp_path)
    return tmp_path


class Thing(NamedTuple):
    """A container, network or volume."""

    id: str


class AnEngine:
    """What `clean` asks of one: which things have a label."""

    def __init__(self, **labelled: dict[str, str]) -> None:
        self._labelled = {label.replace("__", "="): kinds for label, kinds in labelled.items()}
        self.removed: list[list[str]] = []

    def of_label(self, label: str) -> dict[str, list[Thing]]:
        found = self._labelled.get(label.rpartition(".")[2], {})
        return {
            kind: [Thing(one) for one in found.get(kind, "").split()] for kind in ("containers", "networks", "volumes")
        }

    def remove(self, *kinds: list[Thing]) -> None:
        self.removed = [[one.id for one in kind] for kind in kinds]


def clean(engine: AnEngine, claim: leftovers.Claim) -> int:
    anything: Any = engine
    return leftovers.clean(anything, claim)


def test_nothing_is_abandoned_while_its_rr_lives(folder: Path) -> None:
    assert not leftovers.are_there()
    claim = leftovers.claim("unix:///x.sock")
    assert leftovers.are_there()
    assert list(leftovers.abandoned()) == []
    claim.release()
    assert not leftovers.are_there()


def test_what_was_noted_is_found_when_its_rr_is_gone() -> None:
    claim = leftovers.claim("tcp://far:2375")
    claim.note(project="shop", before={"containers": ["1"]})
    claim.leave()
    [found] = leftovers.abandoned()
    assert found.token == claim.token
    assert found.facts == {"engine": "tcp://far:2375", "project": "shop", "before": {"containers": ["1"]}}
    assert list(leftovers.abandoned()) == [], "it is this process's now"
    found.release()


@pytest.mark.parametrize("noted", [b"", b"{", b"\xff\xfe"])
def test_a_note_that_was_cut_off_says_nothing(noted: bytes) -> None:
    claim = leftovers.claim("x")
    (claim.path / "facts.json").write_bytes(noted)
    claim.leave()
    [found] = leftovers.abandoned()
    assert found.facts == {}
    found.release()


def test_nobody_else_reads_the_notes() -> None:
    claim = leftovers.claim("x")
    assert claim.path.stat().st_mode & 0o077 == 0
    assert (claim.path / "facts.json").stat().st_mode & 0o077 == 0
    claim.release()


def test_what_has_the_label_is_removed_and_what_the_project_did_not_have() -> None:
    claim = leftovers.claim("x")
    claim.note(project="shop", before={"containers": ["old"], "networks": ["front"], "volumes": []})
    engine = AnEngine(
        **{
            f"session__{claim.token}": {"containers": "agent target", "volumes": "shelf"},
            "project__shop": {"containers": "target old users", "networks": "front back", "volumes": "data"},
        }
    )
    assert clean(engine, claim) == 6
    assert engine.removed == [["agent", "target", "users"], ["back"], ["shelf", "data"]]
    claim.release()


def test_where_nothing_was_made_nothing_is_removed() -> None:
    claim = leftovers.claim("x")
    engine = AnEngine(project__shop={"containers": "users"})
    assert clean(engine, claim) == 0
    assert engine.removed == []
    claim.release()
