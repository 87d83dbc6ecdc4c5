"""Changes values in a YAML file and leaves every other character where it is: comments, order, indentation, quotes.

The file is parsed for the positions of its values only; the text between them is never written anew. So a review of a
changed recording shows the values that changed and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from testset import emit
from testset.errors import DocumentError
from testset.files import reading, write_whole
from testset.redaction import RedactedDocument
from testset.text import iter_documents, positions

Place = tuple[Any, ...]  # keys and indexes from the top of a document


class _Remove:
    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: Final = _Remove()  # as a new value: the key goes


def rewrite(path: Path, redacted: RedactedDocument) -> bool:
    """Makes the document of that name in `path` say what `redacted` says. False: it did already."""
    wanted = redacted.document
    tree = {"version": wanted.version, "kind": wanted.kind, "name": wanted.name, "spec": wanted.spec, **wanted.extra}
    for ref, document in iter_documents(path):
        if document.name != wanted.name:
            continue
        with reading(path):
            data = path.read_bytes()
        part = data[ref.offset : ref.offset + ref.length].decode()
        changed = set_to(part, tree, path=path, line=ref.line)
        if changed == part:
            return False
        write_whole(path, [data[: ref.offset], changed.encode(), data[ref.offset + ref.length :]])
        return True
    raise DocumentError(f"there is no document {wanted.name!r}", path=path)


def edit(text: str, changes: Mapping[Place, Any], *, path: Path | None = None) -> str:
    """The text of one document with the values at some places changed, added or removed (`REMOVE`)."""
    return _all_edited(text, list(changes.items()), path)


def set_to(text: str, tree: Any, *, path: Path | None = None, line: int = 1) -> str:
    """The text of one document, changed where needed to say `tree`."""
    root, old = positions(text, path=path, line=line)
    if root is None or not isinstance(old, dict) or not isinstance(tree, Mapping):
        return emit.dump(tree)
    return _all_edited(text, _differences(old, tree, ()), path)


def _differences(old: Any, new: Any, place: Place) -> list[tuple[Place, Any]]:
    """The fewest and deepest places at which a change makes one the other."""
    if isinstance(old, dict) and isinstance(new, Mapping) and old and new:
        found: list[tuple[Place, Any]] = []
        for key, value in new.items():
            found += _differences(old[key], value, (*place, key)) if key in old else [((*place, key), value)]
        return found + [((*place, key), REMOVE) for key in old if key not in new]
    if isinstance(old, list) and isinstance(new, (list, tuple)) and len(old) == len(new):
        return [one for index, value in enumerate(new) for one in _differences(old[index], value, (*place, index))]
    same = old == (list(new) if isinstance(new, tuple) else new) and type(old) is type(new)
    return [] if same else [(place, new)]


# -- changes ----------------------------------------------------------------------------------------------------


def _all_edited(text: str, changes: list[tuple[Place, Any]], path: Path | None) -> str:
    """New values in old places are put in from the last to the first, for which the file is parsed once; what is added
    or removed moves the rest, and takes a look at the file of its own."""
    places = [place for place, _ in changes]
    root, _ = positions(text, path=path)
    if root is not None and not any(a is not b and b[: len(a)] == a for a in places for b in places):
        found = [(_walk(root, place), place, value) for place, value in changes if value is not REMOVE]
        replaced = [(nodes, place, value) for nodes, place, value in found if len(nodes) == len(place) + 1]
        for nodes, _, value in sorted(replaced, key=lambda one: -one[0][-1].start_mark.index):
            text = _replaced(text, nodes[:-1], nodes[-1], value)
        done = {place for _, place, _ in replaced}
        changes = [(place, value) for place, value in changes if place not in done]
    for place, value in changes:
        text = _edited(text, place, value, path)
    return text


def _edited(text: str, place: Place, value: Any, path: Path | None) -> str:
    root, _ = positions(text, path=path)
    if root is None:
        if value is REMOVE:
            return text
        return (text if not text or text.endswith("\n") else text + "\n") + emit.dump(_nested(place, value))
    nodes = _walk(root, place)
    if len(nodes) == len(place) + 1:
        if value is REMOVE:
            return _removed(text, nodes[:-1], place[-1])
        return _replaced(text, nodes[:-1], nodes[-1], value)
    if value is REMOVE:
        return text
    depth = len(nodes) - 1
    return _added(text, nodes[:-1], nodes[-1], place[depth], _nested(place[depth + 1 :], value))


def _walk(root: Any, place: Place) -> list[Any]:
    """The nodes on the way to a place, as far as they are there."""
    nodes = [root]
    for step in place:
        child = _child(nodes[-1], step)
        if child is None:
            break
        nodes.append(child)
    return nodes


def _child(node: Any, step: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.plain == step:
                return value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def _added(text: str, parents: list[Any], node: Any, step: Any, value: Any) -> str:
    if not isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) or not node.value:
        return _replaced(text, parents, node, _with(_plain(node), step, value))
    is_mapping = isinstance(node, yaml.MappingNode)
    if node.flow_style:
        end = _end(text, node.value[-1][1] if is_mapping else node.value[-1])
        new = emit.in_line({step: value})[1:-1] if is_mapping else emit.in_line(value)
        return f"{text[:end]}, {new}{text[end:]}"
    indent = node.start_mark.column
    end = _line_end(text, _end(text, node))
    out: list[str] = []
    if is_mapping:
        emit.write_mapping(out, {step: value}, indent, inline=False)
    else:
        emit.write_list(out, [value], indent)
    lead = "" if end == 0 or text[end - 1] == "\n" else "\n"
    return text[:end] + lead + "".join(out) + text[end:]


def _removed(text: str, parents: list[Any], step: Any) -> str:
    parent = parents[-1]
    if parent.flow_style or len(parent.value) == 1:
        return _replaced(text, parents[:-1], parent, _without(_plain(parent), step))
    if isinstance(parent, yaml.MappingNode):
        index = next(i for i, (key, _) in enumerate(parent.value) if key.plain == step)
        key, node = parent.value[index]
        start = key.start_mark.index
        follower = parent.value[index + 1][0].start_mark.index if index + 1 < len(parent.value) else None
    else:
        node = parent.value[step]
        start = _dash(text, parent, node)
        follower = _dash(text, parent, parent.value[step + 1]) if step + 1 < len(parent.value) else None
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip():  # the first entry of `- a: 1`: what follows moves up to its place
        assert follower is not None
        return text[:start] + text[follower:]
    return text[:line] + text[_line_end(text, _end(text, node)) :]


def _replaced(text: str, parents: list[Any], node: Any, value: Any) -> str:
    start, end = node.start_mark.index, _end(text, node)
    if not parents:  # the whole document
        return text[:start] + emit.dump(value) + text[_line_end(text, end) :]
    if any(parent.flow_style for parent in parents):
        return _spliced(text, start, end, emit.in_line(value))
    parent = parents[-1]
    indent = parent.start_mark.column
    if isinstance(value, str) and "\n" in value and getattr(node, "style", None) in ("|", ">"):
        lines = text[start:end].split("\n")[1:]
        width = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=indent + 2)
        return _spliced(text, start, end, emit.write_text(value, indent, max(width, indent + 1)))
    out: list[str] = []
    if isinstance(parent, yaml.MappingNode):
        key = next(key for key, child in parent.value if child is node)
        emit.write_mapping(out, {"k": value}, indent, inline=True)
        new = "".join(out)[2:-1]
        # Up to here belongs to the key: its colon, and a comment behind that.
        after = text.index(":", key.end_mark.index) + 1
        if not new.startswith("\n") and not text[after:start].strip():
            return _spliced(text, after, end, new)
        if new.startswith("\n") and isinstance(node, yaml.ScalarNode):
            return _spliced(text, after, end, new)
        return _spliced(text, after if not text[after:start].strip() else start, end, new)
    emit.write_list(out, [value], indent)
    new = "".join(out)[indent + 1 : -1]
    if "\n" not in new:
        return _spliced(text, start, end, new[1:])
    after = _dash(text, parent, node) + 1
    return (
        _spliced(text, after, end, new)
        if not text[after:start].strip()
        else _spliced(text, start, end, emit.in_line(value))
    )


def _spliced(text: str, start: int, end: int, new: str) -> str:
    """Puts `new` in place; a comment on the same line stays on the first line of it."""
    rest = text[end : _line_end(text, end)].rstrip("\n")
    head, newline, tail = new.partition("\n")
    if newline and rest.strip() and not head.endswith("\\") and head[:1] != '"':
        return text[:start] + head + rest + "\n" + tail + text[end + len(rest) :]
    return text[:start] + new + text[end:]


# -- positions --------------------------------------------------------------------------------------------------


def _end(text: str, node: Any) -> int:
    """Behind the last character of a value; comments and blank lines after it are not part of it."""
    if not isinstance(node, yaml.ScalarNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(node, yaml.MappingNode) else last)
    start: int = node.start_mark.index
    end: int = node.end_mark.index
    if getattr(node, "style", None) in ("|", ">"):
        return start + len(text[start:end].rstrip(" \n"))
    return end


def _plain(node: Any) -> Any:
    """What the node says, as `positions` noted it."""
    return node.plain


def _dash(text: str, parent: Any, item: Any) -> int:
    """Where the `-` of an item of a list stands: in the list's column, on the item's line or one above it."""
    start = item.start_mark.index
    while True:
        line = text.rfind("\n", 0, start) + 1
        dash: int = line + parent.start_mark.column
        if text[dash : dash + 1] == "-" and "#" not in text[line:dash]:
            return dash
        assert line, "a list in block style has its dashes"
        start = line - 1


def _line_end(text: str, position: int) -> int:
    """The start of the next line."""
    if position and text[position - 1] == "\n":
        return position
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def _nested(place: Place, value: Any) -> Any:
    for step in reversed(place):
        value = {step: value}
    return value


def _with(tree: Any, step: Any, value: Any) -> Any:
    if isinstance(tree, list) and isinstance(step, int):
        return [*tree, value]
    return {**(tree if isinstance(tree, dict) else {}), step: value}


def _without(tree: Any, step: Any) -> Any:
    if isinstance(tree, list):
        return [item for index, item in enumerate(tree) if index != step]
    return {key: value for key, value in tree.items() if key != step}
