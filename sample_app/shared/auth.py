"""Logins: a JSON Web Token says who asks. The user service issues it, every service checks it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import jwt
from flask import Blueprint, g, request

from sample_app.shared.errors import Forbidden, Unauthorized

ALGORITHM = "HS256"
VALID_FOR = datetime.timedelta(days=30)
ADMIN = "admin"
CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    user_id: str
    username: str
    role: str

    @property
    def is_admin(self) -> bool:
        return self.role == ADMIN

    def must_be_admin(self) -> None:
        if not self.is_admin:
            raise Forbidden("only an administrator may do this")

    def must_be_allowed_for(self, user_id: str) -> None:
        """Customers see and change what is theirs, administrators everything."""
        if not self.is_admin and self.user_id != user_id:
            raise Forbidden("this belongs to somebody else")


def issue_token(caller: Caller, secret: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    claims = {
        "sub": caller.user_id,
        "username": caller.username,
        "role": caller.role,
        "iat": now,
        "exp": now + VALID_FOR,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_token(token: str, secret: str) -> Caller:
    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], options={"require": ["sub", "exp"]})
    except jwt.ExpiredSignatureError as error:
        raise Unauthorized("the token has expired: log in again") from error
    except jwt.InvalidTokenError as error:
        raise Unauthorized("the token is not valid") from error
    return Caller(claims["sub"], str(claims.get("username", "")), str(claims.get("role", CUSTOMER)))


def require_login(blueprint: Blueprint, secret: str) -> None:
    """Every route of this blueprint wants `Authorization: Bearer …`."""

    @blueprint.before_request
    def check() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("log in first: there is no bearer token in the request")
        g.caller = read_token(token.strip(), secret)


def caller() -> Caller:
    """Who sent the request that is being answered."""
    known: Caller = g.caller
    return known
