"""Goes shopping: logs in, looks around, orders, pays, cancels, and tries what must not work.

    python -m sample_app.traffic
    python -m sample_app.traffic --base-url http://localhost:8083        # everything through the gateway
    python -m sample_app.traffic --order-url http://localhost:8090      # one service elsewhere

Each step says what was asked and what came back. It ends with exit code 1 if an answer was not as expected. Each run
makes a customer of its own and removes it at the end, so that it can be run again and again. Needs Python alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ADMIN = ("admin", "p@ssw0rd")
PASSWORD = "p@ssw0rd"
LAPTOP = "11111111-1111-4111-8111-111111111111"
MOUSE = "22222222-2222-4222-8222-222222222222"
GRINDER = "33333333-3333-4333-8333-333333333333"  # the shop has one
NOBODY = "00000000-0000-4000-8000-000000000000"
TIMEOUT_SECONDS = 20

HOME = {
    "line1": "1 Main St",
    "city": "NYC",
    "state": "NY",
    "postal_code": "10001",
    "country": "US",
    "phone": "+1-555-0000",
    "is_default": True,
}


class Unexpected(Exception):
    """The shop does not answer at all."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the services are. With one base URL, all of them are behind the gateway."""

    users: str
    products: str
    orders: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: Any

    def __getitem__(self, name: str) -> Any:
        return self.data.get(name) if isinstance(self.data, dict) else None


