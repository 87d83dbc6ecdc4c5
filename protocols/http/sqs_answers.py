"""Answers of SQS: the digests in them, made anew for what is sent and delivered now.

Clients check the MD5 that SQS names of each message, so an answer has to fit its request. XML is changed tag by tag,
and stays otherwise as it was.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import md5
from typing import Any
from xml.etree import ElementTree

from protocols.http import contents
from protocols.http.aws import Call
from protocols.http.wire import HttpResponse
from testset.model import FileBody

_BODY, _ATTRIBUTES, _SYSTEM = "MD5OfMessageBody", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes"
_DELIVERED = "MD5OfBody"
_MESSAGE = re.compile(r"<Message>.*?</Message>", re.DOTALL)
_ENTRY = re.compile(r"<SendMessageBatchResultEntry>.*?</SendMessageBatchResultEntry>", re.DOTALL)
_NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"


def nothing(*, in_json: bool) -> HttpResponse:
    """What a receive is told when no message has come."""
    if in_json:
        media, body = "application/x-amz-json-1.0", b"{}"
    else:
        media = "text/xml"
        body = (
            f'<?xml version="1.0"?><ReceiveMessageResponse xmlns="{_NAMESPACE}"><ReceiveMessageResult/>'
            "<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>"
            "</ReceiveMessageResponse>"
        ).encode()
    return HttpResponse(
        status=200, reason="OK", headers=(("Content-Type", media), ("Content-Length", str(len(body)))), body=body
    )


def named(name: str, response: HttpResponse) -> Iterator[str]:
    """The messages that an answer speaks of, by `MessageId` or `ReceiptHandle`."""
    text = _text(response)
    if not text.lstrip().startswith("{"):
        yield from re.findall(rf"<{name}>([^<]*)</{name}>", text)
        return
    answer = contents.json_of(text)
    if isinstance(answer, dict):
        for one in (answer, *_records(answer, "Messages"), *_records(answer, "Successful")):
            if isinstance(found := one.get(name), str):
                yield found


def fitted(asked: Call, response: HttpResponse) -> HttpResponse:
    """`response` with the digests that belong to what is sent, or to what it delivers."""
    if response.status >= 400:
        return response
    given = asked.parameters
    match asked.operation:
        case "SendMessage":
            change = _in_json_sent if asked.in_json else _in_xml_sent
        case "SendMessageBatch":
            change = _in_json_batch if asked.in_json else _in_xml_batch
        case "ReceiveMessage":
            change = _in_json_delivered if asked.in_json else _in_xml_delivered
        case _:
            return response
    return contents.rewritten(response, lambda text: change(text, given))


def _text(response: HttpResponse) -> str:
    body = response.body
    if isinstance(body, FileBody):
        return ""
    return contents.plain_body(response.headers, body).decode("utf-8", "replace")


def _records(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = answer.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


# -- JSON -------------------------------------------------------------------------------------------------------


def _in_json_sent(text: str, given: Mapping[str, Any]) -> str:
    return _in_json(text, lambda answer: _put(answer, sent_digests(given)))


def _in_json_batch(text: str, given: Mapping[str, Any]) -> str:
    entries = _entries(given)
    return _in_json(
        text, lambda answer: _put_all(_records(answer, "Successful"), lambda one: entries.get(one.get("Id"), {}))
    )


def _in_json_delivered(text: str, given: Mapping[str, Any]) -> str:
    return _in_json(text, lambda answer: _put_all(_records(answer, "Messages"), _delivered))


def _in_json(text: str, change: Callable[[dict[str, Any]], bool]) -> str:
    """`change` says whether it has changed anything: what fits already stays as it was written."""
    answer = contents.json_of(text)
    return json.dumps(answer, ensure_ascii=False) if isinstance(answer, dict) and change(answer) else text


def _put_all(records: Iterable[dict[str, Any]], digests: Callable[[dict[str, Any]], Mapping[str, str]]) -> bool:
    changed = [_put(record, digests(record)) for record in records]
    return any(changed)


def _put(record: dict[str, Any], digests: Mapping[str, str]) -> bool:
    new = {name: digest for name, digest in digests.items() if name in record and record[name] != digest}
    record.update(new)
    return bool(new)


# -- XML --------------------------------------------------------------------------------------------------------


def _in_xml_sent(text: str, given: Mapping[str, Any]) -> str:
    return _put_tags(text, sent_digests(given))


def _in_xml_batch(text: str, given: Mapping[str, Any]) -> str:
    entries = _entries(given)
    return _ENTRY.sub(lambda found: _put_tags(found[0], entries.get(_tag(found[0], "Id"), {})), text)


def _in_xml_delivered(text: str, given: Mapping[str, Any]) -> str:
    return _MESSAGE.sub(lambda found: _put_tags(found[0], _delivered(_message(found[0]))), text)


def _put_tags(text: str, digests: Mapping[str, str]) -> str:
    for name, digest in digests.items():
        text = re.sub(rf"(?<=<{name}>)[^<]*", digest, text)
    return text


def _tag(text: str, name: str) -> str | None:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found is not None else None


def _message(text: str) -> dict[str, Any]:
    """A message as JSON has it."""
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return {}
    attributes = {
        one.findtext("Name", ""): {child.tag: child.text or "" for child in one.find("Value") or ()}
        for one in tree.iter("MessageAttribute")
    }
    return {"Body": tree.findtext("Body"), "MessageAttributes": attributes}


# -- digests ----------------------------------------------------------------------------------------------------


def sent_digests(message: Mapping[str, Any]) -> dict[str, str]:
    """What SQS says of a message when it has got it."""
    return {
        _BODY: body_digest(message.get("MessageBody")),
        _ATTRIBUTES: attributes_digest(message.get("MessageAttributes")),
        _SYSTEM: attributes_digest(message.get("MessageSystemAttributes")),
    }


def _entries(given: Mapping[str, Any]) -> dict[Any, dict[str, str]]:
    return {one.get("Id"): sent_digests(one) for one in _records(given, "Entries")}


def _delivered(message: Mapping[str, Any]) -> dict[str, str]:
    digests = {_DELIVERED: body_digest(message.get("Body"))}
    if message.get("MessageAttributes"):
        digests[_ATTRIBUTES] = attributes_digest(message["MessageAttributes"])
    return digests


def body_digest(body: Any) -> str:
    return md5(str(body).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def attributes_digest(attributes: Any) -> str:
    """As the manual says under "Calculating the MD5 message digest for message attributes"."""
    digest = md5(usedforsecurity=False)
    for name, value in sorted(attributes.items()) if isinstance(attributes, dict) else ():
        if not isinstance(value, dict):
            continue
        kind = str(value.get("DataType", ""))
        binary = kind.startswith("Binary")
        for part in (name.encode(), kind.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        content = _decoded(value.get("BinaryValue")) if binary else str(value.get("StringValue", "")).encode()
        digest.update((b"\2" if binary else b"\1") + len(content).to_bytes(4, "big") + content)
    return digest.hexdigest()


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=False)
    except binascii.Error:
        return b""
