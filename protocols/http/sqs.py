"""SQS, in both of its dialects: what its requests ask for, and what they do with a queue.

A receive waits for what comes when it likes (`poll`): what it got is a delivery (`queueing`), and that it got nothing
is kept once (`standing`). Parameters go by their names in the JSON dialect. The answers are in `sqs_answers`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from protocols.furniture import Poll, Queueing, Value
from protocols.http import aws, contents, sqs_answers
from protocols.http.aws import Call
from protocols.http.wire import HttpRequest, HttpResponse
from testset.model import Exchange

_SENDS = frozenset({"SendMessage", "SendMessageBatch"})
# How long a receive waits, and for how long nobody else gets the message, says nothing about what it asks for.
_WAITING = frozenset({"WaitTimeSeconds", "VisibilityTimeout", "ReceiveRequestAttemptId"})
_NAMES = {  # of a form: what JSON calls the same
    "MessageAttribute": "MessageAttributes", "MessageSystemAttribute": "MessageSystemAttributes",
    "SendMessageBatchRequestEntry": "Entries", "DeleteMessageBatchRequestEntry": "Entries",
    "ChangeMessageVisibilityBatchRequestEntry": "Entries", "MessageAttributeName": "MessageAttributeNames",
    "AttributeName": "AttributeNames", "MessageSystemAttributeName": "MessageSystemAttributeNames",
}  # fmt: skip


def call(request: HttpRequest) -> Call | None:
    """The request as one to SQS; None if it is none."""
    asked = aws.call(request)
    if asked is None or asked.service != "SQS":
        return None
    return asked if asked.in_json else replace(asked, parameters=_as_json(asked.parameters))


def _as_json(given: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, content in given.items():
        if name.endswith("Attribute") and isinstance(content, list):
            content = {str(one.get("Name", "")): one.get("Value") for one in content if isinstance(one, dict)}
        elif name.endswith("Entry") and isinstance(content, list):
            content = [_as_json(one) if isinstance(one, dict) else one for one in content]
        result[_NAMES.get(name, name)] = content
    return result


def values(asked: Call) -> Iterator[Value]:
    """What a request to SQS says; message bodies of JSON by their structure."""
    receives = asked.operation == "ReceiveMessage"
    given = {name: one for name, one in asked.parameters.items() if not (receives and name in _WAITING)}
    return contents.flatten("body", _opened(given))


def _opened(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _message(one) if name == "MessageBody" else _opened(one) for name, one in data.items()}
    return [_opened(one) for one in data] if isinstance(data, list) else data


def _message(text: Any) -> Any:
    if isinstance(text, str) and text.lstrip()[:1] in ("{", "["):
        opened = contents.json_of(text)
        return text if opened is None else opened
    return text


def fit(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    asked = call(request)
    return response if asked is None else sqs_answers.fitted(asked, response)


# -- queues -----------------------------------------------------------------------------------------------------


def poll(request: HttpRequest) -> Poll | None:
    asked = call(request)
    if asked is None or asked.operation != "ReceiveMessage":
        return None
    try:
        seconds = float(asked.parameters["WaitTimeSeconds"])
    except (KeyError, TypeError, ValueError):
        seconds = None  # the queue's own setting
    return Poll(sqs_answers.nothing(in_json=asked.in_json), seconds)


def queueing(exchange: Exchange[HttpRequest, HttpResponse]) -> Queueing | None:
    asked = call(exchange.request)
    if asked is None:
        return None
    response = exchange.response
    messages = tuple(sqs_answers.named("MessageId", response)) if response is not None else ()
    if asked.operation == "ReceiveMessage":
        if response is not None and response.status >= 400:
            return None
        handles = tuple(sqs_answers.named("ReceiptHandle", response)) if response is not None else ()
        return Queueing(taken=messages, handles=handles)
    if asked.operation in _SENDS:
        return Queueing(sent=messages, line=_line(asked))
    handles = tuple(one["ReceiptHandle"] for one in _entries(asked) if isinstance(one.get("ReceiptHandle"), str))
    return Queueing(handles=handles) if handles else None


def _line(asked: Call) -> Hashable | None:
    """The message group, in which order counts. A batch may have several: then none."""
    groups = {one.get("MessageGroupId") for one in _entries(asked)}
    group = groups.pop() if len(groups) == 1 else None
    return (asked.subject, group) if isinstance(group, str) else None


def _entries(asked: Call) -> list[Mapping[str, Any]]:
    """Of a batch; any other request has one."""
    entries = asked.parameters.get("Entries")
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else [asked.parameters]


def standing(exchange: Exchange[HttpRequest, HttpResponse]) -> Hashable | None:
    """That there was nothing in a queue is kept once, however often it was asked."""
    doing = queueing(exchange)
    if doing is None or doing.taken is None or doing.taken:
        return None
    asked = call(exchange.request)
    assert asked is not None, "it polls"
    return (exchange.server, asked.name, asked.subject, tuple(values(asked)))
