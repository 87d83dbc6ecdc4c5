"""Apps in containers: recorded with everything around them, replayed alone. With a real engine and real images."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import textwrap
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.engine import NODE, PYTHON, DockerEngine, docker_engine, node_image
from tests.harness.network import free_port
from tests.harness.processes import Running
from tests.harness.rr_command import BIN, RR
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("docker"), pytest.mark.timeout(240)]

USERS = """
    import json
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Users(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            body = json.dumps({"path": self.path, "name": "ann"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    ThreadingHTTPServer(("0.0.0.0", 8000), Users).serve_forever()
"""
ORDERS = """
    import os, uuid, urllib.request
    from flask import Flask, jsonify
    app = Flask(__name__)
    @app.get("/orders/<name>")
    def order(name):
        with urllib.request.urlopen(f"http://{os.environ.get('USERS', 'users')}:8000/{name}", timeout=5) as answer:
            return jsonify({"id": str(uuid.uuid4()), "user": answer.read().decode(), "price": 12})
    app.run(host="0.0.0.0", port=8080)
"""
GATEWAY = """
    import os, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self):
            target = os.environ.get("TARGET", "order_service")
            with urllib.request.urlopen(f"http://{target}:8080{self.path}", timeout=5) as answer:
                body = answer.read()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)
    ThreadingHTTPServer(("0.0.0.0", 8081), Gateway).serve_forever()
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with docker_engine() as running:
        yield running


@pytest.fixture(autouse=True)
def as_before(engine: DockerEngine) -> Iterator[None]:
    """Whatever a test does, the engine is afterwards as it was before."""
    before = engine.there()
    yield
    # Another rr, of another test, may be about to remove what one that was killed has left.
    eventually(lambda: engine.there() == before, lambda: f"{before}, and there is {engine.there()}", 30)


class Project:
    """A Compose project in rr's folder."""

    def __init__(self, rr: RR, engine: DockerEngine) -> None:
        self.rr = rr.with_settings(**engine.env)
        self.engine = engine
        self.port, self.gateway = free_port(), free_port()
        self.document: dict[str, Any] = {"name": f"project{free_port()}", "services": {}}

    def service(self, name: str, code: str, *lines: str, base: str = PYTHON, **more: Any) -> None:
        """A service of one file, with an image of its own."""
        folder = self.rr.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "app").write_text(textwrap.dedent(code))
        start = 'CMD ["python", "-u", "/app"]' if base == PYTHON else 'CMD ["node", "/app"]'
        (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", "COPY app /app", *lines, start]) + "\n")
        self.document["services"][name] = {"build": f"./{name}", "stop_grace_period": "1s", **more}

    def usual(self, **target: Any) -> None:
        self.service("users", USERS)
        self.service(
            "order", ORDERS, container_name="order_service", ports=[f"127.0.0.1:{self.port}:8080"],
            depends_on=["users"], **target,
        )  # fmt: skip
        self.service("gateway", GATEWAY, ports=[f"127.0.0.1:{self.gateway}:8081"], depends_on=["order"])

    def write(self) -> None:
        (self.rr.folder / "docker-compose.yml").write_text(yaml.safe_dump(self.document))

    @contextmanager
    def recording(
        self, *options: str, command: str = "docker compose up", port: int | None = None
    ) -> Iterator[Running]:
        self.write()
        with self.rr.record(command, "--build-delay", "100", *options, port=None, ceiling=100) as running:
            eventually(lambda: self.answers(port or self.port), lambda: f"the app:\n{running.output}", 100)
            yield running

    def record(self, *options: str, command: str = "docker compose up") -> str:
        """Two requests from the host, and one through the gateway if there is one."""
        with self.recording(*options, command=command) as running:
            assert get(self.port, "/orders/ann")["price"] == 12
            if "gateway" in self.document["services"]:
                eventually(lambda: self.answers(self.gateway), "the gateway answers")
                assert get(self.gateway, "/orders/bob")["price"] == 12
            running.interrupt()
            assert running.wait(100) == 0, running.output
            return running.output

    def answers(self, port: int) -> bool:
        try:
            return "id" in get(port, "/orders/probe")
        except OSError:
            return False

    def tests(self) -> int:
        return len(list((self.rr.keploy / "test-set-0" / "tests").iterdir()))


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def project(rr: RR, engine: DockerEngine) -> Project:
    return Project(rr, engine)


def green(project: Project, *options: str) -> None:
    done = project.rr.run("test", "--delay", "30", "--build-delay", "100", *options, ceiling=120)
    assert done.code == 0, done.output


# -- the whole ------------------------------------------------------------------------------------------------------


def test_a_project_is_recorded_whole_and_replayed_alone(project: Project) -> None:
    project.usual()
    subprocess.run(["git", "init", "-q", project.rr.folder], check=True)
    project.write()
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "add", "-A"], cwd=project.rr.folder, check=True)
    subprocess.run([*git, "commit", "-qm", "Before"], cwd=project.rr.folder, check=True)
    output = project.record("--container-name", "order_service")
    tests = project.tests()
    assert f"{tests} test cases and" in output
    anew = project.rr.run("rerecord", "--delay", "30", "--build-delay", "100", ceiling=120)
    assert anew.code == 0, anew.output  # Docker may have given others' names other addresses
    assert "test changed" not in anew.output, anew.output
    green(project)
    changed = subprocess.run(
        ["git", "status", "--short"], cwd=project.rr.folder, capture_output=True, text=True, check=True
    ).stdout.split()
    assert changed == ["??", "keploy/", "??", "rr.yml"]
    mocks = (project.rr.keploy / "test-set-0" / "mocks.yml").read_text()
    assert "url: http://users:8000/ann" in mocks
    assert "url: http://users:8000/bob" in mocks

    code = project.rr.folder / "order" / "app"
    code.write_text(code.read_text().replace('"price": 12', '"price": 15'))
    project.engine.docker("compose", "-f", str(project.rr.folder / "docker-compose.yml"), "build", "order")
    red = project.rr.run("test", "--delay", "30", ceiling=120)
    assert red.code == 1
    assert "body.price" in red.output


