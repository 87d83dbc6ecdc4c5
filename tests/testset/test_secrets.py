"""The vault: what it seals it unseals with the same key, and with no other."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testset import placeholders
from testset.errors import SecretError
from testset.keys import Key, key_path
from testset.secrets import Vault

SECRET = "correct horse battery staple"


def test_another_process_unseals_what_was_saved(vault: Vault, environ: dict[str, str]) -> None:
    placeholder = vault.seal(SECRET, "password")
    vault.save()
    assert placeholder == '{{secret "password-1"}}'
    assert SECRET not in vault.path.read_text()
    again = Vault(vault.path, environ=environ)
    assert again.unseal(f"a {placeholder} b") == f"a {SECRET} b"
    assert again.unseal_tree({"a": [placeholder, 1], "b": "x"}) == {"a": [SECRET, 1], "b": "x"}


def test_equal_values_have_equal_placeholders_in_every_test_set(vault: Vault, environ: dict[str, str]) -> None:
    first, second = vault.seal("one", "jwt"), vault.seal("two", "jwt")
    vault.save()
    again = Vault(vault.path, environ=environ)
    assert again.seal("two", "cookie") == second
    assert again.seal("one", "jwt") == first
    assert again.seal("three", "jwt") == '{{secret "jwt-3"}}'


def test_an_unchanged_vault_is_not_written_and_the_same_secrets_are_the_same_bytes(
    vault: Vault, environ: dict[str, str]
) -> None:
    vault.seal(SECRET, "password")
    vault.save()
    before, content = vault.path.stat(), vault.path.read_bytes()
    vault.seal(SECRET, "password")
    vault.save()
    assert vault.path.stat().st_mtime_ns == before.st_mtime_ns
    vault.path.unlink()
    fresh = Vault(vault.path, environ=environ)
    fresh.seal(SECRET, "password")
    fresh.save()
    assert vault.path.read_bytes() == content


def test_the_key_is_private_and_outside_the_project(vault: Vault, environ: dict[str, str]) -> None:
    vault.seal(SECRET, "password")
    path = key_path(environ)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


def test_the_key_may_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"RR_KEY": base64.b64encode(b"k" * 32).decode(), "XDG_DATA_HOME": str(tmp_path)}
    Vault(tmp_path / "secrets.yml", environ=environ).seal(SECRET, "password")
    assert list(tmp_path.iterdir()) == []


def test_no_key(vault: Vault, tmp_path: Path) -> None:
    placeholder = vault.seal(SECRET, "password")
    vault.save()
    elsewhere = {"XDG_DATA_HOME": str(tmp_path / "elsewhere")}
    with pytest.raises(SecretError, match=r'\{\{secret "password-1"\}\}: .* and no key is here') as caught:
        Vault(vault.path, environ=elsewhere).unseal(placeholder)
    assert "RR_KEY" in caught.value.remedy
    assert not key_path(elsewhere).exists(), "a key that fits nothing was made"


def test_another_key(vault: Vault) -> None:
    placeholder = vault.seal(SECRET, "password")
    vault.save()
    environ = {"RR_KEY": base64.b64encode(os.urandom(32)).decode()}
    with pytest.raises(SecretError, match=r"was made with the key [0-9a-f]{8}; the key here is [0-9a-f]{8}"):
        Vault(vault.path, environ=environ).unseal(placeholder)
    with pytest.raises(SecretError, match="was made with the key"):
        Vault(vault.path, environ=environ).seal("new", "password")


def test_a_key_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="RR_KEY is no key"):
        Vault(tmp_path / "secrets.yml", environ={"RR_KEY": "hello"}).seal(SECRET, "password")


def test_a_changed_secret_is_not_believed(vault: Vault, environ: dict[str, str]) -> None:
    placeholder = vault.seal(SECRET, "password")
    vault.seal("another", "password")
    vault.save()
    lines = vault.path.read_text().splitlines()
    one, two = (index for index, line in enumerate(lines) if "password-" in line)
    lines[one], lines[two] = (  # each is sealed well, and under the other's name
        lines[two].replace("password-2", "password-1"),
        lines[one].replace("password-1", "password-2"),
    )
    vault.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SecretError, match=r'\{\{secret "password-1"\}\} in .* was changed since it was sealed'):
        Vault(vault.path, environ=environ).unseal(placeholder)


def test_a_placeholder_of_nothing(vault: Vault) -> None:
    with pytest.raises(SecretError, match=r'\{\{secret "jwt-9"\}\} is not in '):
        vault.unseal('Bearer {{secret "jwt-9"}}')


def test_pruning_forgets_what_no_document_names(vault: Vault, environ: dict[str, str]) -> None:
    vault.seal("one", "jwt")
    kept = vault.seal("two", "jwt")
    vault.save()
    vault.prune({"jwt-2"})
    vault.save()
    again = Vault(vault.path, environ=environ)
    assert again.unseal(kept) == "two"
    assert again.seal("three", "jwt") == '{{secret "jwt-1"}}'


@given(st.text(), st.text(min_size=1, max_size=20))
def test_any_text_under_any_name(value: str, name: str) -> None:
    key = Key(b"k" * 32)
    assert key.unseal(name, key.seal(name, value)) == value


@given(
    st.lists(
        st.sampled_from(['{{"{{"}}', "{{", "{", "}}", '"', 'secret "', 'secret "x"}}', "x-1", "a"]), max_size=10
    ).map("".join)
)
def test_a_recorded_text_that_looks_like_a_placeholder_is_none(text: str) -> None:
    escaped = placeholders.escape(text)
    assert list(placeholders.names(escaped)) == []
    assert placeholders.replace(escaped, lambda name: pytest.fail(f"{name} was taken for a secret")) == text
