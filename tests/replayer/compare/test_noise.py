"""Noise and assertions: what they silence, and that they silence nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.http.wire import Headers, HttpResponse
from replayer.compare import Rules, compare, noise_of_settings
from testset.errors import SettingsError

JSON: Headers = (("Content-Type", "application/json"),)


def places(
    recorded: bytes, actual: bytes, assertions: dict[str, Any], settings: dict[str, Any] | None = None
) -> list[str]:
    rules = Rules.of(assertions, noise_of_settings(settings or {}))
    one = HttpResponse(status=200, headers=JSON, body=recorded)
    return [finding.place for finding in compare(one, HttpResponse(status=200, headers=JSON, body=actual), rules)]


BEFORE = b'{"id": 1, "at": "2025-01-01", "user": {"id": 2, "at": "x"}, "rows": [{"id": 3}, {"id": 4}], "a.b": 5}'
AFTER = b'{"id": 10, "at": "2026-01-01", "user": {"id": 20, "at": "y"}, "rows": [{"id": 30}, {"id": 40}], "a.b": 50}'
EVERY = ["body.id", "body.at", "body.user.id", "body.user.at", "body.rows[0].id", "body.rows[1].id", 'body["a.b"]']


@pytest.mark.parametrize(
    ("noise", "silenced"),
    [
        ({}, []),
        ({"body.id": []}, ["body.id"]),
        ({"body.user": []}, ["body.user.id", "body.user.at"]),
        ({"body.user.id": []}, ["body.user.id"]),
        ({"body.rows.id": []}, ["body.rows[0].id", "body.rows[1].id"]),
        ({"body.rows.0.id": []}, ["body.rows[0].id"]),
        ({"body.rows[1].id": []}, ["body.rows[1].id"]),
        ({"body.a.b": []}, ['body["a.b"]']),
        ({'body["a.b"]': []}, ['body["a.b"]']),
        ({"body": {"id": []}}, ["body.id"]),  # sections, which made Keploy silence the whole body
        (["body.id", "body.at"], ["body.id", "body.at"]),  # as older releases of Keploy wrote it
        ({"body.at": [r"^\d{4}-\d\d-\d\d$"]}, ["body.at"]),
        ({"body.at": [r"^\d{2}$"]}, []),
        ({"body.i": []}, []),  # no part of a name
        ({"body.ID": []}, []),
        ({"body.user.id.x": []}, []),
        ({"header.Date": []}, []),
        ({"body": []}, EVERY),
        ({"body": {"*": "*"}}, EVERY),
    ],
)
def test_a_rule_silences_its_place_and_nothing_else(noise: Any, silenced: list[str]) -> None:
    assert places(BEFORE, AFTER, {"noise": noise}) == [place for place in EVERY if place not in silenced]


@pytest.mark.parametrize(
    ("noise", "silenced"),
    [
        ({"body": {"id": []}}, ["body.id", "body.user.id", "body.rows[0].id", "body.rows[1].id"]),
        ({"body": {"user.id": []}}, ["body.user.id"]),
        ({"body": {"at": ["^[xy]$"]}}, ["body.user.at"]),
        ({"body": {"*": "*"}}, EVERY),
        ({"header": {"Date": []}}, []),
        ({"url": {"x": []}, "requestBody": {"id": []}}, []),
    ],
)
def test_a_bare_name_in_the_settings_is_meant_at_any_depth(noise: Any, silenced: list[str]) -> None:
    assert places(BEFORE, AFTER, {}, noise) == [place for place in EVERY if place not in silenced]


def test_ignored_altogether_may_be_absent_but_a_pattern_needs_a_value() -> None:
    assert places(b'{"a": 1}', b"{}", {"noise": {"body.a": []}}) == []
    assert places(b'{"a": 1}', b"{}", {"noise": {"body.a": [".*"]}}) == ["body.a"]


@pytest.mark.parametrize(
    ("noise", "found"),
    [
        ({"header.x-request-id": []}, []),
        ({"header.X-Request-Id": ["^[0-9a-f]+$"]}, []),
        ({"header.X-Request-Id": ["^[0-9]+$"]}, ["header.X-Request-Id"]),
        ({"header.Request": []}, ["header.X-Request-Id"]),
        ({"header": {"*": []}}, []),
    ],
)
def test_headers_by_exact_name_without_case(noise: Any, found: list[str]) -> None:
    one = HttpResponse(status=200, headers=(("X-Request-Id", "1a"),))
    other = HttpResponse(status=200, headers=(("X-Request-Id", "2b"),))
    assert [finding.place for finding in compare(one, other, Rules.of({"noise": noise}))] == found


@pytest.mark.parametrize(
    ("assertions", "found"),
    [
        ({"status_code": 200}, []),
        ({"status_code": 201}, ["status"]),
        ({"status_code_class": "2xx"}, []),
        ({"status_code_class": "4xx"}, ["status"]),
        ({"status_code_in": [200, 202]}, []),
        ({"status_code_in": "201, 202"}, ["status"]),
        ({"header_equal": {"etag": "now"}}, []),
        ({"header_equal": {"ETag": "recorded"}}, ["header.ETag"]),
        ({"header_contains": {"ETag": "no"}}, []),
        ({"header_matches": {"ETag": "^[a-z]{3}$"}}, []),
        ({"header_matches": {"ETag": "^[0-9]"}}, ["header.ETag"]),
        ({"header_exists": ["ETag"]}, []),
        ({"header_exists": {"X-Other": None}}, ["header.X-Other", "header.ETag"]),
        ({"json_equal": {"a": 1, "b": {"c": 3}}}, []),
        ({"json_equal": '{"a": 1}'}, ["body.b"]),
        ({"json_contains": {"b": {"c": 3}}}, []),
        ({"json_contains": {"b": {"c": 4}}}, ["body.b.c"]),
        ({"json_contains": '{"z": 1}'}, ["body.z"]),
    ],
)
def test_an_assertion_takes_the_place_of_what_was_recorded_there(assertions: Any, found: list[str]) -> None:
    """Status, ETag and body all differ from the recording: what the assertion does not speak of stays a finding."""
    recorded = HttpResponse(status=500, headers=(*JSON, ("ETag", "recorded")), body=b"[]")
    actual = HttpResponse(status=200, headers=(*JSON, ("ETag", "now")), body=b'{"a": 1, "b": {"c": 3}}')
    kind = next(iter(assertions)).partition("_")[0].replace("json", "body")
    findings = compare(recorded, actual, Rules.of(assertions))
    assert [finding.place for finding in findings if finding.place.startswith((kind, "header.X-"))] == found
    assert {finding.place.partition(".")[0] for finding in findings} >= {"status", "header", "body"} - {kind}


@pytest.mark.parametrize(
    ("assertions", "said"),
    [
        ({"noise": {"created_at": []}}, "no part of a response"),
        ({"noise": {"body.a": ["("]}}, "no regular expression"),
        ({"status_code_class": "2xy"}, "status_code_class"),
        ({"header_matches": {"ETag": "("}}, "no regular expression"),
        ({"header_equal": "ETag"}, "no mapping"),
        ({"json_equal": "{"}, "no JSON"),
        ({"status_code_inn": [1]}, "does not know"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_an_error(assertions: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Rules.of(assertions)
