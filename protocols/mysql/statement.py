"""SQL text to what it asks for: an outline that is the same however it was written, and the values in it.

`SELECT * FROM t WHERE id = 5` and `select *  from `t` where id=?` with 5 bound are the same statement: the skeleton has
`?` for every literal, and the slots have the values, under names that a person knows. Nothing here is a parser, and no
text is refused: what cannot be read as SQL is a statement that changes something, with a skeleton of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from protocols.mysql import tokens
from protocols.mysql.kinds import EFFECTS, Kind, Outline, is_routine, outline
from protocols.mysql.messages import Cell
from protocols.mysql.names import slot_names
from protocols.mysql.tokens import Literal, Mode, Token
from protocols.mysql.words import BEFORE_NAME, BEFORE_OPERAND, KEYWORDS, PLAIN_INTRODUCERS

__all__ = ["Kind", "Slot", "Statement", "bind", "mode_in", "parse", "parse_in", "shortened"]

# Characters of a statement that is worth remembering: many that are short, some that are longer. In memory a statement
# of nothing but short literals takes 40 times as much.
_SHORT, _LONGER = 512, 8192


class Slot(NamedTuple):
    """One value of a statement. `value` of a placeholder is None until it is bound."""

    name: str  # for people: "order_id", "value 3"
    value: Cell
    placeholder: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """What a text asks for."""

    parts: tuple[str, ...]  # the skeleton, cut at its slots: always one more of them
    slots: tuple[Slot, ...]
    kind: Kind
    verb: str  # "INSERT", "SELECT", "CREATE TABLE"
    tables: tuple[str, ...]  # as named; of USE and CALL: the database, the procedure
    settings: tuple[tuple[str, str], ...]  # of SET: variables in lower case, and values as SQL
    standing: bool  # reads of the session and the server alone
    several: tuple[Outline, ...] = ()  # of `a; b`: each by itself

    @property
    def skeleton(self) -> str:
        return "?".join(self.parts)

    @property
    def title(self) -> str:
        """In two or three words: "INSERT order_items"."""
        return f"{self.verb} {self.tables[0]}" if self.tables else self.verb

    @property
    def is_effect(self) -> bool:
        return self.kind in EFFECTS


def parse(sql: str, *, ansi_quotes: bool = False, no_backslash_escapes: bool = False) -> Statement:
    """What `sql` asks for. Any text is a statement."""
    mode = Mode(ansi_quotes, no_backslash_escapes)
    if len(sql) <= _SHORT:
        return _parse_again(sql, mode)
    return _longer_parse_again(sql, mode) if len(sql) <= _LONGER else _long_parse_again(sql, mode)


def parse_in(sql: str, sql_mode: str) -> Statement:
    """What `sql` asks for in a session with this `sql_mode`, as it was set or in quotes."""
    mode = mode_in(sql_mode)
    return parse(sql, ansi_quotes=mode.ansi_quotes, no_backslash_escapes=mode.no_backslash_escapes)


def mode_in(sql_mode: str) -> Mode:
    """How text is cut into tokens in a session with this `sql_mode`."""
    mode = sql_mode.upper()
    ansi = "ANSI" in mode or "ORACLE" in mode  # ANSI_QUOTES, or a mode that it is a part of
    return Mode(ansi, "NO_BACKSLASH_ESCAPES" in mode)


def bind(statement: Statement, parameters: Sequence[Cell] | None) -> tuple[Slot, ...]:
    """The slots of `statement` with `parameters` in place of its placeholders, in order."""
    if not parameters:
        return statement.slots
    values = iter(parameters)
    bound = [
        Slot(slot.name, tokens.canonical(next(values, None)), True) if slot.placeholder else slot
        for slot in statement.slots
    ]
    bound.extend(Slot(f"parameter {turn}", tokens.canonical(rest), True) for turn, rest in enumerate(values, 1))
    return tuple(bound)


def shortened(sql: str, *, ansi_quotes: bool = False, no_backslash_escapes: bool = False) -> str:
    """The same statement as it may be kept in a document: literals that are large are the text of their digest, and
    those with bytes in them that are no text are `x'..'`. It parses to the same skeleton and the same slots."""
    mode = Mode(ansi_quotes, no_backslash_escapes)
    if len(sql) <= tokens.LARGE // 4 and not _has_bytes(sql):
        return sql
    form, literals = tokens.literals(sql, mode)
    rewritten: dict[int, str] = {}  # by the literal's turn
    for source in _form(form, mode).sources:
        if source.how not in ("literal", "negative"):
            continue
        value = _value(literals[source.first : source.last], mode)
        texts = [literal.text for literal in literals[source.first : source.last]]
        if isinstance(value, bytes) and any(_has_bytes(text) for text in texts):
            written = f"x'{value.hex()}'"
        elif isinstance(value, str) and value.startswith("sha256:") and sum(map(len, texts)) > tokens.LARGE // 4:
            written = f"'{value}'"
        else:
            continue
        rewritten.update(dict.fromkeys(range(source.first, source.last), " "))
        rewritten[source.first] = written
    result: list[str] = []
    turn = 0
    for before, text, number, hexadecimal, bits, comment in tokens.pieces(sql, mode):
        literal = text or number or hexadecimal or bits
        result.append(before)
        if literal:
            written = rewritten.get(turn, literal)
            if written is not literal and result and _WORD_ENDS.search("".join(result[-3:])):
                result.append(" ")
            result.append(written)
            turn += 1
        else:
            result.append(comment)
    return "".join(result)


_WORD_ENDS = re.compile(r"[\w$]\Z")


def _has_bytes(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


# -- from a text to its form and literals -----------------------------------------------------------------------------


class Source(NamedTuple):
    """Where a slot's value comes from."""

    how: str  # "literal", "negative", "placeholder", "constant"
    first: int = 0  # literals, by their turn: texts that stand side by side are one
    last: int = 0
    constant: Cell = None


