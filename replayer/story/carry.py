"""What the next request needs: values born in an earlier response, put into a recorded request under their new names.

A token, an id or a cookie that the app made up appears in the recorded request as it was called then. It is found by
value, wherever it stands: in the path, the query, a header, the body.
"""

from __future__ import annotations

from urllib.parse import quote

from replayer.story.bindings import Bindings
from replayer.story.template import spans


def carry(text: str, bindings: Bindings) -> str:
    """`text` with every recorded value replaced that has another name by now; all else stays as it is."""
    if not len(bindings):
        return text
    for recorded, actual in bindings.awkward():
        text = text.replace(recorded, actual).replace(quote(recorded, safe=""), quote(actual, safe=""))
    parts, position = [], 0
    for start, end in spans(text):
        actual_name = bindings.actual(text[start:end])
        if actual_name is not None:
            parts.append(text[position:start])
            parts.append(actual_name)
            position = end
    parts.append(text[position:])
    return "".join(parts)
