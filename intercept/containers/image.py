"""The agent's image: a Python, rr's own files, and `cryptography`. Built on first use, from what is installed here."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pathlib
import sys
import tarfile
from collections.abc import Callable, Iterator

from intercept.containers.engine import Engine, told
from intercept.namespace import ROOT
from testset.errors import ContainerError

NAME = "rr-agent"
_ROOMS = ("intercept", "protocols", "testset")
_PACKAGES = ("cryptography", "cffi", "_cffi_backend")
_DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY rr /rr
RUN python3 -I -S -c "import sys; sys.path.append('/rr/site-packages'); import cryptography.hazmat.bindings._rust" \\
    || (rm -rf /rr/site-packages && python3 -m pip install --no-cache-dir --target /rr/site-packages cryptography) \\
    && mkdir /.rr
ENTRYPOINT ["python3", "-I", "-S", "/rr/agent.py"]
"""
_ENTRY = """\
import sys
sys.path[:0] = ["/rr"]
sys.path.append("/rr/site-packages")
from intercept.containers.agent import main
main()
"""
AGENT = ("python3", "-I", "-S", "/rr/agent.py")


def default_base() -> str:
    """The public image with the same Python as this one."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def ensure(engine: Engine, base: str, building: Callable[[], None]) -> str:
    """The name of the agent's image; it is built if it is not there. `building` is told so."""
    import docker

    files = dict(_files())
    digest = hashlib.sha256(base.encode())
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + content)
    name = f"{NAME}:{digest.hexdigest()[:16]}"
    with told("The agent's image cannot be looked for"):
        try:
            engine.client.images.get(name)
            return name
        except docker.errors.ImageNotFound:
            building()
    lines: list[str] = []
    try:
        for event in engine.client.api.build(
            fileobj=io.BytesIO(_packed(files)), custom_context=True, encoding=None, tag=name, rm=True, forcerm=True,
            buildargs={"BASE": base}, labels={"dev.rr.image": "agent"}, decode=True,
        ):  # fmt: skip
            if "error" in event:
                raise ContainerError(
                    f"The agent's image cannot be built on {base}: {event['error'].strip()}".rstrip("."),
                    remedy="Name an image with Python 3.11 or newer that can be had here: `agent_image` in rr.yml.",
                )
            lines.append(event.get("stream", ""))
    except docker.errors.DockerException as error:
        raise ContainerError(f"The agent's image cannot be built: {getattr(error, 'explanation', error)}.") from error
    return name


def _files() -> Iterator[tuple[str, bytes]]:
    """What the image has, by its name in the build's context."""
    yield "Dockerfile", _DOCKERFILE.encode()
    yield "rr/agent.py", _ENTRY.encode()
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield f"rr/{path.relative_to(ROOT)}", path.read_bytes()
    for package in _PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            continue
        origin = pathlib.Path(found.origin)
        if not found.submodule_search_locations:
            yield f"rr/site-packages/{origin.name}", origin.read_bytes()
            continue
        for path in sorted(origin.parent.rglob("*")):
            if path.is_file() and path.suffix in (".py", ".so"):
                yield f"rr/site-packages/{path.relative_to(origin.parent.parent)}", path.read_bytes()


def _packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as packed:
        for name, content in files.items():
            facts = tarfile.TarInfo(name)
            facts.size, facts.mode = len(content), 0o644
            packed.addfile(facts, io.BytesIO(content))
    return target.getvalue()
