"""SQS in both dialects: what counts in a request, what an answer has to fit, what is delivered."""

from __future__ import annotations

import json
from hashlib import md5
from typing import Any

import pytest

from protocols.furniture import Queueing
from protocols.http import ROOM, match, sqs_answers
from protocols.http.wire import HttpRequest, HttpResponse
from tests.protocols.http.test_aws import AWS, QUEUE, form, signed
from testset.model import Exchange, ExchangeId

KIND = {"DataType": "String", "StringValue": "new"}
XML = (("Content-Type", "text/xml"),)


def ask(operation: str, **parameters: Any) -> HttpRequest:
    return signed(f"AmazonSQS.{operation}", {"QueueUrl": QUEUE, **parameters})


def answer(body: Any, status: int = 200) -> HttpResponse:
    if isinstance(body, str):
        return HttpResponse(status=status, headers=XML, body=body.encode())
    return HttpResponse(
        status=status, headers=(("Content-Type", "application/x-amz-json-1.0"),), body=json.dumps(body).encode()
    )


def exchange(request: HttpRequest, response: HttpResponse | None) -> Exchange[Any, Any]:
    return Exchange(
        id=ExchangeId(1, 0), protocol="http", inbound=False, server=AWS, request=request, response=response,
        started_ns=1, ended_ns=2,
    )  # fmt: skip


def places(request: HttpRequest) -> dict[str, object]:
    return {value.place: value.value for value in match.values(request) if value.place.startswith("body")}


def digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


# -- what counts ------------------------------------------------------------------------------------------------


def test_a_message_of_json_is_compared_by_its_structure() -> None:
    one = ask("SendMessage", MessageBody='{"id": 7, "quantity": 2}', DelaySeconds=0)
    assert places(one) == {
        "body.QueueUrl": QUEUE,
        "body.DelaySeconds": 0,
        "body.MessageBody.id": 7,
        "body.MessageBody.quantity": 2,
    }
    same = ask("SendMessage", MessageBody='{"quantity":2,"id":7}', DelaySeconds=0)
    assert match.difference(AWS, one, AWS, same) is None
    other = ask("SendMessage", MessageBody='{"id": 7, "quantity": 3}', DelaySeconds=0)
    assert str(match.difference(AWS, one, AWS, other)) == "body.MessageBody.quantity: recorded 2, now 3"


def test_both_dialects_name_places_alike() -> None:
    old = form(
        "SendMessageBatch", QueueUrl=QUEUE, **{
            "SendMessageBatchRequestEntry.1.Id": "a",
            "SendMessageBatchRequestEntry.1.MessageBody": "x",
            "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "kind",
            "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "String",
            "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "new",
        }
    )  # fmt: skip
    new = ask("SendMessageBatch", Entries=[{"Id": "a", "MessageBody": "x", "MessageAttributes": {"kind": KIND}}])
    assert places(old) == places(new)


def test_how_long_a_receive_waits_says_nothing_about_what_it_asks_for() -> None:
    one = ask("ReceiveMessage", WaitTimeSeconds=20, VisibilityTimeout=30, ReceiveRequestAttemptId="a")
    assert match.difference(AWS, one, AWS, ask("ReceiveMessage", WaitTimeSeconds=1)) is None
    assert match.difference(AWS, one, AWS, ask("ReceiveMessage", MaxNumberOfMessages=10)) is not None


def test_another_queue_is_another_route() -> None:
    one, two = ask("SendMessage", MessageBody="x"), ask("SendMessage", MessageBody="x", QueueUrl=QUEUE + "-2")
    assert match.route(AWS, one) != match.route(AWS, two)


# -- answers that fit -------------------------------------------------------------------------------------------


def test_digests_are_those_of_the_manual() -> None:
    """As moto has answered to a message with a text and some bytes."""
    attributes = {
        "kind": {"DataType": "String", "StringValue": "a"},
        "b": {"DataType": "Binary", "BinaryValue": "eHg="},
    }
    assert sqs_answers.attributes_digest(attributes) == "d078799c736c9ac1cfbaa50af33d331e"
    assert sqs_answers.body_digest("hello") == "5d41402abc4b2a76b9719d911017c592"


