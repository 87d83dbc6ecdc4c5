"""How an order comes about, is paid and is cancelled: the work of several services, and what to undo when one fails."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sample_app.order_service.events import OrderEvents
from sample_app.order_service.store import CANCELLED, PAID, PENDING, NewItem, NewOrder, OrderStore
from sample_app.shared.database import Duplicate, Row
from sample_app.shared.errors import ApiError, Conflict, NotFound, Unprocessable
from sample_app.shared.service_client import ServiceClient

log = logging.getLogger(__name__)

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Item:
    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order that somebody wants to place."""

    user_id: str
    items: tuple[Item, ...]
    address_id: str | None

    def fingerprint(self) -> str:
        """Equal for equal orders: an Idempotency-Key stands for one of them."""
        items = [[item.product_id, item.quantity] for item in self.items]
        return hashlib.sha256(json.dumps([self.user_id, items, self.address_id]).encode()).hexdigest()


class Ordering:
    def __init__(self, store: OrderStore, users: ServiceClient, products: ServiceClient, events: OrderEvents) -> None:
        self._store = store
        self._users = users
        self._products = products
        self._events = events

    def create(self, wanted: Wanted, key: str | None) -> tuple[str, str, bool]:
        """The order's id and status, and whether it is new: the same key gets the same order."""
        earlier = self._placed_before(wanted, key)
        if earlier is not None:
            return earlier
        self._users.get(f"/users/{wanted.user_id}")
        address_id = self._address(wanted)
        order_id = str(uuid.uuid4())
        reserved: list[Item] = []
        try:
            items = []
            for item in wanted.items:
                price = Decimal(str(self._products.get(f"/products/{item.product_id}")["price"])).quantize(CENT)
                self._products.post(f"/products/{item.product_id}/reserve", {"quantity": item.quantity})
                reserved.append(item)
                items.append(NewItem(item.product_id, item.quantity, price))
            order = NewOrder(order_id, wanted.user_id, address_id, tuple(items), key, wanted.fingerprint())
            self._store.add(order)
        except Duplicate as error:
            self._release(reserved)
            placed = self._placed_before(wanted, key)
            if placed is None:
                raise Conflict("an order with this Idempotency-Key is being placed") from error
            return placed
        except Exception:
            self._release(reserved)
            raise
        self._events.send(
            "ORDER_CREATED",
            {
                "orderId": order_id,
                "userId": wanted.user_id,
                "items": [{"productId": item.product_id, "quantity": item.quantity} for item in wanted.items],
                "total": str(order.total),
            },
        )
        return order_id, PENDING, True

    def pay(self, order: Row) -> str:
        """Paying twice is paying once."""
        status = order["status"]
        if status == PENDING and self._store.change_status(order["id"], PENDING, PAID):
            self._events.send("ORDER_PAID", {"orderId": order["id"], "userId": order["user_id"]})
            return PAID
        status = self._status_now(order)
        if status != PAID:
            raise Conflict(f"order {order['id']} is {status}: it cannot be paid")
        return PAID

    def cancel(self, order: Row) -> str:
        """What was reserved is free again. Cancelling twice is cancelling once."""
        if order["status"] == PENDING and self._store.change_status(order["id"], PENDING, CANCELLED):
            items = [Item(row["product_id"], row["quantity"]) for row in self._store.items(order["id"])]
            self._release(items)
            self._events.send("ORDER_CANCELLED", {"orderId": order["id"], "userId": order["user_id"]})
            return CANCELLED
        status = self._status_now(order)
        if status != CANCELLED:
            raise Conflict(f"order {order['id']} is {status}: it cannot be cancelled")
        return CANCELLED

    def details(self, order: Row, items: Sequence[Mapping[str, Any]]) -> dict[str, object]:
        """The order's user, address and products, as the services that know them tell."""
        try:
            user = self._users.get(f"/users/{order['user_id']}")
            addresses = self._users.get(f"/users/{order['user_id']}/addresses")
        except NotFound:  # has been deleted since
            user, addresses = None, []
        address = next((one for one in addresses if one["id"] == order["shipping_address_id"]), None)
        named = []
        for item in items:
            product = self._products.get(f"/products/{item['productId']}")
            named.append({**item, "name": product["name"], "description": product["description"]})
        return {"user": user, "shippingAddress": address, "items": named}

    def _placed_before(self, wanted: Wanted, key: str | None) -> tuple[str, str, bool] | None:
        if key is None:
            return None
        order = self._store.by_key(wanted.user_id, key)
        if order is None:
            return None
        if order["fingerprint"] != wanted.fingerprint():
            raise Unprocessable("this Idempotency-Key was used for another order")
        return order["id"], order["status"], False

    def _address(self, wanted: Wanted) -> str:
        """The one that was asked for, if it is the user's; else the user's default address."""
        addresses = self._users.get(f"/users/{wanted.user_id}/addresses")
        for address in addresses:
            if address["id"] == wanted.address_id or (wanted.address_id is None and address["is_default"]):
                return str(address["id"])
        if wanted.address_id is None:
            raise Unprocessable(
                "the user has no default address: say where to send it", {"shippingAddressId": "is required"}
            )
        raise Unprocessable("the request is not valid", {"shippingAddressId": "is no address of this user"})

    def _release(self, items: Sequence[Item]) -> None:
        """Give back as much as can be given back."""
        for item in items:
            try:
                self._products.post(f"/products/{item.product_id}/release", {"quantity": item.quantity})
            except ApiError as error:
                log.warning("%d of product %s stay reserved: %s", item.quantity, item.product_id, error)

    def _status_now(self, order: Row) -> str:
        now = self._store.by_id(order["id"])
        return str(now["status"] if now is not None else order["status"])
