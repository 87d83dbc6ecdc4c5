"""`python -m sample_app`: opens the shop on this machine until Ctrl-C. `--help` has the rest."""

from __future__ import annotations

import argparse
import os
import runpy
import signal
import sys

from sample_app.embedded import database
from sample_app.embedded.processes import ShopError
from sample_app.embedded.shop import DEFAULT, SERVICES, Shop, opened, require_installed, watch


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_app",
        description="Open the shop on this machine: three services with a database each, a queue, and a gateway.",
    )
    parser.add_argument("--service", choices=SERVICES, help="start this one alone; its settings are in the environment")
    parser.add_argument("--without", choices=SERVICES, action="append", default=[], help="leave this one out")
    parser.add_argument(
        "--mysql",
        default=os.environ.get("SHOP_MYSQL", database.AUTO),
        help="auto (a server of this machine, else the embedded one), embedded, the path of a mysqld or mariadbd, "
        "or host:port of one that runs, with DB_USER and DB_PASSWORD; also SHOP_MYSQL",
    )
    for service, port in DEFAULT.ports.items():
        parser.add_argument(f"--{service.removesuffix('_service')}-port", type=int, default=port, metavar="PORT")
    parser.add_argument("--mysql-port", type=int, default=DEFAULT.mysql_port, metavar="PORT")
    parser.add_argument("--sqs-port", type=int, default=DEFAULT.queue_port, metavar="PORT")
    parser.add_argument("--logs", action="store_true", help="show what the services log")
    return parser


def shop_of(chosen: argparse.Namespace) -> Shop:
    login = DEFAULT.login
    return Shop(
        ports={service: getattr(chosen, f"{service.removesuffix('_service')}_port") for service in SERVICES},
        mysql=chosen.mysql,
        mysql_port=chosen.mysql_port,
        queue_port=chosen.sqs_port,
        without=tuple(chosen.without),
        show_logs=chosen.logs,
        login=database.Login(os.environ.get("DB_USER", login.user), os.environ.get("DB_PASSWORD", login.password)),
    )


def main() -> int:
    chosen = options().parse_args()
    try:
        if chosen.service:
            require_installed()
            runpy.run_module(f"sample_app.{chosen.service}", run_name="__main__", alter_sys=True)
            return 0
        signal.signal(signal.SIGINT, signal.default_int_handler)  # scripts start what runs in the background without
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(0))
        with opened(shop_of(chosen)) as children:
            print("The shop is open: python -m sample_app.traffic goes shopping, Ctrl-C closes it.", flush=True)
            watch(children)
    except ShopError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
