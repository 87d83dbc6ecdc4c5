"""DNS messages (RFC 1035): datagrams to and from questions and records. The names are the RFC's.

A record's data is kept as zone files write it (`10.0.0.5`, `10 5 5432 db.local`), of a type without such a form as
`\\# length hex` (RFC 3597). Names are lower case and have no final dot; the root is `.`.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass

from testset.errors import LimitError, ProtocolError

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "OPT",
    64: "SVCB", 65: "HTTPS", 255: "ANY",
}  # fmt: skip
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_TYPE_CODES = {name: code for code, name in TYPES.items()}
_RCODE_CODES = {name: code for code, name in RCODES.items()}

_HEADER = struct.Struct("!6H")
_RESPONSE, _OPCODE, _AUTHORITATIVE, _TRUNCATED = 0x8000, 0x7800, 0x0400, 0x0200
_RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x0100, 0x0080
_LONGEST_NAME = 255
_MOST_RECORDS = 1000
_GENERIC = re.compile(r"\\# (\d+)(?: ([0-9a-f]*))?")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    qtype: str


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    type: str
    data: str
    ttl: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What of a datagram matters to a resolver's client. `size` is how much a UDP answer may have (EDNS, else 512)."""

    id: int
    response: bool
    rcode: str
    question: Question
    answers: tuple[Record, ...] = ()
    truncated: bool = False
    recursion_desired: bool = True
    size: int = 512


def type_name(code: int) -> str:
    return TYPES.get(code, f"TYPE{code}")


def type_code(name: str) -> int:
    code = _TYPE_CODES.get(name)
    if code is None and name.startswith("TYPE") and name[4:].isdigit():
        code = int(name[4:])
    if code is None or code > 0xFFFF:
        raise ProtocolError(f"unknown record type {name!r}")
    return code


# -- reading ----------------------------------------------------------------------------------------------------


def parse(data: bytes) -> Message:
    """One datagram. It must have exactly one question, as every query in the wild has."""
    if len(data) < 12:
        raise ProtocolError("shorter than a DNS header")
    ident, flags, questions, answers, authority, additional = _HEADER.unpack_from(data)
    if questions != 1 or flags & _OPCODE:
        raise ProtocolError("not one question")
    if answers + authority + additional > _MOST_RECORDS:
        raise LimitError(f"more than {_MOST_RECORDS} records")
    name, position = _name(data, 12)
    qtype, qclass, position = *_unpack("!HH", data, position), position + 4
    if qclass != 1:
        raise ProtocolError(f"class {qclass} is not Internet")
    records: list[Record] = []
    size = 512
    for index in range(answers + authority + additional):
        record, position, kind, klass = _record(data, position)
        if kind == 41:
            size = max(512, klass)
        elif index < answers:
            records.append(record)
    return Message(
        id=ident,
        response=bool(flags & _RESPONSE),
        rcode=RCODES.get(flags & 15, f"RCODE{flags & 15}"),
        question=Question(name, type_name(qtype)),
        answers=tuple(records),
        truncated=bool(flags & _TRUNCATED),
        recursion_desired=bool(flags & _RECURSION_DESIRED),
        size=size,
    )


def question_end(data: bytes) -> int:
    """Where the records begin in a datagram that `build` made."""
    return _name(data, 12)[1] + 4


def _unpack(form: str, data: bytes, position: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, position)
    except struct.error as error:
        raise ProtocolError("a record that is cut off") from error


def _name(data: bytes, position: int) -> tuple[str, int]:
    """The name at `position`, and where it ends there. Pointers lead strictly backwards, so there is no loop."""
    labels: list[str] = []
    end = -1
    size = 0
    earliest = position
    while True:
        if position >= len(data):
            raise ProtocolError("a name that is cut off")
        length = data[position]
        if length >= 0xC0:
            if position + 1 >= len(data):
                raise ProtocolError("a name that is cut off")
            target = (length & 0x3F) << 8 | data[position + 1]
            if end < 0:
                end = position + 2
            if target >= earliest:
                raise ProtocolError("a name's pointer that does not lead back")
            position = earliest = target
            continue
        if length > 63:
            raise ProtocolError("a label of an unknown kind")
        position += 1
        if length == 0:
            return ".".join(labels) or ".", position if end < 0 else end
        label = data[position : position + length]
        size += length + 1
        if len(label) < length or size > _LONGEST_NAME:
            raise ProtocolError("a name that is cut off or too long")
        labels.append(_label_text(label))
        position += length


def _label_text(label: bytes) -> str:
    return "".join(
        chr(byte).lower() if 0x21 <= byte <= 0x7E and byte not in b'.\\"' else f"\\{byte:03}" for byte in label
    )


def _record(data: bytes, position: int) -> tuple[Record, int, int, int]:
    name, position = _name(data, position)
    kind, klass, ttl, length = _unpack("!HHIH", data, position)
    position += 10
    end = position + length
    if end > len(data):
        raise ProtocolError("a record that is cut off")
    text = "" if kind == 41 else _data_text(kind, data, position, end)
    return Record(name, type_name(kind), text, ttl), end, kind, klass


