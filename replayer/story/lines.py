"""Two texts of which not all is alike: the pieces that are, and what is made up in them.

A page in which one word differs still says what the app calls things now, and the requests that come next need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from protocols.furniture import Value
from replayer.story.template import Template, template

_END = re.compile(r"(?<=[>\n])")
_MOST = 2000  # pieces with something in them that may be made up


def pieces_alike(recorded: str, actual: str) -> Iterator[tuple[str, str]]:
    """What stands out in the pieces (lines, or what is between tags) of which the text around it is the same."""
    then, now = _pieces(recorded), _pieces(actual)
    if not then or not now or max(len(then), len(now)) > _MOST:
        return
    matcher = SequenceMatcher(None, [one.texts for one in then], [one.texts for one in now], autojunk=False)
    for block in matcher.get_matching_blocks():
        for one, other in zip(then[block.a :][: block.size], now[block.b :][: block.size], strict=True):
            yield from zip(one.atoms, other.atoms, strict=True)


def _pieces(text: str) -> list[Template]:
    return [found for piece in _END.split(text) if (found := template(Value("", piece))).atoms]
