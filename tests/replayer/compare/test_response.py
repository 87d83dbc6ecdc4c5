"""Recorded and actual responses, and what the comparison says about them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.http.wire import Headers, HttpResponse
from replayer.compare import Finding, Kind, Rules, compare
from replayer.compare.explain import in_words
from testset.model import FileBody

JSON: Headers = (("Content-Type", "application/json"),)
HTML: Headers = (("Content-Type", "text/html; charset=utf-8"),)
PNG: Headers = (("Content-Type", "image/png"),)


def response(body: bytes = b"", headers: Headers = JSON, status: int = 200, trailers: Headers = ()) -> HttpResponse:
    return HttpResponse(status=status, headers=headers, body=body, trailers=trailers)


def words(recorded: HttpResponse, actual: HttpResponse, assertions: dict[str, object] | None = None) -> list[str]:
    return [in_words(finding) for finding in compare(recorded, actual, Rules.of(assertions or {}))]


ORDER = b'{"id": 7, "total": 12.50, "paid": true, "items": [{"sku": "a"}, {"sku": "b"}], "note": "1"}'

SEEDED_BUGS = [
    ("status", response(ORDER, status=201), response(ORDER, status=500), "status: 201 recorded, 500 now"),
    (
        "a field missing",
        response(ORDER),
        response(ORDER.replace(b'"total": 12.50, ', b"")),
        "body.total is missing (recorded: 12.50)",
    ),
    (
        "a field too many",
        response(ORDER),
        response(ORDER.replace(b'"id": 7', b'"id": 7, "debug": null')),
        "body.debug is new: null",
    ),
    (
        "a wrong number",
        response(ORDER),
        response(ORDER.replace(b"12.50", b"12.51")),
        "body.total: 12.50 recorded, 12.51 now",
    ),
    (
        "a number too large for a float",
        response(b'{"id": 9007199254740993}'),
        response(b'{"id": 9007199254740992}'),
        "body.id: 9007199254740993 recorded, 9007199254740992 now",
    ),
    (
        "a digit that a float would lose",
        response(b'{"p": 0.1}'),
        response(b'{"p": 0.1000000000000000000001}'),
        "body.p: 0.1 recorded, 0.1000000000000000000001 now",
    ),
    (
        "a header's value",
        response(headers=(*JSON, ("Cache-Control", "no-store"))),
        response(headers=(*JSON, ("Cache-Control", "max-age=60"))),
        "header.Cache-Control: no-store recorded, max-age=60 now",
    ),
    (
        "a header missing",
        response(headers=(*JSON, ("X-Frame-Options", "DENY"))),
        response(headers=JSON),
        "header.X-Frame-Options is missing (recorded: DENY)",
    ),
    (
        "a header too many",
        response(headers=JSON),
        response(headers=(*JSON, ("X-Debug", "1"))),
        "header.X-Debug is new: 1",
    ),
    (
        "a cookie lost",
        response(headers=(*JSON, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))),
        response(headers=(*JSON, ("Set-Cookie", "a=1"))),
        "header.Set-Cookie: a=1\\nb=2 recorded, a=1 now",
    ),
    (
        "an array's order",
        response(ORDER),
        response(ORDER.replace(b'{"sku": "a"}, {"sku": "b"}', b'{"sku": "b"}, {"sku": "a"}')),
        'body.items: the same elements in another order: [{"sku": "a"}, {"sku": "b"}] recorded, '
        '[{"sku": "b"}, {"sku": "a"}] now',
    ),
    (
        "an element lost",
        response(ORDER),
        response(ORDER.replace(b'{"sku": "a"}, ', b"")),
        'body.items[0] is missing (recorded: {"sku": "a"}; 2 elements recorded, 1 now)',
    ),
    (
        "a number that became a text",
        response(ORDER),
        response(ORDER.replace(b'"id": 7', b'"id": "7"')),
        'body.id: 7 recorded, "7" now (number recorded, string now)',
    ),
    (
        "a text that became a number",
        response(ORDER),
        response(ORDER.replace(b'"1"', b"1")),
        'body.note: "1" recorded, 1 now (string recorded, number now)',
    ),
    (
        "true that became 1",
        response(ORDER),
        response(ORDER.replace(b"true", b"1")),
        "body.paid: true recorded, 1 now (boolean recorded, number now)",
    ),
    (
        "a value that became null",
        response(ORDER),
        response(ORDER.replace(b"true", b"null")),
        "body.paid: true recorded, null now (boolean recorded, null now)",
    ),
    (
        "JSON that became a page",
        response(ORDER),
        response(b"<html>Oops</html>"),
        "body: JSON recorded, now none: Expecting value: line 1 column 1 (char 0)",
    ),
    (
        "one character of HTML",
        response(b"<p>\n<b>Hello</b>\n</p>", HTML),
        response(b"<p>\n<b>Hallo</b>\n</p>", HTML),
        "body differs at line 2, column 5: <b>Hello</b> recorded, <b>Hallo</b> now",
    ),
    (
        "a line end",
        response(b"a\nb\n", HTML),
        response(b"a\r\nb\n", HTML),
        "body differs at line 1, column 2: a recorded, a\\r now",
    ),
    (
        "white space in text",
        response(b"a b", HTML),
        response(b"a  b", HTML),
        "body differs at line 1, column 3: a b recorded, a  b now",
    ),
    (
        "one byte of a picture",
        response(b"\x89PNG\r\n\x00\xff\x00", PNG),
        response(b"\x89PNG\r\n\x00\xfe\x00", PNG),
        "body: first difference at byte 7 of 9",
    ),
    (
        "the last byte missing",
        response(b"\x89PNG\xff\x00", PNG),
        response(b"\x89PNG\xff", PNG),
        "body: first difference at byte 5 (6 recorded, 5 now)",
    ),
    (
        "a body that is gone",
        response(b"text", HTML),
        response(b"", HTML),
        "body differs at line 1, column 1: text recorded,  now",
    ),
    (
        "a trailer",
        response(trailers=(("Checksum", "abc"),)),
        response(trailers=(("Checksum", "abd"),)),
        "trailer.Checksum: abc recorded, abd now",
    ),
    (
        "the length that an answer to HEAD tells",
        response(headers=(("Content-Length", "120"),)),
        response(headers=(("Content-Length", "121"),)),
        "header.Content-Length: 120 recorded, 121 now",
    ),
]


@pytest.mark.parametrize(
    ("recorded", "actual", "said"), [bug[1:] for bug in SEEDED_BUGS], ids=[b[0] for b in SEEDED_BUGS]
)
def test_a_seeded_bug_is_found_and_named(recorded: HttpResponse, actual: HttpResponse, said: str) -> None:
    assert words(recorded, actual) == [said]


@pytest.mark.parametrize(
    ("recorded", "actual"),
    [
        pytest.param(response(b'{"a": 1, "b": 2}'), response(b'{"b":2,"a":1}'), id="names in another order, no spaces"),
        pytest.param(response(b"[1.0, 100, 1e2]"), response(b"[1, 1e2, 100.00]"), id="numbers spelled otherwise"),
        pytest.param(response(b'["\\u00e9\\/"]'), response('["é/"]'.encode()), id="escapes"),
        pytest.param(
            response(ORDER, (*JSON, ("Date", "Mon"), ("Connection", "close, X-Hop"), ("X-Hop", "1"))),
            response(ORDER, (("content-type", "application/json"), ("date", "Tue"), ("Transfer-Encoding", "chunked"))),
            id="what speaks of one connection",
        ),
        pytest.param(
            response(b'{"a":1}', (*JSON, ("Content-Length", "7"))),
            response(b'{"a": 1}', (*JSON, ("Content-Length", "8"))),
            id="a length of the same JSON",
        ),
        pytest.param(
            response(gzip.compress(b'{"a":1}', 1), (*JSON, ("Content-Encoding", "gzip"))),
            response(gzip.compress(b'{"a": 1}', 9), (*JSON, ("Content-Encoding", "gzip"))),
            id="compressed otherwise",
        ),
        pytest.param(
            response(b'{"a": 1}', (("Content-Type", "text/plain; charset=utf-8"),)),
            response(b'{ "a": 1 }', (("Content-Type", "text/plain; charset=utf-8"),)),
            id="JSON that calls itself text",
        ),
    ],
)
def test_what_means_the_same_is_equal(recorded: HttpResponse, actual: HttpResponse) -> None:
    assert words(recorded, actual) == []


def test_what_no_parser_agrees_on_is_compared_as_text() -> None:
    assert words(response(b'{"a": 1, "a": 2}'), response(b'{"a": 2}')) != []
    assert words(response(b"[NaN]"), response(b"[ NaN ]")) != []
    assert words(response(b"[NaN]"), response(b"[NaN]")) == []


def test_a_body_that_is_not_what_its_coding_says_is_compared_by_bytes() -> None:
    coded = (*JSON, ("Content-Encoding", "gzip"))
    assert words(response(b"no gzip", coded), response(b"no gzip", coded)) == []
    assert words(response(b"no gzip", coded), response(b"no gzap", coded)) == ["body: the body is not valid gzip"]


def test_deep_json_is_compared_without_falling_over() -> None:
    deep, other = b"[" * 5000 + b"1" + b"]" * 5000, b"[" * 5000 + b"2" + b"]" * 5000
    assert words(response(deep), response(deep)) == []
    assert len(words(response(deep), response(other))) == 1
    medium, changed = (b'{"a":' * 480 + digit + b"}" * 480 for digit in (b"1", b"2"))
    assert len(words(response(medium), response(changed))) == 1


def test_charset_is_applied_before_text_is_compared() -> None:
    latin = (("Content-Type", "text/plain; charset=latin-1"),)
    [said] = words(response("né".encode("latin-1"), latin), response("ne".encode("latin-1"), latin))
    assert said == "body differs at line 1, column 2: né recorded, ne now"


def test_large_bodies_in_files_are_compared_piece_by_piece(tmp_path: Path) -> None:
    def body(name: str, changed: int | None) -> FileBody:
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(40 * 1024 * 1024)
            if changed is not None:
                file.seek(changed)
                file.write(b"\x01")
        return FileBody(path, 40 * 1024 * 1024, name)

    one, same, other = body("one", None), body("same", None), body("other", 35_000_001)
    as_file = [HttpResponse(status=200, headers=PNG, body=each) for each in (one, same, other)]
    assert words(as_file[0], as_file[1]) == []
    assert words(as_file[0], as_file[2]) == ["body: first difference at byte 35000001 of 41943040"]
    assert compare(as_file[0], as_file[2])[0].start == 35_000_001 // 16 * 16 - 32


def test_a_body_that_was_not_kept_is_compared_by_its_hash() -> None:
    recorded, now = (HttpResponse(status=200, headers=PNG, body=FileBody(Path(), 10**8, each)) for each in ("a", "b"))
    assert words(recorded, recorded) == []
    assert words(recorded, now) == [
        "body: too large to show where it differs (100000000 bytes recorded, 100000000 now)"
    ]


def test_a_body_in_a_file_and_one_in_memory_are_compared_as_what_they_mean(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b'{"a": 1}')
    in_file = HttpResponse(status=200, headers=JSON, body=FileBody(tmp_path / "body", 8, "0"))
    assert words(in_file, response(b'{"a":1}')) == []
    assert words(in_file, response(b'{"a":2}')) == ["body.a: 1 recorded, 2 now"]


# -- properties -------------------------------------------------------------------------------------------------

leaves = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


def as_bytes(tree: object) -> bytes:
    return json.dumps(tree, default=float, ensure_ascii=False).encode("utf-8", "surrogatepass")


@given(trees)
def test_any_json_equals_itself_however_it_is_spelled(tree: object) -> None:
    compact = json.dumps(tree, default=float, separators=(",", ":")).encode()
    indented = json.dumps(tree, default=float, indent=2).encode()
    assert compare(response(compact), response(indented)) == ()


@given(st.binary(), st.sampled_from([JSON, HTML, PNG, (), (*JSON, ("Content-Encoding", "gzip"))]))
def test_any_bytes_equal_themselves(body: bytes, headers: Headers) -> None:
    assert compare(response(body, headers), response(body, headers)) == ()


@given(st.binary(), st.binary(), st.sampled_from([HTML, PNG]))
def test_any_other_bytes_are_found(one: bytes, other: bytes, headers: Headers) -> None:
    assert bool(compare(response(one, headers), response(other, headers))) == (one != other)


@st.composite
def tree_and_place(draw: st.DrawFn) -> tuple[dict[str, object], str, list[object]]:
    """A tree with one leaf of which the place is known."""
    names = st.text("abcxyz_", min_size=1, max_size=4)
    tree: object = "the leaf"
    place = ""
    steps: list[object] = []
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            name = draw(names)
            others = draw(st.dictionaries(names, leaves, max_size=3))
            tree = {**others, name: tree}
            place, steps = f".{name}{place}", [name, *steps]
        else:
            before = draw(st.lists(leaves, max_size=3))
            tree = [*before, tree, *draw(st.lists(leaves, max_size=3))]
            place, steps = f"[{len(before)}]{place}", [len(before), *steps]
    return {"root": tree}, f"body.root{place}", ["root", *steps]


@given(tree_and_place(), st.sampled_from(["another", 1, None, True, [], {}]))
def test_any_changed_leaf_is_found_at_its_place(
    drawn: tuple[dict[str, object], str, list[object]], changed: object
) -> None:
    tree, place, steps = drawn
    recorded = response(as_bytes(tree))
    node: object = tree
    for step in steps[:-1]:
        node = node[step]  # type: ignore[index]
    node[steps[-1]] = changed  # type: ignore[index]
    [finding] = compare(recorded, response(as_bytes(tree)))
    assert finding.place == place
    assert finding.kind is (Kind.VALUE if changed == "another" else Kind.TYPE)


def test_findings_are_plain_text() -> None:
    [finding] = compare(response(b'{"a": "x"}'), response(b'{"a": "y"}'))
    assert finding == Finding("body.a", Kind.VALUE, '"x"', '"y"')
