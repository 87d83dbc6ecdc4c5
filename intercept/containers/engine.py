"""The Docker engine, wherever it is: what rr asks of it, and what to do when it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import ssl
import struct
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from testset.errors import ContainerError

_TIMEOUT = 600
_HELLO = 15.0  # seconds within which an engine that lives says so
_STREAM_HEAD = struct.Struct(">BxxxI")
_ERRORS = 2  # which of a program's outputs a piece is of


class Engine:
    """A connection to the engine that the `docker` command would use, or to the one at `host`."""

    def __init__(self, host: str = "") -> None:
        import docker

        self.host = host = host or where()
        with told("The Docker engine cannot be reached", "Start Docker, or see what `docker info` says."):
            try:
                self.client: Any = (
                    docker.DockerClient(base_url=host, timeout=_HELLO) if host else docker.from_env(timeout=_HELLO)
                )
                self.client.ping()
            except docker.errors.DockerException as error:
                if "Permission denied" not in str(error):
                    raise
                raise ContainerError(
                    f"Your user may not speak to the Docker engine{f' at {host}' if host else ''}.",
                    remedy="Let it: sudo usermod -aG docker $USER, then log in again; or use a rootless engine.",
                ) from error
            except (ValueError, TypeError, LookupError) as error:
                raise ContainerError(
                    f"The Docker engine cannot be reached: what answers{f' at {host}' if host else ''} is none.",
                    remedy="See what `docker info` says; DOCKER_HOST and `docker context use` name the engine.",
                ) from error
            self.client.api.timeout = _TIMEOUT
        self.is_local = str(self.client.api.base_url).startswith("http+docker")  # a Unix socket of this machine

    def close(self) -> None:
        self.client.close()

    # -- what there is -------------------------------------------------------------------------------------------

    def named(self, name: str) -> Any | None:
        """The container of this name."""
        import docker

        with told(f"The container {name} cannot be looked at"):
            try:
                return self.client.containers.get(name)
            except docker.errors.NotFound:
                return None

    def of_service(self, project: str, service: str) -> Any | None:
        """The container that Compose has made for a service."""
        labels = [f"com.docker.compose.project={project}", f"com.docker.compose.service={service}"]
        with told(f"The containers of {project} cannot be listed"):
            found = self.client.containers.list(
                all=True, filters={"label": [*labels, "com.docker.compose.oneoff=False"]}
            )
        return found[0] if found else None

    def of_label(self, label: str) -> dict[str, list[Any]]:
        """Containers, networks and volumes with a label."""
        filters = {"label": label}
        with told("The containers cannot be listed"):
            return {
                "containers": self.client.containers.list(all=True, filters=filters, ignore_removed=True),
                "networks": self.client.networks.list(filters=filters),
                "volumes": self.client.volumes.list(filters=filters),
            }

    def image_facts(self, name: str) -> Mapping[str, Any]:
        """An image's configuration; empty if there is no such image."""
        import docker

        with told(f"The image {name} cannot be looked at"):
            try:
                config: Mapping[str, Any] = self.client.images.get(name).attrs.get("Config") or {}
            except docker.errors.NotFound:
                return {}
        return config

    def has_volume(self, name: str) -> bool:
        import docker

        with told(f"The volume {name} cannot be looked at"):
            try:
                self.client.volumes.get(name)
            except docker.errors.NotFound:
                return False
        return True

    # -- files ---------------------------------------------------------------------------------------------------

    def read(self, container: Any, path: str) -> bytes | None:
        """A file of a container, through links; None if there is none."""
        import docker

        for _ in range(8):
            try:
                pieces, facts = container.get_archive(path)
            except (docker.errors.APIError, OSError):
                return None
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as packed:
                member = packed.next()
                if member is None or member.isdir():
                    return None
                if facts.get("linkTarget") and facts["linkTarget"] != path and not member.isfile():
                    path = facts["linkTarget"]
                    continue
                file = packed.extractfile(member)
                return file.read() if file is not None else None
        return None

    def folder(self, container: Any, path: str) -> Iterator[tuple[str, bytes]]:
        """The files below a folder of a container, by their names in it."""
        import docker

        try:
            pieces, _facts = container.get_archive(path)
        except docker.errors.NotFound:
            return
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as packed:
            for member in packed:
                file = packed.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name.partition("/")[2], file.read()

    # -- programs ------------------------------------------------------------------------------------------------

    def attach(self, container: Any, argv: Sequence[str]) -> Pipe:
        """Start a program in a container, and speak with it."""
        with told(f"The agent cannot be started in {container.name}"):
            made = self.client.api.exec_create(container.id, list(argv), stdin=True, stdout=True, stderr=True, user="0")
            answer = self.client.api.exec_start(made["Id"], socket=True)
        return Pipe(answer)

    # -- the end -------------------------------------------------------------------------------------------------

    def remove(self, containers: Sequence[Any] = (), networks: Sequence[Any] = (), volumes: Sequence[Any] = ()) -> None:
        """What rr has made. What is gone already is no error."""
        import docker

        for container in containers:
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
        for one in (*networks, *volumes):
            with contextlib.suppress(docker.errors.APIError):
                one.remove()


class Pipe:
    """A program in a container: what it reads, and what it writes."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer  # whose end would close the socket
        self.socket: Any = getattr(answer, "_sock", answer)
        if isinstance(self.socket, socket.socket):
            self.socket.setblocking(True)
        self._rest = bytearray()
        self.errors = bytearray()

    def fileno(self) -> int:
        return int(self.socket.fileno())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, size: int) -> bytes | None:
        """What the program has written: waits for some if the socket does. Empty: nothing whole yet. None: it has
        ended."""
        try:
            data = self.socket.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        return self.feed(data) if data else None

    def feed(self, data: bytes) -> bytes:
        """The program's output in what came over the stream."""
        rest = self._rest
        rest += data
        found = []
        at = 0
        while len(rest) - at >= _STREAM_HEAD.size:
            which, length = _STREAM_HEAD.unpack_from(rest, at)
            end = at + _STREAM_HEAD.size + length
            if len(rest) < end:
                break
            piece = bytes(rest[at + _STREAM_HEAD.size : end])
            at = end
            if which == _ERRORS:
                self.errors += piece
            else:
                found.append(piece)
        del rest[:at]
        return b"".join(found)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()
        with contextlib.suppress(OSError):
            self._answer.close()


def where() -> str:
    """The address of the engine that the `docker` command would use; empty: the usual one."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    try:
        done = subprocess.run(["docker", "context", "inspect"], capture_output=True, text=True, timeout=10, check=False)
        chosen = json.loads(done.stdout)[0]["Endpoints"]["docker"]["Host"] if done.returncode == 0 else None
    except (OSError, ValueError, LookupError, subprocess.TimeoutExpired):
        return ""
    return chosen if isinstance(chosen, str) else ""


@contextmanager
def told(what: str, remedy: str | None = None) -> Iterator[None]:
    import docker
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        why = getattr(error, "explanation", None) or error
        raise ContainerError(f"{what}: {why}".rstrip("."), remedy=remedy) from error
