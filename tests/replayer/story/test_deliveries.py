"""What a queue brought in the recording comes again in a replay: each message once, and in its place of the story."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from replayer.story import Found, Miss
from replayer.story.recording import BACKGROUND, STARTUP
from tests.replayer.story.telling import ROOM, Recording, Run

ORDER = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1"
FRESH = "0b3f7f0e-5a55-4c7e-9f6f-0d5f0f7a1c11"


def line(operation: str, queue: str = "orders", **parameters: str) -> str:
    given = {"Action": operation, "Version": "2012-11-05", "QueueUrl": f"http://sqs/1/{queue}", **parameters}
    return f"GET http://sqs/?{urlencode(given)}"


POLL = line("ReceiveMessage")


def message(name: str, body: str = "x") -> dict[str, str]:
    return {"MessageId": name, "ReceiptHandle": f"handle-of-{name}", "Body": body}


def delivery(*names: str) -> tuple[str, None, dict[str, Any]]:
    return POLL, None, {"Messages": [message(name) for name in names]}


def sending(name: str, body: str = "x") -> tuple[str, None, dict[str, Any]]:
    return line("SendMessage", MessageBody=body), None, {"MessageId": name}


NOTHING: tuple[str, None, dict[str, Any]] = (POLL, None, {})


def taken(run: Run, poll: str = POLL) -> list[str]:
    """The messages that a poll gets now; none: it waits."""
    found = run.call(poll)
    assert isinstance(found, Found), found.text
    if found.nothing:
        return []
    messages = json.loads(ROOM.rebind(found.mock.exchange.response, found.names).body)["Messages"]
    return [one["MessageId"] for one in messages]


def test_a_message_comes_when_its_test_has_begun_and_once() -> None:
    recording = Recording()
    recording.test("POST /tick", calls=[delivery("m-1")])
    recording.test("POST /tick", calls=[delivery("m-2"), delivery("m-3")])
    run = recording.replay()
    assert taken(run) == []
    run.begin("test-1")
    assert [taken(run), taken(run)] == [["m-1"], []]
    run.begin("test-2")
    assert [taken(run), taken(run), taken(run)] == [["m-2"], ["m-3"], []]


def test_a_message_comes_no_earlier_than_it_was_sent() -> None:
    recording = Recording()
    recording.test("POST /orders", calls=[sending("m-1"), delivery("m-1")])
    run = recording.replay().begin()
    assert taken(run) == []
    run.call(sending("m-1")[0])
    assert taken(run) == ["m-1"]


def test_a_message_that_was_sent_otherwise_comes_as_recorded() -> None:
    """So that the worker goes on, and the test is red for what was sent."""
    recording = Recording()
    recording.test("POST /orders", calls=[sending("m-1", "two"), delivery("m-1")])
    run = recording.replay().begin()
    run.call(line("SendMessage", MessageBody="three"))
    assert taken(run) == ["m-1"]
    (changed,) = run.end().changed
    assert str(changed.difference) == "body.MessageBody: recorded 'two', now 'three'"


def test_a_message_that_came_after_the_response_comes_after_it() -> None:
    recording = Recording()
    recording.test("POST /orders", calls=[sending("m-1")], after=[delivery("m-1")], answer={})
    run = recording.replay().begin()
    run.call(sending("m-1")[0])
    assert taken(run) == []
    run.answers({})
    assert taken(run) == ["m-1"]


def test_a_late_poll_gets_what_came_in_an_earlier_test() -> None:
    recording = Recording()
    recording.test("POST /tick", calls=[delivery("m-1")])
    recording.test("POST /tick")
    run = recording.replay().begin("test-1").begin("test-2")
    assert [taken(run), taken(run)] == [["m-1"], []]


def test_no_message_of_a_test_that_does_not_run() -> None:
    recording = Recording()
    recording.test("POST /tick", calls=[delivery("m-1")])
    recording.test("POST /tick", calls=[delivery("m-2")])
    assert taken(recording.replay().begin("test-2")) == ["m-2"]


def test_what_a_message_says_goes_by_the_names_of_this_run() -> None:
    recording = Recording()
    sent = (line("SendMessage", MessageBody=json.dumps({"id": ORDER})), None, {"MessageId": "m-1"})
    came = (POLL, None, {"Messages": [message("m-1", json.dumps({"id": ORDER}))]})
    recording.test("POST /orders", calls=[sent, came])
    run = recording.replay().begin()
    assert isinstance(run.call(line("SendMessage", MessageBody=json.dumps({"id": FRESH}))), Found)
    (got,) = run.told(POLL)["Messages"]
    assert json.loads(got["Body"]) == {"id": FRESH}


def test_the_handle_that_was_served_is_the_one_to_delete_by() -> None:
    recording = Recording()
    delete = line("DeleteMessage", ReceiptHandle="handle-of-m-1")
    recording.test("POST /tick", calls=[delivery("m-1"), (delete, None, {})])
    run = recording.replay().begin()
    assert taken(run) == ["m-1"]
    assert [due.title for due in run.replay.outstanding()] == ["SQS DeleteMessage orders"]
    assert isinstance(run.call(delete), Found)
    assert run.end().faithful


@pytest.mark.parametrize("owner", [STARTUP, "http", BACKGROUND])
def test_a_poll_that_gets_nothing_is_no_finding_however_often(owner: str) -> None:
    recording = Recording()
    recording.call(owner, *NOTHING[:2], answer={})
    recording.test("GET /")
    run = recording.replay().begin()
    assert [taken(run) for _ in range(50)] == [[]] * 50
    effects = run.end()
    assert effects.faithful
    assert not effects.warnings
    assert run.replay.unused() == ()


def test_a_queue_that_was_never_polled_is_a_miss() -> None:
    recording = Recording()
    recording.test("GET /", calls=[delivery("m-1")])
    missed = recording.replay().begin().call(line("ReceiveMessage", "refunds"))
    assert isinstance(missed, Miss)


def test_how_long_a_poll_waits_may_change() -> None:
    recording = Recording()
    recording.test("GET /", calls=[(line("ReceiveMessage", WaitTimeSeconds="20"), None, delivery("m-1")[2])])
    assert taken(recording.replay().begin(), line("ReceiveMessage", WaitTimeSeconds="1")) == ["m-1"]


def test_without_tests_everything_comes_at_once() -> None:
    recording = Recording()
    for call in (sending("m-1"), delivery("m-1"), delivery("m-2")):
        recording.call("session", *call[:2], answer=call[2])
    run = recording.replay()
    run.replay.begin_all(run.now_ns)
    assert [taken(run), taken(run), taken(run)] == [["m-1"], ["m-2"], []]


def test_a_poll_that_waits_hears_that_the_story_has_gone_on() -> None:
    recording = Recording()
    recording.test("POST /orders", calls=[sending("m-1")], after=[delivery("m-1")], answer={})
    run = recording.replay()
    heard: list[list[str]] = []
    run.replay.went_on = lambda: heard.append([])
    run.begin()
    run.call(sending("m-1")[0])
    run.answers({})
    assert len(heard) >= 3, "its test has begun, its message was sent, the response is there"


def test_messages_of_one_group_come_in_order() -> None:
    recording = Recording()
    first, second = (line("SendMessage", MessageBody=body, MessageGroupId="g") for body in ("one", "two"))
    recording.test("POST /", calls=[(first, None, {"MessageId": "m-1"}), (second, None, {"MessageId": "m-2"})])
    run = recording.replay().begin()
    run.call(second)
    run.call(first)
    (found,) = run.end().order
    assert found.mock == "test-1.1"


def test_what_a_group_left_behind_may_come_between_its_tests() -> None:
    recording = Recording()
    for _ in range(3):
        recording.test("POST /tick")
    recording.call("test-1+test-3", line("DeleteMessage", ReceiptHandle="h"), answer={})
    last = recording.mocks[-1]
    recording.mocks[-1] = replace(last, name="test-1+test-3.1")
    run = recording.replay().begin("test-1").begin("test-2")
    assert isinstance(run.call(line("DeleteMessage", ReceiptHandle="h")), Found)
    assert run.end().faithful
