"""Writes the JSON schemas that editors use: `python docs/schemas.py`.

# yaml-language-server: $schema=…/docs/schema/rr.schema.json          in rr.yml
# yaml-language-server: $schema=…/docs/schema/recording.schema.json   in a test or in mocks.yml
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from rr.settings import known_settings  # the path is set first

FOLDER = Path(__file__).with_name("schema")
DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def of(kind: str | list[str], words: str = "", **more: Any) -> Schema:
    return {"type": kind, **({"description": words} if words else {}), **more}


def mapping(words: str = "", **keys: Schema) -> Schema:
    """Keys that are not named are allowed: Keploy writes some, and people add theirs."""
    return of("object", words, properties=keys)


TEXT = of("string")
TIME = of("string", "A time, with its zone.")
BODY: Schema = {
    "body": of("string", "The text. Lengths follow from it."),
    "body_format": of("string", "The body was JSON on one line, and is shown indented."),
    "body_encoding": of("string", "The body was compressed, and is shown plain."),
    "body_base64": of("string", "A body that is no text."),
    "body_ref": mapping("The body is a file in assets/.", path=TEXT, size=of("integer"), sha256=TEXT),
    "header": of("object", "A value, or a list of values for a name that is there several times."),
    "trailer": of("object"),
    "framing": of("string", "Only if the body was delimited in an unusual way."),
    "timestamp": TIME,
    "proto_major": of("integer"),
    "proto_minor": of("integer"),
}
ENDING = of("string", "How it ended without a complete answer.",
            enum=["refused", "unreachable", "timed out", "reset", "cut short", "unknown host"])  # fmt: skip
ASSERTIONS = mapping(
    "What a person, or rr, says of the response.",
    noise=of(["object", "array"], "Places that may differ: body.id, header.X-Trace; the list narrows the values."),
)
HTTP = mapping(
    "One HTTP exchange.",
    metadata=of("object"),
    req=mapping("", method=TEXT, url=of("string", "As a client would write it."), target=TEXT, **BODY),
    resp=mapping("", status_code=of("integer", minimum=100, maximum=999), status_message=TEXT, **BODY),
    ending=ENDING,
    assertions=ASSERTIONS,
    rr=mapping("rr's own.", learned=of("object", "Why a place is noise, by the place.")),
)
MESSAGE = of("object", properties={"message": of("object")})
MYSQL = mapping(
    "One command of a MySQL client, and all that came of it.",
    metadata=mapping(
        "", type={"enum": ["config", "connection", "mocks"]}, requestOperation=TEXT, responseOperation=TEXT,
        server=TEXT, database=TEXT,
    ),
    session=of("object", "Settings of the connection by which a statement means something else."),
    requests=of("array", items=MESSAGE),
    responses=of("array", items=MESSAGE),
    reqTimestampMock=TIME,
    resTimestampMock=TIME,
    ending=ENDING,
)  # fmt: skip
DNS = mapping(
    "One question for a name.", request=mapping("", name=TEXT, qtype=TEXT),
    response=mapping("", rcode=TEXT, answers=of("array", items=TEXT)), started=TIME, ended=TIME,
)  # fmt: skip
GENERIC = mapping("A conversation that no protocol's room understands.", server=TEXT, turns=of("array"), closed_by=TEXT)
KINDS = {"Http": HTTP, "MySQL": MYSQL, "DNS": DNS, "Generic": GENERIC}


def recording() -> Schema:
    """One document of a test set."""
    return {
        "$schema": DRAFT,
        "title": "A document of a recording",
        "type": "object",
        "required": ["version", "kind", "name", "spec"],
        "properties": {
            "version": {"const": "api.keploy.io/v1beta1"},
            "kind": {"enum": list(KINDS)},
            "name": of("string", "Unique in its set: test-1; a mock's is its owner's with a number: test-1.2."),
            "spec": of("object"),
        },
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind}}}, "then": {"properties": {"spec": schema}}}
            for kind, schema in KINDS.items()
        ],
    }


def settings() -> Schema:
    """rr.yml: every setting, in each of its spellings."""
    root: Schema = {"$schema": DRAFT, "title": "The settings of rr", "type": "object", "properties": {}}
    for known in known_settings():
        place = root
        *sections, name = known.name.split(".")
        for section in sections:
            place = place["properties"].setdefault(section, {"type": ["object", "boolean"], "properties": {}})
        default = f" Default: {known.default}." if known.default else ""
        for spelling in dict.fromkeys((name, _camel(name))):
            place["properties"][spelling] = {"description": known.doc + default}
    return root


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def schemas() -> dict[str, str]:
    """The files and what is in them."""
    made = {"recording.schema.json": recording(), "rr.schema.json": settings()}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in schemas().items():
        (FOLDER / name).write_text(content, "utf-8")
