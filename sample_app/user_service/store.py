"""Users and addresses in the database."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sample_app.shared import auth
from sample_app.shared.database import Duplicate, Pool, Row, first

USER = "SELECT id, username, email, password_hash, role, created_at FROM users"


@dataclass(frozen=True, slots=True)
class Address:
    line1: str
    city: str
    state: str
    postal_code: str
    country: str
    phone: str | None
    is_default: bool


class UserStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def close(self) -> None:
        self._pool.close()

    def ensure_admin(self, username: str, password_hash: Callable[[], str]) -> None:
        """Somebody has to be able to make the first user."""
        if self.by_name(username) is None:
            try:
                self.add(username, f"{username}@example.com", password_hash(), auth.ADMIN)
            except Duplicate:  # another process of this service was quicker
                return

    def add(self, username: str, email: str, password_hash: str, role: str) -> str:
        user_id = str(uuid.uuid4())
        with self._pool.transaction() as work:
            work.change(
                "INSERT INTO users (id, username, email, password_hash, role) VALUES (%s, %s, %s, %s, %s)",
                (user_id, username, email, password_hash, role),
            )
        return user_id

    def by_id(self, user_id: str) -> Row | None:
        with self._pool.transaction() as work:
            return first(work.rows(f"{USER} WHERE id = %s", (user_id,)))

    def by_name(self, username: str) -> Row | None:
        with self._pool.transaction() as work:
            return first(work.rows(f"{USER} WHERE username = %s", (username,)))

    def remove(self, user_id: str) -> bool:
        with self._pool.transaction() as work:
            work.change("DELETE FROM addresses WHERE user_id = %s", (user_id,))
            return work.change("DELETE FROM users WHERE id = %s", (user_id,)) == 1

    def add_address(self, user_id: str, address: Address) -> str:
        address_id = str(uuid.uuid4())
        with self._pool.transaction() as work:
            if address.is_default:
                work.change("UPDATE addresses SET is_default = FALSE WHERE user_id = %s", (user_id,))
            work.change(
                "INSERT INTO addresses (id, user_id, line1, city, state, postal_code, country, phone, is_default)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    address_id, user_id, address.line1, address.city, address.state, address.postal_code,
                    address.country, address.phone, address.is_default,
                ),
            )  # fmt: skip
        return address_id

    def addresses(self, user_id: str) -> list[Row]:
        with self._pool.transaction() as work:
            return work.rows(
                "SELECT id, line1, city, state, postal_code, country, phone, is_default FROM addresses"
                " WHERE user_id = %s ORDER BY is_default DESC, created_at",
                (user_id,),
            )
