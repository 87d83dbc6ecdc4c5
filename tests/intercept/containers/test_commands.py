"""Which commands start containers, in the spellings that people use, and what becomes of their options."""

from __future__ import annotations

import pytest

from intercept.containers.commands import ComposeUp, DockerRun, Option, parse
from testset.errors import UsageError


def compose(command: str) -> ComposeUp:
    found = parse(command)
    assert isinstance(found, ComposeUp), command
    return found


def run(command: str) -> DockerRun:
    found = parse(command)
    assert isinstance(found, DockerRun), command
    return found


# -- docker compose up -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("docker compose up", ["docker", "compose"]),
        ("docker-compose up", ["docker-compose"]),
        ("/usr/local/bin/docker compose up", ["/usr/local/bin/docker", "compose"]),
        ("exec docker compose up", ["docker", "compose"]),
        ("docker compose -f a.yml -f b.yml up", ["docker", "compose", "-f", "a.yml", "-f", "b.yml"]),
        ("docker compose --file=a.yml up", ["docker", "compose", "--file=a.yml"]),
        ("docker compose -fa.yml up", ["docker", "compose", "-f", "a.yml"]),
        ("docker-compose --env-file 'my settings' up", ["docker-compose", "--env-file=my settings"]),
        ("docker compose -p shop --profile a --profile b up",
         ["docker", "compose", "-p", "shop", "--profile=a", "--profile=b"]),
        ("docker --context far -H tcp://far:2375 compose --project-directory x up",
         ["docker", "--context=far", "-H", "tcp://far:2375", "compose", "--project-directory=x"]),
    ],
)  # fmt: skip
def test_the_spellings_of_compose(command: str, words: list[str]) -> None:
    assert compose(command).global_words == words


def test_services_may_stand_anywhere_among_the_options_of_up() -> None:
    found = compose("docker compose up --build orders -t 5 --scale users=2 -d -- users")
    assert found.services == ("orders", "users")
    assert found.making() == ["--build", "--scale=users=2"]
    assert found.running() == ["-t", "5"]  # rr stays in the foreground, whatever -d says


def test_variables_and_a_folder_before_the_command() -> None:
    found = compose("cd shop && TAG='a b' COMPOSE_FILE=x.yml docker compose up")
    assert found.folder == "shop"
    assert found.environment == {"TAG": "a b", "COMPOSE_FILE": "x.yml"}


@pytest.mark.parametrize("verb", ["run orders", "start", "down", "", "--dry-run"])
def test_compose_with_another_verb_starts_no_app(verb: str) -> None:
    with pytest.raises(UsageError, match="does not start the app in the foreground") as caught:
        parse(f"docker compose {verb}")
    assert "docker compose up" in caught.value.remedy


# -- docker run --------------------------------------------------------------------------------------------------


def test_the_parts_of_docker_run() -> None:
    found = run("docker container run --rm -it -p 8080:80 -ePORT=80 --name=shop image:1 python -m app --port 80")
    assert found.image == "image:1"
    assert found.arguments == ("python", "-m", "app", "--port", "80")
    assert found.options == (
        Option("--rm"), Option("-i"), Option("-t"), Option("-p", "8080:80"), Option("-e", "PORT=80"),
        Option("--name", "shop"),
    )  # fmt: skip


def test_the_last_value_of_an_option_counts() -> None:
    found = run("docker run --network a --net b image")
    assert found.value("--network", "--net") == "b"
    assert found.value("--name") is None


def test_a_switch_before_a_valued_option_in_one_word() -> None:
    assert run("docker run -dp 80:80 image").options == (Option("-d"), Option("-p", "80:80"))
    assert run("docker run -itu1000 image").options == (Option("-i"), Option("-t"), Option("-u", "1000"))


def test_docker_run_without_an_image() -> None:
    with pytest.raises(UsageError, match="names no image"):
        parse("docker run --rm")


def test_options_are_written_as_they_were_meant() -> None:
    assert Option("--name", "a b").words == ("--name=a b",)
    assert Option("-p", "80:80").words == ("-p", "80:80")
    assert Option("--rm").words == ("--rm",)


# -- what is neither ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["python app.py", "./docker.sh up", "dockerize up", "make docker", "", "sh -c 'docker compose up'", "echo 'a"],
)
def test_apps_of_this_machine(command: str) -> None:
    assert parse(command) is None


@pytest.mark.parametrize(
    "command",
    [
        "docker compose up | tee log", "docker compose up && echo done", "docker compose up; date",
        "docker run image > out", "docker compose up &", "docker compose -f $(ls *.yml) up",
    ],
)  # fmt: skip
def test_a_docker_command_must_stand_alone(command: str) -> None:
    with pytest.raises(UsageError, match="must stand alone"):
        parse(command)


def test_what_looks_like_the_shells_is_no_harm_in_quotes() -> None:
    assert run("docker run image sh -c 'date; sleep 1'").arguments == ("sh", "-c", "date; sleep 1")


@pytest.mark.parametrize("command", ["docker start shop", "docker ps", "docker stack deploy x"])
def test_other_docker_commands_are_refused(command: str) -> None:
    with pytest.raises(UsageError, match="rr does not know what"):
        parse(command)
