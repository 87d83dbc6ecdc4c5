"""Which values of a test set should have names (`{{order}}`), because rr cannot follow them by itself.

The evidence: a value that does not look made up appears first in the response to a request that makes something (POST,
PUT, PATCH), nobody has told the app of it before (no request, no mock's answer), and later requests speak of it. It has
to be specific: `A-417`, or a number of two digits at least in a place that is called an id. A word is none: it may be
anything, and would be named in places where it is something else.

What is proposed is the tests' documents with the names in them; showing and writing them is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from protocols.generated import generated_spans, looks_generated
from replayer.compare import json_text
from testset.model import Document
from testset.named import Recorded, named, names_in, names_of

_MAKES = frozenset(("POST", "PUT", "PATCH"))
_ID = re.compile(r"(?i:(?:^|[_.\-])(?:ids?|no|nr|num|number|ref|code)$)|[a-z](?:Ids?|ID|No|Number|Ref|Code)$")
_PLAIN = re.compile(r"ids?|key|no|nr|num|number|ref|reference|code|uid", re.IGNORECASE)  # says nothing without a noun
_SPECIFIC = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[0-9A-Za-z][0-9A-Za-z._:#-]{1,62}[0-9A-Za-z]")
_TYPED = re.compile(  # values that people write: a date, a version, a size, a code of a standard
    r"\d{4}-\d\d(-\d\d)?(T.*)?|v?\d+(\.\d+)+\S*|\d+(px|kb|mb|gb|ms|s|m|h|d|kg|g|cm|mm|x\d+)|utf-?8|iso-?8859-\d+|[A-Z]\d|\d[A-Z]",
    re.IGNORECASE,
)  # fmt: skip
_NUMBER = re.compile(r"[1-9][0-9]{1,17}")
_TELLING = 3  # digits: in the answer to a request that speaks of such a number, it is that one wherever it stands
_NOT_TOLD = frozenset((
    "accept", "accept-encoding", "accept-language", "cache-control", "connection", "content-length", "content-type",
    "date", "host", "server", "transfer-encoding", "user-agent", "vary",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value that should have a name, and the tests with that name in them."""

    name: str
    value: Recorded
    test: str  # that says it first
    place: str  # where in its response
    asked: Sequence[str]  # the tests whose requests speak of it
    documents: Mapping[str, Document]  # what changes, as it would be


@dataclass(frozen=True, slots=True)
class _Candidate:
    value: Recorded
    key: str  # what the place is called
    place: str
    anywhere: bool = False  # where it is a number, it need not stand in a place that is called an id

    @property
    def text(self) -> str:
        return str(self.value)

    @property
    def is_number(self) -> bool:
        """A number is one in few places only; a text is the same wherever it stands."""
        return _NUMBER.fullmatch(self.text) is not None


def propose(
    tests: Sequence[Document], given: Callable[[str, str], bool], taken: Mapping[str, Recorded]
) -> list[Proposal]:
    """`given`: whether a dependency has told a value before a test (its name) had answered. `taken`: the names that
    there are."""
    documents = {one.name: one for one in tests}
    names = {*taken, *(name for one in tests for name in names_of(one.spec))}
    found: list[Proposal] = []
    order = list(documents)
    said = {one.name: [" ".join(_texts(one.spec.get(part))) for part in ("req", "resp")] for one in tests}
    for index, name in enumerate(order):
        for candidate in _candidates(documents[name]):
            before = [said[name][0], *(text for one in order[:index] for text in said[one])]
            if any(_speaks_of(text, candidate.text) for text in before) or given(name, candidate.text):
                continue
            called = _name(candidate, documents[name], names)
            changed: dict[str, Document] = {}
            asked = []
            for one in order[index:]:
                spec = dict(documents[one].spec)
                if one != name and (request := _with_name(spec.get("req"), candidate, called)) != spec.get("req"):
                    spec["req"] = request
                    asked.append(one)
                wider = replace(candidate, anywhere=one in asked and len(candidate.text) >= _TELLING)
                spec["resp"] = _with_name(spec.get("resp"), wider, called)
                if spec != documents[one].spec:
                    changed[one] = replace(documents[one], spec=spec)
            if asked and name in changed:
                documents |= changed
                names.add(called)
                found.append(Proposal(called, candidate.value, name, candidate.place, asked, changed))
    return found


def _candidates(document: Document) -> Iterator[_Candidate]:
    request, response = document.spec.get("req") or {}, document.spec.get("resp") or {}
    if str(request.get("method", "")).upper() not in _MAKES or not isinstance(response, Mapping):
        return
    body = list(_of_body(response))
    every = [*body, *_of_headers(response)]
    keys: dict[str, set[str]] = {}
    for one in body:
        keys.setdefault(one.text, set()).add(one.key)
    seen = set()
    for one in every:
        if one.text in seen or not _is_specific(one) or (one.is_number and len(keys.get(one.text, ())) > 1):
            continue
        seen.add(one.text)
        yield one


def _of_body(response: Mapping[str, Any]) -> Iterator[_Candidate]:
    body = response.get("body")
    for place, _, raw in _leaves(body) if isinstance(body, str) else ():
        key = next((step for step in reversed(place) if not step.isdigit()), "")
        value = _scalar(raw)
        if value is not None:
            yield _Candidate(value, key, "body." + ".".join(place))


