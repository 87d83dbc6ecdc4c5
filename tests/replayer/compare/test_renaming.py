"""Made-up values: the expected response under their new names, and what the story forgives."""

from __future__ import annotations

import pytest

from protocols.http.wire import Headers, HttpResponse
from replayer.compare import compare

JSON: Headers = (("Content-Type", "application/json"),)
A, B = "44b0885e-e6e7-4e27-8ffe-97d87791b0b1", "0d0e4b7a-6c5f-4a55-9d0a-1f3b6a4f7c11"


def response(body: str, headers: Headers = JSON) -> HttpResponse:
    return HttpResponse(status=200, headers=headers, body=body.encode())


@pytest.mark.parametrize(
    "template",
    [
        '{{"id": "{}"}}',
        '{{"url": "http://host/orders/{}/items?x=1"}}',
        '{{"{}": 1}}',
        '["\\u0041", "{}"]',
    ],
)
def test_a_bound_value_must_be_the_new_one(template: str) -> None:
    recorded = response(template.format(A))
    assert compare(recorded, response(template.format(B)), renaming={A: B}) == ()
    assert compare(recorded, response(template.format(A)), renaming={A: B}) != ()  # the recorded id is a stale one
    assert compare(recorded, response(template.format(B))) != ()


def test_a_bound_number_stays_a_number() -> None:
    recorded = response('{"id": 1234567}')
    assert compare(recorded, response('{"id": 7654321}'), renaming={"1234567": "7654321"}) == ()
    assert compare(recorded, response('{"id": "7654321"}'), renaming={"1234567": "7654321"}) != ()


def test_a_short_value_is_renamed_only_as_a_whole() -> None:
    recorded = response('{"id": 7, "text": "7 of 70"}')
    assert compare(recorded, response('{"id": 8, "text": "7 of 70"}'), renaming={"7": "8"}) == ()


def test_headers_and_text_are_renamed_too() -> None:
    recorded = response(f"<a href='/o/{A}'>", (("Location", f"/o/{A}"),))
    assert compare(recorded, response(f"<a href='/o/{B}'>", (("Location", f"/o/{B}"),)), renaming={A: B}) == ()


def test_the_story_is_asked_about_the_value_itself_wherever_it_stands() -> None:
    asked: list[tuple[str, str, str]] = []

    def forgive(place: str, expected: str, actual: str) -> str | None:
        asked.append((place, expected, actual))
        return "made up, bound here" if (expected, actual) == (A, B) else None

    html = (("Content-Type", "text/html"), ("Set-Cookie", f"session={A}; Path=/"), ("Location", f"/orders/{A}"))
    html_now = (("Content-Type", "text/html"), ("Set-Cookie", f"session={B}; Path=/"), ("Location", f"/orders/{B}"))
    assert compare(response(f"<p>{A}</p>", html), response(f"<p>{B}</p>", html_now), forgive=forgive) == ()
    assert {place for place, *values in asked if values == [A, B]} == {"header.Set-Cookie", "header.Location", "body"}
    assert compare(response(f'["{A}"]'), response(f'["{B}"]'), forgive=forgive) == ()
    assert compare(response(f"<p>{A}</p>!", html), response(f"<p>{B}</p>?", html_now), forgive=forgive) != ()


def test_a_swapped_pair_is_an_order_and_not_two_new_names() -> None:
    [finding] = compare(
        response(f'["{A}", "{B}"]'), response(f'["{B}", "{A}"]'), forgive=lambda *_: "made up, bound here"
    )
    assert finding.kind == "order"
