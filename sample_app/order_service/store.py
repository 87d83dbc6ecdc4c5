"""Orders and their items in the database."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sample_app.shared.database import Pool, Row, first

PENDING, PAID, CANCELLED = STATUSES = ("PENDING", "PAID", "CANCELLED")

ORDER = "SELECT id, user_id, status, total, shipping_address_id, fingerprint, created_at FROM orders"


@dataclass(frozen=True, slots=True)
class NewItem:
    product_id: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class NewOrder:
    order_id: str
    user_id: str
    address_id: str
    items: tuple[NewItem, ...]
    key: str | None
    fingerprint: str

    @property
    def total(self) -> Decimal:
        return sum((item.price * item.quantity for item in self.items), Decimal())


class OrderStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def close(self) -> None:
        self._pool.close()

    def add(self, order: NewOrder) -> None:
        """Raises Duplicate when the user has an order with this key."""
        with self._pool.transaction() as work:
            work.change(
                "INSERT INTO orders (id, user_id, status, total, shipping_address_id, idempotency_key, fingerprint)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (
                    order.order_id, order.user_id, PENDING, str(order.total), order.address_id, order.key,
                    order.fingerprint,
                ),
            )  # fmt: skip
            for position, item in enumerate(order.items):
                work.change(
                    "INSERT INTO order_items (order_id, position, product_id, quantity, price)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (order.order_id, position, item.product_id, item.quantity, str(item.price)),
                )

    def by_id(self, order_id: str) -> Row | None:
        with self._pool.transaction() as work:
            return first(work.rows(f"{ORDER} WHERE id = %s", (order_id,)))

    def by_key(self, user_id: str, key: str) -> Row | None:
        with self._pool.transaction() as work:
            return first(work.rows(f"{ORDER} WHERE user_id = %s AND idempotency_key = %s", (user_id, key)))

    def of_user(self, user_id: str, status: str | None, limit: int) -> list[Row]:
        """The newest first."""
        condition, values = "user_id = %s", [user_id]
        if status is not None:
            condition, values = f"{condition} AND status = %s", [*values, status]
        with self._pool.transaction() as work:
            return work.rows(f"{ORDER} WHERE {condition} ORDER BY created_at DESC LIMIT %s", (*values, limit))

    def items(self, order_id: str) -> list[Row]:
        with self._pool.transaction() as work:
            return work.rows(
                "SELECT product_id, quantity, price FROM order_items WHERE order_id = %s ORDER BY position", (order_id,)
            )

    def change_status(self, order_id: str, before: str, after: str) -> bool:
        """False when it was not in the status `before`."""
        with self._pool.transaction() as work:
            changed = work.change(
                "UPDATE orders SET status = %s WHERE id = %s AND status = %s", (after, order_id, before)
            )
        return changed == 1
