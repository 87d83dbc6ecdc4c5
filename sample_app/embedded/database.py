"""The MySQL of the shop: one that runs, a server of this machine in a folder of its own, or the embedded one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sample_app.embedded.processes import Child, ShopError, listens

SERVERS = ("mysqld", "mariadbd")
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/homebrew/bin")
INSTALLERS = ("mariadb-install-db", "mysql_install_db")
INITIALISE_CEILING = 120.0
AUTO, EMBEDDED = "auto", "embedded"


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the databases are to be."""

    folder: Path
    port: int
    login: Login
    databases: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Started:
    what: str
    host: str
    port: int
    child: Child | None


def start(choice: str, place: Place) -> Started:
    """`choice`: auto, embedded, the path of a mysqld or mariadbd, or host:port of one that runs."""
    if choice == EMBEDDED:
        return start_embedded(place)
    if choice == AUTO:
        server = installed_server()
        if server is None:
            return start_embedded(place)
        try:
            return start_server(server, place)
        except ShopError as error:
            print(f"{server} cannot be used here, so the embedded server is. {error}", file=sys.stderr)
            return start_embedded(place)
    if re.fullmatch(r"[^/]+:\d+", choice):
        host, _, port = choice.rpartition(":")
        return use_running(host, int(port), place)
    found = shutil.which(choice)
    if found is None:
        raise ShopError(
            f"There is no MySQL server {choice}: name mysqld or mariadbd with its path, host:port of one that runs, "
            f"or take --mysql {EMBEDDED}."
        )
    return start_server(found, place)


def installed_server() -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *FOLDERS])
    return next((found for found in (shutil.which(name, path=path) for name in SERVERS) if found), None)


def start_embedded(place: Place) -> Started:
    folder = place.folder / "sqlite"
    folder.mkdir()
    command = [
        sys.executable, "-m", "sample_app.embedded.sqlite_server", "--port", str(place.port),
        "--folder", str(folder), "--user", place.login.user, *place.databases,
    ]  # fmt: skip
    env = {**place.env, "MYSQL_PASSWORD": place.login.password}
    child = Child.start("The embedded MySQL server", command, env, place.folder / "mysql.log")
    return Started("embedded, over SQLite", "127.0.0.1", place.port, child)


def start_server(server: str, place: Place) -> Started:
    """A server of this machine, as whoever starts the shop, with data of its own."""
    version = _run([server, "--no-defaults", "--version"], place).strip()
    is_mariadb = "mariadb" in version.lower()
    folder = place.folder / "mysql"
    folder.mkdir()
    data = folder / "data"
    user = ["--user=root"] if os.geteuid() == 0 else []
    if is_mariadb:
        installer = _installer(server)
        _run(
            [
                installer, "--no-defaults", f"--datadir={data}", "--skip-test-db",
                "--auth-root-authentication-method=normal", *user,
            ],
            place,
        )  # fmt: skip
    else:
        _run([server, "--no-defaults", "--initialize-insecure", f"--datadir={data}", *user], place)
    first = folder / "first.sql"
    first.write_text("".join(f"{statement};\n" for statement in first_statements(place)), "utf-8")
    command = [
        server, "--no-defaults", *user, f"--datadir={data}", f"--port={place.port}", "--bind-address=127.0.0.1",
        f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", f"--init-file={first}",
        f"--secure-file-priv={folder}", "--skip-name-resolve", "--skip-log-bin", "--innodb-buffer-pool-size=64M",
        *([] if is_mariadb else ["--mysqlx=OFF"]),
    ]  # fmt: skip
    child = Child.start(Path(server).name, command, place.env, place.folder / "mysql.log")
    try:
        child.wait_until(lambda: listens(place.port))
    except BaseException:
        child.end()
        raise
    return Started(version, "127.0.0.1", place.port, child)


def use_running(host: str, port: int, place: Place) -> Started:
    """The databases are made if they are not there, and stay."""
    import pymysql  # late: what is not installed is told in a sentence first

    try:
        connection = pymysql.connect(host=host, port=port, user=place.login.user, password=place.login.password)
    except pymysql.err.Error as error:
        raise ShopError(
            f"The MySQL server at {host}:{port} cannot be used ({error.args[-1]}): "
            "DB_USER and DB_PASSWORD say who logs in."
        ) from error
    with connection, connection.cursor() as cursor:
        for name in place.databases:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone() or ("of unknown version",)
    return Started(f"at {host}:{port}, {version}", host, port, None)


def first_statements(place: Place) -> list[str]:
    login = place.login
    made = [f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4" for name in place.databases]
    return [
        *made,
        f"CREATE USER IF NOT EXISTS '{login.user}'@'%' IDENTIFIED BY '{login.password}'",
        *[f"GRANT ALL ON {name}.* TO '{login.user}'@'%'" for name in place.databases],
    ]


def _installer(server: str) -> str:
    beside = str(Path(server).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath), "/usr/bin", "/usr/local/bin"])
    for name in INSTALLERS:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise ShopError(f"There is {server}, and no {INSTALLERS[0]} that makes its first tables.")


def _run(command: Sequence[str], place: Place) -> str:
    try:
        done = subprocess.run(
            command, env=dict(place.env), capture_output=True, timeout=INITIALISE_CEILING, check=False, text=True,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ShopError(f"{command[0]} does not run: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ShopError(
            f"{command[0]} ended with exit code {done.returncode}: {said[-1] if said else 'it said nothing'}"
        )
    return done.stdout
