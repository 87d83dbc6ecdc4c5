"""A query and its answer to and from their document.

Times to live are not written: they count down in a resolver's cache and differ in every recording. Neither is the
order in which a resolver rotates the addresses of one name, nor its own address. Keploy's answers, in the form in
which Go's resolver library prints records, are read as well.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from protocols import documents
from protocols.dns import wire
from protocols.dns.messages import DnsExchange, DnsRequest, DnsResponse
from protocols.dns.state import ENDINGS
from protocols.dns.wire import Message, Question, Record
from protocols.documents import mapping, sequence, string
from testset.errors import DocumentError, ProtocolError
from testset.model import Ending, Exchange, ExchangeId, Server

KINDS = ("DNS",)

_SERVER = Server("dns", 53)  # which resolver it was is of this machine, not of the recording
_ADDRESSES = ("A", "AAAA")


def to_spec(exchange: DnsExchange) -> dict[str, Any]:
    request, response = exchange.request, exchange.response
    spec: dict[str, Any] = {"request": {"name": request.name, "qtype": request.qtype}}
    if response is not None:
        spec["response"] = {"rcode": response.rcode}
        if response.answers:
            spec["response"]["answers"] = [_record_text(record, request.name) for record in _steady(response.answers)]
    if exchange.ending not in (Ending.ANSWERED, Ending.UNKNOWN_HOST):
        spec["ending"] = str(exchange.ending)
    spec["started"] = documents.time_text(exchange.started_ns)
    spec["ended"] = documents.time_text(exchange.ended_ns)
    return spec


def _steady(records: tuple[Record, ...]) -> list[Record]:
    """Addresses of one name in their order as numbers; everything else where it was."""
    result: list[Record] = []
    for (_, kind), group in groupby(records, key=lambda record: (record.name, record.type)):
        neighbours = list(group)
        if kind in _ADDRESSES:
            neighbours.sort(key=lambda record: _address_key(record.data))
        result.extend(neighbours)
    return result


def _address_key(text: str) -> bytes:
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        return text.encode()


def _record_text(record: Record, asked: str) -> str:
    text = f"{record.type} {record.data}"
    return text if record.name == asked else f"{record.name} {text}"


def from_spec(kind: str, spec: Mapping[str, Any]) -> DnsExchange:
    if kind not in KINDS:
        raise DocumentError(f"kind {kind!r} is not DNS")
    asked = mapping(spec.get("request"), "request")
    request = DnsRequest(_name(string(asked.get("name"), "request.name")), _type(asked.get("qtype", "A")))
    ending = documents.ending(spec.get("ending"))
    response = None
    if spec.get("response") is not None:
        said = mapping(spec["response"], "response")
        rcode = _rcode(said.get("rcode", "NOERROR"))
        answers = tuple(
            _record(string(item, "response.answers"), request.name)
            for item in sequence(said.get("answers"), "response.answers")
        )
        response = DnsResponse(rcode=rcode, answers=answers)
        ending = ENDINGS.get(rcode, ending)
    elif ending is Ending.ANSWERED:
        raise DocumentError("response: missing, and no ending says why")
    _check(request, response)
    started = documents.time_ns(spec.get("started", spec.get("reqTimestampMock")), "started")
    ended = documents.time_ns(spec.get("ended", spec.get("resTimestampMock")), "ended")
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="dns",
        inbound=False,
        server=_SERVER,
        request=request,
        response=response,
        ending=ending,
        started_ns=started,
        ended_ns=ended,
    )


def _check(request: DnsRequest, response: DnsResponse | None) -> None:
    """What cannot be sent is an error now, with the document at hand, not when the app asks."""
    try:
        wire.build(
            Message(
                id=0,
                response=True,
                rcode="NOERROR" if response is None else response.rcode,
                question=Question(request.name, request.qtype),
                answers=() if response is None else response.answers,
            )
        )
    except ProtocolError as error:
        raise DocumentError(str(error)) from error


def _name(text: str) -> str:
    return text.lower().rstrip(".") or "."


def _type(value: Any) -> str:
    """`A`, or its number, as Keploy writes it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return wire.type_name(value)
    return string(value, "request.qtype").upper()


def _rcode(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return wire.RCODES.get(value, f"RCODE{value}")
    return string(value, "response.rcode").upper()


def _record(text: str, asked: str) -> Record:
    """`A 10.0.0.5`, `alias.local A 10.0.0.5`, `A 10.0.0.5 ttl=30`, or Go's `name.<tab>30<tab>IN<tab>A<tab>10.0.0.5`."""
    body, mark, ttl_text = text.rpartition(" ttl=")
    if not mark or not ttl_text.isdigit():
        body, ttl_text = text, "0"
    fields = text.split("\t")
    if len(fields) >= 5 and fields[1].isdigit() and fields[2] == "IN":
        return Record(_name(fields[0]), fields[3], _data(fields[3], " ".join(fields[4:])), int(fields[1]))
    first, _, rest = body.partition(" ")
    if not _is_type(first):
        kind, _, data = rest.partition(" ")
        return Record(_name(first), kind, _data(kind, data), int(ttl_text))
    return Record(asked, first, _data(first, rest), int(ttl_text))


def _is_type(text: str) -> bool:
    try:
        wire.type_code(text)
    except ProtocolError:
        return False
    return True


def _data(kind: str, text: str) -> str:
    """Names in records without their final dot, as this room writes them."""
    text = text.strip()
    return text if kind == "TXT" or text == "." else text.rstrip(".") if not text.endswith(" .") else text
