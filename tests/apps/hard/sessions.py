"""Sessions: a cookie for each client, a token against forgery in each form, and all else in the server's memory.

python -m hard.sessions PORT DEPENDENCY
"""

from __future__ import annotations

import secrets
import sys
import uuid
from http.cookies import SimpleCookie
from typing import Any

from .serving import Answer, Asked, call, serve

SESSIONS: dict[str, dict[str, Any]] = {}


def session(asked: Asked) -> dict[str, Any]:
    """Whose it is. The cookie is another one after each step."""
    cookie = SimpleCookie(asked.headers.get("cookie", ""))
    return SESSIONS.get(cookie["sid"].value if "sid" in cookie else "", {})


def with_cookie(body: dict[str, Any], mine: dict[str, Any], status: int = 200) -> Answer:
    sid = secrets.token_hex(20)
    SESSIONS[sid] = mine
    mine["csrf"] = secrets.token_urlsafe(18)
    headers = {"Set-Cookie": f"sid={sid}; Path=/; HttpOnly", "Cache-Control": "no-store"}
    return Answer({**body, "csrf": mine["csrf"]}, headers, status)


def refused(why: str) -> Answer:
    return Answer({"error": why}, status=403)


def login(asked: Asked) -> Answer:
    user = call("GET", f"{SHOP}/users/{asked.body['user']}")
    mine = {"user": user["id"], "cart": [], "number": str(uuid.uuid4())}
    return with_cookie({"name": user["name"], "customer": mine["number"]}, mine, 201)


def add(asked: Asked) -> Answer:
    mine = session(asked)
    if not mine or asked.headers.get("x-csrf") != mine["csrf"]:
        return refused("that form is not ours")
    stock = call("GET", f"{SHOP}/stock/{asked.body['item']}")
    mine["cart"].append({"item": asked.body["item"], "line": str(uuid.uuid4()), "left": stock["quantity"]})
    return with_cookie({"cart": mine["cart"], "items": len(mine["cart"])}, mine)


def cart(asked: Asked) -> Answer:
    mine = session(asked)
    if not mine:
        return refused("who are you?")
    return Answer({"user": mine["user"], "cart": mine["cart"], "customer": mine["number"]})


def checkout(asked: Asked) -> Answer:
    mine = session(asked)
    if not mine or asked.headers.get("x-csrf") != mine["csrf"]:
        return refused("that form is not ours")
    order = {"order": str(uuid.uuid4()), "customer": mine["number"], "lines": [one["line"] for one in mine["cart"]]}
    call("POST", f"{SHOP}/echo/orders", order)
    mine["cart"] = []
    return with_cookie({"order": order["order"], "lines": order["lines"], "state": "paid"}, mine, 201)


if __name__ == "__main__":
    SHOP = sys.argv[2]
    serve(
        int(sys.argv[1]),
        {"POST /login": login, "POST /cart": add, "GET /cart": cart, "POST /checkout": checkout},
    )
