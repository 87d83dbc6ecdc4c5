"""Whose the mocks of a new recording are, in the names of the old one, and which tests' mocks are matched together.

The tests of a new recording are sent one after the other; in the old one they may have overlapped, and what could
belong to several of them belongs to a group (`test-3+test-4`). Which of them asked is then chance. So the mocks of all
tests that a group ties together are one pool, in both recordings: a family.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from testset.model import Document


class Owners:
    """Reads the owners of both recordings. All names that it gives are those of the old one."""

    def __init__(self, old_tests: Iterable[str], new_tests: Iterable[str], new_of: Mapping[str, str]) -> None:
        """`new_of`: the name that each test has in the new recording, if it is in there."""
        self._old_tests = tuple(old_tests)
        self._new_tests = frozenset(new_tests)
        self._old_of = {new: old for old, new in new_of.items()}

    def tests_of(self, owner: str) -> tuple[str, ...]:
        """The tests of the old recording that an owner stands for; none if it belongs to no test."""
        return _parts(owner, frozenset(self._old_tests))

    def in_old_names(self, owner: str) -> str:
        """An owner of the new recording; empty if it is of tests that the old one does not have."""
        parts = _parts(owner, self._new_tests)
        return "+".join(self._old_of[part] for part in parts if part in self._old_of) if parts else owner

    def families(self, owners: Iterable[str]) -> list[Sequence[str]]:
        """All tests, those together that these owners tie to each other, in the order of the tests."""
        root = {name: name for name in self._old_tests}

        def find(name: str) -> str:
            while root[name] != name:
                root[name] = root[root[name]]
                name = root[name]
            return name

        for owner in owners:
            first, *others = self.tests_of(owner) or (None,)
            for other in others:
                root[find(other)] = find(str(first))
        members: dict[str, list[str]] = {}
        for name in self._old_tests:
            members.setdefault(find(name), []).append(name)
        return list(members.values())


def owner_of(document: Document) -> str:
    """Whose a mock is, by its name."""
    return document.name.rpartition(".")[0]


def _parts(owner: str, tests: frozenset[str]) -> tuple[str, ...]:
    if owner in tests:
        return (owner,)
    parts = tuple(owner.split("+"))
    return parts if all(part in tests for part in parts) else ()
