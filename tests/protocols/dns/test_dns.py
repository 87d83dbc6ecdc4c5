"""Queries and answers: on the wire, in documents, at replay."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from protocols import dns
from protocols.dns import match, wire
from protocols.dns.decode import DnsDecoder
from protocols.dns.messages import DnsRequest, DnsResponse
from protocols.dns.serve import DnsResponder
from protocols.dns.wire import Message, Question, Record
from protocols.dns.yaml import from_spec, to_spec
from protocols.furniture import Ask, Limits, Reply, Send
from tests.protocols.playbook import CLIENT, LIMITS, Ends, client, play, server
from testset.errors import DocumentError, LimitError, ProtocolError
from testset.model import Ending, Server

# www.example.com A, as a resolver sent it: a CNAME, and names compressed against the question
ANSWER = bytes.fromhex(
    "abcd81800001000200000000"
    "03777777076578616d706c6503636f6d0000010001"
    "c00c000500010000003c0006036c6231c010"
    "c02d000100010000001e00045db8d822"
)
RECORDS = (
    Record("www.example.com", "CNAME", "lb1.example.com", 60),
    Record("lb1.example.com", "A", "93.184.216.34", 30),
)


def query(name: str = "www.example.com", qtype: str = "A", ident: int = 0xABCD) -> bytes:
    return wire.build(Message(id=ident, response=False, rcode="NOERROR", question=Question(name, qtype)))


def recorded(*answers: Record, rcode: str = "NOERROR", name: str = "www.example.com") -> Any:
    asked = query(name)
    said = wire.build(
        Message(id=0xABCD, response=True, rcode=rcode, question=Question(name, "A"), answers=tuple(answers))
    )
    return dns.exchange_from(asked, said, server=Server("10.0.0.2", 53), started_ns=1_000, ended_ns=2_000)


def test_an_answer_is_read_with_its_compressed_names() -> None:
    message = wire.parse(ANSWER)
    assert (message.id, message.response, message.rcode) == (0xABCD, True, "NOERROR")
    assert message.question == Question("www.example.com", "A")
    assert message.answers == RECORDS


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("A", "10.0.0.5"),
        ("AAAA", "fd00::5"),
        ("CNAME", "db.local"),
        ("PTR", "host-5.local"),
        ("NS", "."),
        ("MX", "10 mail.local"),
        ("SRV", "10 5 5432 db.local"),
        ("TXT", '"v=spf1 -all" "two \\034quoted\\034 \\255"'),
        ("SOA", "\\# 4 00010203"),
        ("TYPE64000", "\\# 0"),
    ],
)
def test_every_type_of_record_comes_back(kind: str, data: str) -> None:
    message = Message(
        id=7,
        response=True,
        rcode="NOERROR",
        question=Question("a.local", kind),
        answers=(Record("a.local", kind, data, 5), Record("b.a.local", kind, data, 6)),
    )
    assert wire.parse(wire.build(message)) == message


def test_names_are_compressed() -> None:
    one, two = (wire.build(replace(wire.parse(ANSWER), answers=RECORDS[:count])) for count in (1, 2))
    assert len(two) - len(one) <= 16 + len("lb1.example.com")
    loop = ANSWER[:12] + b"\xc0\x0c\x00\x01\x00\x01"
    with pytest.raises(ProtocolError):
        wire.parse(loop)


@given(st.binary(max_size=80), st.integers(0, len(ANSWER)), st.integers(0, 10))
def test_damaged_datagrams_are_read_or_a_protocol_error(noise: bytes, at: int, removed: int) -> None:
    data = ANSWER[:at] + noise + ANSWER[at + removed :]
    try:
        message = wire.parse(data)
    except ProtocolError:
        return
    assert wire.parse(wire.build(message)).question == message.question


def test_an_exchange() -> None:
    exchange = dns.exchange_from(query(), ANSWER, server=Server("10.0.0.2", 53), started_ns=1, ended_ns=2)
    assert exchange.request == DnsRequest("www.example.com", "A")
    assert exchange.response == DnsResponse(answers=RECORDS)
    assert exchange.ending is Ending.ANSWERED


def test_other_endings() -> None:
    assert recorded(rcode="NXDOMAIN").ending is Ending.UNKNOWN_HOST
    assert recorded(rcode="SERVFAIL").ending is Ending.ANSWERED
    silent = dns.exchange_from(query(), None, server=Server("10.0.0.2", 53), started_ns=1, ended_ns=2)
    assert (silent.response, silent.ending) == (None, Ending.TIMED_OUT)
    with pytest.raises(ProtocolError):
        dns.exchange_from(query(ident=1), ANSWER, server=Server("10.0.0.2", 53), started_ns=1, ended_ns=2)


def test_answers_find_their_query() -> None:
    second = query("b.local", ident=2)
    played = play(
        DnsDecoder,
        [
            client(query()),
            client(second),
            client(query()),  # sent again by an impatient resolver
            server(dns.build_error(second, "NXDOMAIN")),
            server(ANSWER),
            server(ANSWER),
            client(query("c.local", ident=3)),
            Ends(CLIENT),
        ],
    )
    assert played.error is None
    assert [(e.request.name, e.ending) for e in played.exchanges] == [
        ("b.local", Ending.UNKNOWN_HOST),
        ("www.example.com", Ending.ANSWERED),
        ("c.local", Ending.TIMED_OUT),
    ]


# -- answering --------------------------------------------------------------------------------------------------


def test_a_recorded_answer_fits_the_query_that_is_asked_now() -> None:
    now = query(ident=0x0102).replace(b"example", b"ExAmPlE")
    answer = dns.answer_for(now, DnsResponse(answers=RECORDS))
    assert answer[:2] == b"\x01\x02"
    assert answer[12 : len(now)] == now[12:], "the question is copied in the case in which it was asked"
    assert wire.parse(answer).answers == RECORDS


def test_an_answer_of_our_own() -> None:
    addresses = ["10.0.0.5", "fd00::5", "10.0.0.6"]
    found = wire.parse(dns.build_answer(query(), addresses, ttl=9)).answers
    assert found == tuple(Record("www.example.com", "A", address, 9) for address in ("10.0.0.5", "10.0.0.6"))
    assert len(wire.parse(dns.build_answer(query(qtype="AAAA"), addresses)).answers) == 1
    nothing = wire.parse(dns.build_answer(query(qtype="MX"), addresses))
    assert (nothing.rcode, nothing.answers) == ("NOERROR", ())


def test_an_answer_too_large_for_a_datagram_says_so() -> None:
    addresses = [f"10.0.0.{n}" for n in range(100)]
    assert wire.parse(dns.build_answer(query(), addresses)).truncated
    assert len(wire.parse(dns.build_answer(query(), addresses, stream=True)).answers) == 100
    edns = bytearray(query()) + b"\x00" + struct.pack("!HHIH", 41, 4096, 0, 0)
    edns[11] = 1
    assert len(wire.parse(dns.build_answer(bytes(edns), addresses)).answers) == 100


def test_the_responder() -> None:
    made = DnsResponder(LIMITS)
    assert made.start() == []
    assert made.feed(query()) == [Ask(DnsRequest("www.example.com", "A"))]
    assert made.feed(query("b.local", ident=2)) == []
    sent, ask = made.answer(Reply(DnsResponse(answers=RECORDS), Ending.ANSWERED))
    assert isinstance(sent, Send)
    assert wire.parse(sent.data).answers == RECORDS
    assert ask == Ask(DnsRequest("b.local", "A"))
    (sent,) = made.miss("no mock", {})
    assert isinstance(sent, Send)
    assert wire.parse(sent.data).rcode == "SERVFAIL"
    made.feed(query())
    assert made.answer(Reply(None, Ending.TIMED_OUT)) == []
    with pytest.raises(LimitError):
        DnsResponder(Limits(head=1, message=5, messages=1, exchange=64 << 20)).feed(query())


# -- documents and matching -------------------------------------------------------------------------------------


def test_a_document_has_nothing_that_moves() -> None:
    one = recorded(*RECORDS, Record("lb1.example.com", "A", "10.0.0.9", 3))
    two = recorded(RECORDS[0], Record("lb1.example.com", "A", "10.0.0.9", 59), RECORDS[1])
    spec = to_spec(one)
    assert spec == {
        "request": {"name": "www.example.com", "qtype": "A"},
        "response": {
            "rcode": "NOERROR",
            "answers": ["CNAME lb1.example.com", "lb1.example.com A 10.0.0.9", "lb1.example.com A 93.184.216.34"],
        },
        "started": "1970-01-01T00:00:00.000001Z",
        "ended": "1970-01-01T00:00:00.000002Z",
    }
    assert to_spec(two) == spec
    assert to_spec(from_spec("DNS", yaml.safe_load(yaml.safe_dump(spec)))) == spec


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_errors_come_back(rcode: str) -> None:
    exchange = recorded(rcode=rcode)
    read = from_spec("DNS", to_spec(exchange))
    assert (read.response, read.ending) == (exchange.response, exchange.ending)


def test_keploys_document() -> None:
    read = from_spec(
        "DNS",
        {
            "metadata": {"type": "config"},
            "request": {"name": "mysql.local.", "qtype": 1, "qclass": 1},
            "response": {"rcode": 0, "answers": ["mysql.local.\t30\tIN\tA\t10.0.0.5"], "ns": [], "extra": []},
        },
    )
    assert read.request == DnsRequest("mysql.local", "A")
    assert read.response == DnsResponse(answers=(Record("mysql.local", "A", "10.0.0.5", 30),))


@pytest.mark.parametrize(
    "change",
    [
        {"response": None},
        {"response": {"answers": ["A ten"]}},
        {"response": {"answers": ["10.0.0.5"]}},
        {"request": {"name": "a..b"}},
        {"request": {"name": "a", "qtype": "WHAT"}},
    ],
)
def test_a_broken_document(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        from_spec("DNS", to_spec(recorded()) | change)


def test_matching() -> None:
    here, there = Server("10.0.0.2", 53), Server("10.9.9.9", 53)
    asked = DnsRequest("a.local", "A")
    assert match.route(here, asked) == match.route(there, asked)
    assert match.difference(here, asked, there, asked) is None
    assert str(match.difference(here, asked, here, DnsRequest("b.local", "A"))) == "name: recorded a.local, now b.local"
    assert match.title(here, asked) == "DNS A a.local"
