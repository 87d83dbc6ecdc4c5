"""`docker run`: what its options say of the network is for the agent, all else for the app."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from intercept.containers.commands import DockerRun, parse
from intercept.containers.run_app import environment_of, of_agent, of_app
from testset.errors import ContainerError


def run(options: str) -> DockerRun:
    found = parse(f"docker run {options} image")
    assert isinstance(found, DockerRun)
    return found


EVERYTHING = run(
    "-d --rm -it --name shop --restart always -p 80:8080 --network front --network-alias orders --ip 10.0.0.5 "
    "-h orders --dns 10.0.0.2 --add-host old:10.0.0.9 --sysctl net.core.somaxconn=9 --sysctl kernel.shmmax=1 "
    "-e PORT=8080 -v data:/data --user 1000 --memory 1g --read-only"
)


def test_in_a_recording_the_agent_is_where_the_app_would_have_been() -> None:
    assert of_agent(EVERYTHING, alone=False, exposed=["8080/tcp"]) == [
        "-p", "80:8080", "--network=front", "--network-alias=orders", "--ip=10.0.0.5", "-h", "orders",
        "--dns=10.0.0.2", "--add-host=old:10.0.0.9", "--sysctl=net.core.somaxconn=9", "--expose", "8080/tcp",
    ]  # fmt: skip
    assert of_app(EVERYTHING, alone=False) == [
        "--name=shop", "--restart=always", "--sysctl=kernel.shmmax=1", "-e", "PORT=8080", "-v", "data:/data",
        "--user=1000", "--memory=1g", "--read-only",
    ]  # fmt: skip


def test_in_a_replay_there_is_no_network_no_name_and_no_second_life() -> None:
    assert of_agent(EVERYTHING, alone=True, exposed=["8080/tcp"]) == [
        "-h", "orders", "--add-host=old:10.0.0.9", "--network", "none", "--add-host", "orders:127.0.0.1",
    ]  # fmt: skip
    assert of_app(EVERYTHING, alone=True) == [
        "--sysctl=kernel.shmmax=1", "-e", "PORT=8080", "-v", "data:/data", "--user=1000", "--memory=1g", "--read-only",
    ]  # fmt: skip


def test_a_host_without_a_name_gets_one() -> None:
    assert of_agent(run(""), alone=True) == ["--hostname", "app", "--network", "none", "--add-host", "app:127.0.0.1"]
    assert of_agent(run(""), alone=False) == []


def test_a_socket_of_this_machine_is_no_way_out_of_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        command = run(f"-v {path}:/var/run/docker.sock -v {tmp_path}:/src")
        assert of_app(command, alone=True) == ["-v", f"{tmp_path}:/src"]
        assert of_app(command, alone=False)[:2] == ["-v", f"{path}:/var/run/docker.sock"]


def test_the_environment_that_the_command_line_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("# ours\n\nA=1\nB=x=y\nHERE\n")
    monkeypatch.setenv("HERE", "from here")
    command = run(f"--env-file {tmp_path / 'env'} -e A=2 --env HERE -eEMPTY=")
    assert environment_of(command) == {"A": "2", "B": "x=y", "HERE": "from here", "EMPTY": ""}


def test_a_file_of_variables_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="cannot be read: No such file"):
        environment_of(run(f"--env-file {tmp_path / 'none'}"))
