"""A shop that numbers its orders as shops do: `A-417`, `418`, from wherever its counter stands when it starts.

python counter_app.py     with PORT and STOCK_URL

Its numbers are no statuses of HTTP. They do not look made up, and are: rr has to be told of them.
"""

from __future__ import annotations

import json
import os
import random
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

COUNTER = iter(range(random.randrange(310, 800), 1000))
ORDERS: dict[str, dict[str, Any]] = {}


def stock(method: str, path: str, body: Any = None) -> Any:
    """What the warehouse says."""
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if sent else {}
    request = urllib.request.Request(os.environ["STOCK_URL"] + path, data=sent, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/orders":
            order = f"A-{next(COUNTER)}"
            ORDERS[order] = {"order": order, "id": next(COUNTER), "item": body["item"], "quantity": body["quantity"]}
            told = stock("POST", "/echo/reservations", {**ORDERS[order], "note": f"for {order}"})
            self.say(201, {**ORDERS[order], "reserved": told["order"]}, Location=f"/orders/{order}")
        else:
            known = ORDERS[body["order"]]
            stock("PUT", f"/echo/orders/{known['order']}", {"id": known["id"], "paid": True})
            self.say(200, {"order": body["order"], "paid": body["id"], "quantity": known["quantity"]})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/search":
            asked = query["order"][0]
            self.say(200, {"found": [ORDERS[asked]], "for": self.headers["X-Order"]})
        elif url.path.startswith("/numbers/"):
            wanted = int(url.path.rpartition("/")[2])
            self.say(200, next(known for known in ORDERS.values() if known["id"] == wanted))
        else:
            known = ORDERS[url.path.rpartition("/")[2]]
            self.say(200, {**known, "left": stock("GET", f"/status/200?order={known['order']}")["status"]})

    def say(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    try:
        ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