def test_an_answer_has_the_digest_of_what_is_sent_now() -> None:
    recorded = answer({"MD5OfMessageBody": digest("then"), "MessageId": "m", "MD5OfMessageAttributes": "0" * 32})
    sent = ask("SendMessage", MessageBody="now Zoë", MessageAttributes={"kind": KIND})
    assert json.loads(ROOM.fit(sent, recorded).body) == {
        "MD5OfMessageBody": digest("now Zoë"),
        "MessageId": "m",
        "MD5OfMessageAttributes": sqs_answers.attributes_digest({"kind": KIND}),
    }


def test_an_answer_that_fits_already_stays_to_the_byte() -> None:
    recorded = HttpResponse(status=200, body=b'{ "MD5OfMessageBody":"%b" }' % digest("x").encode())
    assert ROOM.fit(ask("SendMessage", MessageBody="x"), recorded) is recorded


def test_a_batch_fits_entry_by_entry() -> None:
    entries = [{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}]
    recorded = answer(
        {"Successful": [{"Id": "b", "MD5OfMessageBody": "0"}, {"Id": "gone", "MD5OfMessageBody": "0"}], "Failed": []}
    )
    fitted = json.loads(ROOM.fit(ask("SendMessageBatch", Entries=entries), recorded).body)
    assert [one["MD5OfMessageBody"] for one in fitted["Successful"]] == [digest("2"), "0"]


def test_a_delivery_fits_what_it_delivers() -> None:
    """Its body has the values of this run in it by now."""
    recorded = answer(
        {"Messages": [{"MessageId": "m", "MD5OfBody": "0", "Body": "Zoë", "MessageAttributes": {"kind": KIND},
                       "MD5OfMessageAttributes": "0"}]}
    )  # fmt: skip
    (message,) = json.loads(ROOM.fit(ask("ReceiveMessage"), recorded).body)["Messages"]
    assert message["MD5OfBody"] == digest("Zoë")
    assert message["MD5OfMessageAttributes"] == sqs_answers.attributes_digest({"kind": KIND})


