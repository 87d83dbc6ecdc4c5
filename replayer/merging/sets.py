"""A whole test set merged with a new recording of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from replayer.compare import noise_of_test
from replayer.compare.noise import Noise
from replayer.merging.alignment import align, question
from replayer.merging.owners import Owners, owner_of
from replayer.merging.sameness import Near, Sameness
from replayer.merging.trees import Merger
from replayer.story.times import Clocks
from testset.model import Document

_PASSES = (
    2  # the first only learns: a value may be met where nothing tells that it is made up, before it is where it does
)


@dataclass(frozen=True, slots=True)
class MergedMock:
    """A mock of the merged set: `old` is what it was, if it was there."""

    document: Document
    old: Document | None


@dataclass(frozen=True, slots=True)
class Merged:
    """What the files are to say."""

    tests: Mapping[str, Document]  # those that change
    mocks: Sequence[MergedMock]
    removed: Sequence[str]

    @property
    def changed(self) -> list[str]:
        """The mocks that are not what they were."""
        return [one.document.name for one in self.mocks if one.old is not None and one.document != one.old]

    @property
    def added(self) -> list[str]:
        return [one.document.name for one in self.mocks if one.old is None]

    @property
    def is_empty(self) -> bool:
        return not self.tests and not self.changed and not self.added and not self.removed


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two recordings."""

    tests: Mapping[str, Document]
    mocks: Sequence[Document]
    started_ns: Mapping[str, int]  # when each test began


def merge(old: Side, new: Side, new_of: Mapping[str, str], known: Iterable[tuple[str, str]] = ()) -> Merged:
    """`new_of`: the name that each test of the old recording has in the new one; one that it lacks stays as it is.
    `known`: old values, and what they are called in the new recording."""
    sameness = Sameness(known)
    for _ in range(_PASSES):
        result = _Merging(old, new, new_of, sameness).all()
    return result


