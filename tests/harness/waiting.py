"""Waiting for a condition with a ceiling, so that no test sleeps for a time that somebody guessed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(condition: Callable[[], Value], what: str | Callable[[], str], ceiling: float = 20.0) -> Value:
    """The first true value of `condition`; after `ceiling` seconds the test fails, saying `what` was waited for."""
    deadline = time.monotonic() + ceiling
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {ceiling:g} s for: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
