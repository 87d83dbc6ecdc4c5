"""A conversation to and from its document: one turn a line, as text where it is text.

Read as well: Keploy's `genericrequests` and `genericresponses`, which do not say to whom they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocols import documents
from protocols.documents import mapping, sequence, string
from protocols.generic.decode import GenericExchange
from protocols.generic.wire import GenericRequest, GenericResponse, Turn, joined, request_of
from testset.errors import DocumentError
from testset.model import Ending, Exchange, ExchangeId, Server, Side

KINDS = ("Generic",)


def to_spec(exchange: GenericExchange) -> dict[str, Any]:
    spec: dict[str, Any] = {"server": str(exchange.server)}
    if exchange.inbound:
        spec["inbound"] = True
    response = exchange.response
    if response is not None:
        if response.secure:
            spec["tls"] = True
        spec["turns"] = [_turn_spec(turn) for turn in response.turns]
        spec["closed_by"] = str(response.closed_by)
        if response.truncated:
            spec["truncated"] = True
    if exchange.ending is not Ending.ANSWERED:
        spec["ending"] = str(exchange.ending)
    spec["started"] = documents.time_text(exchange.started_ns)
    spec["ended"] = documents.time_text(exchange.ended_ns)
    return spec


def _turn_spec(turn: Turn) -> dict[str, str]:
    text = documents.readable(turn.data)
    if text is None:
        return {f"{turn.side}_base64": documents.base64_text(turn.data)}
    return {str(turn.side): text}


def from_spec(kind: str, spec: Mapping[str, Any]) -> GenericExchange:
    if kind not in KINDS:
        raise DocumentError(f"kind {kind!r} is not Generic")
    if "genericrequests" in spec or "genericresponses" in spec:
        return _from_keploy(spec)
    ending = documents.ending(spec.get("ending"))
    response = None
    if spec.get("turns") is not None:
        response = GenericResponse(
            turns=joined(tuple(_turn(mapping(item, "turns")) for item in sequence(spec["turns"], "turns"))),
            closed_by=_side(spec.get("closed_by", "client"), "closed_by"),
            truncated=bool(spec.get("truncated", False)),
            secure=bool(spec.get("tls", False)),
        )
    elif ending is Ending.ANSWERED:
        raise DocumentError("turns: missing, and no ending says why")
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="generic",
        inbound=bool(spec.get("inbound", False)),
        server=documents.server(spec.get("server")),
        request=GenericRequest() if response is None else request_of(response),
        response=response,
        ending=ending,
        started_ns=documents.time_ns(spec.get("started"), "started"),
        ended_ns=documents.time_ns(spec.get("ended"), "ended"),
    )


def _side(value: Any, key: str) -> Side:
    try:
        return Side(value)
    except ValueError:
        raise DocumentError(f"{key}: {value!r} is neither client nor server") from None


def _turn(spec: Mapping[str, Any]) -> Turn:
    if len(spec) != 1:
        raise DocumentError("turns: each is one of client, server, client_base64, server_base64")
    (key, value), *_ = spec.items()
    name, _, coding = str(key).partition("_")
    if coding not in ("", "base64"):
        raise DocumentError(f"turns: unknown key {key!r}")
    data = documents.base64_bytes(value, f"turns.{key}") if coding else string(value, f"turns.{key}").encode()
    return Turn(_side(name, "turns"), data)


def _from_keploy(spec: Mapping[str, Any]) -> GenericExchange:
    requests = sequence(spec.get("genericrequests"), "genericrequests")
    responses = sequence(spec.get("genericresponses"), "genericresponses")
    turns: list[Turn] = []
    for index in range(max(len(requests), len(responses))):
        for side, payloads in ((Side.CLIENT, requests), (Side.SERVER, responses)):
            if index < len(payloads):
                turns.append(Turn(side, _keploy_bytes(mapping(payloads[index], "payload"))))
    response = GenericResponse(turns=joined(tuple(turns)))
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="generic",
        inbound=False,
        server=Server("", 0),
        request=request_of(response),
        response=response,
        started_ns=documents.time_ns(spec.get("reqtimestampmock"), "reqtimestampmock"),
        ended_ns=documents.time_ns(spec.get("restimestampmock"), "restimestampmock"),
    )


def _keploy_bytes(payload: Mapping[str, Any]) -> bytes:
    parts = []
    for item in sequence(payload.get("message"), "message"):
        message = mapping(item, "message")
        data = message.get("data")
        if message.get("type") in ("utf-8", "text"):
            parts.append(string(data, "message.data", "").encode())
        else:
            parts.append(documents.base64_bytes(data or "", "message.data"))
    return b"".join(parts)
