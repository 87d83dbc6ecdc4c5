"""The recording as a story: what happened in which order, which values were given and which made up, found by key.

A `Story` is made once, from one pass over the mocks, and never changes: every replay of it has a `Replay` of its own.
It keeps keys and names, not the mocks, which are called back one by one when a replay answers from them.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from protocols.furniture import Queueing, Room, Value
from protocols.registry import ROOMS
from replayer.story import key
from replayer.story.hashes import Hashes
from replayer.story.spelling import is_uuid, one_spelling
from replayer.story.states import State, States, Subjects
from replayer.story.template import atoms_of, is_redacted, is_sealed, is_secret, template
from replayer.story.times import SECOND, moment
from testset.model import Exchange, Mock, Server, TestCase

STARTUP = "startup"
BACKGROUND = "background"
STANDING = (
    BACKGROUND,
    *(room.name for room in ROOMS),
)  # whose mocks belong to no test: they answer any number of times

_BEFORE_ALL = -1  # the rank of start-up: earlier than every test
_ANYWHERE = Server("", 0)

# The role of an atom in a request. Letters, because the roles of a request are a part of its key.
GIVEN, BORN, USED, TIME = "g", "b", "u", "t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may say about a recording, beyond what rr sees in it."""

    tolerance_ns: int = 5 * SECOND  # how far a time may be from where the clock puts it
    literals: frozenset[str] = frozenset()  # values that look made up and are constants of the code or its settings
    named: frozenset[str] = frozenset()  # values that do not look made up, and are: a person has named them
    group: Callable[[Exchange[Any, Any]], Hashable | None] = field(default=lambda exchange: None)
    """The transaction or queue group that an effect belongs to: within one, order matters."""
    recall: Callable[[Mock], Callable[[], Mock]] = field(default=lambda mock: lambda: mock)
    """How to get a mock again that is not kept in memory; as it is, mocks are kept."""


class MadeUp(NamedTuple):
    """An atom of a request that is not simply given."""

    atom: int  # its turn among the request's atoms
    value: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A mock, as the story remembers it."""

    name: str
    owner: str
    position: int  # in the recording
    rank: int  # of the test that it belongs to; of a group, its last test's
    route: int
    effect: bool
    group: Hashable | None
    started_ns: int
    made_up: tuple[MadeUp, ...]
    sealed: tuple[Value, ...]  # values with secrets in them, which are no part of the key
    echoes: tuple[str, ...]  # made-up values that its answer tells
    queueing: Queueing | None
    subjects: tuple[int, ...]  # see `Room.subjects`
    state: State  # of them, when it was recorded
    recall: Callable[[], Mock]


@dataclass(frozen=True, slots=True)
class Told:
    """A test, as the story remembers it."""

    name: str
    rank: int
    started_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a made-up value appeared first."""

    place: str
    time: bool
    maker: str = ""  # the test (or group) in which the app made it up; "" if it came from outside


class Bucket:
    """Entries with the same key, in the order of the recording."""

    __slots__ = ("_by_owner", "entries")
    FEW = 8

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._by_owner: dict[str, list[Entry]] | None = None

    def settle(self) -> None:
        """The bucket is complete."""
        if len(self.entries) > 1:
            self.entries.sort(key=lambda entry: (entry.rank, entry.position))
        if len(self.entries) > self.FEW:
            self._by_owner = defaultdict(list)
            for entry in self.entries:
                self._by_owner[entry.owner].append(entry)

    def of(self, owners: Sequence[str]) -> Iterator[list[Entry]]:
        for owner in owners:
            if self._by_owner is None:
                yield [entry for entry in self.entries if entry.owner == owner]
            elif owner in self._by_owner:
                yield self._by_owner[owner]

    def before(self, rank: int) -> Iterator[Entry]:
        """What earlier tests have here, the latest first."""
        end = bisect_right(self.entries, rank - 1, key=lambda entry: entry.rank)
        return (self.entries[index] for index in range(end - 1, -1, -1))

    def since(self, rank: int) -> Iterator[Entry]:
        """What this test and later ones have here, in order."""
        start = bisect_right(self.entries, rank - 1, key=lambda entry: entry.rank)
        return (self.entries[index] for index in range(start, len(self.entries)))


