"""Knows which users there are. The order service asks it before it takes an order.

python user_service.py        # http://localhost:5001, or the port in PORT
"""

from __future__ import annotations

import os

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue

USERS = {"user123": "Alice", "user456": "Bob"}

app = Flask(__name__)


@app.get("/users/<user_id>")
def get_user(user_id: str) -> ResponseReturnValue:
    name = USERS.get(user_id)
    if name is None:
        return jsonify({"exists": False}), 404
    return jsonify({"exists": True, "user_id": user_id, "name": name})


if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "5001")))
