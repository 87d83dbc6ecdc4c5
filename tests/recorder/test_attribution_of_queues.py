"""Whose is a message? It happened when it came, and whoever speaks of it afterwards belongs to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.recorder.test_attribution import BASKET, ORDER, Tape
from testset.model import ExchangeId


class Queues(Tape):
    """Calls to SQS, in its older dialect."""

    def ask(self, begin: float, end: float, operation: str, answer: Any, **parameters: str) -> ExchangeId:
        given = {"Action": operation, "Version": "2012-11-05", "QueueUrl": "http://sqs/1/orders", **parameters}
        exchange = self._exchange(f"GET http://sqs/?{urlencode(given)}", begin, end, None, answer, {}, False)
        self.attribution.add_outbound(exchange)
        return exchange.id

    def send(self, begin: float, message: str, body: str) -> None:
        self.ask(begin, begin + 1, "SendMessage", {"MessageId": message}, MessageBody=body)

    def receive(self, begin: float, end: float, *messages: str) -> None:
        got = [{"MessageId": name, "ReceiptHandle": f"h-{name}"} for name in messages]
        self.ask(begin, end, "ReceiveMessage", {"Messages": got})

    def delete(self, begin: float, message: str) -> None:
        self.ask(begin, begin + 1, "DeleteMessage", {}, ReceiptHandle=f"h-{message}")

    def by_time(self) -> list[str]:
        return [owner for _, owner in sorted(self.settle(final=True))]


def test_a_message_belongs_to_the_test_that_it_came_in_however_long_the_poll_had_waited() -> None:
    tape = Queues()
    tape.receive(1, 45, "m-1")  # began at start-up
    tape.test("test-1", 10, 20)
    tape.test("test-2", 40, 50)
    tape.receive(46, 90, "m-2")  # began in test-2, and ended after it
    assert tape.owners() == ["test-2", "test-2"]


def test_a_message_of_start_up() -> None:
    tape = Queues()
    tape.receive(1, 5, "m-1")
    tape.test("test-1", 10, 20)
    assert tape.owners() == ["startup"]


def test_of_tests_that_overlap_the_one_that_sent_it() -> None:
    tape = Queues()
    tape.test("test-1", 10, 50, body={"order": ORDER})
    tape.test("test-2", 11, 50, body={"order": BASKET})
    tape.send(12, ORDER.replace("4", "5"), ORDER)
    tape.send(13, BASKET.replace("9", "5"), BASKET)
    tape.receive(5, 20, BASKET.replace("9", "5"))
    assert tape.by_time() == ["test-2", "test-1", "test-2"]


def test_who_speaks_of_a_message_later_belongs_to_both_moments() -> None:
    tape = Queues()
    tape.test("test-1", 10, 20)
    tape.receive(1, 15, "m-1")
    tape.test("test-2", 30, 60)
    tape.test("test-3", 40, 60)
    tape.delete(18, "m-1")
    tape.delete(25, "m-1")
    tape.delete(35, "m-1")
    tape.delete(45, "m-1")
    tape.delete(46, "other")
    assert tape.by_time() == ["test-1", "test-1", "test-1", "test-1+test-2", "test-1+test-2+test-3", "test-2+test-3"]


def test_what_a_message_causes_comes_no_earlier_than_the_message() -> None:
    """The worker was late, and tells of an order when another request is in hand; in a replay it may be earlier."""
    tape = Queues()
    tape.test("test-1", 10, 20, body={"order": ORDER})
    tape.test("test-2", 30, 40)
    tape.test("test-3", 50, 60)
    tape.ask(5, 35, "ReceiveMessage", {"Messages": [{"MessageId": "m", "ReceiptHandle": "h", "Body": ORDER}]})
    tape.call(55, "POST http://peer/done", {"order": ORDER})
    tape.call(56, "GET http://peer/orders", {"order": ORDER})
    assert tape.by_time() == ["test-2", "test-2+test-3", "test-3"]


def test_what_messages_cause_is_no_clock() -> None:
    """However evenly a worker works: what it does is asserted."""
    tape = Queues()
    tape.test("test-1", 10, 20)
    for number in range(8):
        tape.receive(100 * number + 30, 100 * number + 120, f"m-{number}")
        tape.delete(100 * number + 125, f"m-{number}")
    tape.test("test-2", 415, 425)
    assert "background" not in tape.owners()
    assert tape.attribution.relabelled() == {}


def test_messages_that_come_evenly_are_no_clock() -> None:
    """Each may be a test's; only that nothing came is everybody's."""
    tape = Queues()
    tape.test("test-1", 10, 20)
    for number in range(8):
        tape.receive(100 * number + 30, 100 * number + 120, f"m-{number}")
    tape.test("test-2", 415, 425)
    assert set(tape.owners()) == {"test-1", "test-2"}
    assert tape.attribution.relabelled() == {}