def _of_headers(response: Mapping[str, Any]) -> Iterator[_Candidate]:
    for header, values in (response.get("header") or {}).items():
        for value in values if isinstance(values, list) else [values]:
            if header.lower() == "set-cookie":
                cookie, _, rest = str(value).partition("=")
                yield _Candidate(rest.partition(";")[0], cookie.strip(), f"header.{header}.{cookie.strip()}")
            elif header.lower() in ("location", "content-location"):
                *_, noun, last = ["", *str(value).partition("?")[0].rstrip("/").split("/")]
                yield _Candidate(unquote(last), f"{_singular(noun)}_id", f"header.{header}")
            elif header.lower() not in _NOT_TOLD:
                yield _Candidate(str(value), header, f"header.{header}")


def _is_specific(one: _Candidate) -> bool:
    text = one.text
    if looks_generated(one.value) or generated_spans(text) or isinstance(one.value, float):
        return False  # followed by itself
    if one.is_number:
        return _ID.search(one.key) is not None
    return _SPECIFIC.fullmatch(text) is not None and _TYPED.fullmatch(text) is None


def _name(one: _Candidate, document: Document, taken: set[str]) -> str:
    """What the place is called; with the resource's name before it if that alone says nothing."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", one.key)).strip("_").lower()
    if _PLAIN.fullmatch(name) or not name or name[0].isdigit():
        path = re.sub(r"^\w+://[^/]*", "", str((document.spec.get("req") or {}).get("url", ""))).partition("?")[0]
        nouns = [part for part in path.split("/") if part.isidentifier() and part not in ("api", "v1", "v2", "v3")]
        name = "_".join(filter(None, (_singular(nouns[-1]).lower() if nouns else "value", name)))
    number, unique = 2, name
    while unique in taken:
        number, unique = number + 1, f"{name}_{number}"
    return unique


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


# -- where a value stands ---------------------------------------------------------------------------------------


def _texts(tree: Any) -> Iterator[str]:
    """All that a request or response says."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _texts(value) if key != "timestamp" else ()
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)
    elif isinstance(tree, (str, int)):
        yield unquote(str(tree))


def _speaks_of(said: str, text: str) -> bool:
    return text in said and re.search(_word(text), said) is not None


def _with_name(part: Any, one: _Candidate, name: str) -> Any:
    """A request or response with the name in the place of the value."""
    if not isinstance(part, Mapping):
        return part
    changed = dict(part)
    if isinstance(part.get("url"), str):
        changed["url"] = _in_url(part["url"], one, name)
    if isinstance(part.get("header"), Mapping):
        changed["header"] = {
            key: value if key.lower() in _NOT_TOLD else _in_header(key, value, one, name)
            for key, value in part["header"].items()
        }
    if isinstance(part.get("body"), str):
        changed["body"] = _in_body(part["body"], one, name)
    return changed


def _in_url(url: str, one: _Candidate, name: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, target = rest.partition("/") if mark else ("", "", url)
    path, question, query = target.partition("?")
    text = quote(one.text, safe=":@!$'()*,;=+")
    path = "/".join(named(name) if part in (text, one.text) else part for part in path.split("/"))
    return (scheme + mark if mark else "") + host + slash + path + question + _in_pairs(query, text, one, name)


def _in_pairs(query: str, text: str, one: _Candidate, name: str) -> str:
    pairs = []
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if equals and value in (text, one.text) and (not one.is_number or _is_id(key, one)):
            value = named(name)
        pairs.append(key + equals + value)
    return "&".join(pairs)


def _in_header(key: str, value: Any, one: _Candidate, name: str) -> Any:
    if isinstance(value, list):
        return [_in_header(key, each, one, name) for each in value]
    if not isinstance(value, str):
        return value
    if not one.is_number:
        return re.sub(_word(one.text), named(name), value)
    if key.lower() in ("location", "content-location", "referer"):
        return _in_url(value, one, name)
    return named(name) if value == one.text and _is_id(key, one) else value


def _in_body(body: str, one: _Candidate, name: str) -> str:
    edits = []
    leaves = list(_leaves(body))
    for place, span, raw in leaves:
        key = next((step for step in reversed(place) if not step.isdigit()), "")
        if raw.strip('"') == one.text and (not one.is_number or _is_id(key, one)):
            edits.append((span, f'"{named(name)}"' if raw[0] == '"' else named(name)))
        elif one.is_number and raw.startswith(('"/', '"http://', '"https://')):
            edits.append((span, f'"{_in_url(raw[1:-1], one, name)}"'))
        elif raw[0] == '"' and not one.is_number:
            edits.append((span, re.sub(_word(one.text), named(name), raw)))
    if not leaves and one.is_number:
        return _in_pairs(body, one.text, one, name) if "=" in body and "\n" not in body and " " not in body else body
    if not leaves:
        return re.sub(_word(one.text), named(name), body)
    for span, text in reversed(edits):
        body = body[: span.start] + text + body[span.end :]
    return body


def _leaves(body: str) -> Iterator[tuple[json_text.Place, json_text.Span, str]]:
    """The values of a JSON text as they are written; none of what is no JSON."""
    if body.lstrip()[:1] not in ("{", "["):
        return
    try:
        spans = json_text.spans(body)
    except json_text.NoSuchPlaceError:
        return
    for place, span in spans.items():
        if body[span.start] not in "{[":
            yield place, span, body[span.start : span.end]


def _scalar(raw: str) -> Recorded | None:
    if any(names_in(raw)) or "\\" in raw or "{{" in raw:
        return None
    if raw[0] == '"':
        return raw[1:-1]
    return int(raw) if raw.lstrip("-").isdigit() else None


def _is_id(key: str, one: _Candidate) -> bool:
    """Whether a number at a place of this name is the one that was said."""
    return one.anywhere or _ID.search(key) is not None or key.lower() == one.key.lower()


def _word(text: str) -> str:
    return rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])"