class _Merging:
    """One pass."""

    def __init__(self, old: Side, new: Side, new_of: Mapping[str, str], sameness: Sameness) -> None:
        self._old = old
        self._new = new
        self._new_of = new_of
        self._sameness = sameness
        self._owners = Owners(old.tests, new.tests, new_of)
        self._owner_now = {one.name: self._owners.in_old_names(owner_of(one)) for one in new.mocks}
        self._pools: list[list[MergedMock]] = []  # what was matched together; what is new still has its own name
        self._gone: list[Document] = []

    def all(self) -> Merged:
        tests: dict[str, Document] = {}
        owners = dict.fromkeys((*map(owner_of, self._old.mocks), *self._owner_now.values()))
        # start-up first, then the tests, and of each its response before its mocks: so ids are met where they are sure
        for owner in owners:
            if owner and not self._owners.tests_of(owner):
                self._match({owner})
        for family in self._owners.families(owners):
            for name in family:
                if name in self._new_of:
                    self._test(name, tests)
            self._match({owner for owner in owners if set(self._owners.tests_of(owner)) & set(family)})
        self._follow()
        return Merged(tests, self._ordered(), [one.name for one in self._gone])

    def _test(self, name: str, tests: dict[str, Document]) -> None:
        old, new = self._old.tests[name], self._new.tests[self._new_of[name]]
        rules = (old.spec.get("assertions") or {}).get("noise") or {}
        noise = noise_of_test(rules)
        merger = Merger(self._sameness, self._near(name), lambda place, value: _is_noisy(noise, place, value))
        kept = {key: value for key, value in old.spec.items() if key not in ("req", "resp", "ending")}
        spec = merger.merge({key: old.spec[key] for key in old.spec if key not in kept}, _exchange(new.spec))
        merged = {key: spec.get(key, kept.get(key)) for key in (*old.spec, *spec) if key in spec or key in kept}
        # the request is what rr has sent, and was not asked for anew
        document = replace(old, spec={**merged, "req": old.spec.get("req")} if "req" in old.spec else merged)
        if document != old:
            tests[name] = document

    # -- mocks ---------------------------------------------------------------------------------------------------

    def _match(self, owners: AbstractSet[str]) -> None:
        """The mocks of these owners, in both recordings."""
        old = [one for one in self._old.mocks if owner_of(one) in owners]
        new = [one for one in self._new.mocks if self._owner_now[one.name] in owners]
        pool: list[MergedMock] = []
        for was, now in align(old, new, self._sameness, self._is_related):
            if was is not None and now is not None:
                pool.append(MergedMock(self._merged(old[was], new[now]), old[was]))
            elif was is not None and self._may_be_silent(owner_of(old[was])):
                pool.append(MergedMock(old[was], old[was]))
            elif was is not None:
                self._gone.append(old[was])
            elif now is not None:
                pool.append(MergedMock(new[now], None))
        self._pools.append(pool)

    def _is_related(self, old: Document, new: Document) -> bool:
        """Whether a test may have asked for both."""
        now = self._owner_now[new.name]
        return owner_of(old) == now or bool(set(self._owners.tests_of(owner_of(old))) & set(self._owners.tests_of(now)))

    def _may_be_silent(self, owner: str) -> bool:
        """What belongs to no test may be asked for the next time, and of a test that was not recorded anew nothing is
        known."""
        tests = self._owners.tests_of(owner)
        return not tests or any(name not in self._new_of for name in tests)

    def _merged(self, old: Document, new: Document) -> Document:
        merger = Merger(self._sameness, self._near(self._owner_now[new.name], owner_of(old)))
        return replace(old, spec=merger.merge(old.spec, new.spec))

    def _follow(self) -> None:
        """What is asked any number of times (at the start, by a poller) may fall into a test, or out of one. The same
        question with the same answer is then no change."""
        old, new = (
            self._standing(self._old.mocks, owner_of, None),
            self._standing(self._new.mocks, lambda one: self._owner_now[one.name], self._sameness),
        )
        taken: set[str] = set()
        for was in tuple(self._gone):
            now = next((one for one in new[question(was)] if self._merged(was, one) == was), None)
            if now is not None:
                self._gone.remove(was)
                self._pools.append([MergedMock(was, was)])
                taken.add(now.name)

        def is_known(now: Document) -> bool:
            return now.name in taken or any(self._merged(was, now) == was for was in old[question(now, self._sameness)])

        self._pools = [
            [one for one in pool if one.old is not None or not is_known(one.document)] for pool in self._pools
        ]

    def _standing(
        self, mocks: Iterable[Document], owner: Callable[[Document], str], sameness: Sameness | None
    ) -> Mapping[Hashable, list[Document]]:
        """Those that belong to no test, by what they ask."""
        found: dict[Hashable, list[Document]] = defaultdict(list)
        for one in mocks:
            if not self._owners.tests_of(owner(one)):
                found[question(one, sameness)].append(one)
        return found

    def _ordered(self) -> list[MergedMock]:
        """In the order of the old file; what is new, as the next of its owner's, behind what it followed."""
        place = {document.name: index for index, document in enumerate(self._old.mocks)}
        numbers: dict[str, int] = defaultdict(int)
        for name in place:
            owner, _, last = name.rpartition(".")
            numbers[owner] = max(numbers[owner], int(last) if last.isdigit() else 0)
        keyed: list[tuple[float, int, MergedMock]] = []
        for pool in self._pools:
            at = -1.0
            first = next((place[one.old.name] for one in pool if one.old is not None), len(place))
            for number, one in enumerate(pool):
                at = place[one.old.name] if one.old is not None else (at if at >= 0 else first - 0.5)
                if one.old is None:
                    owner = self._owner_now[one.document.name]
                    numbers[owner] += 1
                    spec = self._sameness.renamed(one.document.spec)
                    one = replace(one, document=replace(one.document, name=f"{owner}.{numbers[owner]}", spec=spec))
                keyed.append((at, number, one))
        return [one for _, _, one in sorted(keyed, key=lambda entry: entry[:2])]

    def _near(self, *owners: str) -> Near:
        """The clocks of the first test that one of these owners stands for, else of the beginning."""
        for name in (name for owner in owners for name in self._owners.tests_of(owner)):
            new = self._new_of.get(name, "")
            if name in self._old.started_ns and new in self._new.started_ns:
                return Near(Clocks(self._old.started_ns[name], self._new.started_ns[new]))
        return Near(
            Clocks(min(self._old.started_ns.values(), default=0), min(self._new.started_ns.values(), default=0))
        )


def _exchange(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key in ("req", "resp", "ending")}


def _is_noisy(noise: Noise, place: tuple[Any, ...], value: str | None) -> bool:
    if len(place) < 3 or place[0] != "resp":
        return False
    if place[1] == "header":
        return noise.covers_header(str(place[2]), value)
    return place[1] == "body" and noise.covers_body(tuple(place[2:]), value)
