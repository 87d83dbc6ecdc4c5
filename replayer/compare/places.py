"""How a place in a response is written: `body.items[0].id`, and `body["a.b"]` where a name has dots or brackets.

A place is what a person reads in a finding and writes into a noise rule; made-up values are placed the same way.
"""

from __future__ import annotations

import json
import re

Step = str | int
Path = tuple[Step, ...]

_PLAIN = re.compile(r"[^\s.\[\]\"']+")
_STEP = re.compile(r"""\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.\[]+)""")


def render(root: str, path: Path) -> str:
    """`("items", 0, "id")` under `body` is `body.items[0].id`."""
    parts = [root]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN.fullmatch(step):
            parts.append(f".{step}")
        else:
            parts.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(parts)


def parse(text: str) -> tuple[str, ...]:
    """A path as a person writes it, as its steps: `items[0].id`, `items.0.id` and `items["a.b"]` alike.

    Steps stay text: whether `0` is an index or a name is known only where it is applied.
    """
    steps: list[str] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:  # a stray dot or bracket: belongs to no step, and so matches nothing
            steps.append(text[position:])
            break
        index, quoted, plain = found.groups()
        steps.append(index if index is not None else json.loads(quoted) if quoted is not None else plain)
        position = found.end()
    return tuple(steps)
