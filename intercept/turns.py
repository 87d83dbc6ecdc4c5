"""The relay's loop. One turn: receive from everyone who has something, write it all to the journal at once, then send.

Handlers run while receiving. They put frames into `parts` and, into `sends` or with `after`, what is to happen once
the frames are in the journal. So nothing reaches anyone before it is kept, and keeping costs one system call a turn,
however many connections there are. This is the hot path: lists are filled in place, and no call is made that can be
saved.
"""

from __future__ import annotations

import contextlib
import heapq
import select
import time
from collections.abc import Callable

from intercept.journal import FRAME, JournalWriter, Kind

IN, OUT = select.EPOLLIN, select.EPOLLOUT
ERR = select.EPOLLERR
GONE = select.EPOLLERR | select.EPOLLHUP

Handler = Callable[[int], None]
Sender = Callable[[bytes], None]

_EVENTS = 64  # handled in one turn, so that what a turn receives is no more than some megabytes
_CHECK_EVERY = 1 << 20  # bytes between two looks at how full the journal is
_PAUSE_CEILING = 2.0  # seconds that the app may be held up for the recorder to make room, if it makes none


class Turns:
    """An epoll loop with a journal in the middle."""

    def __init__(self, journal: JournalWriter, on_stop: Callable[[str], None]) -> None:
        self._epoll = select.epoll()
        self._journal = journal
        self._on_stop = on_stop
        self._handlers: dict[int, Handler] = {}
        self.parts: list[bytes] = [b""]  # the head of the block comes first
        self.sends: list[tuple[Sender, bytes]] = []
        self.recording = True
        self._after: list[Callable[[], None]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._since_check = 0
        self.now_ns = time.time_ns()
        self.running = True

    # -- for handlers --------------------------------------------------------------------------------------------

    def watch(self, descriptor: int, handler: Handler, mask: int = IN) -> None:
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, mask)

    def rewatch(self, descriptor: int, mask: int) -> None:
        if descriptor in self._handlers:
            self._epoll.modify(descriptor, mask)

    def rehandle(self, descriptor: int, handler: Handler, mask: int) -> None:
        self._handlers[descriptor] = handler
        self._epoll.modify(descriptor, mask)

    def exchange_handler(self, descriptor: int, handler: Handler) -> None:
        """Have another handler from the next event on."""
        if descriptor in self._handlers:
            self._handlers[descriptor] = handler

    def forget(self, descriptor: int) -> None:
        if self._handlers.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def frame(self, kind: Kind, side: int, connection: int, offset: int, data: bytes = b"") -> None:
        """Put a frame into this turn's block."""
        if self.recording:
            self.parts.append(FRAME.pack(kind, side, connection, offset, len(data)) + data)

    def after(self, act: Callable[[], None]) -> None:
        """Do this once the turn's frames are in the journal."""
        self._after.append(act)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this in a while, at the start of a turn."""
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, act))

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `running` is false."""
        poll = self._epoll.poll
        handlers = self._handlers
        while self.running:
            wait = -1.0
            if self._timers:
                wait = max(0.0, self._timers[0][0] - time.monotonic())
            events = poll(wait, _EVENTS)
            self.now_ns = time.time_ns()
            for descriptor, mask in events:
                handler = handlers.get(descriptor)
                if handler is not None:
                    handler(mask)
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()
            self._finish()

    def _finish(self) -> None:
        # What an act brings about (a reset while sending) belongs into the journal as well, hence the loop.
        while True:
            if len(self.parts) > 1:
                written = self._journal.commit(self.parts, self.now_ns)
                self.parts = [b""]
                self._since_check += written
                if not written:
                    self._tell_stop()
                elif self._since_check > _CHECK_EVERY:
                    self._since_check = 0
                    self._wait_for_room()
            if self.sends:
                sends, self.sends = self.sends, []
                for send, data in sends:
                    send(data)
            if self._after:
                acts, self._after = self._after, []
                for act in acts:
                    act()
            elif len(self.parts) == 1 and not self.sends:
                return

    def _wait_for_room(self) -> None:
        """The journal is full: hold everyone up while the recorder makes room; if it makes none, stop recording."""
        deadline = time.monotonic() + _PAUSE_CEILING
        lowest = self._journal.backlog() if self._journal.over_limit() else 0
        while self._journal.over_limit():
            time.sleep(0.002)
            backlog = self._journal.backlog()
            if backlog < lowest:
                lowest, deadline = backlog, time.monotonic() + _PAUSE_CEILING
            if time.monotonic() > deadline:
                self.stop_recording("the recorder did not keep up and the journal is full (journal.limit in rr.yml)")

    def stop_recording(self, why: str) -> None:
        """From now on bytes only pass."""
        self._journal.stop(why)
        self._tell_stop()

    def _tell_stop(self) -> None:
        self.recording = False
        if self._journal.stopped is not None:
            self._on_stop(self._journal.stopped)
