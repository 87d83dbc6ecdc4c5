"""Pages that are not as they were still say what the app calls things now."""

from __future__ import annotations

import json

from replayer.story.lines import pieces_alike

THEN, NOW = (
    "dEZw62n8xsOyB7y3FQvpA9PRDutNGsRgcpQPqf8NJ1VCZRLbqSDUps4UxsQKFb74",
    "0Txq1E0jUJ14mCUBtUIRPxFNoCSxGfDTaDnAd4TdcwGPn2fEzTsQ2VIM8ubCE2Vz",
)
ID, FRESH = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1", "9b0885e4-e6e7-4e27-8ffe-97d87791b0b9"
FORM = '<form><input type="hidden" value="{}"><input name=title></form>'


def test_a_line_that_differs_hides_no_other() -> None:
    then = f"<li>1:36 p.m.</li>\n{FORM.format(THEN)}"
    now = f"<li>1:37 p.m.</li>\n{FORM.format(NOW)}"
    assert list(pieces_alike(then, now)) == [(THEN, NOW)]


def test_tags_are_pieces_as_well() -> None:
    then = f"<a href='/notes/{ID}'>Milk</a> 1:36 {FORM.format(THEN)}"
    now = f"<a href='/notes/{FRESH}'>Milk</a> 1:37 {FORM.format(NOW)}"
    assert list(pieces_alike(then, now)) == [(ID, FRESH), (THEN, NOW)]


def test_what_has_come_in_between_is_passed_over() -> None:
    assert list(pieces_alike(f"a\n{ID} is new\nb", f"a\n{THEN} is old\n{FRESH} is new\nb")) == [(ID, FRESH)]


def test_another_text_around_it_is_another_thing() -> None:
    assert list(pieces_alike(f"id {ID}\n", f"number {FRESH}\n")) == []


def test_long_pages_are_left_alone() -> None:
    page = "\n".join(json.dumps({"id": ID}) for _ in range(2001))
    assert list(pieces_alike(page, page)) == []
