"""Products in the database."""

from __future__ import annotations

from sample_app.shared.database import Pool, Row, first

PRODUCT = "SELECT id, name, description, price, stock FROM products"


class ProductStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def close(self) -> None:
        self._pool.close()

    def all(self) -> list[Row]:
        with self._pool.transaction() as work:
            return work.rows(f"{PRODUCT} ORDER BY name")

    def by_id(self, product_id: str) -> Row | None:
        with self._pool.transaction() as work:
            return first(work.rows(f"{PRODUCT} WHERE id = %s", (product_id,)))

    def take(self, product_id: str, quantity: int) -> bool:
        """False when there are not that many, or no such product."""
        with self._pool.transaction() as work:
            changed = work.change(
                "UPDATE products SET stock = stock - %s WHERE id = %s AND stock >= %s",
                (quantity, product_id, quantity),
            )
        return changed == 1

    def give_back(self, product_id: str, quantity: int) -> bool:
        """False when there is no such product."""
        with self._pool.transaction() as work:
            return work.change("UPDATE products SET stock = stock + %s WHERE id = %s", (quantity, product_id)) == 1
