"""What goes wrong in rr itself while it serves an app: a bug, told with the test that it happened in."""

from __future__ import annotations

import asyncio
from typing import Any


def note_faults(faults: list[str]) -> None:
    """What goes wrong in rr while it serves is noted for every set that runs: it cannot be told whose it was."""
    loop = asyncio.get_running_loop()
    others = loop.get_exception_handler()

    def note(loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
        faults.append(_fault(facts))
        if others is not None:
            others(loop, facts)

    loop.set_exception_handler(note)


def _fault(facts: dict[str, Any]) -> str:
    """What went wrong in rr itself, in a line: a bug, and to be reported as one."""
    error = facts.get("exception")
    what = f"{type(error).__name__}: {error}" if error is not None else str(facts.get("message", "unknown"))
    return f"rr itself failed while it served the app ({what}); please report it, with what `rr test --debug` prints"
