"""Uses the order service as a customer would: orders that work, one for nobody, and some that are incomplete.

python traffic.py --base-url http://localhost:5000
"""

from __future__ import annotations

import argparse
import json
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# (what is posted, the status that must come back)
ORDERS: list[tuple[object, int]] = [
    ({"user_id": "user123", "item": "Laptop"}, 201),
    ({"user_id": "user456", "item": "Kaffeemühle"}, 201),
    ({"user_id": "nonexistent_user", "item": "Keyboard"}, 404),
    ({"item": "Mouse"}, 400),
    ({"user_id": "user123"}, 400),
]


def post_order(base_url: str, order: object) -> tuple[int, str]:
    request = Request(
        f"{base_url}/orders",
        data=json.dumps(order, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def play(base_url: str) -> list[str]:
    """Send every order; returns what was not as expected, one line each."""
    wrong = []
    for order, expected in ORDERS:
        status, body = post_order(base_url, order)
        if status != expected:
            wrong.append(f"{json.dumps(order)}: expected {expected}, got {status} {body.strip()}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Send a few orders to the order service.")
    parser.add_argument("--base-url", default="http://localhost:5000")
    base_url: str = parser.parse_args().base_url.rstrip("/")
    wrong = play(base_url)
    print("\n".join(wrong) if wrong else f"{len(ORDERS)} orders sent, all answered as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