def test_coverage_in_a_container(project: Project) -> None:
    project.usual()
    project.record("--container-name", "order")
    green(project, "--coverage")
    [report] = project.rr.keploy.glob("reports/*/coverage/coverage.json")
    [measured] = [one for name, one in json.loads(report.read_text())["files"].items() if name.endswith("app")]
    assert measured["summary"]["percent_covered"] > 80


def test_copies_run_side_by_side_and_the_rest_can_run_too(project: Project) -> None:
    project.usual()
    project.record("--container-name", "order")
    shutil.copytree(project.rr.keploy / "test-set-0", project.rr.keploy / "test-set-1")
    green(project, "--jobs", "2")
    green(project, "--with-deps", "--test-sets", "test-set-0")


# -- networks, users, images ----------------------------------------------------------------------------------------


def test_two_networks_an_alias_and_a_fixed_address(project: Project) -> None:
    project.usual()
    services = project.document["services"]
    services["order"]["networks"] = {
        "front": {"aliases": ["orders.shop"], "ipv4_address": "10.213.77.5"}, "back": None,
    }  # fmt: skip
    services["users"]["networks"] = ["back"]
    services["gateway"] |= {"networks": ["front"], "environment": {"TARGET": "10.213.77.5"}}
    project.document["networks"] = {"front": {"ipam": {"config": [{"subnet": "10.213.77.0/24"}]}}, "back": {}}
    project.record("--container-name", "order")
    green(project)


def test_an_unprivileged_user_and_a_root_that_is_read_only(project: Project) -> None:
    project.usual(user="65534:65534", read_only=True, tmpfs=["/tmp"], cap_drop=["ALL"])
    project.record("--container-name", "order_service")
    green(project)


def test_a_node_image(project: Project) -> None:
    node_image(project.engine)
    code = """
        const http = require("http")
        http.createServer(async (request, response) => {
            const answer = await fetch("http://users:8000" + request.url)
            response.setHeader("content-type", "application/json")
            response.end(JSON.stringify({id: crypto.randomUUID(), price: 12, user: await answer.text()}))
        }).listen(8080)
    """
    project.service("users", USERS)
    project.service("order", code, base=NODE, ports=[f"{project.port}:8080"], depends_on=["users"])
    project.record("--container-name", "order")
    green(project)


