"""One recording: from the journal to the files of a test set, while the app runs and after it.

`work` reads a piece of the journal, decodes it, gives each outbound exchange to the test that caused it, redacts and
writes. What is written, and safely so, is let go of in the journal. The same class finishes a recording whose rr was
killed: the ledger tells it what was written already.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intercept.journal import SEGMENT_BYTES, JournalReader, Kind, segment_path
from intercept.memory import SessionFolder
from intercept.sockdiag import Listener
from intercept.spill import Spill
from protocols.furniture import Room
from protocols.registry import ROOMS, room_for_kind, room_named
from recorder import bodies, ledger
from recorder.attribution import BACKGROUND, Attribution, Names, OneOwner
from recorder.filters import Filter, keeps
from recorder.reading import Origin, Reading, needed
from testset import revision
from testset.errors import JournalError
from testset.model import Document, Ending, Exchange, ExchangeId, Server
from testset.redaction import Redactor
from testset.store import TestSet, TestSetWriter

_MEASURE_EVERY = 0.05  # seconds
_STANDING = frozenset(room.name for room in ROOMS)  # owners of what belongs to no test: "dns", "mysql"
_BY_CHANCE = 32768  # from here on, the kernel chooses the port of who asks for none
_RUSH = 256 << 10  # bytes a second, above which what comes in is decoded later


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of the traffic is to be kept."""

    tests: Sequence[Filter] = ()
    mocks: Sequence[Filter] = ()  # excludes: destinations that are passed through
    app_ports: frozenset[int] = frozenset()  # empty: every port


@dataclass(slots=True)
class Counts:
    """What came of the recording so far."""

    tests: int = 0
    mocks: int = 0
    left_out: int = 0
    lost: list[str] = field(default_factory=list)


