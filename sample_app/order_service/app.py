"""Puts the order service together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask

from sample_app.order_service.events import OrderEvents
from sample_app.order_service.ordering import Ordering
from sample_app.order_service.routes import routes
from sample_app.order_service.store import OrderStore
from sample_app.shared import settings
from sample_app.shared.connector_pool import ConnectorPool
from sample_app.shared.database import migrate, wait_until_reachable
from sample_app.shared.errors import answer_errors_as_json
from sample_app.shared.service_client import ServiceClient


def create_app(ordering: Ordering, store: OrderStore, secret: str) -> Flask:
    app = Flask("order_service")
    answer_errors_as_json(app)
    app.register_blueprint(routes(ordering, store, secret), url_prefix="/api/v1")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def start() -> tuple[Flask, Sequence[Callable[[], None]]]:
    """With its database, which is brought up to date first, and its queue; and what is to be closed at the end."""
    pool = ConnectorPool(settings.Database.from_environment("order_db"))
    wait_until_reachable(pool, settings.number("DB_WAIT_SECONDS", 30))
    migrate(pool, Path(__file__).with_name("migrations"))
    store = OrderStore(pool)
    events = OrderEvents.from_environment()
    events.find_queue()
    users = ServiceClient("user", settings.service_url("USER", 8082))
    products = ServiceClient("product", settings.service_url("PRODUCT", 8081))
    ordering = Ordering(store, users, products, events)
    app = create_app(ordering, store, settings.jwt_secret())
    return app, (users.close, products.close, events.close, store.close)
