"""Puts the user service together."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from werkzeug.security import generate_password_hash

from sample_app.shared import auth, settings
from sample_app.shared.database import migrate, wait_until_reachable
from sample_app.shared.errors import answer_errors_as_json
from sample_app.shared.pymysql_pool import PyMySQLPool
from sample_app.user_service.routes import routes
from sample_app.user_service.store import UserStore


def create_app(store: UserStore, secret: str) -> Flask:
    app = Flask("user_service")
    answer_errors_as_json(app)
    app.register_blueprint(routes(store, secret), url_prefix="/api/v1")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def start() -> tuple[Flask, UserStore]:
    """With its database, which is brought up to date first."""
    pool = PyMySQLPool(settings.Database.from_environment("user_db"))
    wait_until_reachable(pool, settings.number("DB_WAIT_SECONDS", 30))
    migrate(pool, Path(__file__).with_name("migrations"))
    store = UserStore(pool)
    store.ensure_admin(
        settings.text("ADMIN_USERNAME", auth.ADMIN),
        lambda: generate_password_hash(settings.text("ADMIN_PASSWORD", "p@ssw0rd")),
    )
    return create_app(store, settings.jwt_secret()), store