class Form(NamedTuple):
    """What is known of a statement but its literals."""

    parts: tuple[str, ...]
    names: tuple[str, ...]
    sources: tuple[Source, ...]
    outline: Outline
    several: tuple[Outline, ...]
    plain: bool  # each slot is one literal


@lru_cache(maxsize=2048)
def _parse_again(sql: str, mode: Mode) -> Statement:
    return _parse(sql, mode)


@lru_cache(maxsize=128)
def _longer_parse_again(sql: str, mode: Mode) -> Statement:
    return _parse(sql, mode)


@lru_cache(maxsize=2)
def _long_parse_again(sql: str, mode: Mode) -> Statement:  # each is asked for several times while it is in hand
    return _parse(sql, mode)


def _parse(sql: str, mode: Mode) -> Statement:
    text, literals = tokens.literals(sql, mode)
    if len(text) <= _SHORT:
        form = _form_again(text, mode)
    else:
        form = _longer_form_again(text, mode) if len(text) <= _LONGER else _long_form_again(text, mode)
    slots: tuple[Slot, ...]
    if form.plain:
        slots = tuple(
            [Slot(name, tokens.value(literal, mode)) for name, literal in zip(form.names, literals, strict=True)]
        )
    else:
        slots = tuple(
            [_slot(name, source, literals, mode) for name, source in zip(form.names, form.sources, strict=True)]
        )
    kind, verb, tables, settings, standing = form.outline
    written = tuple([(name, _setting(name, value, slots)) for name, value in settings]) if settings else ()
    return Statement(form.parts, slots, kind, verb, tables, written, standing, form.several)


def _slot(name: str, source: Source, literals: Sequence[Literal], mode: Mode) -> Slot:
    if source.how == "placeholder":
        return Slot(name, None, True)
    if source.how == "constant":
        return Slot(name, source.constant)
    value = _value(literals[source.first : source.last], mode)
    if source.how == "negative":
        value = -value if isinstance(value, int | float) else f"-{value!s}"
    return Slot(name, value)