@dataclass(slots=True)
class Shopper:
    """Sends requests and keeps account of the answers."""

    say: Callable[[str], None]
    made_up: random.Random = field(default_factory=random.SystemRandom)
    steps: int = 0
    wrong: list[str] = field(default_factory=list)

    def new_key(self) -> str:
        return str(uuid.UUID(int=self.made_up.getrandbits(128), version=4))

    def new_name(self, name: str) -> str:
        return f"{name}-{self.made_up.getrandbits(48):012x}"

    def ask(
        self,
        what: str,
        expected: int,
        method: str,
        url: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        holds: Callable[[Any], bool] | None = None,
    ) -> Answer:
        """`holds` is asked whether the body is right as well."""
        headers = {"Accept": "application/json", "User-Agent": "shopper"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = send(Request(url, data=data, headers=headers, method=method))
        self.steps += 1
        is_right = answer.status == expected and (holds is None or holds(answer.data))
        self.say(f"{'✓' if is_right else '✗'} {answer.status} {what}")
        if not is_right:
            self.wrong.append(f"{what}: expected {expected}, got {answer.status} {json.dumps(answer.data)[:300]}")
        return answer


def send(request: Request) -> Answer:
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return Answer(response.status, _data(response.read()))
    except HTTPError as error:
        with error:
            return Answer(error.code, _data(error.read()))
    except (URLError, OSError) as error:
        raise Unexpected(f"{request.get_method()} {request.full_url}: {getattr(error, 'reason', error)}") from error


def _data(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def play(shop: Shop, shopper: Shopper) -> Shopper:
    """The whole visit."""
    admin = log_in(shopper, shop)
    with_customer = customer(shopper, shop, admin)
    user_id, token, address_id = next(with_customer)
    look_around(shopper, shop, token)
    order_id = order_and_pay(shopper, shop, user_id, token, address_id)
    somebody_else(shopper, shop, admin, user_id, order_id)
    order_and_cancel(shopper, shop, token)
    what_must_not_work(shopper, shop, user_id, token, admin)
    through_the_gateway(shopper, shop, token)
    next(with_customer, None)
    return shopper


def log_in(shopper: Shopper, shop: Shop) -> str:
    users = shop.users
    shopper.ask("log in with a wrong password", 401, "POST", f"{users}/login", {"username": "admin", "password": "no"})
    shopper.ask("log in without a password", 422, "POST", f"{users}/login", {"username": "admin"})
    shopper.ask("log in with something that is no JSON", 400, "POST", f"{users}/login", b"{")
    name, password = ADMIN
    answer = shopper.ask("log in as admin", 200, "POST", f"{users}/login", {"username": name, "password": password})
    return str(answer["token"])


def customer(shopper: Shopper, shop: Shop, admin: str) -> Iterator[tuple[str, str, str]]:
    """Makes a customer, and removes it when asked again."""
    users, name = shop.users, shopper.new_name("alice")
    new = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    shopper.ask("create a user without a login", 401, "POST", f"{users}/users", new)
    user_id = str(shopper.ask("create a user", 201, "POST", f"{users}/users", new, token=admin)["id"])
    shopper.ask("create the same user again", 409, "POST", f"{users}/users", new, token=admin)
    bad = {**new, "email": "nowhere"}
    shopper.ask("create a user with a bad e-mail address", 422, "POST", f"{users}/users", bad, token=admin)
    login = {"username": name, "password": PASSWORD}
    token = str(shopper.ask("log in as the customer", 200, "POST", f"{users}/login", login)["token"])
    shopper.ask("create a user as a customer", 403, "POST", f"{users}/users", new, token=token)
    shopper.ask("get the user", 200, "GET", f"{users}/users/{user_id}", token=token)
    here = f"{users}/users/{user_id}/addresses"
    shopper.ask("list the addresses: none", 200, "GET", here, token=token, holds=lambda data: data == [])
    wanted = {"items": [{"productId": MOUSE, "quantity": 1}]}
    shopper.ask("order without an address", 422, "POST", f"{shop.orders}/orders", wanted, token=token)
    address_id = str(shopper.ask("add an address", 201, "POST", here, HOME, token=token)["id"])
    work = {**HOME, "line1": "5 O'Hara's \\ Court", "is_default": False, "phone": None}
    shopper.ask("add another", 201, "POST", here, work, token=token)
    shopper.ask("list the addresses", 200, "GET", here, token=token, holds=lambda data: len(data) == 2)
    yield user_id, token, address_id
    shopper.ask("delete the user", 200, "DELETE", f"{users}/users/{user_id}", token=token)
    shopper.ask("the user is gone", 404, "GET", f"{users}/users/{user_id}", token=admin)
    shopper.ask("log in when gone", 401, "POST", f"{users}/login", login)


def look_around(shopper: Shopper, shop: Shop, token: str) -> None:
    products = f"{shop.products}/products"
    shopper.ask("list the products without a login", 401, "GET", products)
    shopper.ask("list the products", 200, "GET", products, token=token, holds=lambda data: len(data) >= 3)
    shopper.ask("get the laptop", 200, "GET", f"{products}/{LAPTOP}", token=token, holds=lambda d: d["price"] == 1200)
    shopper.ask("get a product that is not there", 404, "GET", f"{products}/{NOBODY}", token=token)
    one = {"quantity": 1}
    shopper.ask("reserve a laptop", 200, "POST", f"{products}/{LAPTOP}/reserve", one, token=token)
    shopper.ask("release it", 200, "POST", f"{products}/{LAPTOP}/release", one, token=token)
    shopper.ask("reserve none", 422, "POST", f"{products}/{LAPTOP}/reserve", {"quantity": 0}, token=token)


def order_and_pay(shopper: Shopper, shop: Shop, user_id: str, token: str, address_id: str) -> str:
    orders, key = f"{shop.orders}/orders", shopper.new_key()
    wanted = {
        "userId": user_id,
        "items": [{"productId": LAPTOP, "quantity": 1}, {"productId": MOUSE, "quantity": 2}],
        "shippingAddressId": address_id,
    }
    order_id = shopper.ask("order a laptop and two mice", 201, "POST", orders, wanted, token=token, key=key)["id"]
    again: Callable[[Any], bool] = lambda data: data["id"] == order_id  # noqa: E731
    shopper.ask("send the order again: the same order", 200, "POST", orders, wanted, token=token, key=key, holds=again)
    other = {**wanted, "items": [{"productId": MOUSE, "quantity": 1}]}
    shopper.ask("send another order with that key", 422, "POST", orders, other, token=token, key=key)
    here = f"{orders}/{order_id}"
    shopper.ask("get the order", 200, "GET", here, token=token, holds=lambda data: data["total"] == 1251.0)
    named: Callable[[Any], bool] = lambda data: (  # noqa: E731
        data["items"][0]["name"] == "Laptop" and data["shippingAddress"]["line1"] == HOME["line1"]
    )
    shopper.ask("get its details", 200, "GET", f"{here}/details", token=token, holds=named)
    paid: Callable[[Any], bool] = lambda data: data["status"] == "PAID"  # noqa: E731
    shopper.ask("pay it", 200, "POST", f"{here}/pay", token=token, holds=paid)
    shopper.ask("pay it again: it is paid", 200, "POST", f"{here}/pay", token=token, holds=paid)
    shopper.ask("cancel it: it is paid", 409, "POST", f"{here}/cancel", token=token)
    return str(order_id)


def somebody_else(shopper: Shopper, shop: Shop, admin: str, user_id: str, order_id: str) -> None:
    """What is the customer's is not for another customer."""
    name = shopper.new_name("bob")
    new = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    bob_id = shopper.ask("create another user", 201, "POST", f"{shop.users}/users", new, token=admin)["id"]
    login = {"username": name, "password": PASSWORD}
    token = str(shopper.ask("log in as that one", 200, "POST", f"{shop.users}/login", login)["token"])
    order = f"{shop.orders}/orders/{order_id}"
    shopper.ask("get somebody else's order", 403, "GET", order, token=token)
    shopper.ask("cancel somebody else's order", 403, "POST", f"{order}/cancel", token=token)
    shopper.ask("get somebody else's addresses", 403, "GET", f"{shop.users}/users/{user_id}/addresses", token=token)
    shopper.ask("delete that user, as admin", 200, "DELETE", f"{shop.users}/users/{bob_id}", token=admin)


def order_and_cancel(shopper: Shopper, shop: Shop, token: str) -> None:
    orders = f"{shop.orders}/orders"
    wanted = {"items": [{"productId": GRINDER, "quantity": 1}]}
    order_id = shopper.ask("order the last coffee grinder, to the default address", 201, "POST", orders, wanted,
                           token=token, key=shopper.new_key())["id"]  # fmt: skip
    shopper.ask("order one more: there is none", 409, "POST", orders, wanted, token=token)
    with_mouse = {"items": [{"productId": MOUSE, "quantity": 1}, *wanted["items"]]}
    shopper.ask("order a mouse and a grinder: the mouse is released", 409, "POST", orders, with_mouse, token=token)
    here = f"{orders}/{order_id}"
    cancelled: Callable[[Any], bool] = lambda data: data["status"] == "CANCELLED"  # noqa: E731
    shopper.ask("cancel the order", 200, "POST", f"{here}/cancel", token=token, holds=cancelled)
    shopper.ask("cancel it again: it is cancelled", 200, "POST", f"{here}/cancel", token=token, holds=cancelled)
    shopper.ask("pay it: it is cancelled", 409, "POST", f"{here}/pay", token=token)
    shopper.ask("list my orders", 200, "GET", f"{orders}?limit=5", token=token, holds=lambda data: len(data) == 2)
    one: Callable[[Any], bool] = lambda data: [order["id"] for order in data] == [order_id]  # noqa: E731
    shopper.ask("list the cancelled ones", 200, "GET", f"{orders}?status=CANCELLED", token=token, holds=one)


def what_must_not_work(shopper: Shopper, shop: Shop, user_id: str, token: str, admin: str) -> None:
    orders = f"{shop.orders}/orders"
    wanted: dict[str, Any] = {"items": [{"productId": MOUSE, "quantity": 1}]}
    shopper.ask("order without a login", 401, "POST", orders, wanted)
    shopper.ask("order with a token that is none", 401, "POST", orders, wanted, token="not.a.token")
    shopper.ask("order something that is no JSON", 400, "POST", orders, b"two mice, please", token=token)
    shopper.ask("order nothing", 422, "POST", orders, {"items": []}, token=token)
    half = {"items": [{"productId": MOUSE, "quantity": 0.5}]}
    shopper.ask("order half a mouse", 422, "POST", orders, half, token=token)
    unknown = {"items": [{"productId": NOBODY, "quantity": 1}]}
    shopper.ask("order what is not for sale", 404, "POST", orders, unknown, token=token)
    elsewhere = {**wanted, "shippingAddressId": NOBODY}
    shopper.ask("send it to an address of nobody's", 422, "POST", orders, elsewhere, token=token)
    shopper.ask("order for somebody else", 403, "POST", orders, {**wanted, "userId": NOBODY}, token=token)
    shopper.ask("order for nobody, as admin", 404, "POST", orders, {**wanted, "userId": NOBODY}, token=admin)
    shopper.ask("get an order that is not there", 404, "GET", f"{orders}/{NOBODY}", token=token)
    shopper.ask("list somebody else's orders", 403, "GET", f"{orders}?userId={NOBODY}", token=token)
    shopper.ask("list the customer's orders, as admin", 200, "GET", f"{orders}?userId={user_id}", token=admin)
    shopper.ask("list too many orders", 422, "GET", f"{orders}?limit=1000", token=token)
    shopper.ask("delete all orders: no such route", 405, "DELETE", orders, token=token)


def through_the_gateway(shopper: Shopper, shop: Shop, token: str) -> None:
    gateway = shop.gateway
    wanted = {"items": [{"productId": MOUSE, "quantity": 1}]}
    key = shopper.new_key()
    order_id = shopper.ask("order a mouse through the gateway", 201, "POST", f"{gateway}/orders", wanted,
                           token=token, key=key)["id"]  # fmt: skip
    shopper.ask("get its details there", 200, "GET", f"{gateway}/orders/{order_id}/details", token=token)
    shopper.ask("ask the gateway without a login", 401, "GET", f"{gateway}/orders/{order_id}")
    shopper.ask("ask the gateway for what no service has", 404, "GET", f"{gateway}/invoices", token=token)


def chosen(arguments: list[str] | None) -> tuple[Shop, Shopper]:
    parser = argparse.ArgumentParser(prog="python -m sample_app.traffic", description="Go shopping.")
    parser.add_argument("--base-url", help="the gateway's: everything goes through it")
    parser.add_argument("--user-url", default="http://localhost:8082")
    parser.add_argument("--product-url", default="http://localhost:8081")
    parser.add_argument("--order-url", default="http://localhost:8080")
    parser.add_argument("--gateway-url", default="http://localhost:8083")
    parser.add_argument("--seed", help="names and keys are the same with the same seed; a new one each time by default")
    parser.add_argument("--quiet", action="store_true", help="say only what was wrong")
    options = parser.parse_args(arguments)
    urls = [options.user_url, options.product_url, options.order_url, options.gateway_url]
    if options.base_url:
        urls = [options.base_url] * 4
    made_up = random.SystemRandom() if options.seed is None else random.Random(options.seed)
    say: Callable[[str], None] = (lambda line: None) if options.quiet else (lambda line: print(line, flush=True))
    return Shop(*(f"{url.rstrip('/')}/api/v1" for url in urls)), Shopper(say, made_up)


def main(arguments: list[str] | None = None) -> int:
    shop, shopper = chosen(arguments)
    try:
        play(shop, shopper)
    except Unexpected as error:
        print(f"The shop does not answer: {error}. `python -m sample_app` opens it.", file=sys.stderr)
        return 2
    if shopper.wrong:
        print("\n".join(["", *shopper.wrong]), file=sys.stderr)
        return 1
    print(f"{shopper.steps} steps, all answered as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
