"""The shop on one machine: what is started in which order, and with which settings."""

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sample_app.embedded import database
from sample_app.embedded.processes import Child, ShopError, listens, removed_afterwards, require_free
from sample_app.shared import settings

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DATABASES = {"user_service": "user_db", "product_service": "product_db", "order_service": "order_db"}
PORTS = {"user_service": 8082, "product_service": 8081, "order_service": 8080, "gateway_service": 8083}
SERVICES = tuple(PORTS)
NEEDED = ("flask", "requests", "jwt", "pymysql", "mysql.connector", "boto3", "moto", "mysql_mimic", "sqlglot")


@dataclass(frozen=True, slots=True)
class Shop:
    """What is to be started, and where."""

    ports: Mapping[str, int]
    mysql: str
    mysql_port: int
    queue_port: int
    without: Sequence[str] = ()
    show_logs: bool = False
    login: database.Login = field(default_factory=lambda: database.Login("shop", "shop-password"))

    def environment(self, service: str, host: str, port: int) -> dict[str, str]:
        """The settings of a service, given where the database server is."""
        found = {"PORT": str(self.ports[service])}
        if service in DATABASES:
            found |= {
                "DB_HOST": host, "DB_PORT": str(port), "DB_USER": self.login.user, "DB_PASSWORD": self.login.password,
                "DB_NAME": DATABASES[service],
            }  # fmt: skip
        if service in ("order_service", "gateway_service"):
            found["USER_SERVICE_URL"] = f"http://localhost:{self.ports['user_service']}"
            found["PRODUCT_SERVICE_URL"] = f"http://localhost:{self.ports['product_service']}"
        if service == "gateway_service":
            found["ORDER_SERVICE_URL"] = f"http://localhost:{self.ports['order_service']}"
        if service == "order_service":
            found["SQS_ENDPOINT_URL"] = f"http://localhost:{self.queue_port}"
        return found

    def unusual(self, service: str, host: str, port: int) -> dict[str, str]:
        """Those of them that the service would not find out by itself."""
        usual = DEFAULT.environment(service, "127.0.0.1", settings.DATABASE_PORT)
        needed = self.environment(service, host, port)
        return {name: value for name, value in needed.items() if usual.get(name) != value}


DEFAULT = Shop(PORTS, database.AUTO, settings.DATABASE_PORT, settings.QUEUE_PORT)


@contextmanager
def opened(shop: Shop) -> Iterator[Sequence[Child]]:
    """The shop is open within the block; nothing is left behind afterwards."""
    require_installed()
    require_ports(shop)
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    with ExitStack() as stack:
        stack.enter_context(removed_afterwards(folder))
        try:
            yield start(shop, folder, stack)
        finally:
            only_close()


def start(shop: Shop, folder: Path, stack: ExitStack) -> Sequence[Child]:
    """Databases and queue at the same time, then the services. `stack` ends them in the opposite order."""
    children: list[Child] = []

    def keep(child: Child) -> Child:
        children.append(child)
        stack.callback(child.end)
        return child

    path = [str(REPOSITORY), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    base = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(shop.queue_port)]
    queue = keep(Child.start("moto, the queue", moto, base, folder / "queue.log"))
    place = database.Place(folder, shop.mysql_port, shop.login, tuple(DATABASES.values()), base)
    mysql = database.start(shop.mysql, place)
    if mysql.child is not None:
        keep(mysql.child).wait_until(lambda: listens(mysql.port))
    say("MySQL", mysql.what if mysql.child is None else f"port {mysql.port}, {mysql.what}")
    queue.wait_until(lambda: listens(shop.queue_port))
    say("SQS", f"http://localhost:{shop.queue_port}, moto")

    services = {}
    for service in SERVICES:
        if service not in shop.without:
            command = [sys.executable, "-m", f"sample_app.{service}"]
            env = {**base, **shop.environment(service, mysql.host, mysql.port)}
            log = None if shop.show_logs else folder / f"{service}.log"
            services[service] = keep(Child.start(service, command, env, log))
    for service, child in services.items():
        child.wait_until(partial(is_healthy, shop.ports[service]))
        say(service, f"http://localhost:{shop.ports[service]}")
    for service in shop.without:
        say(service, f"is left out. To start it: {how_to_start(shop, service, mysql)}")
    return children


def only_close() -> None:
    """From here on nothing interrupts the closing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say(name: str, text: str) -> None:
    print(f"{name:<16} {text}", flush=True)


def how_to_start(shop: Shop, service: str, mysql: database.Started) -> str:
    """The command, with the settings that are not the usual ones."""
    unusual = shop.unusual(service, mysql.host, mysql.port)
    changed = [f"{name}={shlex.quote(value)}" for name, value in unusual.items()]
    return " ".join([*changed, f"python -m sample_app.{service}"])


def require_installed() -> None:
    missing = []
    for name in NEEDED:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:  # not even the package that it is a part of
            found = None
        if found is None:
            missing.append(name.partition(".")[0])
    if missing:
        raise ShopError(f"The shop needs {', '.join(missing)}, not installed here: pip install -e '.[demo]'")


def require_ports(shop: Shop) -> None:
    for service, port in shop.ports.items():
        if service not in shop.without:
            require_free(port, f"--{service.removesuffix('_service')}-port")
    require_free(shop.queue_port, "--sqs-port")
    if ":" not in shop.mysql:
        require_free(shop.mysql_port, "--mysql-port")


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def watch(children: Sequence[Child]) -> None:
    """Until one of them ends, which none should."""
    while True:
        for child in children:
            code = child.process.poll()
            if code is not None:
                raise ShopError(f"{child.name} has ended, with exit code {code}: the shop closes.{child.last_words()}")
        time.sleep(0.2)
