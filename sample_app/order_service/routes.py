"""What can be asked of the order service."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sample_app.order_service.ordering import Item, Ordering, Wanted
from sample_app.order_service.store import STATUSES, OrderStore
from sample_app.shared import auth
from sample_app.shared.database import Row
from sample_app.shared.errors import NotFound, Unprocessable
from sample_app.shared.validation import Fields, json_object, query_integer

MOST_ITEMS = 20
MOST_OF_ONE = 100
LONGEST_KEY = 64


def routes(ordering: Ordering, store: OrderStore, secret: str) -> Blueprint:
    blueprint = Blueprint("orders", __name__)
    auth.require_login(blueprint, secret)

    @blueprint.post("/orders")
    def create_order() -> ResponseReturnValue:
        order_id, status, is_new = ordering.create(wanted_order(), idempotency_key())
        return jsonify({"id": order_id, "status": status}), HTTPStatus.CREATED if is_new else HTTPStatus.OK

    @blueprint.get("/orders")
    def list_orders() -> ResponseReturnValue:
        user_id = request.args.get("userId") or auth.caller().user_id
        auth.caller().must_be_allowed_for(user_id)
        status = request.args.get("status")
        if status is not None and status not in STATUSES:
            raise Unprocessable("the request is not valid", {"status": f"must be one of {', '.join(STATUSES)}"})
        rows = store.of_user(user_id, status, query_integer("limit", 20, 1, 100))
        return jsonify([order_as_json(row) for row in rows])

    @blueprint.get("/orders/<order_id>")
    def get_order(order_id: str) -> ResponseReturnValue:
        order = known_order(order_id)
        return jsonify({**order_as_json(order), "items": [item_as_json(row) for row in store.items(order_id)]})

    @blueprint.get("/orders/<order_id>/details")
    def get_details(order_id: str) -> ResponseReturnValue:
        order = known_order(order_id)
        items = store.items(order_id)
        return jsonify({**order_as_json(order), **ordering.details(order, [item_as_json(row) for row in items])})

    @blueprint.post("/orders/<order_id>/pay")
    def pay(order_id: str) -> ResponseReturnValue:
        return jsonify({"id": order_id, "status": ordering.pay(known_order(order_id))})

    @blueprint.post("/orders/<order_id>/cancel")
    def cancel(order_id: str) -> ResponseReturnValue:
        return jsonify({"id": order_id, "status": ordering.cancel(known_order(order_id))})

    def known_order(order_id: str) -> Row:
        order = store.by_id(order_id)
        if order is None:
            raise NotFound(f"there is no order {order_id}")
        auth.caller().must_be_allowed_for(order["user_id"])
        return order

    return blueprint


def wanted_order() -> Wanted:
    """What the body of the request asks for."""
    data = json_object()
    fields = Fields(data)
    user_id = fields.optional_text("userId", 36) or auth.caller().user_id
    address_id = fields.optional_text("shippingAddressId", 36)
    items = []
    listed = data.get("items")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_ITEMS:
        fields.wrong["items"] = f"must be a list of 1 to {MOST_ITEMS} items"
    else:
        for position, entry in enumerate(listed):
            item = Fields(entry if isinstance(entry, dict) else {})
            items.append(Item(item.text("productId", 36), item.integer("quantity", 1, MOST_OF_ONE)))
            fields.wrong |= {f"items[{position}].{name}": wrong for name, wrong in item.wrong.items()}
    fields.check()
    auth.caller().must_be_allowed_for(user_id)
    return Wanted(user_id, tuple(items), address_id)


def idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > LONGEST_KEY:
        raise Unprocessable("the request is not valid", {"Idempotency-Key": f"has at most {LONGEST_KEY} characters"})
    return key or None


def order_as_json(row: Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "userId": row["user_id"],
        "status": row["status"],
        "total": float(row["total"]),
        "shippingAddressId": row["shipping_address_id"],
        "createdAt": row["created_at"].isoformat(timespec="milliseconds") + "Z",
    }


def item_as_json(row: Row) -> dict[str, object]:
    return {"productId": row["product_id"], "quantity": row["quantity"], "price": float(row["price"])}
