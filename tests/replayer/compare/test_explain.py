"""Findings as a person reads them."""

from __future__ import annotations

import timeit

from protocols.http.wire import HttpResponse
from replayer.compare import Finding, Kind, Rules, compare
from replayer.compare.explain import cut, diff, in_words


def diffed(recorded: bytes, actual: bytes, kind: str = "text/html") -> list[str]:
    one, other = (HttpResponse(status=200, headers=(("Content-Type", kind),), body=body) for body in (recorded, actual))
    return [str(line) for finding in compare(one, other) for line in diff(finding)]


def test_json_is_shown_by_path() -> None:
    assert diffed(b'{"a": {"b": [1, 2]}, "c": 1}', b'{"a": {"b": [1, "2"]}, "d": 1}', "application/json") == [
        "- body.a.b[1]: 2",
        '+ body.a.b[1]: "2"   (number recorded, string now)',
        "- body.c: 1   (missing now)",
        "+ body.d: 1   (not in the recording)",
    ]


def test_text_is_shown_as_a_unified_diff() -> None:
    lines = [f"line {number}" for number in range(1, 11)]
    before = "\n".join(lines).encode()
    assert diffed(before, before.replace(b"line 7", b"line seven")) == [
        "@ line 5",
        "  line 5",
        "  line 6",
        "- line 7",
        "+ line seven",
        "  line 8",
        "  line 9",
    ]


def test_line_ends_show_when_they_are_all_that_differs() -> None:
    assert diffed(b"a\n", b"a\r\n") == ["- a", "+ a\\r"]
    assert diffed(b"a\n", b"a") == ["- a\\n", "+ a"]


def test_bytes_are_shown_as_a_window_of_hex() -> None:
    before = bytes(range(256))
    shown = diffed(before, before[:200] + b"\x00" + before[201:], "image/png")
    assert [line[:2] + line[2:10] for line in shown[:4]] == ["  000000a0", "  000000b0", "- 000000c0", "+ 000000c0"]
    assert " c8 " in shown[2]
    assert len(shown) <= 8


def test_long_values_are_cut_around_what_differs() -> None:
    before, after = "x" * 500 + "A" + "y" * 500, "x" * 500 + "B" + "y" * 500
    said = in_words(Finding("body.text", Kind.VALUE, before, after))
    assert "xA" in said
    assert "xB" in said
    assert len(said) < 250
    assert cut("a" * 50 + "b" * 50, 11) == "aaaaa…bbbbb"


def test_no_control_code_of_the_app_reaches_a_terminal() -> None:
    said = in_words(Finding("body.name", Kind.VALUE, '"x"', "\x1b[31mred\u202e\x00"))
    assert said == 'body.name: "x" recorded, \\x1b[31mred\\x202e\\x00 now'


def test_an_equal_response_of_a_kilobyte_is_compared_in_microseconds() -> None:
    body = b'{"items": [' + b", ".join(b'{"id": %d, "name": "thing"}' % number for number in range(40)) + b"]}"
    headers = (*((f"X-Header-{number}", "value") for number in range(6)), ("Content-Type", "application/json"))
    one = HttpResponse(status=200, headers=(*headers, ("Date", "then")), body=body)
    other = HttpResponse(status=200, headers=(*headers, ("Date", "now")), body=body)
    rules = Rules.of({"noise": {"header.Date": [], "body.created_at": []}})
    best = min(timeit.repeat(lambda: compare(one, other, rules), number=100, repeat=10)) / 100
    assert len(body) > 1000
    assert best < 40e-6, f"{best * 1e6:.0f} µs for an equal response"
