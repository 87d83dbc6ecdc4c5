"""Query and answer as the rest of the house sees them: without ids, flags and sizes; and the datagrams of an answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocols.dns import wire
from protocols.dns.state import ENDINGS
from protocols.dns.wire import Record
from testset.errors import ProtocolError
from testset.model import Ending, Exchange, ExchangeId, Server

_TTL = 1  # of recorded answers: nobody should keep one beyond a test


@dataclass(frozen=True, slots=True)
class DnsRequest:
    name: str  # lower case, no final dot
    qtype: str = "A"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsResponse:
    rcode: str = "NOERROR"
    answers: tuple[Record, ...] = ()


DnsExchange = Exchange[DnsRequest, DnsResponse]


def exchange_from(
    query: bytes,
    answer: bytes | None,
    *,
    server: Server,
    started_ns: int,
    ended_ns: int,
    id: ExchangeId | None = None,
    inbound: bool = False,
) -> DnsExchange:
    """A query and what was answered; None when nothing came in time."""
    asked = wire.parse(query)
    if asked.response:
        raise ProtocolError("an answer where a query was expected")
    response = None
    ending = Ending.TIMED_OUT
    if answer is not None:
        said = wire.parse(answer)
        if not said.response or said.id != asked.id or said.question.name != asked.question.name:
            raise ProtocolError("an answer to another query")
        response = DnsResponse(rcode=said.rcode, answers=said.answers)
        ending = ENDINGS.get(said.rcode, Ending.ANSWERED)
    return Exchange(
        id=id or ExchangeId(0, 0),
        protocol="dns",
        inbound=inbound,
        server=server,
        request=DnsRequest(asked.question.name, asked.question.qtype),
        response=response,
        ending=ending,
        started_ns=started_ns,
        ended_ns=ended_ns,
    )


def request_of(query: bytes) -> DnsRequest:
    """What a query asks."""
    message = wire.parse(query)
    if message.response:
        raise ProtocolError("an answer where a query was expected")
    return DnsRequest(message.question.name, message.question.qtype)


def answer_for(query: bytes, response: DnsResponse, *, stream: bool = False) -> bytes:
    """The datagram that answers `query` with a recorded response: the query's own id, its question copied. Over a
    stream (TCP) it may have any size."""
    answers = tuple(replace(record, ttl=_TTL) if not record.ttl else record for record in response.answers)
    return _reply(query, response.rcode, answers, stream=stream)


def build_answer(query: bytes, addresses: Iterable[str], ttl: int = _TTL, *, stream: bool = False) -> bytes:
    """An answer of rr's own making. A name without an address of the family that is asked for exists, and has none."""
    asked = wire.parse(query)
    records = []
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        kind = "A" if parsed.version == 4 else "AAAA"
        if kind == asked.question.qtype:
            records.append(Record(asked.question.name, kind, str(parsed), ttl))
    return _reply(query, "NOERROR", tuple(records), stream=stream)


def build_error(query: bytes, rcode: str) -> bytes:
    """`NXDOMAIN`, `SERVFAIL`, `REFUSED`."""
    return _reply(query, rcode, (), stream=False)


def _reply(query: bytes, rcode: str, answers: tuple[Record, ...], *, stream: bool) -> bytes:
    asked = wire.parse(query)
    reply = replace(asked, response=True, rcode=rcode, answers=answers, truncated=False)
    data = wire.build(reply, limit=65_535 if stream else asked.size)
    end = wire.question_end(data)
    if query[12:end].lower() == data[12:end].lower():  # in the case of the query: resolvers that play with it check
        data = data[:12] + query[12:end] + data[end:]
    return data
