"""Not deterministic in what it sends, and nothing in it looks made up: which lot it asks for is chance.

python -m hard.chance PORT DEPENDENCY
"""

from __future__ import annotations

import random
import sys

from .serving import Answer, Asked, call, serve


def lot(_: Asked) -> Answer:
    found = call("GET", f"{STORE}/status/200?lot={random.randrange(10**6)}")
    return Answer({"status": found["status"]})


def user(asked: Asked) -> Answer:
    return Answer({"name": call("GET", f"{STORE}/users/{asked.rest}")["name"]})


if __name__ == "__main__":
    STORE = sys.argv[2]
    serve(int(sys.argv[1]), {"GET /lot": lot, "GET /users/*": user})
