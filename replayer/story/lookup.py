"""Where recordings of a request may be: by key, the strictest first.

Each level is a bucket of entries with the same key, and two ways of reading the request as one of them: as it comes
the first time, and as a repetition, in which a nonce may have been made up once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocols.furniture import Room, Value
from replayer.story import key
from replayer.story.attempt import Attempt, read_atoms, read_sealed
from replayer.story.bindings import Bindings
from replayer.story.recording import GIVEN, USED, Bucket, Entry, Story
from replayer.story.template import Template, template
from testset.model import Server

Check = Callable[[Entry], Attempt | None]
Level = tuple[Bucket, Check, Check]


@dataclass(slots=True, eq=False)
class Asked:
    """A request of the app, and what finding its mock needs to know of it."""

    room: Room
    server: Server
    request: Any
    effect: bool
    now_ns: int
    route: int | None
    values: Sequence[Value]
    _templates: list[Template] | None = None

    @property
    def title(self) -> str:
        return self.room.title(self.server, self.request)

    def without(self, places: frozenset[str]) -> Asked:
        """The same request, as if nothing stood in `places`."""
        if not places:
            return self
        values = [value for value in self.values if value.place not in places]
        return replace(self, values=values, _templates=None)

    @property
    def templates(self) -> list[Template]:
        if self._templates is None:
            self._templates = [template(value) for value in self.values]
        return self._templates


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks one request up in the story. `attempt` begins to read it as an entry."""

    story: Story
    bindings: Bindings
    asked: Asked
    attempt: Callable[[Entry], Attempt]

    def levels(self) -> Iterator[Level]:
        asked, story = self.asked, self.story
        for hidden in story.hidden.get(asked.route, ()) if asked.route is not None else ():
            plain = asked.without(hidden)
            # Of mocks that differ in nothing but a secret, the one with this very secret comes first.
            for strict in (True, False) if hidden else (True,):
                bucket = story.literal.get(key.literal(plain.route, plain.values))
                if bucket is not None:
                    check = self._as_it_stands(strict)
                    yield bucket, check, check
                if story.roles:
                    yield from self._renamed_levels(plain, strict)

    def _renamed_levels(self, plain: Asked, strict: bool) -> Iterator[Level]:
        shape = key.shape(plain.route, plain.values, plain.templates)
        patterns = self.story.roles.get(shape, ())
        atoms = [atom for one in plain.templates for atom in one.atoms] if patterns else []
        for roles in patterns:
            # A name of this run goes by its recorded name; one that nobody can mean (None) matches nothing.
            known = [
                self.bindings.recorded(atom) for atom, role in zip(atoms, roles, strict=True) if role in (GIVEN, USED)
            ]
            bucket = self.story.renamed.get(key.renamed(shape, roles, known))
            if bucket is not None:
                yield bucket, self._renamed(atoms, strict), self._renamed(atoms, strict, anew=True)

    def _as_it_stands(self, strict: bool) -> Check:
        def check(entry: Entry) -> Attempt | None:
            attempt = self.attempt(entry)
            kept = all(attempt.follow(one.value, one.value, entry.name) is None for one in entry.made_up)
            return attempt if kept and self._sealed(attempt, entry, strict) else None

        return check

    def _renamed(self, atoms: Sequence[str], strict: bool, *, anew: bool = False) -> Check:
        def check(entry: Entry) -> Attempt | None:
            attempt = self.attempt(entry)
            read = read_atoms(attempt, entry, atoms, entry.name, anew=anew)
            return attempt if read and self._sealed(attempt, entry, strict) else None

        return check

    def _sealed(self, attempt: Attempt, entry: Entry, strict: bool) -> bool:
        return read_sealed(attempt, entry.sealed, self.asked.values, entry.name, strict=strict)
