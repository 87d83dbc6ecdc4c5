"""When a delivery's time has come: what a queue brought in the recording, a poll gets at the same place of the story.

A message comes no earlier than the app has sent it, if it was the app that did; no earlier than its test; and if it
came when the test had its response already, then again. It may come later, for a poll that is late: each comes once.
"""

from __future__ import annotations

from replayer.story.recording import STANDING, STARTUP, Entry, Story


class Deliveries:
    """How far one replay has come, as far as queues are concerned."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._sent: set[int] = set()  # positions of entries that sent something
        self._begun: set[str] = {STARTUP}
        self._responded: set[str] = set()
        self._rank = 0
        self._every = False

    def begin(self, test: str, rank: int) -> None:
        self._begun.add(test)
        self._rank = rank

    def begin_all(self) -> None:
        """There are no tests: everything may come at once."""
        self._every = True

    def respond(self, test: str) -> None:
        """The test has its response."""
        self._responded.add(test)

    def happened(self, entry: Entry) -> None:
        """As recorded, or with another value in it."""
        if entry.queueing is not None and entry.queueing.sent:
            self._sent.add(entry.position)

    def has_come(self, entry: Entry) -> bool:
        """Whether `entry` is a delivery that a poll may get now."""
        if entry.queueing is None or not entry.queueing.taken:
            return False
        return self._every or (self._is_begun(entry) and all(map(self._is_sent, entry.queueing.taken)))

    def _is_begun(self, entry: Entry) -> bool:
        if entry.owner in STANDING:
            return entry.rank <= self._rank
        if self._begun.isdisjoint(entry.owner.split("+")):
            return False
        test = self._story.tests.get(entry.owner)
        return test is None or entry.started_ns <= test.ended_ns or entry.owner in self._responded

    def _is_sent(self, message: str) -> bool:
        sender = self._story.sent.get(message)
        return sender is None or sender in self._sent