def test_a_static_binary_from_scratch(project: Project, static_server: Path) -> None:
    folder = project.rr.folder / "static"
    folder.mkdir()
    shutil.copy(static_server, folder / "server")
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY server /server\nENV PORT=8080 HOST=0.0.0.0\nENTRYPOINT ["/server"]\n'
    )
    project.document["services"]["static"] = {"build": "./static", "ports": [f"{project.port}:8080"]}
    project.write()
    with project.rr.record("docker compose up", "--build-delay", "100", ceiling=100) as running:

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/health", timeout=5) as answer:
                    return bool(answer.read())
            except OSError:
                return False

        eventually(answers, "the server answers", 100)
        running.interrupt()
        assert running.wait(60) == 0, running.output
    done = project.rr.run("test", "--delay", "30", ceiling=100)
    assert done.code == 0, done.output
    assert "statically linked" in done.output


def test_docker_run(project: Project) -> None:
    project.service("users", USERS)
    project.service("order", ORDERS)
    project.write()
    names = project.document["name"]
    project.engine.docker("compose", "-f", str(project.rr.folder / "docker-compose.yml"), "build")
    project.engine.docker("network", "create", names)
    project.engine.docker("run", "-d", "--name", f"{names}-users", "--network", names, f"{names}-users")
    try:
        command = f"docker run --rm -p {project.port}:8080 --network {names} -e USERS={names}-users {names}-order"
        project.document["services"] = {}
        project.record(command=command)
    finally:
        project.engine.docker("rm", "-f", f"{names}-users")
        project.engine.docker("network", "rm", names)
    green(project)


# -- several containers, one app ------------------------------------------------------------------------------------

PRICES = """
    import os, time, urllib.request
    from flask import Flask
    app = Flask(__name__)
    time.sleep(float(os.environ.get("SLOW", "0")))
    @app.get("/<name>")
    def price(name):
        with urllib.request.urlopen(f"http://users:8000/{name}", timeout=5) as answer:
            return {"price": 12 if name in answer.read().decode() else 13, "host": os.uname().nodename}
    app.run(host="0.0.0.0", port=8070)
"""
SHOP = """
    import json, os, socket, time, urllib.request
    from flask import Flask, jsonify
    app = Flask(__name__)
    while os.environ.get("WAITS") and socket.socket().connect_ex(("price", 8070)):
        time.sleep(0.05)
    @app.get("/orders/<name>")
    def order(name):
        found = []
        for host in ("price", "price_service", "costs.shop"):
            with urllib.request.urlopen(f"http://{host}:8070/{name}", timeout=9) as answer:
                found.append(json.load(answer)["price"])
        with urllib.request.urlopen(f"http://users:8000/{name}", timeout=5) as answer:
            return jsonify({"id": 1, "user": answer.read().decode(), "price": max(found)})
    app.run(host="0.0.0.0", port=8080)
"""


def shop(project: Project, **price: Any) -> None:
    """A shop that asks its price service by three names, and users, whom both of them ask."""
    project.service("users", USERS)
    place = ("WORKDIR /srv", "COPY app /srv/shop.py")  # in both of them
    project.service(
        "price", PRICES, *place, command="python -u shop.py", container_name="price_service", depends_on=["users"],
        networks={"default": {"aliases": ["costs.shop"]}}, **price,
    )  # fmt: skip
    project.service(
        "order", SHOP, *place, command="python -u shop.py", ports=[f"127.0.0.1:{project.port}:8080"],
        depends_on=["users", "price"], environment={"WAITS": "1"},
    )  # fmt: skip


