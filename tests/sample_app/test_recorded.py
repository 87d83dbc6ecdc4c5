"""The shop's services, recorded by rr while somebody shops, and replayed when the shop is closed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.mysql_servers import PASSWORD, USER, Servers
from tests.harness.network import listens
from tests.harness.rr_command import RR
from tests.sample_app.open_shop import REPOSITORY, OpenShop, open_shop, run_newman, shop_with

NOT_NEEDED = shutil.ignore_patterns("__pycache__", "postman", "hello")


def record(
    rr: RR,
    folder: Path,
    service: str,
    mysql: str,
    visit: Callable[[OpenShop], object],
    env: Mapping[str, str] | None = None,
) -> RR:
    """One service runs under rr, the others beside it, until the visit is over. All of them are closed afterwards."""
    if not (rr.folder / "sample_app").exists():
        shutil.copytree(REPOSITORY / "sample_app", rr.folder / "sample_app", ignore=NOT_NEEDED)
    with open_shop(folder, "--mysql", mysql, "--without", service, env=env) as shop:
        settings, command = shop.how_to_start(service)
        rr = rr.with_settings(**settings)
        port = shop.ports[service.removesuffix("_service")]
        with rr.record(" ".join(command), port=port) as recording:
            visit(shop)
            recording.interrupt()
            assert recording.wait(40) == 0, recording.output
    assert not any(listens(port) for port in shop.ports.values())
    return rr


def shops_without_complaint(shop: OpenShop) -> None:
    assert shop_with(shop) == []


@pytest.mark.system
def test_the_collection_through_a_recording_rr(rr: RR, tmp_path: Path) -> None:
    rr = record(rr, tmp_path, "order_service", "embedded", run_newman)
    replayed = rr.test()
    assert replayed.code == 0, replayed.output


@pytest.mark.gate
@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", ["user_service", "product_service", "order_service", "gateway_service"])
@pytest.mark.parametrize("mysql", ["embedded", "mysql", "mariadb"])
def test_each_service_over_each_mysql(rr: RR, tmp_path: Path, databases: Servers, mysql: str, service: str) -> None:
    choice, env = mysql, {}
    if mysql != "embedded":
        choice, env = f"127.0.0.1:{databases[mysql].port}", {"DB_USER": USER, "DB_PASSWORD": PASSWORD}
    rr = record(rr, tmp_path, service, choice, shops_without_complaint, env)
    if mysql != "embedded":
        databases[mysql].stop()
    for _ in range(5):
        replayed = rr.test()
        assert replayed.code == 0, replayed.output


@dataclass(frozen=True, slots=True)
class Bug:
    """What somebody might do to the order service, and what rr then says."""

    file: str
    before: str
    after: str
    said: str


EVENT = 'self._events.send("ORDER_PAID", {"orderId": order["id"], "userId": order["user_id"]})\n'
BUGS = {
    "what was reserved is not released": Bug(
        "order_service/ordering.py", "            self._release(reserved)\n            raise", "            raise",
        "/release: recorded as test-",
    ),
    "no event when it is paid": Bug("order_service/ordering.py", EVENT, "pass\n", "SQS SendMessage order-events"),
    "two events when it is paid": Bug(
        "order_service/ordering.py", f"            {EVENT}", f"            {EVENT}            {EVENT}",
        "SQS SendMessage order-events: made once more than recorded",
    ),
    "the event names another order": Bug(
        "order_service/ordering.py", '"orderId": order_id,', '"orderId": str(uuid.uuid4()),',
        "body.MessageBody.orderId",
    ),
    "an item is not kept": Bug(
        "order_service/store.py", "enumerate(order.items):", "enumerate(order.items[:1]):", "INSERT INTO order_items",
    ),
    "one too many is reserved": Bug(
        "order_service/ordering.py",
        '/reserve", {"quantity": item.quantity}', '/reserve", {"quantity": item.quantity + 1}',
        "body.quantity",
    ),
    "the key is not looked up": Bug(
        "order_service/ordering.py", "earlier = self._placed_before(wanted, key)", "earlier = None",
        "INSERT INTO orders",
    ),
    "the oldest come first": Bug(
        "order_service/store.py", "ORDER BY created_at DESC", "ORDER BY created_at",
        "ORDER BY: recorded created_at DESC, now created_at",
    ),
    "somebody else's order is shown": Bug(
        "order_service/routes.py", '        auth.caller().must_be_allowed_for(order["user_id"])\n', "", "- status: 403",
    ),
    "the total is wrong": Bug(
        "order_service/routes.py", 'float(row["total"])', 'float(row["total"]) + 0.01', "body.total",
    ),
}  # fmt: skip


@pytest.mark.gate
@pytest.mark.timeout(600)
def test_bugs_are_found_and_named(rr: RR, tmp_path: Path) -> None:
    rr = record(rr, tmp_path, "order_service", "embedded", shops_without_complaint)
    assert rr.test().code == 0
    for name, bug in BUGS.items():
        file = rr.folder / "sample_app" / bug.file
        good = file.read_text("utf-8")
        assert bug.before in good, f"{bug.file} has changed: there is no place for the bug {name!r}"
        file.write_text(good.replace(bug.before, bug.after, 1), "utf-8")
        replayed = rr.test()
        file.write_text(good, "utf-8")
        assert replayed.code == 1, f"{name}\n{replayed.output}"
        assert bug.said in replayed.output, f"{name}\n{replayed.output}"
    assert rr.test().code == 0
