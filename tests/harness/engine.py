"""A Docker engine of the tests' own, with images that the tests make: none is pulled, none of the machine's is used.

The engine has a socket, a store, a configuration and a network of its own: engines that share one write into the same
rules of its firewall, and leave them there. `.ci/docker` has put the plugins and a small Debian into
`tests/.servers/docker`; the Python image is that, with the packages of this Python; MySQL is the server of
`.ci/servers`.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.mysql_servers import MYSQL
from tests.harness.network import own_network
from tests.harness.programs import MissingProgram, program

MADE = Path(__file__).parent.parent / ".servers" / "docker"
PYTHON, MYSQL_IMAGE, QUEUE, NODE = "rrtest/python:1", "rrtest/mysql:1", "rrtest/sqs:1", "rrtest/node:1"
PACKAGES = ("flask", "requests", "PyJWT", "PyMySQL", "mysql-connector-python", "boto3", "cryptography", "moto")
_MOTO = ("moto", "werkzeug", "flask", "flask-cors", "xmltodict", "responses", "jinja2", "py-partiql-parser")
_READY = 60.0

_MYSQL_ENTRY = """\
import os, subprocess, sys
names = {name: os.environ[f"MYSQL_{name}"] for name in ("DATABASE", "USER", "PASSWORD")}
with open("/tmp/init.sql", "w") as file:
    file.write("CREATE DATABASE IF NOT EXISTS {DATABASE};\\n"
               "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\\n"
               "GRANT ALL ON *.* TO '{USER}'@'%';\\n".format(**names))
