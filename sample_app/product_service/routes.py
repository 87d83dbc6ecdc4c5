"""What can be asked of the product service."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from sample_app.product_service.store import ProductStore
from sample_app.shared import auth
from sample_app.shared.database import Row
from sample_app.shared.errors import Conflict, NotFound
from sample_app.shared.validation import Fields, json_object

MOST_AT_ONCE = 1000


def routes(store: ProductStore, secret: str) -> Blueprint:
    blueprint = Blueprint("products", __name__)
    auth.require_login(blueprint, secret)

    @blueprint.get("/products")
    def list_products() -> ResponseReturnValue:
        return jsonify([product_as_json(row) for row in store.all()])

    @blueprint.get("/products/<product_id>")
    def get_product(product_id: str) -> ResponseReturnValue:
        return jsonify(product_as_json(known_product(product_id)))

    @blueprint.post("/products/<product_id>/reserve")
    def reserve(product_id: str) -> ResponseReturnValue:
        quantity = asked_quantity()
        if not store.take(product_id, quantity):
            left = known_product(product_id)["stock"]
            raise Conflict(f"there are only {left} left of product {product_id}")
        return jsonify({"reserved": quantity, "stock": known_product(product_id)["stock"]})

    @blueprint.post("/products/<product_id>/release")
    def release(product_id: str) -> ResponseReturnValue:
        quantity = asked_quantity()
        if not store.give_back(product_id, quantity):
            raise NotFound(f"there is no product {product_id}")
        return jsonify({"released": quantity, "stock": known_product(product_id)["stock"]})

    def known_product(product_id: str) -> Row:
        product = store.by_id(product_id)
        if product is None:
            raise NotFound(f"there is no product {product_id}")
        return product

    return blueprint


def asked_quantity() -> int:
    fields = Fields(json_object())
    quantity = fields.integer("quantity", 1, MOST_AT_ONCE)
    fields.check()
    return quantity


def product_as_json(row: Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "price": float(row["price"]),
        "stock": row["stock"],
    }
