"""Which of a user's commands start containers, and their parts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from testset.errors import UsageError

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.S)
_SHELL = re.compile(r"[;&|<>`\n]|\$\(")

# Options with a value, by where they stand. All others are switches.
_OF_DOCKER = frozenset((
    "-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey",
))  # fmt: skip
_OF_COMPOSE = frozenset((
    "-f", "--file", "-p", "--project-name", "--env-file", "--profile", "--project-directory", "--workdir", "--ansi",
    "--progress", "--parallel",
))  # fmt: skip
_OF_UP = frozenset((
    "--scale", "-t", "--timeout", "--attach", "--no-attach", "--exit-code-from", "--wait-timeout", "--pull",
))  # fmt: skip
# Of `up`: what concerns how containers are made, and what is of no use while rr watches them.
_MAKING = frozenset((
    "--build", "--no-build", "--force-recreate", "--no-recreate", "--pull", "--quiet-pull", "--remove-orphans",
    "--scale", "-y", "--yes",
))  # fmt: skip
_USELESS = frozenset((
    "-d", "--detach", "--always-recreate-deps", "-V", "--renew-anon-volumes", "-w", "--watch", "--wait",
    "--wait-timeout", "--no-start", "--quiet-build", "--menu", "--no-deps",
))  # fmt: skip
_OF_RUN = frozenset((
    "--add-host", "--annotation", "-a", "--attach", "--blkio-weight", "--blkio-weight-device", "--cap-add",
    "--cap-drop", "--cgroup-parent", "--cgroupns", "--cidfile", "--cpu-count", "--cpu-percent", "--cpu-period",
    "--cpu-quota", "--cpu-rt-period", "--cpu-rt-runtime", "-c", "--cpu-shares", "--cpus", "--cpuset-cpus",
    "--cpuset-mems", "--detach-keys", "--device", "--device-cgroup-rule", "--device-read-bps", "--device-read-iops",
    "--device-write-bps", "--device-write-iops", "--dns", "--dns-opt", "--dns-option", "--dns-search", "--domainname",
    "--entrypoint", "-e", "--env", "--env-file", "--expose", "--gpus", "--group-add", "--health-cmd",
    "--health-interval", "--health-retries", "--health-start-interval", "--health-start-period", "--health-timeout",
    "-h", "--hostname", "--ip", "--ip6", "--ipc", "--isolation", "--kernel-memory", "-l", "--label", "--label-file",
    "--link", "--link-local-ip", "--log-driver", "--log-opt", "--mac-address", "-m", "--memory",
    "--memory-reservation", "--memory-swap", "--memory-swappiness", "--mount", "--name", "--network", "--net",
    "--network-alias", "--net-alias", "--oom-score-adj", "--pid", "--pids-limit", "--platform", "-p", "--publish",
    "--pull", "--restart", "--runtime", "--security-opt", "--shm-size", "--stop-signal", "--stop-timeout",
    "--storage-opt", "--sysctl", "--tmpfs", "--ulimit", "-u", "--user", "--userns", "--uts", "-v", "--volume",
    "--volume-driver", "--volumes-from", "-w", "--workdir",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """An option as it was written; `value` of those that have one."""

    name: str
    value: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        if self.value is None:
            return (self.name,)
        return (f"{self.name}={self.value}",) if self.name.startswith("--") else (self.name, self.value)


@dataclass(frozen=True, slots=True)
class ComposeUp:
    """`docker compose [options] up [options] [services]`."""

    program: tuple[str, ...]  # docker compose, with the options of docker
    options: tuple[Option, ...]
    up: tuple[Option, ...]
    services: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str | None = None

    @property
    def global_words(self) -> list[str]:
        return [*self.program, *(word for one in self.options for word in one.words)]

    def making(self) -> list[str]:
        """Options for `create`."""
        return [word for one in self.up if one.name in _MAKING for word in one.words]

    def running(self) -> list[str]:
        """Options for `up`, once everything is created."""
        made = _MAKING | _USELESS
        return [word for one in self.up if one.name not in made for word in one.words]


@dataclass(frozen=True, slots=True)
class DockerRun:
    """`docker run [options] image [command]`."""

    program: tuple[str, ...]  # docker, with its options
    options: tuple[Option, ...]
    image: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str | None = None

    def value(self, *names: str) -> str | None:
        """The last value of an option."""
        return next((one.value for one in reversed(self.options) if one.name in names), None)


def parse(command: str) -> ComposeUp | DockerRun | None:
    """What a command starts; None if it is an app of this machine. Raises `UsageError` for docker commands with which
    rr could not do what is meant."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    folder = None
    if len(words) > 3 and words[0] == "cd" and words[2] == "&&":
        folder, words = words[1], words[3:]
    environment = {}
    while words and _ASSIGNMENT.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[:1] == ["exec"]:
        words = words[1:]
    if not words or words[0].rpartition("/")[2] not in ("docker", "docker-compose"):
        return None
    if _SHELL.search(" ".join(word for word in words if not word.startswith("-"))) and not _is_quoted(command):
        raise UsageError(
            "A docker command must stand alone: rr has to change it.",
            remedy='Put the rest into a step of its own: rr record -c "docker compose up" --container-name NAME.',
        )
    if words[0].endswith("docker-compose"):
        return _compose(words[:1], words[1:], environment, folder)
    options, rest = _options(words[1:], _OF_DOCKER)
    program = [words[0], *(word for one in options for word in one.words)]
    if rest[:1] == ["compose"]:
        return _compose([*program, "compose"], rest[1:], environment, folder)
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if rest[:1] == ["run"]:
        return _run(program, rest[1:], environment, folder)
    raise UsageError(
        f"rr does not know what `{command}` starts.", remedy="It can start `docker compose up` and `docker run`."
    )


