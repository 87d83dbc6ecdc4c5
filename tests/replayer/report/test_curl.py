"""A request as a line for the shell: what the shell then hands to curl is the request."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.http.wire import HttpRequest
from replayer.report import curl

HOST = ("Host", "localhost:8080")


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (HttpRequest(method="GET", target="/a?b=c d&e", headers=(HOST,)), "curl 'http://localhost:8080/a?b=c d&e'"),
        (
            HttpRequest(method="GET", target="/a", version="2", headers=(HOST,)),
            "curl --http2-prior-knowledge \\\n  http://localhost:8080/a",
        ),
        (HttpRequest(method="HEAD", target="/", headers=(HOST,)), "curl --head \\\n  http://localhost:8080/"),
        (
            HttpRequest(
                method="POST",
                target="/o",
                headers=(HOST, ("Content-Type", "application/json"), ("Content-Length", "9"), ("User-Agent", "x")),
                body=b'{"a": 1}',
            ),
            "curl http://localhost:8080/o \\\n  -H 'Content-Type: application/json' \\\n  --data-raw '{\"a\": 1}'",
        ),
        (
            HttpRequest(method="DELETE", target="/o/{{1}}", headers=(HOST, ("Authorization", '{{secret "jwt-1"}}'))),
            "curl -X DELETE \\\n  --globoff \\\n  'http://localhost:8080/o/{{1}}' \\\n"
            "  -H 'Authorization: {{secret \"jwt-1\"}}'",
        ),
        (
            HttpRequest(method="PUT", target="/p", headers=(HOST,), body=b"\xff\x00"),
            "curl -X PUT \\\n  http://localhost:8080/p \\\n  -H Content-Type: \\\n"
            "  --data-binary @body  # 2 bytes, in the test case's file",
        ),
    ],
)
def test_lines(request_: HttpRequest, line: str) -> None:
    assert curl(request_) == line


def test_a_base_replaces_the_host() -> None:
    assert curl(HttpRequest(method="GET", target="/x", headers=(HOST,)), "http://h:1") == "curl http://h:1/x"


@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1))
def test_any_text_reaches_curl_as_it_is(body: str) -> None:
    request = HttpRequest(method="POST", target="/", headers=(HOST, ("Content-Type", "text/plain")), body=body.encode())
    if len(body) <= 8000:
        assert shlex.split(curl(request).replace(" \\\n", " ", 2))[-1] == body
