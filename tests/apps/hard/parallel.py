"""Much at once: each request asks two dependencies from several threads, and requests come while others are in work.

python -m hard.parallel PORT DEPENDENCY OTHER_DEPENDENCY
"""

from __future__ import annotations

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .serving import Answer, Asked, call, serve

WORKERS = 6


def basket(asked: Asked) -> Answer:
    number = str(uuid.uuid4())
    with ThreadPoolExecutor(WORKERS) as workers:
        user = workers.submit(call, "GET", f"{USERS}/users/{asked.body['user']}")
        stocks = [workers.submit(call, "GET", f"{STOCK}/stock/{item}") for item in asked.body["items"]]
        prices = [workers.submit(call, "GET", f"{USERS}/prices/{item}") for item in asked.body["items"]]
    lines = [
        {"item": stock.result()["id"], "left": stock.result()["quantity"], "price": price.result()["amount"]}
        for stock, price in zip(stocks, prices, strict=True)
    ]
    with ThreadPoolExecutor(WORKERS) as workers:
        for item in asked.body["items"]:
            workers.submit(call, "POST", f"{STOCK}/echo/reserve", {"basket": number, "item": item, "count": 1})
        workers.submit(call, "PUT", f"{USERS}/echo/baskets/{number}", {"user": asked.body["user"]})
    return Answer({"id": number, "user": user.result()["name"], "lines": lines, "request": str(uuid.uuid4())}, {}, 201)


def look(asked: Asked) -> Answer:
    def both(url: str) -> Any:
        return call("GET", url)

    with ThreadPoolExecutor(WORKERS) as workers:
        one, other = workers.map(both, (f"{STOCK}/stock/{asked.rest}", f"{USERS}/prices/{asked.rest}"))
    return Answer({"left": one["quantity"], "price": other["amount"], "request": str(uuid.uuid4())})


if __name__ == "__main__":
    USERS, STOCK = sys.argv[2], sys.argv[3]
    serve(int(sys.argv[1]), {"POST /baskets": basket, "GET /look/*": look})
