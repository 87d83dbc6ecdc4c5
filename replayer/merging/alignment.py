"""Which document of a new recording is which of the old: by what is asked, in the order in which it was asked."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from replayer.merging.sameness import Sameness, taken_apart
from testset.model import Document

_LITERALS = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|\b\d+(?:\.\d+)?\b")
_SPACE = re.compile(r"\s+")
_ACTION = re.compile(r"(?:^|&)Action=([A-Za-z]+)")


def align(
    old: Sequence[Document],
    new: Sequence[Document],
    sameness: Sameness,
    related: Callable[[Document, Document], bool] = lambda _old, _new: True,
) -> list[tuple[int | None, int | None]]:
    """Pairs of indexes in the order of the old ones, each new one without a partner after the one that it followed.

    The strictest first: the same question in the words of the old recording, then one that differs in nothing but
    values that nobody has met yet, then the same sort of question, then one to another place. `related` ones go before
    others. Where there are not as many of a sort in both, a value may just not look made up in one of them: what is
    alike in number goes first.
    """
    shared = _atoms(old) & _atoms(new)
    exact = [question(one) for one in old], [question(one, sameness) for one in new]
    outlined = (
        [_key(one, sameness.in_outline(asked(one), shared)) for one in old],
        [_key(one, sameness.in_outline(asked(one), shared, new=True)) for one in new],
    )
    placed = [(signature(one), _place(one)) for one in old], [(signature(one), _place(one)) for one in new]
    alike = [signature(one) for one in old], [signature(one) for one in new]
    tiers: Sequence[tuple[tuple[Sequence[Hashable], Sequence[Hashable]], bool]] = (
        (exact, False), (outlined, True), (placed, True), (outlined, False), (placed, False), (alike, False),
    )  # fmt: skip
    partner: dict[int, int] = {}
    for (old_keys, new_keys), only_as_many in tiers:
        taken = set(partner.values())
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for index, key in enumerate(new_keys):
            if index not in taken:
                waiting[key].append(index)
        wanted = Counter(key for index, key in enumerate(old_keys) if index not in partner)
        fair = {key for key, ones in waiting.items() if not only_as_many or len(ones) == wanted[key]}
        for is_partner in (related, _anything):
            for index, key in enumerate(old_keys):
                if index in partner or key not in fair:
                    continue
                found = next((one for one in waiting[key] if is_partner(old[index], new[one])), None)
                if found is not None:
                    waiting[key].remove(found)
                    partner[index] = found
    return _in_order(partner, len(old), len(new))


def follow(sent: Sequence[Document], answered: Sequence[Document]) -> list[tuple[int, int]]:
    """Which of the tests that were answered is which of those that were sent, one after the other: some may be missing,
    and others (of a health check) may stand between them."""
    matcher = SequenceMatcher(None, [signature(one) for one in sent], [signature(one) for one in answered], False)
    pairs: list[tuple[int, int]] = []
    for tag, start, stop, first, last in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and stop - start == last - first):  # an id that does not look like one
            pairs.extend(zip(range(start, stop), range(first, last), strict=True))
    return pairs


def _in_order(partner: Mapping[int, int], old: int, new: int) -> list[tuple[int | None, int | None]]:
    pairs: list[tuple[int | None, int | None]] = [(index, partner.get(index)) for index in range(old)]
    taken = set(partner.values())
    for index in range(new):
        if index not in taken:
            before = [at for at, (_, one) in enumerate(pairs) if one is not None and one < index]
            pairs.insert(before[-1] + 1 if before else 0, (None, index))
    return pairs


def question(document: Document, sameness: Sameness | None = None) -> Hashable:
    """What a document asks for, with all its values, in the words of the old recording."""
    whole = asked(document)
    return _key(document, whole if sameness is None else sameness.renamed(whole))


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
    return document.kind, str(spec.get("server", ""))  # raw bytes: where they went is all that can be told


def _bare(text: str) -> str:
    parts = taken_apart(text)
    return _LITERALS.sub("?", "?".join(parts.texts))


def asked(document: Document) -> Any:
    """The request itself."""
    spec = document.spec
    request = spec.get("req") or spec.get("requests") or spec.get("request")
    return (
        {key: value for key, value in request.items() if key != "timestamp"} if isinstance(request, dict) else request
    )


def _key(document: Document, request: Any) -> Hashable:
    return document.kind, _place(document), json.dumps(request, sort_keys=True, default=repr)


def _place(document: Document) -> Hashable:
    """Where a question went that does not say so itself."""
    metadata = document.spec.get("metadata") or {}
    named = document.spec.get("server") or metadata.get("server")
    return str(named), str(metadata.get("database")), str(document.spec.get("ending"))


def _atoms(documents: Iterable[Document]) -> set[str]:
    return {atom for one in documents for text in _texts(asked(one)) for atom in taken_apart(text).atoms}


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, (dict, list)):
        for one in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(one)


def _anything(_old: Document, _new: Document) -> bool:
    return True
