"""Tokens of an app's making, as chance makes them: whatever one looks like, what the app calls it now is sent next."""

from __future__ import annotations

import base64
import random

from tests.replayer.story.telling import Recording

SOURCE = random.Random(20261121)
MANY = 3000


def token() -> str:
    return base64.urlsafe_b64encode(SOURCE.randbytes(18)).decode()


def follows(recorded: str, now: str) -> bool:
    """Whether the next request has the token as it is called now."""
    story = Recording()
    story.test("POST /cart", answer={"form": recorded, "items": 1})
    story.test("POST /checkout", headers={"X-Form": recorded}, answer={"state": "paid"})
    run = story.replay().begin()
    run.answers({"form": now, "items": 1})
    return run.replay.rename_request(f"X-Form: {recorded}") == f"X-Form: {now}"


def test_a_token_is_followed_whatever_it_looks_like() -> None:
    pairs = [(token(), token()) for _ in range(MANY)]
    lost = [pair for pair in pairs if not follows(*pair)]
    assert len(lost) <= MANY // 1000, lost


def test_a_word_is_not_followed() -> None:
    assert not follows("iPhone12ProMax256GBBlack", "iPhone13ProMax512GBWhite")
    assert not follows("getUserByIdAndName2V3", "getUserByIdAndName3V4")
