"""Puts the product service together."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from sample_app.product_service.routes import routes
from sample_app.product_service.store import ProductStore
from sample_app.shared import settings
from sample_app.shared.database import migrate, wait_until_reachable
from sample_app.shared.errors import answer_errors_as_json
from sample_app.shared.pymysql_pool import PyMySQLPool


def create_app(store: ProductStore, secret: str) -> Flask:
    app = Flask("product_service")
    answer_errors_as_json(app)
    app.register_blueprint(routes(store, secret), url_prefix="/api/v1")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def start() -> tuple[Flask, ProductStore]:
    """With its database, which is brought up to date first."""
    pool = PyMySQLPool(settings.Database.from_environment("product_db"))
    wait_until_reachable(pool, settings.number("DB_WAIT_SECONDS", 30))
    migrate(pool, Path(__file__).with_name("migrations"))
    store = ProductStore(pool)
    return create_app(store, settings.jwt_secret()), store
