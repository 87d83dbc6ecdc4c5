"""Which document of a new recording is which of the old: by what is asked, in the order in which it was asked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from protocols.furniture import Value
from replayer.merging.sameness import Sameness
from replayer.story.template import template
from testset.model import Document

_LITERALS = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|\b\d+(?:\.\d+)?\b")
_SPACE = re.compile(r"\s+")
_ACTION = re.compile(r"(?:^|&)Action=([A-Za-z]+)")


def align(old: Sequence[Document], new: Sequence[Document], sameness: Sameness) -> list[tuple[int | None, int | None]]:
    """Pairs of indexes in the order of the old ones, each new one without a partner after the one that it followed."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for index, document in enumerate(new):
        groups[signature(document)].append(index)
    partner: dict[int, int] = {}
    for index, document in enumerate(old):  # the same question first, whatever the order
        waiting = groups.get(signature(document), [])
        same = next((one for one in waiting if _asked(new[one], sameness) == _asked(document, None)), None)
        if same is not None:
            waiting.remove(same)
            partner[index] = same
    for index, document in enumerate(old):
        waiting = groups.get(signature(document), [])
        if index not in partner and waiting:
            partner[index] = waiting.pop(0)
    pairs: list[tuple[int | None, int | None]] = [(index, partner.get(index)) for index in range(len(old))]
    for index in range(len(new)):
        if index not in partner.values():
            before = [at for at, (_, one) in enumerate(pairs) if one is not None and one < index]
            pairs.insert(before[-1] + 1 if before else 0, (None, index))
    return pairs


def signature(document: Document) -> tuple[str, str]:
    """What a document asks for, without the values."""
    spec = document.spec
    request = spec.get("req")
    if isinstance(request, dict):
        headers = {name.lower(): value for name, value in (request.get("header") or {}).items()}
        action = headers.get("x-amz-target") or ""
        if not action and isinstance(request.get("body"), str) and (found := _ACTION.search(request["body"])):
            action = found[1]
        return document.kind, f"{request.get('method')} {_bare(str(request.get('url')))} {action}"
    asked = spec.get("requests") or spec.get("request") or ""
    if isinstance(asked, list):
        message = asked[0].get("message") if asked and isinstance(asked[0], dict) else None
        query = message.get("query") if isinstance(message, dict) else None
        operation = (spec.get("metadata") or {}).get("requestOperation", "")
        if isinstance(query, str):
            return document.kind, f"{operation} {_SPACE.sub(' ', _LITERALS.sub('?', query))}"
        return document.kind, str(operation)
    if isinstance(asked, dict) and "name" in asked:
        return document.kind, f"{asked['name']} {asked.get('qtype')}"
    return document.kind, ""


def _bare(text: str) -> str:
    parts = template(Value("", text))
    return _LITERALS.sub("?", "?".join(parts.texts))


def _asked(document: Document, sameness: Sameness | None) -> Any:
    """The request itself, in the words of the old recording."""
    spec = document.spec
    asked = spec.get("req") or spec.get("requests") or spec.get("request")
    if isinstance(asked, dict):
        asked = {key: value for key, value in asked.items() if key != "timestamp"}
    return asked if sameness is None else sameness.renamed(asked)
