"""The real servers that other tests rely on: logins, stopping and starting, and that none is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pymysql
import pytest

from tests.harness.mysql_servers import DATABASE, FLAVOURS, PASSWORD, USER, Server, mysql_server

pytestmark = pytest.mark.system


def log_in(server: Server, **how: Any) -> dict[str, str]:
    """What the server says of a new connection."""
    where: dict[str, Any] = {} if "unix_socket" in how else {"host": "127.0.0.1", "port": server.port}
    connection = pymysql.connect(**where, **how, user=USER, password=PASSWORD, database=DATABASE)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER() UNION ALL SELECT @@version")
        (user,), (version,) = cursor.fetchall()
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        return {"user": user, "version": version, "cipher": cursor.fetchall()[0][1]}


@pytest.mark.parametrize("name", FLAVOURS)
def test_one_logs_in_by_each_way_and_again_after_a_stop(name: str) -> None:
    with mysql_server(FLAVOURS[name]) as server:
        before = server.connections
        plain = log_in(server, ssl_disabled=True)
        assert (plain["user"], plain["cipher"]) == (f"{USER}@%", "")
        assert log_in(server, ssl={"ca": str(server.authority), "check_hostname": name == "mariadb"})["cipher"]
        assert log_in(server, unix_socket=str(server.socket))["version"] == plain["version"]
        server.forget_logins()
        assert log_in(server)["user"] == f"{USER}@%"
        assert server.connections - before == 4, "connections are counted without those of the count"

        server.sql(f"CREATE TABLE {DATABASE}.kept (name VARCHAR(20))", f"INSERT INTO {DATABASE}.kept VALUES ('Zoë')")
        server.stop()
        with pytest.raises(pymysql.err.OperationalError):
            log_in(server)
        server.start()
        assert server.sql(f"SELECT name FROM {DATABASE}.kept") == [("Zoë",)]

    assert not Path(server.folder).exists()
    # What ends meanwhile has no command line.
    commands = {one.pid: " ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])}
    left = [pid for pid, command in commands.items() if str(server.folder) in command]
    assert not left