def test_two_containers_that_are_one_app(project: Project) -> None:
    shop(project)
    project.record("--container-name", "order", "--container-name", "price_service")
    assert (project.rr.folder / "rr.yml").read_text().count("container_name: [order, price_service]") == 1
    mocks = (project.rr.keploy / "test-set-0" / "mocks.yml").read_text()
    assert mocks.count("url: http://users:8000/ann") == 4  # of both; what they say to each other stays inside
    assert "8070" not in mocks
    services = project.document["services"]
    del services["users"]
    services["order"] |= {"environment": {}, "depends_on": ["price"]}
    services["price"] |= {"environment": {"SLOW": "3"}, "depends_on": []}  # the other has to wait for it
    project.write()
    green(project, "--coverage")
    [report] = project.rr.keploy.glob("reports/*/coverage/coverage.json")
    measured = json.loads(report.read_text())["files"]
    assert [Path(name).name for name in measured] == ["shop.py", "shop.py"], "of each container, and of none's packages"
    assert all(one["summary"]["percent_covered"] > 80 for one in measured.values()), measured

    code = project.rr.folder / "price" / "app"
    code.write_text(code.read_text().replace('"price": 12', '"price": 15'))
    project.engine.docker("compose", "-f", str(project.rr.folder / "docker-compose.yml"), "build", "price")
    red = project.rr.run("test", "--delay", "30", ceiling=120)
    assert red.code == 1
    assert "body.price" in red.output


def test_two_containers_that_cannot_be_one_app(project: Project) -> None:
    shop(project, ports=["8080"])
    said = refused(project, "--container-name", "price", name="order")
    assert "order and price cannot be one app, with one network: both listen on port 8080" in said
    assert "Let one of them listen on another port" in said
    project.write()
    done = project.rr.run("record", "-c", "docker run x", "--container-name", "x", "--container-name", "y")
    assert done.code == 2
    assert "`docker run` starts one container, and --container-name names 2." in done.output


# -- spellings ------------------------------------------------------------------------------------------------------


def test_files_profiles_and_the_documented_command(project: Project) -> None:
    project.usual()
    services = project.document["services"]
    services["order"]["profiles"] = ["shop"]
    services["gateway"]["profiles"] = ["shop"]
    services["order"]["environment"] = {"USERS": "${USERS_HOST}"}
    project.write()
    folder = project.rr.folder
    (folder / "docker-compose.yml").rename(folder / "base.yml")
    (folder / "more.yml").write_text(yaml.safe_dump({"services": {"order": {"labels": {"of": "more"}}}}))
    (folder / "settings.env").write_text("USERS_HOST=users\n")
    (folder / "order_service").mkdir()
    command = "docker compose -f base.yml -f more.yml --env-file settings.env -p spelled --profile shop up --build"
    where = ("--path=./order_service", "--config-path=./order_service")
    with project.recording("--container-name=order_service", *where, command=command) as running:
        running.interrupt()
        assert running.wait(100) == 0, running.output
    (folder / "docker-compose.yml").unlink()
    done = project.rr.run(
        "test",
        "-c",
        command,
        "--containerName=order_service",
        "--delay",
        "30",
        "--build-delay",
        "100",
        *where,
        ceiling=120,
    )
    assert done.code == 0, done.output


# -- what goes wrong ------------------------------------------------------------------------------------------------


def refused(
    project: Project, *words: str, settings: Mapping[str, str] | None = None, name: str = "order_service"
) -> str:
    """A recording that does not begin: exit code 2, a sentence and a remedy."""
    project.write()
    rr = project.rr.with_settings(**(settings or {}))
    done = rr.run("record", "-c", "docker compose up", "--container-name", name, *words, ceiling=120)
    assert done.code == 2, done.output
    assert "Traceback" not in done.output
    assert not (project.rr.keploy / "test-set-0").exists()
    return done.output


