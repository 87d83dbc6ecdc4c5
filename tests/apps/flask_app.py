"""The test app in Flask; its routes are in README.md. `python flask_app.py` or `gunicorn -w 4 flask_app:app`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import requests
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

USERS_URL = os.environ.get("USERS_URL", "http://localhost:5001")
STOCK_URL = os.environ.get("STOCK_URL", "http://localhost:5001")
ORDER = {
    "id": 7,
    "customer": "Zoë",
    "total": 1234.5,
    "paid": True,
    "note": None,
    "items": [{"sku": "A-1", "quantity": 2}],
}

app = Flask(__name__)


def ask(method: str, url: str, **options: Any) -> Any:
    response = requests.request(method, url, timeout=5, **options)
    response.raise_for_status()
    return response.json()


@app.get("/health")
def health() -> ResponseReturnValue:
    return Response("ok\n", mimetype="text/plain")


@app.get("/json")
def send_json() -> ResponseReturnValue:
    return jsonify(ORDER)


@app.get("/text")
def send_text() -> ResponseReturnValue:
    return Response("Grüße\nfrom the order service\n", mimetype="text/plain")


@app.get("/html")
def send_html() -> ResponseReturnValue:
    return Response("<!doctype html>\n<h1>Orders</h1>\n", mimetype="text/html")


@app.get("/binary")
def send_binary() -> ResponseReturnValue:
    return Response(bytes(range(256)), mimetype="application/octet-stream")


@app.get("/big")
def send_big() -> ResponseReturnValue:
    return Response(b"0123456789abcdef" * 65536, mimetype="application/octet-stream")


@app.get("/stream")
def stream() -> ResponseReturnValue:
    def lines() -> Iterator[str]:
        for line in range(1, 6):
            yield f"line {line}\n"

    return Response(lines(), mimetype="text/plain")


@app.get("/headers")
def echo_headers() -> ResponseReturnValue:
    response = jsonify(
        {name.lower(): value for name, value in sorted(request.headers.items()) if name.startswith("X-")}
    )
    response.headers["X-Served-By"] = "orders"
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; Path=/")
    return response


@app.get("/status/<int:code>")
def send_status(code: int) -> ResponseReturnValue:
    return jsonify({"status": code}), code


@app.post("/form")
def form() -> ResponseReturnValue:
    return jsonify(request.form.to_dict())


@app.post("/upload")
def upload() -> ResponseReturnValue:
    body = request.get_data()
    return jsonify({"size": len(body), "sha256": hashlib.sha256(body).hexdigest()})


@app.get("/orders/<order_id>")
def get_order(order_id: str) -> ResponseReturnValue:
    user = ask("GET", f"{USERS_URL}/users/{order_id}")
    return jsonify({"id": order_id, "user": user["name"]})


@app.get("/orders/<order_id>/full")
def get_full_order(order_id: str) -> ResponseReturnValue:
    user = ask("GET", f"{USERS_URL}/users/{order_id}")
    stock = ask("GET", f"{STOCK_URL}/stock/{order_id}")
    price = ask("GET", f"{STOCK_URL}/prices/{order_id}")
    return jsonify({"id": order_id, "user": user["name"], "in_stock": stock["quantity"], "price": price["amount"]})


@app.post("/orders")
def create_order() -> ResponseReturnValue:
    order = request.get_json()
    wanted = {"sku": order["sku"], "quantity": order["quantity"]}
    reservation = ask("POST", f"{STOCK_URL}/reservations", json=wanted)
    return jsonify({"sku": order["sku"], "reservation": reservation["id"]}), 201


@app.delete("/orders/<order_id>")
def delete_order(order_id: str) -> ResponseReturnValue:
    return "", 204


@app.get("/relay/<path:page>")
def relay(page: str) -> ResponseReturnValue:
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    answer = requests.get(f"{USERS_URL}/{page}{query}", timeout=5)
    kind = answer.headers.get("Content-Type", "application/octet-stream")
    return Response(answer.content, answer.status_code, content_type=kind)


@app.errorhandler(requests.RequestException)
def dependency_failed(error: requests.RequestException) -> ResponseReturnValue:
    return jsonify({"error": "the dependency failed", "kind": type(error).__name__}), 502


if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "5000")))
