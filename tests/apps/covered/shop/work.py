"""One function for each way to run."""

import time
from typing import Any


def in_thread() -> int:
    return 1


def in_fork() -> int:
    return 2


def in_fork_process() -> int:
    return 3


def in_spawn_process() -> int:
    return 4


def in_forkserver_process() -> int:
    return 5


def in_terminated_process(ready: Any) -> None:
    # one line: whether a second one had begun when the signal came would be chance
    ready.set() or time.sleep(60)  # type: ignore[func-returns-value]
    print("never")
