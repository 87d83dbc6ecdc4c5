"""Random ids and nonces in every response, and in what is asked of the dependency.

python -m hard.nonces PORT DEPENDENCY
"""

from __future__ import annotations

import random
import secrets
import sys
import uuid
from typing import Any

from .serving import Answer, Asked, call, serve

ORDERS: dict[str, dict[str, Any]] = {}
TOKENS: dict[str, str] = {}


def said(body: dict[str, Any], status: int = 200, **headers: str) -> Answer:
    nonce = secrets.token_urlsafe(24)
    trace = uuid.uuid4().hex
    return Answer(
        {**body, "nonce": nonce, "spark": random.random(), "short": secrets.token_hex(4)},
        {"X-Request-Id": str(uuid.uuid4()), "X-Trace": trace, "ETag": f'"{secrets.token_hex(16)}"', **headers},
        status,
    )


def login(asked: Asked) -> Answer:
    token = secrets.token_urlsafe(32)
    TOKENS[token] = asked.body["user"]
    return said({"token": token, "user": asked.body["user"], "scopes": ["read", "write"]}, 201)


def order(asked: Asked) -> Answer:
    token = asked.headers["authorization"].removeprefix("Bearer ")
    number = str(uuid.uuid4())
    reference = f"ORD-{secrets.token_hex(8)}"
    made = {
        "id": number,
        "reference": reference,
        "by": TOKENS[token],
        "amount": asked.body["amount"],
        "currency": "EUR",
    }
    stored = call("POST", f"{STORE}/echo/orders", {**made, "key": str(uuid.uuid4())}, {"X-Token": token})
    ORDERS[number] = made
    call("POST", f"{STORE}/echo/audit", {"order": number, "token": token, "what": "placed"})
    return said({**made, "stored": stored["id"]}, 201, Location=f"/orders/{number}")


def show(asked: Asked) -> Answer:
    made = ORDERS[asked.rest]
    price = call("GET", f"{STORE}/status/200?order={made['id']}")
    return said({**made, "price": price["status"], "links": {"self": f"/orders/{made['id']}"}})


def every(_: Asked) -> Answer:
    return said({"count": len(ORDERS), "orders": [{"id": one, "state": "open"} for one in ORDERS]})


def cancel(asked: Asked) -> Answer:
    made = ORDERS[asked.rest]
    call("DELETE", f"{STORE}/echo/orders/{made['id']}", {"reference": made["reference"]})
    return said({"id": made["id"], "state": "cancelled"})


if __name__ == "__main__":
    STORE = sys.argv[2]
    pages = {"POST /login": login, "POST /orders": order, "GET /orders": every, "GET /orders/*": show}
    serve(int(sys.argv[1]), {**pages, "DELETE /orders/*": cancel})
