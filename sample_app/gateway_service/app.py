"""Puts the gateway together."""

from __future__ import annotations

from collections.abc import Callable

import requests
from flask import Flask

from sample_app.gateway_service.routes import routes
from sample_app.shared import settings
from sample_app.shared.errors import answer_errors_as_json


def create_app(session: requests.Session, services: dict[str, str], secret: str) -> Flask:
    app = Flask("gateway_service")
    answer_errors_as_json(app)
    app.register_blueprint(routes(session, services, secret), url_prefix="/api/v1")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def start() -> tuple[Flask, Callable[[], None]]:
    session = requests.Session()
    users = settings.service_url("USER", 8082)
    services = {
        "login": users,
        "users": users,
        "products": settings.service_url("PRODUCT", 8081),
        "orders": settings.service_url("ORDER", 8080),
    }
    return create_app(session, services, settings.jwt_secret()), session.close