def _compose(
    program: Sequence[str], words: Sequence[str], environment: Mapping[str, str], folder: str | None
) -> ComposeUp:
    options, rest = _options(words, _OF_COMPOSE)
    if rest[:1] != ["up"]:
        raise UsageError(
            f"`{' '.join([*program, *rest[:1]])}` does not start the app in the foreground.",
            remedy="Use `docker compose up`: rr ends it at Ctrl-C.",
        )
    up, services = _options(rest[1:], _OF_UP, mixed=True)
    return ComposeUp(tuple(program), tuple(options), tuple(up), tuple(services), environment, folder)


def _run(program: Sequence[str], words: Sequence[str], environment: Mapping[str, str], folder: str | None) -> DockerRun:
    options, rest = _options(words, _OF_RUN)
    if not rest:
        raise UsageError("`docker run` names no image.")
    return DockerRun(tuple(program), tuple(options), rest[0], tuple(rest[1:]), environment, folder)


def _options(words: Sequence[str], valued: frozenset[str], *, mixed: bool = False) -> tuple[list[Option], list[str]]:
    """The options at the beginning, and what follows; `mixed`: options may stand anywhere."""
    found: list[Option] = []
    rest: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word == "--":
            return found, rest + pending
        if not word.startswith("-") or word == "-":
            if not mixed:
                return found, [word, *pending]
            rest.append(word)
            continue
        found.extend(_read(word, pending, valued))
    return found, rest


def _read(word: str, pending: list[str], valued: frozenset[str]) -> list[Option]:
    """One word of options: `--name`, `--name=value`, `--name value`, `-n value`, `-nvalue`, `-abc`."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        if equals:
            return [Option(name, value)]
        return [Option(name, pending.pop(0) if name in valued and pending else None)]
    found = []
    for at in range(1, len(word)):
        name = "-" + word[at]
        if name not in valued:
            found.append(Option(name))
            continue
        value = word[at + 1 :].removeprefix("=")
        found.append(Option(name, value or (pending.pop(0) if pending else None)))
        break
    return found


def _is_quoted(command: str) -> bool:
    """Whether what looks like the shell's is only inside quotes."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    return _SHELL.search(re.sub(r"^\s*cd\s+\S+\s*&&", "", bare)) is None
