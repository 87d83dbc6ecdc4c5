"""The whole shop on one machine, over each kind of MySQL: shopper and Postman collection get what they expect."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sample_app import traffic
from tests.harness.mysql_servers import MYSQL, PASSWORD, USER, Servers
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.waiting import eventually
from tests.sample_app.open_shop import (
    REPOSITORY,
    command,
    environment,
    open_shop,
    own_ports,
    processes_with,
    run_newman,
    shop_with,
)

pytestmark = pytest.mark.system

LOGIN: Mapping[str, str] = {"DB_USER": USER, "DB_PASSWORD": PASSWORD}


def test_embedded_and_nothing_is_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_shop(tmp_path, "--mysql", "embedded") as shop:
        assert shop_with(shop) == []
        # a second visit is like the first, also when all of it goes through the gateway
        assert traffic.main(["--base-url", shop.url("gateway")]) == 0
        assert " steps, all answered as expected" in capsys.readouterr().out
        run_newman(shop)
        port = str(shop.ports["mysql"])
        assert processes_with(port)
        shop.running.interrupt()
        assert shop.running.wait() == 0
    assert "Traceback" not in shop.running.output
    assert not list(shop.temporary.iterdir())
    assert not [line for line in processes_with(port) if "sqlite_server" in line]
    assert not [name for name, number in shop.ports.items() if listens(number)]


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_a_server_that_runs(tmp_path: Path, databases: Servers, flavour: str) -> None:
    server = databases[flavour]
    with open_shop(tmp_path, "--mysql", f"127.0.0.1:{server.port}", env=LOGIN) as shop:
        assert shop_with(shop) == []
        run_newman(shop)


def test_a_server_of_the_machine_is_started_with_a_folder_of_its_own(tmp_path: Path) -> None:
    mysqld = tmp_path / "mysqld"
    loader, option, libraries, *_ = MYSQL.command(tmp_path)
    share = MYSQL.tree / "usr/share/mysql"
    mysqld.write_text(
        f'#!/bin/sh\nshift\nexec "{loader}" {option} "{libraries}" "{MYSQL.tree}/usr/sbin/mysqld" --no-defaults '
        f'--lc-messages-dir="{share}" --character-sets-dir="{share}/charsets" '
        f'--plugin-dir="{MYSQL.tree}/usr/lib/mysql/plugin" "$@"\n'
    )
    mysqld.chmod(0o755)
    with open_shop(tmp_path, "--mysql", str(mysqld)) as shop:
        assert "Ver 9" in shop.running.output or "Ver 8" in shop.running.output
        assert shop_with(shop) == []
        shop.running.process.terminate()
        assert shop.running.wait() == 0
    assert not list(shop.temporary.iterdir())


def test_one_service_is_left_out_and_started_by_itself(tmp_path: Path) -> None:
    with open_shop(tmp_path, "--mysql", "embedded", "--without", "order_service") as shop:
        assert not listens(shop.ports["order"])
        settings, started_with = shop.how_to_start("order_service")
        assert started_with == ["python", "-m", "sample_app.order_service"]
        with Running(
            [sys.executable, "-m", "sample_app", "--service", "order_service"],
            log=tmp_path / "order.log",
            cwd=REPOSITORY,
            env={**os.environ, **settings},
        ) as order:
            order.until(lambda: listens(shop.ports["order"]), "the order service listens")
            assert shop_with(shop) == []
            order.process.terminate()
            assert order.wait() == 0


def test_a_port_that_is_taken_is_named_with_the_way_round(tmp_path: Path) -> None:
    ports = own_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports["order"]))
        taken.listen()
        done = subprocess.run(
            command(ports), cwd=REPOSITORY, env=environment(tmp_path), capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"Port {ports['order']} cannot be used (Address already in use): stop the program that has it, "
        "or choose another port with --order-port.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_service_that_ends_closes_the_shop(tmp_path: Path) -> None:
    with open_shop(tmp_path, "--mysql", "embedded") as shop:
        children = Path(f"/proc/{shop.running.process.pid}/task/{shop.running.process.pid}/children").read_text()
        [order] = [
            int(child)
            for child in children.split()
            if b"sample_app.order_service" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        os.kill(order, 9)
        assert shop.running.wait() == 1
        assert "order_service has ended, with exit code -9: the shop closes." in shop.running.output
    assert not list(shop.temporary.iterdir())


def test_a_shop_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    with open_shop(tmp_path, "--mysql", "embedded") as shop:
        port = str(shop.ports["mysql"])
        assert len(processes_with(port)) > 1
        shop.running.process.kill()
        assert shop.running.wait() == -9
    eventually(lambda: not any(listens(number) for number in shop.ports.values()), lambda: "the ports are free", 10)
    eventually(lambda: not list(shop.temporary.iterdir()), lambda: "its folder is removed", 10)
    eventually(lambda: not processes_with(port), lambda: f"its processes have ended: {processes_with(port)}", 10)


def test_a_signal_to_all_of_its_processes_closes_it_as_well(tmp_path: Path) -> None:
    with open_shop(tmp_path, "--mysql", "embedded") as shop:
        own = shop.running.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        assert len(children) > len(shop.ports)
        for process in (own, *map(int, children)):
            os.kill(process, signal.SIGTERM)
        shop.running.wait()
    assert not list(shop.temporary.iterdir())


def test_a_mysql_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    for choice, said in ((nowhere, f"The MySQL server at {nowhere} cannot be used"), ("./mysqld", "no MySQL server")):
        done = subprocess.run(
            command(own_ports(), "--mysql", choice),
            cwd=REPOSITORY, env=environment(tmp_path), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_the_shopper_says_that_the_shop_is_closed(capsys: pytest.CaptureFixture[str]) -> None:
    assert traffic.main(["--base-url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "`python -m sample_app` opens it" in capsys.readouterr().err
