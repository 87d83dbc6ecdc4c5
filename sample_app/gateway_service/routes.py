"""Hands requests on, by the first part of their path. Who has no valid token gets no further than to the login."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from flask import Blueprint, Response, request

from sample_app.shared import auth
from sample_app.shared.errors import DependencyFailed, DependencyTimeout, NotFound

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
HANDED_ON = ("Authorization", "Content-Type", "Idempotency-Key", "Accept")
TIMEOUT_SECONDS = 15.0


def routes(session: requests.Session, services: Mapping[str, str], secret: str) -> Blueprint:
    everything = Blueprint("gateway", __name__)
    with_login = Blueprint("gateway_with_login", __name__)
    auth.require_login(with_login, secret)

    @everything.post("/login")
    def login() -> Response:
        return hand_on("login", "login")

    @with_login.route("/<name>", methods=METHODS)
    @with_login.route("/<name>/<path:rest>", methods=METHODS)
    def any_other(name: str, rest: str = "") -> Response:
        return hand_on(name, f"{name}/{rest}" if rest else name)

    def hand_on(name: str, path: str) -> Response:
        if name not in services:
            raise NotFound(f"there is no service for /{path}")
        try:
            answer = session.request(
                request.method,
                f"{services[name]}/api/v1/{path}",
                params=request.args.to_dict(flat=False),
                data=request.get_data(),
                headers={header: request.headers[header] for header in HANDED_ON if header in request.headers},
                timeout=TIMEOUT_SECONDS,
            )
        except requests.Timeout as error:
            raise DependencyTimeout(f"the service for /{name} takes too long") from error
        except requests.RequestException as error:
            raise DependencyFailed(f"the service for /{name} cannot be reached") from error
        return Response(answer.content, answer.status_code, content_type=answer.headers.get("Content-Type"))

    everything.register_blueprint(with_login)
    return everything
