"""Values that rr cannot know to be made up (`A-417`, `418`), named by hand: `{{order}}`."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.apps.traffic import JSON, Step, send
from tests.harness.network import free_port
from tests.harness.rr_command import RR

APP = Path(__file__).parents[1] / "apps" / "counter_app.py"

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Shop:
    rr: RR
    order: str  # as it was recorded: A-417
    number: int  # 418

    def copy(self, folder: Path) -> Shop:
        shutil.copytree(self.rr.folder, folder)
        return Shop(RR(folder, self.rr.home, self.rr.prefix, self.rr.settings), self.order, self.number)

    @property
    def set(self) -> Path:
        return self.rr.keploy / "test-set-0"

    def name(self) -> None:
        """What a person does."""
        for path in (self.set / "tests").iterdir():
            text = path.read_text("utf-8").replace(f": {self.order}\n", ": '{{order}}'\n")  # YAML wants it quoted
            text = text.replace(self.order, "{{order}}")
            path.write_text(re.sub(rf"\b{self.number}\b", "{{number}}", text), "utf-8")
        with (self.set / "config.yml").open("a") as config:
            config.write(f"template: {{order: {self.order}, number: {self.number}}}\n")

    def change(self, old: str, new: str) -> None:
        app = self.rr.folder / APP.name
        source = app.read_text("utf-8")
        assert old in source
        app.write_text(source.replace(old, new, 1), "utf-8")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """An order, asked for in a path, a query, a header and a body; the warehouse has gone since."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "project").mkdir()
    (folder / "home").mkdir()
    shutil.copy(APP, folder / "project")
    port = free_port()
    with Dependency() as stock:
        rr = RR(folder / "project", folder / "home").with_settings(PORT=str(port), STOCK_URL=stock.url)
        with rr.record(f"python {APP.name}", port=port):

            def ask(method: str, path: str, body: object = None, **headers: str) -> dict[str, object]:
                sent = json.dumps(body).encode() if body is not None else None
                named = {key.replace("_", "-"): value for key, value in headers.items()}
                step = Step(method=method, path=path, send=sent, headers={**(JSON if sent else {}), **named})
                answer = send(step, port)
                assert answer.status < 300, answer
                return dict(json.loads(answer.body))

            made = ask("POST", "/orders", {"item": "pen", "quantity": 3})
            order, number = str(made["order"]), int(str(made["id"]))
            ask("GET", f"/orders/{order}")
            ask("GET", f"/search?order={order}&quantity=3", X_Order=order)
            ask("POST", "/payments", {"order": order, "id": number})
            ask("GET", f"/numbers/{number}")
    return Shop(rr, order, number)


@pytest.fixture
def shop(recorded: Shop, tmp_path: Path) -> Shop:
    return recorded.copy(tmp_path / "project")


def test_without_names_it_is_red(shop: Shop) -> None:
    replay = shop.rr.test()
    assert replay.code == 1, replay.output


def test_a_name_is_heard_and_put_in_its_places(shop: Shop) -> None:
    """In the answer's body and header, and from then on in paths, queries, headers, bodies, and in what the warehouse
    is asked: before the name has been heard, and after it."""
    shop.name()
    replay = shop.rr.test()
    assert replay.code == 0, replay.output
    assert "5 passed" in replay.output
    one = shop.rr.test("--tests", "test-5")
    assert one.code == 0, one.output
    assert re.search(r"test-1 .*set-up", one.output), "the test in which the name is heard runs as well"


@pytest.mark.parametrize(
    ("changes", "red"),
    [
        (
            {
                '"reserved": told["order"]': '"reserved": "A-1"',  # body.order says another one
                "order={known['order']}": "order=A-1",  # a request of the app's own
                '"for": self.headers["X-Order"]': '"for": None',
                '"order": body["order"], "paid"': '"order": "A-1", "paid"',
            },
            ["test-1", "test-2", "test-3", "test-4"],
        ),
        ({'"paid": body["id"]': '"paid": 1'}, ["test-4"]),
        ({'{"id": known["id"], "paid": True}': '{"id": 1, "paid": True}'}, ["test-4"]),
    ],
)
def test_another_value_in_the_place_of_a_name_is_red(shop: Shop, changes: dict[str, str], red: list[str]) -> None:
    shop.name()
    for old, new in changes.items():
        shop.change(old, new)
    replay = shop.rr.test("--json")
    assert replay.code == 1, replay.output
    tests = [one for each in json.loads(replay.stdout)["sets"] for one in each["tests"]]
    assert [one["name"] for one in tests if one["verdict"] != "passed"] == red, replay.output
    [shown] = [one for one in tests if one["name"] == "test-4"]
    assert "{{" not in str(shown), "the report shows the values that were used"
    assert "/payments" in shown["curl"]
    assert shop.order not in shown["curl"]