class Story:
    """A recording, ready to be replayed any number of times."""

    def __init__(
        self,
        tests: Sequence[TestCase],
        mocks: Iterable[Mock],
        room_of: Callable[[Exchange[Any, Any]], Room],
        options: Options | None = None,
    ) -> None:
        self.options = options if options is not None else Options()
        self.room_of = room_of
        self.tests: dict[str, Told] = {}
        self.groups: dict[str, list[str]] = defaultdict(list)  # of a test: the groups that are at work while it runs
        self.entries: dict[str, list[Entry]] = defaultdict(list)  # by owner
        self.routes: dict[Hashable, int] = {}
        self.by_route: dict[int, Bucket] = defaultdict(Bucket)
        self.by_subjects: dict[tuple[int, ...], Bucket] = defaultdict(Bucket)
        self.by_server: dict[tuple[str, Server], Bucket] = defaultdict(Bucket)
        self.by_protocol: dict[str, Bucket] = defaultdict(Bucket)
        self.openings: dict[tuple[str, Server], list[tuple[Entry, bool]]] = defaultdict(list)  # see `Room.opens`
        self.literal: dict[key.Key, Bucket] = defaultdict(Bucket)
        self.renamed: dict[key.Key, Bucket] = defaultdict(Bucket)
        self.roles: dict[key.Key, tuple[str, ...]] = {}  # by shape: the roles that its atoms have in some request
        self.hidden: dict[int, tuple[frozenset[str], ...]] = {}  # by route: places that hold secrets in some request
        self.asked: dict[str, int] = {}  # by test: what it asks, wherever the app listens
        self.sealed: dict[str, tuple[Value, ...]] = {}  # by test: what is secret in its request
        self.borrowed: dict[str, set[str]] = defaultdict(set)  # by test: the makers of what its request speaks of
        self.made_up: dict[str, Origin] = {}  # and secrets, whoever made them up: they go by other names as well
        self.reused: set[str] = set()  # made-up values that appear again, after the exchange that they were made up in
        self.sent: dict[str, int] = {}  # messages of queues, and the positions of the entries that sent them
        self._uuids: dict[str, tuple[str, ...]] = {}  # made-up ones: bare, and as they were written
        self._subjects = Subjects()
        self._states = States()
        self._given = Hashes(map(one_spelling, self.options.literals))
        self._tell(tests, mocks)
        for buckets in (self.by_route, self.by_subjects, self.by_server, self.by_protocol, self.literal, self.renamed):
            buckets.default_factory = None  # reading a story does not make it longer
            for bucket in buckets.values():
                bucket.settle()

    def given(self, value: str) -> bool:
        """Whether the app was given `value` anywhere in the recording."""
        return one_spelling(value) in self._given

    def spellings(self, value: str) -> Sequence[str]:
        """The ways in which a UUID that was made up was written; none of a value that is no such UUID."""
        return self._uuids.get(one_spelling(value), ()) if is_uuid(value) else ()

    def needed(self, names: Iterable[str]) -> set[str]:
        """The tests that must run before these, because a request of these speaks of what they made up."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            makers = (member for maker in self.borrowed.get(waiting.pop(), ()) for member in maker.split("+"))
            fresh = {maker for maker in makers if maker in self.tests} - found
            found |= fresh
            waiting.extend(fresh)
        return found.difference(names)

    def asked_alike(self, one: str, other: str) -> bool:
        """Whether two tests ask the same, within the time that two moments may be apart."""
        if one not in self.asked or self.asked[one] != self.asked.get(other):
            return False
        return abs(self.tests[one].ended_ns - self.tests[other].ended_ns) <= self.options.tolerance_ns

    def route(self, room: Room, server: Server, request: Any) -> int | None:
        """The number of a request's route, if anything was recorded there."""
        return self.routes.get((room.name, room.route(server, request)))

    def same_subjects(self, room: Room, server: Server, request: Any) -> Bucket | None:
        """What was recorded of just what this request reads or changes."""
        numbers = self._subjects.known(room.subjects(server, request))
        return self.by_subjects.get(numbers) if numbers else None

    def started_ns(self, owner: str) -> int | None:
        told = self.tests.get(owner)
        return told.started_ns if told is not None else None

    # -- the one pass: events in the order of their times ------------------------------------------------------

    def _tell(self, tests: Sequence[TestCase], mocks: Iterable[Mock]) -> None:
        for rank, test in enumerate(tests):
            self.tests[test.name] = Told(test.name, rank, test.exchange.started_ns, test.exchange.ended_ns)
        self._starts = sorted(told.started_ns for told in self.tests.values())
        # What the app is told, and what it answers, in the order of time: (time, a number that keeps equals in order,
        # what happens). A mock's request is told when the pass reaches it; its answer waits in this queue.
        events: list[tuple[int, int, Callable[[], None]]] = []
        for rank, test in enumerate(tests):
            heapq.heappush(events, (test.exchange.started_ns, 2 * rank, self._inbound(test)))
            heapq.heappush(events, (test.exchange.ended_ns, 2 * rank + 1, self._answer(test)))
        for position, mock in enumerate(mocks):
            started = self._started(mock)
            while events and events[0][0] <= started:
                heapq.heappop(events)[2]()
            answered = self._request(position, started, mock)
            if answered is not None:
                ended = max(mock.exchange.ended_ns, started)
                heapq.heappush(events, (ended, 2 * (len(tests) + position), answered))
        while events:
            heapq.heappop(events)[2]()

    def _started(self, mock: Mock) -> int:
        """When a mock happened; of one without a time, its test's. A delivery happened when it came."""
        doing = self.room_of(mock.exchange).queueing(mock.exchange)
        came = mock.exchange.ended_ns if doing is not None and doing.taken else 0
        return came or mock.exchange.started_ns or self.started_ns(mock.owner) or 0

    def _inbound(self, test: TestCase) -> Callable[[], None]:
        def tell() -> None:
            room = self.room_of(test.exchange)
            values = room.values(test.exchange.request)
            self.asked[test.name] = hash((room.route(_ANYWHERE, test.exchange.request), tuple(values)))
            self.sealed[test.name] = tuple(value for value in values if _holds_secret(value))
            for place, atom in atoms_of(values):
                origin = self.made_up.get(atom)
                if origin is not None and origin.maker and not origin.time:
                    self.borrowed[test.name].add(origin.maker)
                self._give(atom, f"{test.name}'s request, {place}")

        return tell

    def _answer(self, test: TestCase) -> Callable[[], None]:
        def tell() -> None:
            if test.exchange.response is not None:
                for place, atom in atoms_of(self.room_of(test.exchange).response_values(test.exchange.response)):
                    self._role(atom, test.exchange.ended_ns, f"{test.name}'s response, {place}", set(), test.name)

        return tell

    def _request(self, position: int, started_ns: int, mock: Mock) -> Callable[[], None] | None:
        """Takes a mock into the index. Returns what tells its answer, if there is something to tell."""
        exchange = mock.exchange
        room = self.room_of(exchange)
        route = self.routes.setdefault((room.name, room.route(exchange.server, exchange.request)), len(self.routes))
        every = room.values(exchange.request)
        sealed = tuple(filter(_holds_secret, every))
        values = [value for value in every if value not in sealed] if sealed else every
        hidden = frozenset(value.place for value in sealed)
        if hidden not in (seen_hidden := self.hidden.get(route, ())):
            self.hidden[route] = (*seen_hidden, hidden)
        templates = [template(value) for value in values]
        effect = room.is_effect(exchange.request)
        if not effect and not self.tests:  # nobody asked the app for it: what it reads by itself is what it means
            atoms = (atom for one in templates for atom in one.atoms)
            self._given.update(one_spelling(atom) for atom in atoms if atom not in self.made_up)
        made_up: list[MadeUp] = []
        roles: list[str] = []
        known: list[str] = []
        born: set[str] = set()
        for value, one in zip(values, templates, strict=True):
            for atom in one.atoms:
                role = self._role(atom, started_ns, f"{mock.name}, {value.place}", born, mock.owner)
                if role != GIVEN:
                    made_up.append(MadeUp(len(roles), atom, role))
                if role in (GIVEN, USED):
                    known.append(atom)
                roles.append(role)
        told = list(self._echoes(room, exchange))
        respelled = [atom for atom in told if atom not in self.made_up and self._recognise(atom)]
        born.update(atom for atom in respelled if not born.isdisjoint(self.spellings(atom)))
        subjects = self._subjects.numbers(room.subjects(exchange.server, exchange.request))
        doing = room.queueing(exchange)
        if doing is not None:
            self.sent.update(dict.fromkeys(doing.sent, position))
        self.reused.update(atom for atom in told if atom in self.made_up and atom not in born)
        entry = Entry(
            name=mock.name,
            owner=mock.owner,
            position=position,
            rank=self._rank(mock.owner, started_ns),
            route=route,
            effect=effect,
            group=doing.line if doing is not None and doing.line is not None else self.options.group(exchange),
            started_ns=started_ns,
            made_up=tuple(made_up),
            sealed=sealed,
            echoes=tuple(atom for atom in told if atom in self.made_up),
            queueing=doing,
            subjects=subjects,
            state=self._states.of(subjects),
            recall=self.options.recall(mock),
        )
        if effect:
            self._states.happened(subjects, position)
        self._enter(entry, mock)
        goes_on = room.opens(exchange) if room.opens is not None else None
        if goes_on is not None:
            self.openings[(room.name, exchange.server)].append((entry, goes_on))
        self.literal[key.literal(route, values)].entries.append(entry)
        if made_up:
            shape = key.shape(route, values, templates)
            letters = "".join(roles)
            if letters not in (seen := self.roles.get(shape, ())):
                self.roles[shape] = (*seen, letters)
            self.renamed[key.renamed(shape, letters, known)].entries.append(entry)
        return self._answered(told, f"{mock.name}'s answer")

    def _answered(self, told: Iterable[str], place: str) -> Callable[[], None] | None:
        given = [atom for atom in told if atom not in self.made_up]

        def tell() -> None:
            for atom in given:
                self._give(atom, place)

        return tell if given else None

    def _enter(self, entry: Entry, mock: Mock) -> None:
        protocol = mock.exchange.protocol
        self.entries[entry.owner].append(entry)
        self.by_route[entry.route].entries.append(entry)
        if entry.subjects:
            self.by_subjects[entry.subjects].entries.append(entry)
        self.by_server[(protocol, mock.exchange.server)].entries.append(entry)
        self.by_protocol[protocol].entries.append(entry)
        if len(self.entries[entry.owner]) == 1 and "+" in entry.owner:
            for test in self._span(entry.owner):
                self.groups[test].append(entry.owner)

    def _echoes(self, room: Room, exchange: Exchange[Any, Any]) -> Iterable[str]:
        values: Sequence[Value] = room.response_values(exchange.response) if exchange.response is not None else ()
        return dict.fromkeys(atom for _, atom in atoms_of(values))

    def _recognise(self, atom: str) -> bool:
        """Whether this is a UUID that was made up, written in another way: then it is made up as well."""
        spellings = self.spellings(atom)
        if not spellings:
            return False
        self.made_up[atom] = self.made_up[spellings[0]]
        self._uuids[one_spelling(atom)] = (*spellings, atom)
        return True

    def _span(self, group: str) -> list[str]:
        """The tests of a group, and those between: what the first leaves behind may come while these run."""
        ranks = [self.tests[member].rank for member in group.split("+") if member in self.tests]
        return [name for name, told in self.tests.items() if ranks and min(ranks) <= told.rank <= max(ranks)]

    def _rank(self, owner: str, started_ns: int) -> int:
        if owner == STARTUP:
            return _BEFORE_ALL
        ranks = [self.tests[member].rank for member in owner.split("+") if member in self.tests]
        # Background, and what a test left behind that is no more: by the time at which it happened.
        return max(ranks) if ranks else bisect_right(self._starts, started_ns) - 1

    def _give(self, atom: str, place: str) -> None:
        if is_secret(atom):
            self.made_up.setdefault(atom, Origin(place, time=False))
        elif atom not in self.made_up and not self._recognise(atom):
            self._given.add(one_spelling(atom))

    def _role(self, atom: str, near_ns: int, place: str, born: set[str], maker: str) -> str:
        """Given or made up? The first appearance decides, and is remembered. `born` are those of this very request."""
        if is_redacted(atom):
            return GIVEN
        if atom not in self.made_up:
            self._recognise(atom)
        origin = self.made_up.get(atom)
        time = origin.time if origin is not None else moment(atom, near_ns) is not None
        if origin is None and not self.given(atom):
            self.made_up[atom] = Origin(place, time, maker)
            born.add(atom)
            if is_uuid(atom):
                self._uuids[one_spelling(atom)] = (atom,)
        elif origin is None and not time:
            return GIVEN
        if atom not in born:
            self.reused.add(atom)
        return TIME if time else BORN if atom in born else USED


def _holds_secret(value: Value) -> bool:
    return isinstance(value.value, str) and is_sealed(value.value)
