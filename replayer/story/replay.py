"""One replay of a story: which mock answers a request, what is called how by now, what came of a test's effects.

A mock is looked for in this order, and the first that fits answers:

1. the test's own, in order, not yet used: the request as recorded, once renamed; of a read, those first that were
   recorded in the present state of what it reads (`states`);
2. background: answered any number of times;
3. the test's own, used already: its last answer again;
4. start-up's;
5. the latest identical one of an earlier test, never of a later one;
6. for an effect: the test's own of the same route with another value in it; the app goes on, the test is red.

Otherwise it is a miss. A poll (a request that waits for a queue's next message) is answered by the next delivery whose
time has come, each once, and else is told that there is nothing yet (`deliveries`). Nothing here reads a clock or a
file: times come with the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, takewhile
from typing import Any

from protocols.furniture import Difference, Room, Value
from replayer.story.answer import read_answer
from replayer.story.attempt import Attempt, differences, read_sealed
from replayer.story.bindings import Bindings
from replayer.story.carry import carry
from replayer.story.deliveries import Deliveries
from replayer.story.effects import Book, Made
from replayer.story.findings import Answer, Effects, Finding, Found, Kind, Miss, Outstanding
from replayer.story.lookup import Asked, Level, Lookup
from replayer.story.named import Named
from replayer.story.nearest import explain
from replayer.story.recording import STANDING, STARTUP, Bucket, Entry, Story
from replayer.story.spelling import one_spelling
from replayer.story.states import States
from replayer.story.template import atoms_of
from replayer.story.times import Clocks
from testset.model import Mock, Server

_WINDOW = 64  # how many recordings are read value by value where no key leads to the right one


class Replay:
    """One run of the app against one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.bindings = Bindings()
        self._named = Named(story.options.named)
        self._times: dict[str, str] = {}  # made-up times, and what they were last
        self._given: set[str] = set()
        self._claimed: set[int] = set()  # positions of entries that have answered
        self._cursors: dict[tuple[int, int], int] = {}  # of long lists: up to where all are claimed, from where on
        self._states = States()
        self._book = Book(story)
        self._ran: set[str] = set()  # tests
        self._deliveries = Deliveries(story)
        self.went_on: Callable[[], None] = lambda: None  # called when a poll that waits may have something to get
        self._test = STARTUP
        self._owners: tuple[str, ...] = (STARTUP,)
        self._rank = 0
        self._began_ns = 0
        self.apart_ns = 0  # how far another clock is ahead, which some of the app's processes may have instead
        self._every = False

    # -- the course of a replay ---------------------------------------------------------------------------------

    def begin_test(self, name: str, now_ns: int) -> None:
        """The test `name` starts; the app believes that it is `now_ns`."""
        self._test = name
        self._ran.add(name)
        told = self.story.tests.get(name)
        self._rank = told.rank if told is not None else len(self.story.tests)
        self._owners = (name, *self.story.groups.get(name, ()))
        self._began_ns = now_ns
        self._book.open(name)
        self._deliveries.begin(name, self._rank)
        self.went_on()

    def begin_all(self, now_ns: int) -> None:
        """No tests, only mocks (`rr mock`): all of them are at hand, each in its order, the last again and again."""
        self._test, self._owners, self._rank, self._began_ns = "", (), len(self.story.tests), now_ns
        self._every = True
        self._book.open("")
        self._deliveries.begin_all()

    def given(self, values: Iterable[Value]) -> None:
        """The app gets these from outside: a test's request. What it got before the first test (its environment) may be
        another value than at the recording, and so says nothing."""
        values = list(values)
        attempt = self._attempt(None, self._began_ns)
        if read_sealed(attempt, self.story.sealed.get(self._test, ()), values, f"{self._test}'s request", strict=False):
            attempt.take()
        if self._test != STARTUP:
            given = (atom for _, atom in atoms_of(values) if self.bindings.recorded(atom) == atom)
            self._given.update(map(one_spelling, given))

    def response(self, recorded: Sequence[Value], actual: Sequence[Value]) -> Answer:
        """The app's response to the test, beside the recorded one: what it binds, and what does not follow."""
        attempt = self._attempt(None, self._began_ns)
        answer = read_answer(self.story, attempt, recorded, actual, f"{self._test}'s response")
        attempt.take()
        self._times.update(attempt.times)
        self._deliveries.respond(self._test)
        self.went_on()
        for unfollowed in answer.unfollowed:
            self._book.note(Finding(kind=Kind.UNFOLLOWED, title=unfollowed.place, text=unfollowed.text))
        return answer

    def named(self, recorded: str, actual: str) -> str:
        """A value that a person has named is `actual` now. Returns what it is called: what the app has called it before
        stays its name."""
        if recorded in self.story.options.named:
            return self._named.bind(recorded, actual)
        self.bindings.bind(recorded, actual, f"{self._test}'s response")
        return self.bindings.actual(recorded) or actual

    def outstanding(self) -> tuple[Outstanding, ...]:
        """Effects that this test still owes; of a group, once its last test runs."""
        return self._book.outstanding(self._due(), self._test)

    def end_test(self, now_ns: int) -> Effects:
        """The test is over: what came of its effects. Of a group, its last test says it."""
        return self._book.close(self._due(), self._test, self._first_difference)

    def startup(self) -> Effects:
        """What came of the effects of start-up; asked once, when nothing more of it can come."""
        return self._book.close((STARTUP,), STARTUP, self._first_difference)

    def unused(self) -> tuple[str, ...]:
        """The mocks that have answered nothing in this replay."""
        entries = (entry for owned in self.story.entries.values() for entry in owned)
        return tuple(entry.name for entry in sorted(entries, key=_position) if entry.position not in self._claimed)

    def rename_request(self, text: str) -> str:
        """A recorded request's text (its target, a header, its body), with the app's values under their new names."""
        return carry(text, self.bindings)

    @property
    def owner(self) -> str:
        """Whose a new mock would be: the test's; "" where there are no tests."""
        return self._test

    @property
    def earlier_ns(self) -> int:
        """By how much the recording of what happens now was earlier than now."""
        started = self.story.started_ns(self._test)
        return self._began_ns - started if started is not None else 0

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose mocks come first just now: the test's, and those of the groups that it is in."""
        return self._owners

    def servers(self) -> list[tuple[str, Server]]:
        """What was spoken, and with whom."""
        return sorted(self.story.by_server, key=str)

    def protocols(self, server: Server) -> set[str]:
        """The protocols that were spoken with a destination."""
        return {name for name, known in self.story.by_server if known == server}

    def beginnings(self, room: Room, server: Server, request: Any) -> Iterator[Mock]:
        """For a protocol that asks before its request is whole: the mocks that begin so, the likeliest first. Nothing
        is claimed; `find` is, with the whole request, when it is known."""
        bucket = self.story.by_server.get((room.name, server))
        if bucket is None or room.begins is None:
            return
        usable = [entry for entry in bucket.entries if entry.rank <= self._rank or entry.owner in self._owners]

        def order(entry: Entry) -> tuple[bool, bool, int]:
            own = entry.owner in self._owners
            return not own, entry.position in self._claimed, entry.position if own else -entry.position

        for entry in sorted(usable, key=order):
            mock = entry.recall()
            if mock.exchange.response is not None and room.begins(mock.exchange.request, request):
                yield mock

    def opening(self, room: Room, server: Server) -> Mock | None:
        """For a server that speaks first: a recording in which it did. A refusal is each test's own."""
        openings = self.story.openings.get((room.name, server), ())
        for entry, goes_on in openings:
            if not goes_on and entry.owner in self._owners and entry.position not in self._claimed:
                self._claimed.add(entry.position)
                return entry.recall()
        return next((entry.recall() for entry, goes_on in openings if goes_on), None)

    def is_claimed(self, entry: Entry) -> bool:
        """Whether `entry` has answered already."""
        return entry.position in self._claimed

    def as_recorded(self, entry: Entry, now_ns: int) -> bool | None:
        """A request came to the letter as `entry` has it, whose turn it is: takes it, as `find` would.

        None: it is not to be answered from `entry`, or not as recorded. True: and it always will be; False: that may
        change yet."""
        attempt = self._attempt(entry, now_ns)
        if any(attempt.follow(one.value, one.value, entry.name) for one in entry.made_up):
            return None
        echoes = [attempt.called(echo) or self._times.get(echo) for echo in entry.echoes]
        if any(called not in (None, echo) for called, echo in zip(echoes, entry.echoes, strict=True)):
            return None
        attempt.take()
        self._claimed.add(entry.position)
        return None not in echoes

    # -- finding a mock -----------------------------------------------------------------------------------------

    def find(self, room: Room, server: Server, request: Any, now_ns: int) -> Found | Miss:
        """The mock that answers `request`, which the app has sent to `server` at `now_ns`."""
        asked, levels = self._look(room, server, request, now_ns)
        if room.poll(request) is not None:
            return self._delivered(levels) or self._nothing_yet(levels) or self._miss(asked)
        spoken = self._named.as_recorded(asked, self.story)
        return self._recorded(asked, levels) or self._changed(spoken) or self._miss(asked)

    def delivery(self, room: Room, server: Server, request: Any, now_ns: int) -> Found | None:
        """What has come for a poll by now."""
        _, levels = self._look(room, server, request, now_ns)
        return self._delivered(levels)

    def find_if_any(self, room: Room, server: Server, request: Any, now_ns: int) -> Found | None:
        """The same for a request that has an answer without a mock, too: then nothing is missed."""
        return self._recorded(*self._look(room, server, request, now_ns))

    def _look(self, room: Room, server: Server, request: Any, now_ns: int) -> tuple[Asked, list[Level]]:
        route = self.story.route(room, server, request)
        asked = Asked(room, server, request, room.is_effect(request), now_ns, route, room.values(request))
        levels = self._levels(asked) if not self._named.is_stale(asked) else []
        spoken = self._named.as_recorded(asked, self.story)
        return asked, levels if spoken is asked else levels + self._levels(spoken)

    def _levels(self, asked: Asked) -> list[Level]:
        lookup = Lookup(self.story, self.bindings, asked, lambda entry: self._attempt(entry, asked.now_ns))
        return list(lookup.levels())

    def _recorded(self, asked: Asked, levels: Sequence[Level]) -> Found | None:
        return (
            self._own(asked, levels)
            or (self._own_named(asked) if self._named else None)
            or self._background(levels)
            or self._again(asked, levels)
            or self._startup(asked, levels)
            or self._earlier(asked, levels)
        )

    def _attempt(self, entry: Entry | None, now_ns: int) -> Attempt:
        clocks = []
        if entry is not None:
            clocks.append(Clocks(entry.started_ns, now_ns))
        owner = entry.owner if entry is not None else self._test
        started = self.story.started_ns(owner if owner != STARTUP else self._test)
        if started is not None:
            clocks.append(Clocks(started, self._began_ns))
        if self.apart_ns:
            clocks += [Clocks(one.recorded_ns, one.now_ns + self.apart_ns) for one in clocks]
        return Attempt(self.story, self.bindings, self._was_given, clocks)

    def _was_given(self, value: str) -> bool:
        return one_spelling(value) in self._given or self.story.given(value)

    # -- the six ways -------------------------------------------------------------------------------------------

    def _own(self, asked: Asked, levels: Sequence[Level]) -> Found | None:
        for bucket, check, once_more in levels:
            for entries in self._owned(bucket):
                start, end = self._states.now(entries)
                for entry in self._unclaimed(entries, start, end):
                    attempt = check(entry)
                    if attempt is not None:
                        return self._answer(entry, attempt)
                for entry in reversed(entries[max(start, end - _WINDOW) : end]):
                    attempt = once_more(entry)
                    if attempt is not None:
                        return self._repeated(asked, entry, attempt)
                for entry in self._unclaimed(entries):
                    attempt = check(entry)
                    if attempt is not None:
                        return self._answer(entry, attempt)
        # What is used here may have been made up in a request that comes only later now: read value by value.
        for entry in self._own_of_route(asked):
            if entry.made_up:
                mock, attempt = entry.recall(), self._attempt(entry, asked.now_ns)
                recorded = asked.room.values(mock.exchange.request)
                if next(differences(attempt, recorded, asked.values, entry.name), None) is None:
                    return self._answer(entry, attempt)
        return None

    def _own_named(self, asked: Asked) -> Found | None:
        """One of the test's own that differs in nothing but what values are called that a person has named."""
        entries = (self._unclaimed(self.story.entries.get(owner, ())) for owner in self._owners)
        for entry in chain.from_iterable(entries):
            attempt, read = self._attempt(entry, asked.now_ns), self._named.read(entry.recall().exchange, asked)
            if read is not None and next(differences(attempt, read.recorded, read.values, entry.name), None) is None:
                self._named.take(read)
                return self._answer(entry, attempt)
        return None

    def _background(self, levels: Sequence[Level]) -> Found | None:
        for bucket, _, check in levels:
            for entries in bucket.of(STANDING):
                told = [entry for entry in entries if entry.rank <= self._rank] or entries[:1]
                fresh = (entry for entry in told if entry.position not in self._claimed)
                for entry in (*fresh, *told[-1:]):
                    attempt = check(entry)
                    if attempt is not None:
                        self._claimed.add(entry.position)
                        self._happened(entry)
                        return self._found(entry, attempt)
        return None

    def _again(self, asked: Asked, levels: Sequence[Level]) -> Found | None:
        for bucket, _, check in levels:
            for entries in self._owned(bucket):
                for entry in reversed(entries[-_WINDOW:]):
                    attempt = check(entry)
                    if attempt is not None:
                        return self._repeated(asked, entry, attempt)
        return None

    def _repeated(self, asked: Asked, entry: Entry, attempt: Attempt) -> Found:
        """`entry` has answered before."""
        if self._every or self._test == STARTUP:
            return self._found(entry, attempt)
        if asked.effect:
            return self._extra(asked, entry, attempt)
        self._book.again(asked.title, entry)
        return self._found(entry, attempt)

    def _startup(self, asked: Asked, levels: Sequence[Level]) -> Found | None:
        for bucket, _, check in levels:
            for entries in bucket.of((STARTUP,)):
                for entry in (*self._unclaimed(entries), *entries[-1:]):
                    attempt = check(entry)
                    if attempt is not None:
                        first = entry.position not in self._claimed
                        self._claim(entry)
                        if asked.effect and not first:
                            return self._found(entry, attempt, self._book.startup_again(asked.title, entry))
                        return self._found(entry, attempt)
        return None

    def _earlier(self, asked: Asked, levels: Sequence[Level]) -> Found | None:
        for bucket, _, check in levels:
            for _, entry in zip(range(_WINDOW), bucket.before(self._rank), strict=False):
                attempt = check(entry)
                if attempt is None:
                    continue
                if not asked.effect:
                    return self._found(entry, attempt, self._book.elsewhere(asked.title, entry, self._test))
                if entry.position not in self._claimed and not self._ran.isdisjoint(entry.owner.split("+")):
                    self._claim(entry)
                    attempt.take()
                    return self._found(entry, attempt, self._book.late(asked.title, entry))
                return self._extra(asked, entry, attempt)
        return None

    def _changed(self, asked: Asked) -> Found | None:
        """An effect that no recording matches: it takes the one of the same route that differs least."""
        if not asked.effect:
            return None
        best: tuple[tuple[bool, int], Entry, Attempt, Difference] | None = None
        for entry in self._own_of_route(asked):
            attempt = self._attempt(entry, asked.now_ns)
            recorded = asked.room.values(entry.recall().exchange.request)
            found = list(differences(attempt, recorded, asked.values, entry.name))
            score = (self._book.is_taken(entry), len(found))
            if entry.effect and found and (best is None or score < best[0]):
                best = score, entry, attempt, found[0]
        if best is None:
            return None
        _, entry, attempt, difference = best
        attempt.take()
        self._happened(entry)
        finding = self._book.changed(entry, self._made(asked), difference)
        return self._found(entry, attempt, finding=finding)

    def _miss(self, asked: Asked) -> Miss:
        def attempt(entry: Entry) -> Attempt:
            return self._attempt(entry, asked.now_ns)

        miss = explain(
            self.story, asked.room, asked.server, asked.request, asked.route, asked.values,
            test=self._test, rank=self._rank, owners=self._owners, claimed=self._claimed, attempt=attempt,
        )  # fmt: skip
        self._book.note(
            Finding(kind=Kind.MISSED, title=asked.title, text=miss.text, mock=miss.nearest, difference=miss.difference)
        )
        return miss

    # -- polls ---------------------------------------------------------------------------------------------------

    def _delivered(self, levels: Sequence[Level]) -> Found | None:
        """The next message that has come, in the order of the recording."""
        for bucket, check, _ in levels:
            for entry in self._until_now(bucket):
                attempt = check(entry) if self._deliveries.has_come(entry) else None
                if attempt is not None:
                    return self._answer(entry, attempt)
        return None

    def _until_now(self, bucket: Bucket) -> Iterator[Entry]:
        """What has not been used and is no later test's."""
        yield from takewhile(lambda entry: entry.rank <= self._rank, self._unclaimed(bucket.entries))
        for entries in bucket.of(self._owners):
            yield from (entry for entry in self._unclaimed(entries) if entry.rank > self._rank)

    def _nothing_yet(self, levels: Sequence[Level]) -> Found | None:
        """There is such a queue: a poll of it was recorded, best of all one that got nothing."""
        every = [entry for bucket, _, _ in levels for entry in bucket.entries]
        if not every:
            return None
        entry = next((one for one in every if one.queueing is not None and not one.queueing.taken), every[0])
        if entry.queueing is None or not entry.queueing.taken:
            self._claimed.add(entry.position)
        return Found(mock=entry.recall(), names={}, nothing=True)

    # -- answering ----------------------------------------------------------------------------------------------

    def _answer(self, entry: Entry, attempt: Attempt) -> Found:
        attempt.take()
        self._claim(entry)
        return self._found(entry, attempt)

    def _claim(self, entry: Entry) -> None:
        self._claimed.add(entry.position)
        self._book.claim(entry)
        self._happened(entry)

    def _happened(self, entry: Entry) -> None:
        self._deliveries.happened(entry)
        self.went_on()

    def _extra(self, asked: Asked, entry: Entry, attempt: Attempt) -> Found:
        return self._found(entry, attempt, finding=self._book.extra(self._made(asked), entry))

    def _found(
        self, entry: Entry, attempt: Attempt, warning: str | None = None, finding: Finding | None = None
    ) -> Found:
        """What `entry` tells, in the words of this run. A made-up value that the app has not made up yet goes by
        its recorded name; that binds nothing."""
        self._times.update(attempt.times)
        if entry.effect:
            self._states.happened(entry.subjects, entry.position)
        tentative = attempt.names()
        names = dict(self._named.told())
        for recorded in entry.echoes:
            actual = tentative.get(recorded) or self.bindings.actual(recorded) or self._times.get(recorded)
            if actual is not None and actual != recorded:
                names[recorded] = actual
        return Found(
            mock=entry.recall(), names=names, warnings=(warning,) if warning is not None else (), finding=finding
        )

    def _made(self, asked: Asked) -> Made:
        return Made(asked.route, asked.title, tuple(asked.values))

    def _first_difference(self, entry: Entry, values: Sequence[Value]) -> Difference | None:
        exchange = entry.recall().exchange
        recorded = self.story.room_of(exchange).values(exchange.request)
        return next(differences(self._attempt(entry, self._began_ns), recorded, values, entry.name), None)

    # -- whose turn it is ---------------------------------------------------------------------------------------

    def _owned(self, bucket: Bucket) -> Iterator[list[Entry]]:
        if self._every:
            yield bucket.entries
        else:
            yield from bucket.of(self._owners)

    def _own_of_route(self, asked: Asked) -> Iterator[Entry]:
        bucket = self.story.by_route.get(asked.route) if asked.route is not None else None
        if bucket is not None:
            for entries in self._owned(bucket):
                yield from (entry for _, entry in zip(range(_WINDOW), self._unclaimed(entries), strict=False))

    def _unclaimed(self, entries: Sequence[Entry], first: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Those from `first` to `end` that have not answered yet."""
        end = len(entries) if end is None else end
        start = self._cursors.get((id(entries), first), first)
        while start < end and entries[start].position in self._claimed:
            start += 1
        if end - first > Bucket.FEW:  # a short list may be made anew each time, and has no identity
            self._cursors[(id(entries), first)] = start
        return (entries[i] for i in range(start, end) if entries[i].position not in self._claimed)

    def _due(self) -> tuple[str, ...]:
        """The owners whose effects this test answers for: itself, and the groups of which it is the last."""
        return tuple(owner for owner in self._owners if owner == self._test or self._is_last(owner))

    def _is_last(self, group: str) -> bool:
        ranks = {member: self.story.tests[member].rank for member in group.split("+") if member in self.story.tests}
        return bool(ranks) and max(ranks, key=ranks.__getitem__) == self._test


def _position(entry: Entry) -> int:
    return entry.position
