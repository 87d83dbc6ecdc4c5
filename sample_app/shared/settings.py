"""Settings of a service: environment variables, with defaults that fit the embedded start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

DATABASE_PORT = 13306
QUEUE_PORT = 4566  # the one of LocalStack


def text(name: str, default: str) -> str:
    return os.environ.get(name) or default


def number(name: str, default: int) -> int:
    value = os.environ.get(name)
    if not value:
        return default
    if not value.isdecimal():
        raise SystemExit(f"{name} must be a whole number, and is {value!r}.")
    return int(value)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a service takes requests."""

    host: str
    port: int

    @classmethod
    def from_environment(cls, port: int) -> Self:
        return cls(text("HOST", "127.0.0.1"), number("PORT", port))


@dataclass(frozen=True, slots=True)
class Database:
    """Where a service keeps its data."""

    host: str
    port: int
    user: str
    password: str
    name: str
    connections: int

    @classmethod
    def from_environment(cls, name: str) -> Self:
        return cls(
            text("DB_HOST", "127.0.0.1"),
            number("DB_PORT", DATABASE_PORT),
            text("DB_USER", "shop"),
            text("DB_PASSWORD", "shop-password"),
            text("DB_NAME", name),
            number("DB_CONNECTIONS", 4),
        )


def jwt_secret() -> str:
    """What logins are signed with: the same for all services."""
    return text("JWT_SECRET", "a-secret-of-the-sample-shop-and-of-nobody-else")


def service_url(name: str, port: int) -> str:
    """The base URL of another service: `service_url("USER", 8082)` reads `USER_SERVICE_URL`."""
    return text(f"{name}_SERVICE_URL", f"http://localhost:{port}").rstrip("/")
