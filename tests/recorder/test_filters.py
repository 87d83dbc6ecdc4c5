"""Which exchanges are kept."""

from __future__ import annotations

import pytest

from recorder.filters import Filter, from_settings, keeps, parse
from testset.errors import UsageError


def included(*texts: str) -> list[Filter]:
    return [parse(text, include=True) for text in texts]


@pytest.mark.parametrize(
    ("text", "method", "path", "kept"),
    [
        ("/health", "GET", "/health", True),
        ("/health", "GET", "/health?deep=1", True),
        ("/health", "GET", "/health/db", True),
        ("/health", "GET", "/healthy", False),
        ("/api/*", "GET", "/api/v1/orders", True),
        ("/a.b", "GET", "/aXb", False),
        ("GET", "get", "/x", True),
        ("GET,HEAD", "POST", "/x", False),
        ("POST /orders", "POST", "/orders", True),
        ("POST /orders", "GET", "/orders", False),
        ("path=^/v[0-9]+/", "GET", "/v12/x", True),
        ("host=example\\.com$", "GET", "/", False),
        ("host=local", "GET", "/", True),
        ("port=8080", "GET", "/", True),
        ("port=80", "GET", "/", False),
    ],
)
def test_a_filter_of_the_command_line(text: str, method: str, path: str, kept: bool) -> None:
    assert keeps(included(text), method, path, "localhost", 8080) is kept


def test_what_is_excluded_is_not_kept_even_if_included() -> None:
    both = [*included("/api/*"), parse("GET /api/health", include=False)]
    assert keeps(both, "GET", "/api/orders", "h", 1)
    assert not keeps(both, "GET", "/api/health", "h", 1)
    assert not keeps(both, "GET", "/other", "h", 1)


def test_without_an_include_everything_else_is_kept() -> None:
    assert keeps([parse("DELETE", include=False)], "GET", "/", "h", 1)
    assert keeps([], "GET", "/", "h", 1)


def test_several_includes_are_alternatives() -> None:
    assert all(keeps(included("/a", "/b"), "GET", path, "h", 1) for path in ("/a", "/b"))


@pytest.mark.parametrize("any_of", [True, False])
def test_the_settings_say_whether_one_condition_is_enough(any_of: bool) -> None:
    one = from_settings(path="^/a", host=None, port=None, methods=("post",), include=True, any_of=any_of)
    assert keeps([one], "POST", "/a", "h", 1)
    assert keeps([one], "GET", "/a", "h", 1) is any_of


@pytest.mark.parametrize("text", ["", "   ", "port=x", "path=(", "GET;POST"])
def test_what_cannot_be_meant_is_an_error_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text, include=True)
    assert "path=<regex>" in raised.value.remedy