def _value(literals: Sequence[Literal], mode: Mode) -> Cell:
    if len(literals) == 1:
        return tokens.value(literals[0], mode)
    return tokens.canonical("".join([tokens.content(literal.text, mode) for literal in literals]))


_NAMES_OF_SETS = frozenset({"names", "character_set", "collation_connection", "role"})


def _setting(name: str, pieces: Sequence[str | int], slots: Sequence[Slot]) -> str:
    """A setting's value as SQL; the name of a character set as it is, quoted or not."""
    texts = []
    for piece in pieces:
        if isinstance(piece, str):
            texts.append(piece)
        else:
            value = slots[piece].value
            plain = not isinstance(value, str) or name in _NAMES_OF_SETS
            texts.append("NULL" if value is None else str(value) if plain else f"'{value!s}'")
    return " ".join(texts).replace("( ", "(").replace(" )", ")").replace(" ,", ",").replace(" (", "(")


# -- from a form to what it is ----------------------------------------------------------------------------------------

_CONSTANTS: dict[str, Cell] = {"NULL": None, "TRUE": 1, "FALSE": 0}


@lru_cache(maxsize=2048)
def _form_again(text: str, mode: Mode) -> Form:
    return _form(text, mode)


@lru_cache(maxsize=256)
def _longer_form_again(text: str, mode: Mode) -> Form:
    return _form(text, mode)


@lru_cache(maxsize=4)
def _long_form_again(text: str, mode: Mode) -> Form:  # of batches, which come in the same size
    return _form(text, mode)


def _form(text: str, mode: Mode) -> Form:
    items, sources = _items(tokens.tokens(text, mode))
    statements = _split(items)
    outlines = _outlines(statements) or [Outline(Kind.READ, "")]
    plain = all(source.how == "literal" and source.last == source.first + 1 for source in sources)
    return Form(
        _printed(items),
        tuple(slot_names(items)),
        tuple(sources),
        outlines[0] if len(outlines) == 1 else _together(outlines),
        tuple(outlines) if len(outlines) > 1 else (),
        plain,
    )


def _items(found: Sequence[Token]) -> tuple[list[Token], list[Source]]:
    """The tokens as the skeleton has them: keywords in capitals, names without quotes, values as slots."""
    items: list[Token] = []
    sources: list[Source] = []
    taken = 0  # literals
    defining = False  # CREATE, ALTER: NULL is no value there
    starting = True
    for index, (sort, text) in enumerate(found):
        before = items[-1] if items else Token("", "")
        calling = index + 1 < len(found) and found[index + 1].text == "(" and before.text not in BEFORE_NAME
        calling = calling and not (defining and before.text == "ON")
        if sort == "w":
            upper = text.upper() if text.isascii() else text
            if upper in _CONSTANTS and not defining and before.text not in _NO_VALUE[upper] and before.text != ".":
                sources.append(Source("constant", constant=_CONSTANTS[upper]))
                items.append(_SLOT)
            elif text[0].isdigit():  # a name, but one that is no number only thanks to what stands next to it
                items.append(Token("q", f"`{text}`"))
            elif before.text == ".":
                items.append(Token("i", text))
            elif upper in KEYWORDS or starting:
                defining = defining or (starting and upper in ("CREATE", "ALTER"))
                items.append(Token("w", upper))
            else:
                items.append(Token("i", upper if calling else text))
            starting = False
            continue
        if sort in ("s", "n", "h", "b"):
            if sort == "s" and index and found[index - 1].sort == "s":
                sources[-1] = sources[-1]._replace(last=taken + 1)
                taken += 1
                continue
            how = "literal"
            if before.sort == "i" and before.text.lower() in PLAIN_INTRODUCERS:
                items.pop()
            elif sort == "n" and before.text == "-" and _is_sign(items):
                items.pop()
                how = "negative"
            sources.append(Source(how, taken, taken + 1))
            taken += 1
            items.append(_SLOT)
        elif sort == "?":
            sources.append(Source("placeholder"))
            items.append(_SLOT)
        elif sort == "q":
            items.append(_unquoted(text, starting, calling))
        elif text == ";":
            starting, defining = True, False
            items.append(Token(sort, text))
            continue
        else:
            items.append(Token(sort, text))
        starting = starting and sort in ("!", "o")
    return items, sources


