"""Tokens that say the same at another moment: whoever logs in twice within a second gets one token twice, by chance."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from replayer.story import Answer
from replayer.story.reissued import is_reissued
from tests.replayer.story.telling import SECOND, Recording, Run

NOW = 1_756_985_448
TOLERANCE = 5 * SECOND


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(text: str) -> str:
    return f"{text}.{part(hashlib.sha256(text.encode()).digest())}"


def jwt(**claims: Any) -> str:
    return signed(part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode()))


def session(data: dict[str, Any], at: int) -> str:
    return signed(part(json.dumps(data).encode()) + "." + part(at.to_bytes(4, "big")))


ALICE = jwt(sub="alice", iat=NOW, exp=NOW + 3600)
LATER = jwt(sub="alice", iat=NOW + 1, exp=NOW + 3601)


@pytest.mark.parametrize(
    ("later", "is_one"),
    [
        (LATER, True),
        (jwt(sub="alice", iat=NOW - 1, exp=NOW + 3599), True),
        (jwt(sub="bob", iat=NOW + 1, exp=NOW + 3601), False),
        (jwt(sub="alice", iat=NOW + 6, exp=NOW + 3606), False),
        (jwt(sub="alice", iat=NOW, exp=NOW + 7200), False),
        (jwt(sub="alice", iat=NOW + 1), False),
        (jwt(sub="alice", role="admin", iat=NOW + 1, exp=NOW + 3601), False),
        (jwt(sub="alice", iat=str(NOW + 1), exp=NOW + 3601), False),
        (jwt(sub="alice", iat=10**400, exp=NOW + 3600), False),
        (signed(ALICE.partition(".")[0] + "." + part(b"[" * 100_000)), False),
        (ALICE[:-1], False),
        (ALICE.rpartition(".")[0] + "." + part(b"another signature"), False),
        ("eyJhbGciOiJIUzI1NiJ9.%%%.x", False),
        ("", False),
    ],
)
def test_the_same_claims_at_another_moment(later: str, is_one: bool) -> None:
    assert is_reissued(ALICE, later, TOLERANCE) is is_one


def test_a_signed_cookie_carries_its_moment_too() -> None:
    cookie = session({"user": 7}, NOW)
    assert is_reissued(cookie, session({"user": 7}, NOW + 1), TOLERANCE)
    assert not is_reissued(cookie, session({"user": 8}, NOW + 1), TOLERANCE)
    assert not is_reissued(cookie, session({"user": 7}, NOW + 60), TOLERANCE)


def logins(
    recorded: tuple[str, str], now: tuple[str, str], *, other_user: bool = False, apart: int = 0
) -> tuple[Run, Answer]:
    """Two logins were answered with tokens, and are answered with others now."""
    story = Recording()
    for number, token in enumerate(recorded):
        story.test("POST /login", {"user": "bob" if number and other_user else "alice"}, answer={"token": token})
        story.now_ns += apart * SECOND
    run = story.replay().begin("test-1")
    assert run.answers({"token": now[0]}, "test-1").unfollowed == ()
    run.end()
    return run, run.begin("test-2").answers({"token": now[1]}, "test-2")


@pytest.mark.parametrize(("first", "second"), [(ALICE, LATER), (LATER, ALICE)])
def test_two_logins_of_one_second_may_be_of_two(first: str, second: str) -> None:
    run, answer = logins((ALICE, ALICE), (first, second))
    assert answer.unfollowed == ()
    assert answer.forgive("body.token", first, second) == "a token, issued once more"
    assert run.replay.rename_request(f"Bearer {ALICE}") == f"Bearer {first}"


def test_a_second_login_as_somebody_else_is_seen() -> None:
    bob = jwt(sub="bob", iat=NOW + 1, exp=NOW + 3601)
    _, answer = logins((ALICE, ALICE), (ALICE, bob))
    assert [one.place for one in answer.unfollowed] == ["body.token"]
    assert answer.forgive("body.token", ALICE, bob) is None


SEALED = ('{{secret "jwt-1"}}', '{{secret "jwt-2"}}')


@pytest.mark.parametrize("recorded", [(ALICE, LATER), SEALED])
@pytest.mark.parametrize("token", [ALICE, LATER])
def test_two_logins_of_two_seconds_may_be_of_one(recorded: tuple[str, str], token: str) -> None:
    run, answer = logins(recorded, (token, token))
    assert answer.unfollowed == ()
    assert answer.names.get(recorded[1], recorded[1]) == token
    for name in recorded:
        assert run.replay.rename_request(f"Bearer {name}") == f"Bearer {token}"


def test_one_token_for_two_users_is_seen() -> None:
    _, answer = logins(SEALED, (ALICE, ALICE), other_user=True)
    assert [one.place for one in answer.unfollowed] == ["body.token"]


def test_one_token_for_two_logins_that_were_far_apart_is_seen() -> None:
    _, answer = logins(SEALED, (ALICE, ALICE), apart=60)
    assert [one.place for one in answer.unfollowed] == ["body.token"]


def test_one_token_without_a_moment_for_two_logins_is_seen() -> None:
    token = jwt(sub="alice", jti="f2c1f1ac9b1d4b0c")
    _, answer = logins(SEALED, (token, token))
    assert [one.place for one in answer.unfollowed] == ["body.token"]