def test_there_is_no_engine(project: Project) -> None:
    project.usual()
    said = refused(project, settings={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert "The Docker engine cannot be reached" in said


def test_there_is_no_such_container(project: Project) -> None:
    project.usual()
    said = refused(project, name="orders")
    assert "There is no container or service orders" in said
    assert "There are: gateway, order (order_service), users." in said


def test_a_name_is_missing(project: Project) -> None:
    project.usual()
    project.write()
    done = project.rr.run("record", "-c", "docker compose up")
    assert done.code == 2
    assert "Which of the services is the app? The project has gateway, order and users." in done.output


def test_a_port_is_taken(project: Project) -> None:
    project.usual()
    project.service("thief", USERS)
    project.write()
    compose = ("compose", "-f", str(project.rr.folder / "docker-compose.yml"))
    project.engine.docker(*compose, "build", "thief")
    name = project.document["name"]
    project.engine.docker("run", "-d", "--name", "thief", "-p", f"127.0.0.1:{project.port}:8000", f"{name}-thief")
    try:
        said = refused(project, "--build-delay", "100")
    finally:
        project.engine.docker("rm", "-f", "thief")
    assert f"{project.port}" in said
    assert "or publish another" in said


def test_an_image_that_fails_to_build(project: Project) -> None:
    project.usual()
    (project.rr.folder / "order" / "Dockerfile").write_text(f"FROM {PYTHON}\nRUN false\n")
    assert "The image of order cannot be built" in refused(project, "--build-delay", "100")


def test_a_target_that_ends_at_once(project: Project) -> None:
    project.usual()
    (project.rr.folder / "order" / "app").write_text("raise SystemExit(3)\n")
    assert "order ended at once, with exit code 3" in refused(project, "--build-delay", "100")


@pytest.mark.parametrize("mode", ["host", "service:users"])
def test_a_network_that_is_not_its_own(project: Project, mode: str) -> None:
    project.usual()
    order = project.document["services"]["order"]
    del order["ports"]
    order["network_mode"] = mode
    assert f"order has `network_mode: {mode}`" in refused(project)


def test_what_a_killed_rr_has_left_is_removed_by_the_next(project: Project) -> None:
    project.usual()
    with project.recording("--container-name", "order") as running:
        running.process.send_signal(signal.SIGKILL)
        running.wait(10)
    left = project.rr.run("test", "--build-delay", "100", "--delay", "30", ceiling=120)  # whatever it finds
    assert "Traceback" not in left.output


def test_what_answers_is_no_engine(project: Project, tmp_path: Path) -> None:
    """All that it may say is in tests/intercept/containers/test_engine.py."""
    project.usual()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        said = refused(project, settings={"DOCKER_HOST": f"unix://{tmp_path / 'engine.sock'}"})
    assert "The Docker engine cannot be reached" in said
    assert "docker info" in said


def test_a_name_that_two_containers_match(project: Project) -> None:
    """One has it by its service, the other because the project says so."""
    project.usual()
    both = f"{project.document['name']}-users-1"
    project.document["services"]["order"]["container_name"] = both
    said = refused(project, name=both)
    assert f"--container-name {both} may be any of order and users" in said
    assert "Use a service's name" in said


TEST = """
    version: api.keploy.io/v1beta1
    kind: Http
    name: test-1
    spec:
      req: {method: GET, url: 'http://localhost:8080/orders/ann'}
      resp: {status_code: 200}
"""


def test_what_a_replay_that_was_killed_has_left_is_removed_by_the_next_command(project: Project) -> None:
    project.service("order", "import time; time.sleep(600)", volumes=["data:/data"])
    project.document["volumes"] = {"data": {}}
    project.write()
    tests = project.rr.keploy / "test-set-0" / "tests"
    tests.mkdir(parents=True)
    (tests / "test-1.yml").write_text(textwrap.dedent(TEST))
    before = project.engine.there()
    rr = project.rr
    command = [str(BIN / "rr"), "test", "-c", "docker compose up", "--delay", "60", "--build-delay", "100"]
    with Running(command, log=rr.home / "test.log", cwd=rr.folder, env=rr.env) as running:

        def is_up() -> bool:
            names = project.engine.docker("ps", "--format", "{{.Names}}").split()
            return len([name for name in names if name.startswith("rr-")]) == 2

        eventually(is_up, lambda: f"the app and its agent run:\n{running.output}", 100)
        running.process.send_signal(signal.SIGKILL)
        running.wait(10)
    assert project.engine.there()["volumes"] != before["volumes"]
    said = project.rr.run("recover").output  # or any other rr of this user, which may have come before it
    assert "Traceback" not in said
    eventually(lambda: project.engine.there() == before, lambda: f"nothing is left:\n{said}")


def test_the_engine_refuses(project: Project) -> None:
    """An engine without the rights that the agent needs, as far as that can be had: a container limit of its own."""
    project.usual(cpus=4096)
    said = refused(project, "--build-delay", "100")
    assert "cannot be made" in said