class Recording:
    """Turns one session's journal into one test set."""

    def __init__(
        self,
        session: SessionFolder,
        writer: TestSetWriter,
        redactor: Redactor,
        wanted: Wanted,
        *,
        spill_limit: int,
        memory_limit: int,
        on_test: Callable[[str, Exchange[Any, Any]], None] = lambda _name, _exchange: None,
        on_mock: Callable[[int], None] = lambda _count: None,
        listeners: Callable[[], Iterable[Listener]] = tuple,
    ) -> None:
        self._session = session
        self._writer = writer
        self._redactor = redactor
        self._wanted = wanted
        self._on_test = on_test
        self._on_mock = on_mock
        self._listeners = listeners  # of the app, by now; a recovery has none
        self._own: set[Server] = set()  # where the app has listened
        self._progress = ledger.read(session.path)
        self._spill = Spill(session.path, spill_limit)
        self._memory_limit = memory_limit
        self._reader = JournalReader(session.path, self._progress.first_segment, self._elsewhere)
        self.reading = Reading(bodies.arriving_in(writer.path, redactor), self._progress.connections)
        self.reading.notes.faults.update(self._progress.faults)
        owner = session.facts.get("owner")  # of all, where there are no tests (`rr mock record`)
        self._attribution = OneOwner(owner) if owner else Attribution()
        self._names = Names()
        self._ledger = ledger.Ledger(session.path)
        self._first_segment = self._progress.first_segment
        self._released = 0
        self._closed = False
        self._anchors: dict[ExchangeId, Origin] = {}  # exchanges that are decoded and not yet settled
        self._standing: set[Hashable] = set()  # what belongs to no test and is kept already
        self._held: list[Exchange[Any, Any]] = []  # and not yet written: before what began after it
        self._written: dict[ExchangeId, str] = {}
        self._learned = self._learned_at = 0  # secrets that were not known at first; the mocks' end at the last of them
        self._now_ns = 0
        self._measured, self._measured_at = 0, time.monotonic()
        self._rushed = self._spill_is_full = False
        self.counts = Counts(tests=len(self._progress.tests), mocks=len(self._progress.mocks))
        self.ports = {test.port for test in self._progress.tests.values()}  # the app's own
        self._number = len(self._progress.tests)
        bodies.sweep(writer.path)
        if self._progress.mocks_offset is not None:
            writer.truncate_mocks(self._progress.mocks_offset)
        if any(_owner(name) in _STANDING for name in self._progress.mocks.values()):
            self._standing.update(_kept_standing(writer.path))
        for name in self._progress.mocks.values():
            self._names.seen(name)
        for test in self._progress.tests.values():
            self._attribution.window(test.name, test.started_ns, test.ended_ns)

    # -- while the app runs ----------------------------------------------------------------------------------------

    def work(self, budget: int = 1 << 20) -> bool:
        """Read up to about `budget` bytes of the journal; returns whether there was anything."""
        found = False
        for frame in self._reader.read(budget):
            found = True
            self._now_ns = frame.time_ns
            for exchange in self.reading.feed(frame):
                if frame.kind is Kind.GAP and exchange.inbound:  # rr cut it short, and not the app
                    self._lose(exchange)
                else:
                    self._take(exchange, self.reading.origins[exchange.id.connection])
        if found:
            self._write_settled(final=False)
            self._let_go()
        return found

    def make_room(self) -> None:
        """Move what waits in memory to disk when it is more than half of what the journal may have: the segment that is
        read and the one that is written have to fit in beside it."""
        most = max(0, min(self._memory_limit // 2, self._memory_limit - 2 * SEGMENT_BYTES))
        complete = [number for number in self._in_memory() if number > self._reader.segment][:-1]
        waiting = sum(segment_path(self._session.path, number).stat().st_size for number in complete)
        while complete and waiting > most:
            number = complete.pop(0)
            size = segment_path(self._session.path, number).stat().st_size
            self._spill_is_full = not self._spill.move(number)
            if self._spill_is_full:
                return
            waiting -= size
            self._free(size)

    def is_rushed(self) -> bool:
        """Whether so much comes in that decoding it now would take the processor from the app. It waits in the journal
        then, on disk if need be; only when that has no room either is it decoded all the same."""
        now = time.monotonic()
        if now - self._measured_at >= _MEASURE_EVERY:
            written = self._end_of_journal()
            self._rushed = (written - self._measured) / (now - self._measured_at) > _RUSH
            self._measured, self._measured_at = written, now
        return self._rushed and not self._spill_is_full

    def behind(self) -> bool:
        """Whether there is something that has not been read yet."""
        return not self._reader.at_end()

    def finish(self) -> None:
        """The app has ended and the relay too: read the rest, complete what is open, write it all."""
        try:
            while self.work():
                pass
        except JournalError as error:
            self.counts.lost.append(str(error))
        for exchange in self.reading.finish(self._now_ns or time.time_ns()):
            if exchange.inbound and exchange.ending is not Ending.ANSWERED:
                self._lose(exchange)
            else:
                self._take(exchange, Origin(self._reader.segment))
        self._write_settled(final=True)
        # All is written: from here on no recovery cuts the file of the mocks, whose offsets change now.
        self._ledger.check(self.reading.resume(), self._first_segment, self.reading.notes.faults)
        self._look_back()
        self._relabel()
        self._writer.close()

    def sealed_command(self, command: str) -> str:
        """The app's command as it may be written."""
        sealed = self._redactor.redact_command(command)
        self._redactor.vault.save()
        return sealed

    def close(self, *, keep: bool) -> None:
        """End. Unless `keep`, nothing of the journal is left. Safe to call twice: the first call counts."""
        if self._closed:
            return
        self._closed = True
        self._reader.close()
        self._ledger.close()
        if not keep:
            self._spill.remove()
            self._session.remove()

    # -- exchanges -------------------------------------------------------------------------------------------------

    def _take(self, exchange: Exchange[Any, Any], origin: Origin) -> None:
        room = room_named(exchange.protocol)
        if exchange.remark is not None:
            self.reading.notes.tell(f"{exchange.server}: {exchange.remark}")
        if exchange.inbound:
            self._take_inbound(exchange, room)
        elif not self._is_wanted(self._wanted.mocks, exchange):
            self.counts.left_out += 1
            bodies.drop(exchange)
        elif (key := room.standing(exchange)) is not None:
            self._take_standing(exchange, (room.name, key), origin)
        else:
            self._anchors[exchange.id] = origin
            self._attribution.add_outbound(exchange)

    def _take_inbound(self, exchange: Exchange[Any, Any], room: Room) -> None:
        ports = self._wanted.app_ports
        if exchange.protocol != "http" or exchange.response is None:
            self.counts.left_out += 1
            if exchange.protocol == "http":
                self._attribution.add_inbound(exchange, None)
                self.counts.lost.append(f"{room.title(exchange.server, exchange.request)} got no answer")
            return
        if (ports and exchange.server.port not in ports) or not self._is_wanted(self._wanted.tests, exchange):
            self.counts.left_out += 1
            self._attribution.add_inbound(exchange, None)
            bodies.drop(exchange)
            return
        earlier = self._progress.tests.get(exchange.id)
        if earlier is not None:
            name = earlier.name
        else:
            self._number += 1
            self.counts.tests += 1
            name = f"test-{self._number}"
            test = ledger.Written(name, exchange.started_ns, exchange.ended_ns, exchange.server.port)
            self._ledger.test(exchange.id, test)
            self.ports.add(test.port)
        spec = room.to_spec(exchange)
        bodies.settle(exchange, spec, self._writer.path)
        document = Document(kind=room.kinds[0], name=name, spec=spec)
        self._writer.write_test(self._redactor.redact(document))
        self._note_learned()
        self._attribution.add_inbound(exchange, name)
        self._on_test(name, exchange)

    def _lose(self, exchange: Exchange[Any, Any]) -> None:
        """The recording ended in the middle of it."""
        self.counts.left_out += 1
        title = room_named(exchange.protocol).title(exchange.server, exchange.request)
        self.counts.lost.append(f"{title} was cut short when the recording ended, and is no test")
        bodies.drop(exchange)

    def _take_standing(self, exchange: Exchange[Any, Any], key: Hashable, origin: Origin) -> None:
        """A name resolved, a login, a prepared statement: once is enough, however often it happens."""
        self._attribution.add_reached(exchange)
        if key in self._standing:
            return
        self._standing.add(key)
        self._anchors[exchange.id] = origin
        self._held.append(exchange)

    def _is_wanted(self, filters: Sequence[Filter], exchange: Exchange[Any, Any]) -> bool:
        if not filters or exchange.protocol == "dns":
            return True
        method = getattr(exchange.request, "method", "")
        path = getattr(exchange.request, "target", "")
        return keeps(filters, method, path, exchange.server.host, exchange.server.port)

    def _write_settled(self, *, final: bool) -> None:
        for port in {one.port for one in self._listeners()}:
            self._own.add(Server("localhost", port))
            if port < _BY_CHANCE:
                self.ports.add(port)
        for exchange, owner in self._attribution.settle(self.reading.open_since(), final=final, own=self._own):
            if owner is None:
                if exchange.server in self._own:  # a replay must know where the app waited for itself
                    self.ports.add(exchange.server.port)
                self._anchors.pop(exchange.id, None)
                bodies.drop(exchange)
            else:
                self._write_held(exchange.started_ns)
                self._write_mock(exchange, owner)
        if final:
            self._write_held()

    def _write_held(self, before_ns: int | None = None) -> None:
        while self._held and (before_ns is None or self._held[0].started_ns <= before_ns):
            exchange = self._held.pop(0)
            self._write_mock(exchange, exchange.protocol)

    def _write_mock(self, exchange: Exchange[Any, Any], owner: str) -> None:
        self._anchors.pop(exchange.id, None)
        if exchange.id in self._progress.mocks:
            return
        room = room_named(exchange.protocol)
        name = self._names.next(owner)
        spec = room.to_spec(exchange)
        bodies.settle(exchange, spec, self._writer.path)
        document = Document(kind=room.kinds[0], name=name, spec=spec)
        self._ledger.mock(exchange.id, name, self._writer.mocks_end())
        self._writer.append_mock(self._redactor.redact(document, outbound=True))
        self._note_learned()
        self._written[exchange.id] = name
        self.counts.mocks += 1
        self._on_mock(self.counts.mocks)

    def _look_back(self) -> None:
        """What was recognised as a secret late may stand in clear in documents that were written before."""
        if not self._learned:
            return
        self._writer.close()
        test_set, redactor = TestSet(self._writer.path), self._redactor
        mocks, before = test_set.mocks_path(), self._learned_at

        def concerns(text: revision.Text) -> bool:
            return not (text.ref.path == mocks and text.ref.offset >= before) and not redactor.is_clear(text.text)

        revision.revise(test_set, concerns, lambda document: redactor.redact(document, stored=True))
        for path in revision.side_files(test_set):
            revision.revise_file(path, redactor.uncut, redactor.redact_stored)

    def _note_learned(self) -> None:
        if self._redactor.learned != self._learned:
            self._learned, self._learned_at = self._redactor.learned, self._writer.mocks_end()

    def _relabel(self) -> None:
        """What turned out late to recur by a clock of its own is nobody's: its first times were written as a test's."""
        owners = {self._written[id]: BACKGROUND for id in self._attribution.relabelled() if id in self._written}
        if not owners:
            return
        names = Names()
        self._writer.rename_mocks(lambda name: names.next(owners.get(name, _owner(name))))

    # -- the journal -----------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """Delete the segments that nothing needs any more."""
        waiting = [origin.segment for origin in self._anchors.values()]
        oldest = needed([self._reader.segment, self.reading.needed_segment(), *waiting])
        if oldest is None or oldest <= self._first_segment:
            return
        resume = self.reading.resume()
        for id, origin in reversed(self._anchors.items()):  # a connection goes on at the first that is not written
            if origin.resume is not None:
                resume[id.connection] = origin.resume
        self._ledger.check(resume, oldest, self.reading.notes.faults)
        for number in range(self._first_segment, oldest):
            self._spill.drop(number)
            path = segment_path(self._session.path, number)
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                path.unlink()
                self._free(size)
        self._first_segment = oldest

    def _free(self, size: int) -> None:
        self._released += size
        self._session.release(self._released)

    def _end_of_journal(self) -> int:
        """How much has been written to the journal, about."""
        numbers = self._in_memory()
        if not numbers:
            return self._measured
        size = segment_path(self._session.path, numbers[-1]).stat().st_size
        return numbers[-1] * SEGMENT_BYTES + size

    def _in_memory(self) -> list[int]:
        return sorted(int(path.name[:8]) for path in self._session.path.glob("*.seg"))

    def _elsewhere(self, number: int) -> int | None:
        return self._spill.open(number) if self._spill.has(number) else None


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _kept_standing(test_set: Path) -> Iterator[Hashable]:
    """The keys of what an earlier life of this recording has written that belongs to no test."""
    for _, document in TestSet(test_set).mocks():
        if _owner(document.name) in _STANDING:
            room = room_for_kind(document.kind)
            yield room.name, room.standing(room.from_spec(document.kind, document.spec))
