"""The errors of the API: each has a status, and is answered as JSON with an `error` that a person can read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)


class ApiError(Exception):
    """Something that the caller is told."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class BadRequest(ApiError):
    """The request cannot be read."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(ApiError):
    """Nobody, or nobody known, asks."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(ApiError):
    """This is not for the one who asks."""

    status = HTTPStatus.FORBIDDEN


class NotFound(ApiError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(ApiError):
    """It cannot be done as things stand."""

    status = HTTPStatus.CONFLICT


class Unprocessable(ApiError):
    """The request can be read, and makes no sense."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class DependencyFailed(ApiError):
    """A service that is needed for the answer gives none that can be used."""

    status = HTTPStatus.BAD_GATEWAY


class DatabaseUnavailable(ApiError):
    """The database cannot be reached."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class DependencyTimeout(ApiError):
    """A service that is needed for the answer takes too long."""

    status = HTTPStatus.GATEWAY_TIMEOUT


def answer_errors_as_json(app: Flask) -> None:
    """Every error of this app is answered as JSON, those of Flask and the unforeseen as well."""

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> ResponseReturnValue:
        body: dict[str, object] = {"error": error.message}
        if error.fields:
            body["fields"] = dict(error.fields)
        return jsonify(body), error.status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        return jsonify({"error": error.description or error.name}), error.code or HTTPStatus.INTERNAL_SERVER_ERROR

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> ResponseReturnValue:
        log.error("unforeseen", exc_info=error)
        return jsonify({"error": "internal error"}), HTTPStatus.INTERNAL_SERVER_ERROR