command = sys.argv[1:] + ["--bind-address=0.0.0.0", "--port=3306", "--socket=/tmp/mysqld.sock", "--secure-file-priv="]
os.execv(command[0], [*command, "--init-file=/tmp/init.sql"])
"""


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """An engine that runs."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What `docker`, and rr, have to know to use it."""
        return {
            "DOCKER_HOST": f"unix://{self.folder / 'docker.sock'}",
            "DOCKER_CONFIG": str(MADE / "config"),
            "RR_AGENT_IMAGE": PYTHON,
            "BUILDKIT_PROGRESS": "quiet",
        }

    def docker(self, *words: str, data: bytes | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["docker", *words],
            input=data,
            env={**os.environ, **self.env},
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode()

    def there(self) -> Mapping[str, list[str]]:
        """All containers, networks and volumes."""
        return {
            "containers": self.docker("ps", "-aq", "--no-trunc").split(),
            "networks": sorted(self.docker("network", "ls", "-q").split()),
            "volumes": sorted(self.docker("volume", "ls", "-q").split()),
        }

    def build(self, name: str, files: Mapping[str, bytes]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, content in files.items():
                facts = tarfile.TarInfo(path)
                facts.size, facts.mode = len(content), 0o755
                archive.addfile(facts, io.BytesIO(content))
        self.docker("build", "-q", "-t", name, "-", data=packed.getvalue())

    def import_tree(self, name: str, tree: Path, base: str, place: str, *lines: str) -> None:
        """An image with a folder of this machine in it."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Dockerfile").write_text("\n".join([f"FROM {base}", f"COPY tree {place}", *lines]) + "\n")
            shutil.copytree(tree, Path(folder) / "tree", symlinks=True, ignore=shutil.ignore_patterns(".template*"))
            self.docker("build", "-q", "-t", name, folder)


@contextmanager
def docker_engine() -> Iterator[DockerEngine]:
    """For tests: skips where there can be none, but for CI."""
    try:
        with new_engine() as running:
            yield running
    except MissingProgram as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


@contextmanager
def new_engine() -> Iterator[DockerEngine]:
    """Raises `MissingProgram` where there can be none."""
    _check_machine()
    with own_network(), _engine() as running:
        yield running


@contextmanager
def _engine() -> Iterator[DockerEngine]:
    folder = Path(tempfile.mkdtemp(prefix="rr-docker-"))
    log = (folder / "log").open("wb")
    daemon = subprocess.Popen(
        [
            program("dockerd"), "--data-root", folder / "data", "--exec-root", folder / "exec",
            "--pidfile", folder / "pid", "-H", f"unix://{folder / 'docker.sock'}",
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    engine = DockerEngine(folder)
    try:
        deadline = time.monotonic() + _READY
        while subprocess.run(
            ["docker", "version"], env={**os.environ, **engine.env}, capture_output=True, check=False
        ).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("dockerd did not start:\n" + (folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        _images(engine)
        yield engine
    finally:
        for container in engine.docker("ps", "-aq", check=False).split():
            engine.docker("rm", "-f", "-v", container, check=False)
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise MissingProgram("an engine of the tests' own needs root")
    program("dockerd")
    if not (MADE / ".complete").exists():
        raise MissingProgram("run .ci/docker, as `make test` does")


def _images(engine: DockerEngine) -> None:
    with (MADE / "base.tar").open("rb") as base:
        subprocess.run(
            ["docker", "import", "-", "rrtest/debian:1"], stdin=base, env={**os.environ, **engine.env}, check=True,
            capture_output=True, timeout=120,
        )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        packages = Path(name) / "packages"
        packages.mkdir()
        for path, relative in _package_files([*PACKAGES, *_MOTO]):
            (packages / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, packages / relative)
        engine.import_tree(
            PYTHON, packages, "rrtest/debian:1", "/usr/local/lib/python3/packages",
            "RUN ln -s python3 /usr/bin/python && mkdir -p /usr/lib/python3/dist-packages "
            "&& echo /usr/local/lib/python3/packages > /usr/lib/python3/dist-packages/tests.pth "
            r"&& printf '#!/bin/sh\n' > /usr/bin/pip && chmod 755 /usr/bin/pip",  # all is installed
        )  # fmt: skip
    start = '["python", "-m", "moto.server", "-H", "0.0.0.0", "-p", "4566"]'
    engine.build(QUEUE, {"Dockerfile": f"FROM {PYTHON}\nCMD {start}\n".encode()})


def mysql_image(engine: DockerEngine) -> None:
    """Made when it is first needed: it is large."""
    if engine.docker("images", "-q", MYSQL_IMAGE).strip():
        return
    template = MYSQL.template()
    tree = str(MYSQL.tree)
    argv = [word.replace(tree, "/srv/mysql") for word in MYSQL.command(Path("/srv/data"))]
    engine.import_tree("rrtest/mysql-tree:1", MYSQL.tree, PYTHON, "/srv/mysql")
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(template, Path(name) / "data")
        (Path(name) / "data" / "auto.cnf").unlink(missing_ok=True)
        (Path(name) / "entry.py").write_text(_MYSQL_ENTRY)
        words = ", ".join(f'"{word}"' for word in ["python", "/srv/entry.py", *argv])
        (Path(name) / "Dockerfile").write_text(
            f"FROM rrtest/mysql-tree:1\nCOPY data /srv/data\nCOPY entry.py /srv/entry.py\nENTRYPOINT [{words}]\n"
        )
        engine.docker("build", "-q", "-t", MYSQL_IMAGE, name)


def node_image(engine: DockerEngine) -> None:
    """The machine's node, with its libraries."""
    dockerfile = "FROM rrtest/debian:1\nCOPY node /usr/bin/node\nCOPY lib /opt/lib\nENV LD_LIBRARY_PATH=/opt/lib\n"
    engine.build(NODE, {"Dockerfile": dockerfile.encode(), **with_libraries("node")})


def with_libraries(name: str) -> dict[str, bytes]:
    """A program of this machine and its libraries, as an image gets them."""
    path = program(name)
    files = {name: Path(path).resolve().read_bytes()}
    needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"=> (/\S+)", needed):
        files[f"lib/{Path(library).name}"] = Path(library).read_bytes()
    return files


def _package_files(names: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """The files of these packages of this Python, and of all that they need."""
    seen: set[str] = set()
    waiting = list(names)
    root = Path(sys.prefix)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # only for another platform
        for wanted in found.requires or ():
            if "extra ==" not in wanted:
                waiting.append(re.split(r"[\s;<>=!~\[(]", wanted, maxsplit=1)[0])
        for file in found.files or ():
            path = Path(str(found.locate_file(file))).resolve()
            if path.is_file() and path.is_relative_to(root) and ".." not in file.parts:
                yield path, Path(file)