def test_xml_is_changed_in_its_digests_only() -> None:
    sent = "<SendMessageResult>\n <MD5OfMessageBody>%s</MD5OfMessageBody><MessageId>m</MessageId></SendMessageResult>"
    asked = form("SendMessage", QueueUrl=QUEUE, MessageBody="a b&c")
    assert ROOM.fit(asked, answer(sent % "0")).body == (sent % digest("a b&c")).encode()

    tag = "SendMessageBatchResultEntry"
    entry = f"<{tag}><Id>%s</Id><MD5OfMessageBody>%s</MD5OfMessageBody></{tag}>"
    batch = form("SendMessageBatch", **{
        f"SendMessageBatchRequestEntry.{n}.{key}": value
        for n, one in enumerate(({"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}), 1)
        for key, value in one.items()
    })  # fmt: skip
    before, after = (entry % ("b", "0") + entry % ("a", "0")), (entry % ("b", digest("2")) + entry % ("a", digest("1")))
    assert ROOM.fit(batch, answer(before)).body == after.encode()

    message = "<Message><MessageId>m</MessageId><MD5OfBody>%s</MD5OfBody><Body>a &amp; b</Body></Message>"
    received = form("ReceiveMessage", QueueUrl=QUEUE)
    assert ROOM.fit(received, answer(message % "0")).body == (message % digest("a & b")).encode()


def test_errors_and_other_requests_are_left_alone() -> None:
    failed = answer({"MD5OfMessageBody": "0"}, status=400)
    assert ROOM.fit(ask("SendMessage", MessageBody="x"), failed) is failed
    plain = answer({"MD5OfMessageBody": "0"})
    assert ROOM.fit(HttpRequest(method="POST", target="/"), plain) is plain
    assert ROOM.fit(ask("DeleteMessage", ReceiptHandle="h"), plain) is plain


# -- queues -----------------------------------------------------------------------------------------------------


def test_a_receive_polls_for_as_long_as_it_says() -> None:
    poll = ROOM.poll(ask("ReceiveMessage", WaitTimeSeconds=20))
    assert poll is not None
    assert (poll.seconds, poll.nothing.body) == (20, b"{}")
    old = ROOM.poll(form("ReceiveMessage", QueueUrl=QUEUE))
    assert old is not None
    assert old.seconds is None
    assert b"<ReceiveMessageResult/>" in old.nothing.body
    assert ROOM.poll(ask("SendMessage", MessageBody="x")) is None


DELIVERED = {"Messages": [{"MessageId": "m-1", "ReceiptHandle": "h-1"}, {"MessageId": "m-2", "ReceiptHandle": "h-2"}]}
XML_DELIVERED = (
    "<ReceiveMessageResponse><Message><MessageId>m-1</MessageId><ReceiptHandle>h-1</ReceiptHandle></Message>"
    "<Message><MessageId>m-2</MessageId><ReceiptHandle>h-2</ReceiptHandle></Message></ReceiveMessageResponse>"
)


@pytest.mark.parametrize(
    ("request_", "response", "doing"),
    [
        (ask("ReceiveMessage"), answer(DELIVERED), Queueing(taken=("m-1", "m-2"), handles=("h-1", "h-2"))),
        (form("ReceiveMessage"), answer(XML_DELIVERED), Queueing(taken=("m-1", "m-2"), handles=("h-1", "h-2"))),
        (ask("ReceiveMessage"), answer({}), Queueing(taken=())),
        (ask("ReceiveMessage"), None, Queueing(taken=())),
        (ask("ReceiveMessage"), answer({"__type": "QueueDoesNotExist"}, 400), None),
        (ask("SendMessage", MessageBody="x"), answer({"MessageId": "m-1"}), Queueing(sent=("m-1",))),
        (
            ask("SendMessage", MessageBody="x", MessageGroupId="g"), answer({"MessageId": "m-1"}),
            Queueing(sent=("m-1",), line=(QUEUE, "g")),
        ),
        (
            ask("SendMessageBatch", Entries=[{"Id": "1", "MessageGroupId": "g"}, {"Id": "2", "MessageGroupId": "h"}]),
            answer({"Successful": [{"MessageId": "m-1"}, {"MessageId": "m-2"}]}),
            Queueing(sent=("m-1", "m-2")),
        ),
        (ask("DeleteMessage", ReceiptHandle="h-1"), answer({}), Queueing(handles=("h-1",))),
        (
            ask("DeleteMessageBatch", Entries=[{"ReceiptHandle": "h-1"}, {"ReceiptHandle": "h-2"}]), answer({}),
            Queueing(handles=("h-1", "h-2")),
        ),
        (ask("GetQueueAttributes"), answer({}), None),
        (HttpRequest(method="GET", target="/"), answer(DELIVERED), None),
    ],
)  # fmt: skip
def test_what_an_exchange_did_with_a_queue(
    request_: HttpRequest, response: HttpResponse | None, doing: Queueing | None
) -> None:
    assert ROOM.queueing(exchange(request_, response)) == doing


def test_that_nothing_came_is_one_thing_for_a_queue() -> None:
    first = ROOM.standing(exchange(ask("ReceiveMessage", WaitTimeSeconds=20), answer({})))
    assert first is not None
    assert first == ROOM.standing(exchange(ask("ReceiveMessage", WaitTimeSeconds=20), None))
    assert first != ROOM.standing(exchange(ask("ReceiveMessage", QueueUrl=QUEUE + "-2"), answer({})))
    for other in (exchange(ask("ReceiveMessage"), answer(DELIVERED)), exchange(ask("DeleteMessage"), answer({}))):
        assert ROOM.standing(other) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<", b"<Message>", b"\xff", b'{"Messages": 1, "Successful": [2]}'])
@pytest.mark.parametrize("operation", ["SendMessage", "SendMessageBatch", "ReceiveMessage"])
def test_an_answer_that_nobody_understands_stays_as_it_is(body: bytes, operation: str) -> None:
    odd = HttpResponse(status=200, body=body)
    for request in (ask(operation, Entries=[1, {"Id": "a"}]), form(operation, SendMessageBatchRequestEntry="x")):
        assert ROOM.fit(request, odd).body == body
        ROOM.queueing(exchange(request, odd))
