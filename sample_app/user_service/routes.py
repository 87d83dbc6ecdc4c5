"""What can be asked of the user service."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.security import check_password_hash, generate_password_hash

from sample_app.shared import auth
from sample_app.shared.database import Duplicate, Row
from sample_app.shared.errors import Conflict, NotFound, Unauthorized
from sample_app.shared.validation import Fields, json_object
from sample_app.user_service.store import Address, UserStore


def routes(store: UserStore, secret: str) -> Blueprint:
    everything = Blueprint("users", __name__)
    with_login = Blueprint("users_with_login", __name__)
    auth.require_login(with_login, secret)

    @everything.post("/login")
    def login() -> ResponseReturnValue:
        fields = Fields(json_object())
        username, password = fields.text("username", 50), fields.text("password", 200)
        fields.check()
        user = store.by_name(username)
        if user is None or not check_password_hash(user["password_hash"], password):
            raise Unauthorized("the username or the password is wrong")
        return jsonify({"token": auth.issue_token(auth.Caller(user["id"], user["username"], user["role"]), secret)})

    @with_login.post("/users")
    def create_user() -> ResponseReturnValue:
        auth.caller().must_be_admin()
        fields = Fields(json_object())
        username, email = fields.text("username", 50, shortest=3), fields.email("email")
        password = fields.text("password", 200, shortest=8)
        fields.check()
        try:
            user_id = store.add(username, email, generate_password_hash(password), auth.CUSTOMER)
        except Duplicate as error:
            raise Conflict("there is a user with this username or e-mail address already") from error
        return jsonify({"id": user_id, "username": username, "email": email}), HTTPStatus.CREATED

    @with_login.get("/users/<user_id>")
    def get_user(user_id: str) -> ResponseReturnValue:
        return jsonify(user_as_json(known_user(user_id)))

    @with_login.delete("/users/<user_id>")
    def delete_user(user_id: str) -> ResponseReturnValue:
        auth.caller().must_be_allowed_for(user_id)
        if not store.remove(user_id):
            raise NotFound(f"there is no user {user_id}")
        return jsonify({"deleted": True})

    @with_login.post("/users/<user_id>/addresses")
    def add_address(user_id: str) -> ResponseReturnValue:
        known_user(user_id)
        fields = Fields(json_object())
        address = Address(
            line1=fields.text("line1", 120),
            city=fields.text("city", 80),
            state=fields.text("state", 80),
            postal_code=fields.text("postal_code", 20),
            country=fields.text("country", 2, shortest=2),
            phone=fields.optional_text("phone", 40),
            is_default=fields.flag("is_default"),
        )
        fields.check()
        return jsonify({"id": store.add_address(user_id, address)}), HTTPStatus.CREATED

    @with_login.get("/users/<user_id>/addresses")
    def list_addresses(user_id: str) -> ResponseReturnValue:
        known_user(user_id)
        return jsonify([address_as_json(row) for row in store.addresses(user_id)])

    def known_user(user_id: str) -> Row:
        auth.caller().must_be_allowed_for(user_id)
        user = store.by_id(user_id)
        if user is None:
            raise NotFound(f"there is no user {user_id}")
        return user

    everything.register_blueprint(with_login)
    return everything


def user_as_json(row: Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "createdAt": row["created_at"].isoformat(timespec="seconds") + "Z",
    }


def address_as_json(row: Row) -> dict[str, object]:
    names = ("id", "line1", "city", "state", "postal_code", "country", "phone")
    return {**{name: row[name] for name in names}, "is_default": bool(row["is_default"])}