def test_a_name_that_nothing_explains_is_an_error_of_its_test(shop: Shop) -> None:
    shop.name()
    config = shop.set / "config.yml"
    config.write_text(config.read_text("utf-8").replace(f", number: {shop.number}", ""), "utf-8")
    replay = shop.rr.test("--tests", "test-5")
    assert replay.code == 2, replay.output
    assert "test-5.yml:" in replay.output
    assert "nothing says what {{number}} stood for" in replay.output
    assert "template: {number: …}" in replay.output
    config.write_text(config.read_text("utf-8").replace(f"order: {shop.order}", "order: [1]"), "utf-8")
    replay = shop.rr.test()
    assert replay.code == 2, replay.output
    assert "`template.order` must be a text or a number, found [1]" in replay.output


# -- rr templatize -----------------------------------------------------------------------------------------------


def test_names_are_proposed(shop: Shop) -> None:
    before = {path: path.read_bytes() for path in shop.set.rglob("*.yml")}
    said = shop.rr.run("templatize")
    assert said.code == 0, said.output
    assert f"{{{{order}}}} for {shop.order}" in said.stdout
    assert f"{{{{order_id}}}} for {shop.number}" in said.stdout
    assert "+     url: http://localhost" in said.stdout.replace("+    url", "+     url"), said.stdout
    assert "2 names proposed" in said.stdout
    assert {path: path.read_bytes() for path in shop.set.rglob("*.yml")} == before, "nothing is written"


def test_names_that_were_written_are_right(shop: Shop) -> None:
    test = shop.set / "tests" / "test-2.yml"
    test.write_text("# the order\n" + test.read_text("utf-8"), "utf-8")
    said = shop.rr.run("templatize", "--write", "-t", "test-set-0")
    assert said.code == 0, said.output
    replay = shop.rr.test()
    assert replay.code == 0, replay.output
    assert test.read_text("utf-8").startswith("# the order\n"), "comments stay"
    assert f"order: {shop.order}" in (shop.set / "config.yml").read_text("utf-8")
    again = shop.rr.run("templatize", "--write")
    assert (again.code, "Nothing to name" in again.stdout) == (0, True), again.output


def test_a_set_that_is_not_there(shop: Shop) -> None:
    said = shop.rr.run("templatize", "-t", "test-set-9")
    assert said.code == 2
    assert "no test set 'test-set-9'" in said.stderr


# -- what writes into tests leaves names alone -----------------------------------------------------------------------


def test_an_unchanged_app_recorded_anew_changes_nothing(shop: Shop) -> None:
    shop.name()
    before = {path: path.read_text("utf-8") for path in sorted(shop.set.rglob("*.yml"))}
    stock_port = int(shop.rr.settings["STOCK_URL"].rpartition(":")[2])
    with Dependency(port=stock_port):
        done = shop.rr.run("rerecord")
        assert done.code == 0, done.output
        after = {path: path.read_text("utf-8") for path in sorted(shop.set.rglob("*.yml"))}
        assert after == before, done.output
        shop.change('"quantity": known["quantity"]}', '"quantity": known["quantity"], "currency": "EUR"}')
        done = shop.rr.run("rerecord")
        assert done.code == 0, done.output
    text = (shop.set / "tests" / "test-4.yml").read_text("utf-8")
    assert '"currency": "EUR"' in text
    assert text.count("{{order}}") == 2
    assert text.count("{{number}}") == 2
    replay = shop.rr.test()
    assert replay.code == 0, replay.output


def test_a_change_is_accepted_around_the_names(shop: Shop) -> None:
    shop.name()
    shop.change('"quantity": known["quantity"]}', '"quantity": -known["quantity"]}')
    assert shop.rr.test().code == 1
    done = shop.rr.run("normalize")
    assert done.code == 0, done.output
    assert (shop.set / "tests" / "test-4.yml").read_text("utf-8").count("{{order}}") == 2
    replay = shop.rr.test()
    assert replay.code == 0, replay.output