def _data_text(kind: int, data: bytes, position: int, end: int) -> str:
    raw = data[position:end]
    if kind == 1 and len(raw) == 4:
        return str(ipaddress.IPv4Address(raw))
    if kind == 28 and len(raw) == 16:
        return str(ipaddress.IPv6Address(raw))
    if kind in (2, 5, 12):
        return _last_name(data, position, end)
    if kind == 15 and len(raw) > 2:
        return f"{_unpack('!H', data, position)[0]} {_last_name(data, position + 2, end)}"
    if kind == 33 and len(raw) > 6:
        priority, weight, port = _unpack("!HHH", data, position)
        return f"{priority} {weight} {port} {_last_name(data, position + 6, end)}"
    if kind == 16 and raw:
        strings = _strings(raw)
        if strings is not None:
            return " ".join(f'"{text}"' for text in strings)
    return f"\\# {len(raw)} {raw.hex()}".rstrip()


def _last_name(data: bytes, position: int, end: int) -> str:
    name, after = _name(data, position)
    if after != end:
        raise ProtocolError("a record whose length is not that of its name")
    return name


def _strings(raw: bytes) -> list[str] | None:
    result: list[str] = []
    position = 0
    while position < len(raw):
        part = raw[position + 1 : position + 1 + raw[position]]
        if len(part) < raw[position]:
            return None
        position += 1 + len(part)
        result.append("".join(chr(b) if 0x20 <= b <= 0x7E and b not in b'"\\' else f"\\{b:03}" for b in part))
    return result


# -- writing ----------------------------------------------------------------------------------------------------


def build(message: Message, *, limit: int = 65_535) -> bytes:
    """A datagram; when it would be larger than `limit`, one without answers that says it was truncated."""
    rcode = _RCODE_CODES.get(message.rcode)
    if rcode is None:
        rcode = int(message.rcode.removeprefix("RCODE")) if message.rcode[5:].isdigit() else 2
    flags = rcode & 15
    if message.response:
        flags |= _RESPONSE | _RECURSION_AVAILABLE
    if message.truncated:
        flags |= _TRUNCATED
    if message.recursion_desired:
        flags |= _RECURSION_DESIRED
    head = _HEADER.pack(message.id, flags, 1, len(message.answers), 0, 0)
    known: dict[str, int] = {}
    question = bytearray(head)
    _put_name(question, message.question.name, known)
    question += struct.pack("!HH", type_code(message.question.qtype), 1)
    result = bytearray(question)
    for record in message.answers:
        _put_name(result, record.name, known)
        data = _data_bytes(record.type, record.data)
        result += struct.pack("!HHIH", type_code(record.type), 1, record.ttl, len(data)) + data
    if len(result) <= limit:
        return bytes(result)
    _HEADER.pack_into(question, 0, message.id, flags | _TRUNCATED, 1, 0, 0, 0)
    return bytes(question)


def _put_name(result: bytearray, name: str, known: dict[str, int]) -> None:
    """Writes a name, compressed against those written before."""
    rest = "" if name == "." else name
    while rest:
        if rest in known:
            result += struct.pack("!H", 0xC000 | known[rest])
            return
        if len(result) < 0x4000:
            known[rest] = len(result)
        label, _, rest = rest.partition(".")
        data = _label_bytes(label)
        result.append(len(data))
        result += data
    result.append(0)


def _label_bytes(label: str) -> bytes:
    data = _unescaped(label)
    if not 0 < len(data) <= 63:
        raise ProtocolError(f"not a label: {label!r}")
    return data


def _unescaped(text: str) -> bytes:
    try:
        return re.sub(r"\\(\d{3}|.)", lambda m: chr(int(m[1])) if len(m[1]) == 3 else m[1], text).encode("latin-1")
    except (UnicodeEncodeError, ValueError) as error:
        raise ProtocolError(f"not a name or a string of DNS: {text!r}") from error


def _plain_name(name: str) -> bytes:
    result = bytearray()
    _put_name(result, name.lower().rstrip(".") or ".", {})
    return bytes(result)


def _data_bytes(kind: str, text: str) -> bytes:
    generic = _GENERIC.fullmatch(text)
    try:
        if generic is not None:
            return bytes.fromhex(generic[2] or "")
        if kind == "A":
            return ipaddress.IPv4Address(text).packed
        if kind == "AAAA":
            return ipaddress.IPv6Address(text).packed
        if kind in ("NS", "CNAME", "PTR"):
            return _plain_name(text)
        if kind == "MX":
            preference, name = text.split()
            return struct.pack("!H", int(preference)) + _plain_name(name)
        if kind == "SRV":
            priority, weight, port, name = text.split()
            return struct.pack("!HHH", int(priority), int(weight), int(port)) + _plain_name(name)
        if kind == "TXT":
            strings = [_unescaped(part) for part in _STRING.findall(text)] or [text.encode()]
            return b"".join(bytes((len(part),)) + part for part in strings)
    except (ValueError, struct.error) as error:
        raise ProtocolError(f"not the data of a record {kind}: {text!r}") from error
    raise ProtocolError(f"not the data of a record {kind}: {text!r}")
