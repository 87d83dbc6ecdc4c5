"""What the services make of requests, before any other service or database is asked."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from sample_app.gateway_service import app as gateway
from sample_app.order_service import app as orders
from sample_app.order_service.ordering import Item, Ordering, Wanted
from sample_app.order_service.store import OrderStore
from sample_app.shared import auth
from sample_app.shared.errors import DatabaseUnavailable, Unauthorized, Unprocessable
from sample_app.shared.service_client import ServiceClient
from sample_app.shared.validation import Fields
from tests.harness.network import free_port

SECRET = "a secret of the tests that is long enough"
ALICE = auth.Caller("a-1", "alice", auth.CUSTOMER)
ADMIN = auth.Caller("b-2", "root", auth.ADMIN)


def token(caller: auth.Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {auth.issue_token(caller, SECRET)}"}


class NoPool:
    """A database that is away."""

    def transaction(self) -> Any:
        raise DatabaseUnavailable("the database is away")

    def close(self) -> None: ...


@pytest.fixture
def order_service() -> FlaskClient:
    store = OrderStore(NoPool())
    return orders.create_app(Ordering(store, *cast(Any, (None, None, None))), store, SECRET).test_client()


@pytest.mark.parametrize(
    ("body", "field", "wrong"),
    [
        ({}, "items", "must be a list of 1 to 20 items"),
        ({"items": []}, "items", "must be a list of 1 to 20 items"),
        ({"items": "mouse"}, "items", "must be a list of 1 to 20 items"),
        ({"items": [{"quantity": 1}]}, "items[0].productId", "is required"),
        ({"items": [{"productId": "p", "quantity": 0}]}, "items[0].quantity", "must be between 1 and 100"),
        ({"items": [{"productId": "p", "quantity": True}]}, "items[0].quantity", "must be a whole number"),
        ({"items": [{"productId": 7, "quantity": 1}]}, "items[0].productId", "must be a text"),
        ({"items": [{"productId": "p", "quantity": 1}], "shippingAddressId": ""}, "shippingAddressId",
         "must have 1 to 36 characters"),
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense(order_service: FlaskClient, body: object, field: str, wrong: str) -> None:
    answer = order_service.post("/api/v1/orders", json=body, headers=token(ALICE))
    assert answer.status_code == 422
    assert answer.json == {"error": "the request is not valid", "fields": {field: wrong}}


def test_an_order_that_cannot_be_read(order_service: FlaskClient) -> None:
    for body in (b"", b"{", b"[1]", b'"two mice"'):
        answer = order_service.post("/api/v1/orders", data=body, headers=token(ALICE), content_type="application/json")
        assert (answer.status_code, answer.json) == (400, {"error": "the body must be a JSON object"})


def test_who_has_no_valid_token_gets_no_further(order_service: FlaskClient) -> None:
    expired = {"sub": "a-1", "exp": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)}
    forged = jwt.encode({"sub": "a-1", "exp": 4e9}, "another secret, of somebody else's", algorithm="HS256")
    for header, said in (
        (None, "log in first"),
        ("Basic YTpi", "log in first"),
        ("Bearer not.a.token", "not valid"),
        (f"Bearer {forged}", "not valid"),
        (f"Bearer {jwt.encode({'sub': 'a-1'}, SECRET, algorithm='HS256')}", "not valid"),
        (f"Bearer {jwt.encode(expired, SECRET, algorithm='HS256')}", "has expired"),
    ):
        answer = order_service.get("/api/v1/orders", headers={} if header is None else {"Authorization": header})
        assert answer.status_code == 401
        assert said in (answer.json or {})["error"]


def test_customers_cannot_act_for_others(order_service: FlaskClient) -> None:
    wanted = {"userId": "b-2", "items": [{"productId": "p", "quantity": 1}]}
    assert order_service.post("/api/v1/orders", json=wanted, headers=token(ALICE)).status_code == 403
    assert order_service.get("/api/v1/orders?userId=b-2", headers=token(ALICE)).status_code == 403
    # an administrator may: the service gets as far as to its database
    assert order_service.get("/api/v1/orders?userId=a-1", headers=token(ADMIN)).status_code == 503


def test_a_service_that_is_away_is_named() -> None:
    store, away = OrderStore(NoPool()), f"http://127.0.0.1:{free_port()}"
    ordering = Ordering(store, ServiceClient("user", away), ServiceClient("product", away), cast(Any, None))
    client = orders.create_app(ordering, store, SECRET).test_client()
    wanted = {"items": [{"productId": "p", "quantity": 1}]}
    answer = client.post("/api/v1/orders", json=wanted, headers=token(ALICE))
    assert (answer.status_code, answer.json) == (502, {"error": "the user service cannot be reached"})


def test_queries_are_checked(order_service: FlaskClient) -> None:
    for query in ("limit=0", "limit=101", "limit=many", "limit=-1", "status=LOST"):
        assert order_service.get(f"/api/v1/orders?{query}", headers=token(ALICE)).status_code == 422


def test_unknown_routes_and_methods_are_answered_as_json(order_service: FlaskClient) -> None:
    assert order_service.get("/nowhere").status_code == 404
    assert "error" in (order_service.get("/nowhere").json or {})
    assert order_service.delete("/api/v1/orders", headers=token(ALICE)).status_code == 405


def test_a_token_says_who_asks() -> None:
    assert auth.read_token(auth.issue_token(ADMIN, SECRET), SECRET) == ADMIN
    with pytest.raises(Unauthorized):
        auth.read_token(auth.issue_token(ADMIN, SECRET), SECRET + "!")


def test_all_that_is_wrong_is_told_at_once() -> None:
    fields = Fields({"email": "nowhere", "flag": "yes", "name": "x"})
    fields.email("email")
    fields.flag("flag")
    fields.text("name", 50, shortest=3)
    with pytest.raises(Unprocessable) as caught:
        fields.check()
    assert caught.value.fields == {
        "email": "must be an e-mail address",
        "flag": "must be true or false",
        "name": "must have 3 to 50 characters",
    }


def test_equal_orders_have_equal_fingerprints() -> None:
    order = Wanted("u", (Item("p", 1), Item("q", 2)), None)
    assert order.fingerprint() == Wanted("u", (Item("p", 1), Item("q", 2)), None).fingerprint()
    others = [Wanted("v", order.items, None), Wanted("u", order.items[:1], None), Wanted("u", order.items, "a")]
    assert len({order.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def gateway_in_front_of(url: str) -> Flask:
    return gateway.create_app(requests.Session(), {"login": url, "users": url}, SECRET)


def test_the_gateway_names_what_it_does_not_know_and_what_is_away() -> None:
    client = gateway_in_front_of(f"http://127.0.0.1:{free_port()}").test_client()
    assert client.get("/api/v1/users/1").status_code == 401
    unknown = client.get("/api/v1/invoices/7", headers=token(ALICE))
    assert (unknown.status_code, unknown.json) == (404, {"error": "there is no service for /invoices/7"})
    away = client.get("/api/v1/users/1", headers=token(ALICE))
    assert (away.status_code, away.json) == (502, {"error": "the service for /users cannot be reached"})


def test_an_old_python_is_told_the_way_round() -> None:
    old = "import sys; sys.version_info = (3, 10, 2); sys.version = '3.10.2 (main)'; import sample_app"
    done = subprocess.run(
        [sys.executable, "-c", old],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "The shop needs Python 3.11 or newer, and this is 3.10.2: start it with a newer one, python3.12 for example.\n"
    )
