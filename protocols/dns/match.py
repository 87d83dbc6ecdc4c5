"""Two queries are equal when they ask the same of the same name; which resolver is asked does not count."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import replace

from protocols.dns.messages import DnsExchange, DnsRequest, DnsResponse
from protocols.dns.yaml import to_spec
from protocols.furniture import Difference, Value
from testset.model import Server


def route(server: Server, request: DnsRequest) -> Hashable:
    return ("dns", request.name, request.qtype)


def standing(exchange: DnsExchange) -> Hashable:
    """A name resolves the same way all along: once is enough, however often it is asked."""
    spec = to_spec(exchange)
    return json.dumps({name: value for name, value in spec.items() if name not in ("started", "ended")}, default=str)


def values(request: DnsRequest) -> list[Value]:
    return []


def response_values(response: DnsResponse) -> list[Value]:
    return [Value(f"answers[{index}]", record.data) for index, record in enumerate(response.answers)]


def rebind(response: DnsResponse, mapping: Mapping[str, str]) -> DnsResponse:
    answers = tuple(replace(record, data=mapping.get(record.data, record.data)) for record in response.answers)
    return response if answers == response.answers else replace(response, answers=answers)


def is_effect(request: DnsRequest) -> bool:
    return False


def difference(server: Server, recorded: DnsRequest, actual_server: Server, actual: DnsRequest) -> Difference | None:
    if recorded.name != actual.name:
        return Difference("name", recorded.name, actual.name)
    if recorded.qtype != actual.qtype:
        return Difference("qtype", recorded.qtype, actual.qtype)
    return None


def title(server: Server, request: DnsRequest) -> str:
    return f"DNS {request.qtype} {request.name}"
