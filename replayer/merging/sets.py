"""A whole test set merged with a new recording of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from replayer.compare import noise_of_test
from replayer.compare.noise import Noise
from replayer.merging.alignment import align
from replayer.merging.sameness import Near, Sameness
from replayer.merging.trees import Merger
from replayer.story.times import Clocks
from testset.model import Document

_STANDING = ("startup", "background")  # asked any number of times: what is not asked this time may be the next
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


def merge(old: Side, new: Side, new_of: Mapping[str, str]) -> Merged:
    """`new_of`: the name that each test of the old recording has in the new one; one that it lacks stays as it is."""
    sameness = Sameness()
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
        self._numbers: dict[str, int] = {}
        for document in old.mocks:
            owner, _, number = document.name.rpartition(".")
            if number.isdigit():
                self._numbers[owner] = max(self._numbers.get(owner, 0), int(number))

    def all(self) -> Merged:
        tests: dict[str, Document] = {}
        mocks: dict[str, list[MergedMock]] = {}
        removed: list[str] = []
        owners = list(dict.fromkeys(_owner(one) for one in self._old.mocks))
        fresh = [self._old_owner(_owner(one)) for one in self._new.mocks]
        known = set(self._new_of) | {owner for owner in owners if owner not in self._old.tests}
        for owner in dict.fromkeys([*_in_order(owners, self._old.tests), *(one for one in fresh if one)]):
            if owner in self._old.tests and owner not in known:
                mocks[owner] = [MergedMock(one, one) for one in self._old.mocks if _owner(one) == owner]
                continue
            mocks[owner] = self._mocks(owner, removed)
            if owner in self._new_of:
                self._test(owner, tests)
        for name in self._new_of:
            if name not in mocks:
                self._test(name, tests)
        return Merged(tests, self._ordered(mocks), removed)

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

    def _mocks(self, owner: str, removed: list[str]) -> list[MergedMock]:
        old = [one for one in self._old.mocks if _owner(one) == owner]
        new = [one for one in self._new.mocks if self._old_owner(_owner(one)) == owner]
        stays = owner in _STANDING or owner not in self._old.tests
        merger = Merger(self._sameness, self._near(owner))
        found: list[MergedMock] = []
        for was, now in align(old, new, self._sameness):
            if was is not None and now is not None:
                spec = merger.merge(old[was].spec, new[now].spec)
                found.append(MergedMock(replace(old[was], spec=spec), old[was]))
            elif was is not None and stays:
                found.append(MergedMock(old[was], old[was]))
            elif was is not None:
                removed.append(old[was].name)
            elif now is not None:
                spec = self._sameness.renamed(new[now].spec)
                found.append(MergedMock(replace(new[now], name=self._next(owner), spec=spec), None))
        return found

    def _ordered(self, mocks: Mapping[str, list[MergedMock]]) -> list[MergedMock]:
        """In the order of the old file; what is new, behind what it followed."""
        place = {document.name: index for index, document in enumerate(self._old.mocks)}
        keyed: list[tuple[float, int, MergedMock]] = []
        for group in mocks.values():
            at = -1.0
            first = next((place[one.old.name] for one in group if one.old is not None), len(place))
            for number, one in enumerate(group):
                at = place[one.old.name] if one.old is not None else (at if at >= 0 else first - 0.5)
                keyed.append((at, number, one))
        return [one for _, _, one in sorted(keyed, key=lambda entry: entry[:2])]

    def _near(self, owner: str) -> Near:
        first_old = min(self._old.started_ns.values(), default=0)
        first_new = min(self._new.started_ns.values(), default=0)
        if owner not in self._new_of:
            return Near(Clocks(first_old, first_new))
        old = self._old.started_ns.get(owner, first_old)
        return Near(Clocks(old, self._new.started_ns.get(self._new_of[owner], first_new)))

    def _old_owner(self, owner: str) -> str:
        """Who owns a new mock, by the old name."""
        back = {new: old for old, new in self._new_of.items()}
        return back.get(owner, "" if owner in self._new.tests else owner)

    def _next(self, owner: str) -> str:
        self._numbers[owner] = self._numbers.get(owner, 0) + 1
        return f"{owner}.{self._numbers[owner]}"


def _exchange(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key in ("req", "resp", "ending")}


def _owner(document: Document) -> str:
    return document.name.rpartition(".")[0]


def _in_order(owners: Sequence[str], tests: Mapping[str, Document]) -> list[str]:
    """Start-up first, then the tests: as the values were met."""
    order = list(tests)
    return sorted(owners, key=lambda owner: order.index(owner) if owner in tests else -1)


def _is_noisy(noise: Noise, place: tuple[Any, ...], value: str | None) -> bool:
    if len(place) < 3 or place[0] != "resp":
        return False
    if place[1] == "header":
        return noise.covers_header(str(place[2]), value)
    return place[1] == "body" and noise.covers_body(tuple(place[2:]), value)