_SLOT = Token("?", "?")
_NO_VALUE = {"NULL": ("IS", "NOT"), "TRUE": ("IS",), "FALSE": ("IS",)}


def _is_sign(items: Sequence[Token]) -> bool:
    """Whether the minus that `items` end with is a sign: nothing stands before it that it could be taken from."""
    if len(items) < 2:
        return True
    sort, text = items[-2]
    return text in BEFORE_OPERAND if sort == "w" else sort == "o" and text not in (")", ".")


def _unquoted(text: str, starting: bool, calling: bool) -> Token:
    """A quoted name without its quotes, if it is the same name without."""
    quote = text[0]
    inner = text[1:-1] if len(text) > 1 and text[-1] == quote else text[1:]
    name = inner.replace(quote + quote, quote)
    plain = name.replace("$", "_").isidentifier() and name.upper() not in KEYWORDS and not starting
    if plain and name.lower() not in PLAIN_INTRODUCERS:
        return Token("i", name.upper() if calling and name.isascii() else name)
    return Token("q", f"`{name.replace('`', '``')}`")


def _split(items: Sequence[Token]) -> list[list[Token]]:
    """The statements of a text; the definition of a routine is one, whatever it has inside."""
    if is_routine(items):
        return [list(items)]
    statements: list[list[Token]] = [[]]
    for item in items:
        if item.text == ";":
            statements.append([])
        else:
            statements[-1].append(item)
    return [statement for statement in statements if statement]


def _outlines(statements: Sequence[Sequence[Token]]) -> list[Outline]:
    """Each statement's; the slots in its settings are counted from the first statement's."""
    found: list[Outline] = []
    before = 0
    for items in statements:
        one = outline(items)
        if before and one.settings:
            moved = [(name, [p + before if isinstance(p, int) else p for p in pieces]) for name, pieces in one.settings]
            one = one._replace(settings=tuple([(name, tuple(pieces)) for name, pieces in moved]))
        found.append(one)
        before += sum([token.sort == "?" for token in items])
    return found


_WEIGHT = {Kind.WRITE: 0, Kind.DDL: 1, Kind.READ: 2, Kind.COMMIT: 3, Kind.ROLLBACK: 4, Kind.BEGIN: 5}


def _together(outlines: Sequence[Outline]) -> Outline:
    """Several statements as one: what weighs most of them."""
    first = min(outlines, key=lambda one: _WEIGHT.get(one.kind, 9))
    kind = Kind.WRITE if any(one.kind in EFFECTS for one in outlines) else first.kind
    tables = dict.fromkeys(name for one in (first, *outlines) for name in one.tables)
    settings = tuple(setting for one in outlines for setting in one.settings)
    return Outline(kind, first.verb, tuple(tables), settings, all(one.standing for one in outlines))


_NO_SPACE_BEFORE = frozenset({",", ")", ";", "."})
_NO_SPACE_AFTER = frozenset({"(", "."})


def _printed(items: Sequence[Token]) -> tuple[str, ...]:
    """The skeleton, cut at its slots."""
    parts: list[str] = []
    part: list[str] = []
    last = ""
    named = False  # the last one is a name, and takes its parenthesis close
    for sort, text in items:
        if last and last not in _NO_SPACE_AFTER and text not in _NO_SPACE_BEFORE and not (named and text == "("):
            part.append(" ")
        if sort == "?":
            parts.append("".join(part))
            part = []
        else:
            part.append(text)
        last, named = text, sort in ("i", "q")
    parts.append("".join(part))
    return tuple(parts)
