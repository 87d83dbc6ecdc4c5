"""Takes orders. Asks the user service whether the customer exists, and answers with the order's id.

    python order_service.py       # http://localhost:5000, or the port in PORT

`USER_SERVICE_URL` says where the user service is (http://localhost:5001 by default). The order's id comes from
`hash()`, which is different in each Python process unless PYTHONHASHSEED is pinned: rr pins it.
"""

from __future__ import annotations

import os

import requests
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

USER_SERVICE_URL = os.environ.get("USER_SERVICE_URL", "http://localhost:5001").rstrip("/")
TIMEOUT_SECONDS = 3.0

app = Flask(__name__)


class UserServiceDown(Exception):
    """The user service did not give an answer that can be used."""


def user_exists(user_id: str) -> bool:
    try:
        response = requests.get(f"{USER_SERVICE_URL}/users/{user_id}", timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise UserServiceDown(type(error).__name__) from error
    if response.status_code == 404:
        return False
    if not response.ok:
        raise UserServiceDown(f"status {response.status_code}")
    return bool(response.json().get("exists"))


@app.post("/orders")
def create_order() -> ResponseReturnValue:
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        return jsonify({"error": "the body must be a JSON object"}), 400
    user_id, item = data.get("user_id"), data.get("item")
    if not isinstance(user_id, str) or not isinstance(item, str) or not user_id or not item:
        return jsonify({"error": "user_id and item are required"}), 400

    try:
        if not user_exists(user_id):
            return jsonify({"error": f"User {user_id} not found"}), 404
    except UserServiceDown as error:
        return jsonify({"error": f"user-service is unavailable: {error}"}), 502

    order_id = f"ORD-{hash(item + user_id)}"
    return jsonify({"order_id": order_id, "user_id": user_id, "item": item}), 201


if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "5000")))
