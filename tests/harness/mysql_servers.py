"""Real MySQL and MariaDB servers, as `.ci/servers` has unpacked them: a fresh one in a second, gone with the block.

A server is started by the loader and with the libraries of its own tree, as whoever runs the tests. Its data folder is
a copy of a template that is made once. It listens on a free port of the loopback and on a socket in a folder of its
own, and offers TLS: MySQL with certificates that it makes itself, MariaDB with one signed by `server.authority`.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness.network import free_port
from tests.harness.processes import Running
from tests.harness.programs import program

SERVERS = Path(__file__).parent.parent / ".servers"

DATABASE = "shop"
USER = "app"
PASSWORD = "gr8-pa$$word"  # nothing is kept here but this test's own tables
CERTIFICATES = ("server-cert.pem", "server-key.pem", "ca.pem")

# Small and quick: what a test writes need not outlive the machine.
OPTIONS = (
    "--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=500", "--max-allowed-packet=64M",
    "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0",
    "--default-time-zone=+00:00", "--skip-log-bin", "--performance-schema=OFF", "--table-open-cache=200",
    "--character-set-server=utf8mb4", "--local-infile=ON",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs between the two."""

    name: str
    daemon: str
    plugin: str
    """How the users of the tests log in."""
    options: Sequence[str]

    @property
    def tree(self) -> Path:
        return SERVERS / self.name

    def command(self, data: Path, *options: str) -> list[str]:
        """The server, by the loader of its own tree."""
        libraries = self._one("lib/*/libc.so.6").parent
        loader = next(iter(sorted(libraries.glob("ld-linux*.so.*"))))
        folders = {libraries, self._one("usr/lib/*/libstdc++.so.6").parent}
        share = self.tree / "usr/share/mysql"
        user = ["--user=root"] if os.geteuid() == 0 else []
        return [
            str(loader), "--library-path", ":".join(map(str, sorted(folders))),
            str(self.tree / "usr/sbin" / self.daemon), "--no-defaults", *user, f"--datadir={data}",
            f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets",
            f"--plugin-dir={self.tree}/usr/lib/mysql/plugin", *OPTIONS, *self.options, *options,
        ]  # fmt: skip

    def _one(self, pattern: str) -> Path:
        for found in (*self.tree.glob(pattern), *self.tree.glob(f"usr/{pattern}")):
            return found
        raise FileNotFoundError(f"{self.tree} has no {pattern}: run .ci/servers")

    def template(self) -> Path:
        """A data folder as a new server has it, made by whoever comes first."""
        made = self.tree / "template"
        if not (self.tree / ".unpacked").exists():
            raise FileNotFoundError(f"There is no server in {self.tree}: run .ci/servers, as `make test` does")
        with (self.tree / ".template.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                with tempfile.TemporaryDirectory(dir=self.tree, prefix=".template.") as folder:
                    new = Path(folder) / "data"
                    new.mkdir()
                    self._initialise(new)
                    new.rename(made)
        return made

    def _initialise(self, data: Path) -> None:
        if self.daemon == "mysqld":
            _run(self.command(data, "--initialize-insecure"), b"")
            return
        # what mariadb-install-db does; it is a shell script that wants to be installed
        share = self.tree / "usr/share/mysql"
        (data / "mysql").mkdir()
        parts = ("system_tables", "performance_tables", "system_tables_data")
        sql = [b"use mysql;\nset @auth_root_socket=NULL;\n"]
        sql += [(share / f"mysql_{part}.sql").read_bytes() for part in parts]
        sql += [(share / "maria_add_gis_sp_bootstrap.sql").read_bytes()]
        _run(self.command(data, "--bootstrap", "--max-allowed-packet=16M"), b"".join(sql))
        _make_certificates(data)


MYSQL = Flavour(
    "mysql", "mysqld", "caching_sha2_password",
    ("--mysqlx=OFF", "--innodb-redo-log-capacity=8M", "--innodb-doublewrite=OFF", "--innodb-flush-method=nosync"),
)  # fmt: skip
MARIADB = Flavour(
    "mariadb", "mariadbd", "mysql_native_password",
    ("--innodb-log-file-size=8M", "--skip-innodb-doublewrite", "--innodb-flush-method=nosync"),
)  # fmt: skip
FLAVOURS = {flavour.name: flavour for flavour in (MYSQL, MARIADB)}


@dataclass(slots=True)
class Server:
    """A server that runs, or that was stopped and can be started again: same port, same data."""

    flavour: Flavour
    folder: Path
    port: int
    options: Sequence[str] = ()
    _stack: ExitStack = field(default_factory=ExitStack)
    running: bool = False
    _asked: int = 0

    @property
    def socket(self) -> Path:
        return self.folder / "mysqld.sock"

    @property
    def authority(self) -> Path:
        """The certificate authority that signed the server's certificate."""
        return self.folder / "data" / "ca.pem"

    @property
    def settings(self) -> Mapping[str, str]:
        """How an app of the tests is told where its database is."""
        return {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_USER": USER,
            "DB_PASSWORD": PASSWORD,
            "DB_NAME": DATABASE,
            **client_library(),
        }

    def start(self) -> Self:
        """Does nothing when it runs."""
        if self.running:
            return self
        first = self.folder / "first.sql"
        first.write_text(_first_statements(self.flavour), "utf-8")
        data = self.folder / "data"
        tls = [f"--ssl-{kind}={data / name}" for kind, name in zip(("cert", "key", "ca"), CERTIFICATES, strict=True)]
        command = self.flavour.command(
            data, *tls, f"--port={self.port}", f"--socket={self.socket}", f"--pid-file={self.folder / 'pid'}",
            f"--init-file={first}", f"--tmpdir={self.folder}", f"--secure-file-priv={self.folder}", *self.options,
        )  # fmt: skip
        # killed with the process that runs the tests, however that one ends
        guarded = [program("setpriv"), "--pdeathsig", "KILL", *command]
        with ExitStack() as stack:
            server = stack.enter_context(Running(guarded, log=self.folder / "server.log", cwd=self.folder))
            server.until(self._answers, f"{self.flavour.name} answers", 60)
            self._stack = stack.pop_all()
        self.running = True
        return self

    def stop(self) -> None:
        """A clean shutdown. Does nothing when it was stopped before."""
        self._stack.close()
        self.running = False

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run these as root; the rows of the last."""
        self._asked += 1
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def forget_logins(self) -> None:
        """The next login of each user is a full one: MySQL keeps what makes the others quick in memory."""
        self.sql("FLUSH PRIVILEGES")

    def remember_logins(self) -> None:
        """One full login, so that the next is a quick one: not every driver can do the full one without TLS."""
        pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD).close()
        self._asked += 1

    @property
    def connections(self) -> int:
        """How many connections there have been over TCP and the socket, this question's own not counted."""
        return int(self.sql("SHOW GLOBAL STATUS LIKE 'Connections'")[0][1]) - self._asked

    def _connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(unix_socket=str(self.socket), user="root", charset="utf8mb4", autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except pymysql.err.OperationalError:
            return False
        return True


@contextmanager
def mysql_server(flavour: Flavour, *options: str) -> Iterator[Server]:
    """A server of one's own, with these options besides."""
    template = flavour.template()
    # not the test's folder: the path of a socket may have 107 bytes at most
    with tempfile.TemporaryDirectory(prefix=f"rr-{flavour.name}-") as name:
        shutil.copytree(template, Path(name) / "data")
        server = Server(flavour, Path(name), free_port(), options)
        try:
            yield server.start()
        finally:
            server.stop()


class Servers:
    """One server of each flavour, started when it is asked for, also where a test has stopped it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[str, Server] = {}

    def __getitem__(self, name: str) -> Server:
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(mysql_server(FLAVOURS[name]))
        return self._servers[name].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def client_library() -> Mapping[str, str]:
    """What a program that is linked with our MariaDB client library has to know: where its plugins are."""
    for folder in (SERVERS / "libmariadb").glob("usr/lib/*/libmariadb3/plugin"):
        return {"MARIADB_PLUGIN_DIR": str(folder)}
    raise FileNotFoundError(f"{SERVERS}/libmariadb has no plugins: run .ci/servers, as `make test` does")


def _first_statements(flavour: Flavour) -> str:
    """What the server runs at each start, one statement a line."""
    by = f"WITH caching_sha2_password BY '{PASSWORD}'" if flavour is MYSQL else f"BY '{PASSWORD}'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED {by};\n"
        f"GRANT ALL ON *.* TO '{USER}'@'%';\n"
    )


def _run(command: Sequence[str], stdin: bytes) -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=110, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"$ {' '.join(command)}\n{(done.stdout + done.stderr).decode('utf-8', 'replace')}")


def _make_certificates(folder: Path) -> None:
    """An authority, and a certificate of the loopback that it has signed."""
    now = datetime.datetime.now(datetime.UTC)

    def named(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        def entity(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        return (
            x509.CertificateBuilder()
            .subject_name(entity(name))
            .issuer_name(entity(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
        )

    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = named("authority of the tests", "authority of the tests", authority).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = named("localhost", "authority of the tests", own).add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    pem = serialization.Encoding.PEM
    private = own.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    certificate, key, signer = CERTIFICATES
    (folder / signer).write_bytes(root.sign(authority, hashes.SHA256()).public_bytes(pem))
    (folder / certificate).write_bytes(leaf.sign(authority, hashes.SHA256()).public_bytes(pem))
    (folder / key).write_bytes(private)
    (folder / key).chmod(0o600)
