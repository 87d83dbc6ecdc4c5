"""`rr secrets`: which secrets a project has and where they are; one shown, declared to be none, or all sealed anew."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rr.console import Console
from rr.recover import many, shown
from rr.sealed import Place, Project, Secret
from rr.settings import FILE_NAME as SETTINGS
from rr.settings import remember
from testset import placeholders, revision
from testset.errors import UsageError
from testset.files import reading, write_whole
from testset.keys import NewKey
from testset.model import Document
from testset.redaction import RedactedDocument, Redactor
from testset.rewrite import set_to
from testset.secret_names import joined
from testset.secret_rules import Finder, Rules
from testset.secrets import Vault
from testset.store import natural
from testset.text import load

_SHOWN_PLACES = 4


# -- list and show ------------------------------------------------------------------------------------------------


def list_secrets(path: Path | None, config_folder: Path, *, as_json: bool) -> int:
    """Every secret: what it is, where it stands, whether it can be unsealed here. No value is shown."""
    project = Project(path, config_folder)
    secrets = project.secrets()
    if as_json:
        print(
            json.dumps(
                {"file": str(project.vault.path), "key": project.vault.key_id, "secrets": _as_data(secrets)}, indent=2
            )
        )
        return 0
    console = Console()
    if not secrets:
        console.note(f"There is no secret in {shown(project.store.root)}.")
        return 0
    key = f", sealed with the key {project.vault.key_id}" if project.vault.key_id else ""
    console.headline(f"{many(len(secrets), 'secret')} in {shown(project.vault.path)}", key.removeprefix(", "))
    width = max(len(secret.name) for secret in secrets)
    for secret in secrets:
        console.line(f"{secret.name.ljust(width)}  {_where(secret)}")
        if secret.state != "unsealed":
            console.warning(f"{secret.name}: {secret.state}")
    if any(secret.state.startswith("sealed") for secret in secrets):
        console.note("A test that must send one of these is errored. Set RR_KEY to the key that they were sealed with.")
    return 0


def _as_data(secrets: Sequence[Secret]) -> list[dict[str, Any]]:
    return [
        {
            "name": secret.name,
            "kind": secret.kind,
            "state": secret.state,
            "places": [
                {"file": place.file, "line": place.line, "test_set": place.test_set, "document": place.document}
                for place in secret.places
            ],
        }
        for secret in secrets
    ]


def _where(secret: Secret) -> str:
    """`3 places: test-set-0 test-1 (keploy/…/test-1.yml:8), …`."""
    if not secret.places:
        return "stands nowhere any more"
    words = []
    seen: dict[tuple[str, str | None], Place] = {}
    for place in secret.places:
        seen.setdefault((place.file, place.document), place)
    for place in list(seen.values())[:_SHOWN_PLACES]:
        words.append(f"{place.file}:{place.line}" + (f" {place.document}" if place.document else ""))
    more = len(seen) - len(words)
    return f"{many(len(secret.places), 'place')}: {', '.join(words)}" + (f" and {more} more" if more else "")


def show(name: str, path: Path | None, config_folder: Path, *, yes: bool) -> int:
    """The value, on standard output and nowhere else."""
    project = Project(path, config_folder)
    name = project.secret(name)
    if not yes and not sys.stdout.isatty():
        raise UsageError(
            f"{name} is not shown: standard output is no terminal, and could be a log.",
            remedy=f"Say that you mean it: rr secrets show {name} --yes.",
        )
    print(project.vault.value(name))
    return 0


# -- exempt -------------------------------------------------------------------------------------------------------


def exempt(
    names: Sequence[str], fields: Sequence[str], patterns: Sequence[str], path: Path | None, config_folder: Path
) -> int:
    """Some secrets are none: their values stand in the documents from now on, and `rr.yml` says why."""
    if not (names or fields or patterns):
        raise UsageError(
            "Nothing is named that is no secret.",
            remedy="Name secrets (rr secrets exempt password-1), or say --name session or --value '/demo-.*/'.",
        )
    project = Project(path, config_folder)
    console = Console()
    chosen = list(dict.fromkeys(project.secret(name) for name in names))
    values = {name: project.vault.value(name) for name in chosen}
    before = project.settings.redact
    finder = Finder(before.rules())
    entries = [_entry(value, finder) for value in values.values()]
    entries += [*fields, *patterns]
    new = [entry for entry in dict.fromkeys(entries) if entry not in before.exempt]
    rules = Rules(before.add.names, before.add.patterns, (*before.exempt, *new), before.enabled)
    if fields or patterns:
        values |= _no_more(project, rules)
    settings_file = _write_exempt(project, (*before.exempt, *new)) if new else None
    documents, files = _reveal(project, values, rules)
    project.vault.save()
    if settings_file is not None:
        console.line(f"{shown(settings_file)}: redact.exempt has {', '.join(map(repr, new))} now")
    if not values:
        console.note("Nothing that was recorded is another for it.")
        return 0
    for name in sorted(values, key=natural):
        console.line(f"{name} is no secret any more: its value stands where it was recorded")
    if documents:
        console.line(f"{many(len(documents), 'document')} changed: {_listed(documents)}")
    if files:
        console.line(f"{many(len(files), 'other file')} changed: {_listed([shown(file) for file in files])}")
    console.line(f"{shown(project.vault.path)}: {many(len(project.vault.names()), 'secret')} left")
    return 0


def _entry(value: str, finder: Finder) -> str:
    """How `redact.exempt` says this one value: an entry may be a name as well, or an expression."""
    is_name = finder.names.kind(value) is not None or joined(value) in {"authorization", "cookie", "setcookie"}
    is_expression = len(value) > 2 and value[0] == value[-1] == "/"
    return f"/{re.escape(value)}/" if is_name or is_expression else value


def _no_more(project: Project, rules: Rules) -> dict[str, str]:
    """The secrets that nothing in the documents says to be secret under these rules: (name, value)."""
    values = {name: project.vault.value(name) for name in project.vault.names()}
    still: set[str] = set()
    redactor = Redactor(Vault(project.vault.path.with_name(".rr-nowhere")), rules)

    def note(value: str, _kind: str) -> None:
        still.add(value)

    for each in project.store.test_sets():
        for file in revision.files(each):
            for text in revision.texts(file):
                if any(True for _ in placeholders.names_in_yaml(text.text)):
                    document = text.parsed()
                    redactor.look(project.vault.unseal_tree(document.spec), note)
    # A side file says too little about its type to be judged anew: what stands there stays a secret.
    in_side_files = {
        name
        for each in project.store.test_sets()
        for file in revision.side_files(each)
        for piece in revision.pieces_of(file)
        for name in placeholders.names(piece)
    }
    return {name: value for name, value in values.items() if value not in still and name not in in_side_files}


def _write_exempt(project: Project, entries: Sequence[str]) -> Path:
    target = project.settings.source or project.config_folder / SETTINGS
    remember(target, {"redact.exempt": list(entries)})
    return target


def _reveal(project: Project, values: dict[str, str], rules: Rules) -> tuple[list[str], list[Path]]:
    """Puts values in the place of their placeholders, everywhere; returns what was changed."""
    if not values:
        return [], []
    project.vault.forget(values)
    redactor = Redactor(project.vault, rules)

    def concerns(text: str) -> bool:
        return any(name in values for name, _ in placeholders.names_in_yaml(text))

    def change(document: Document) -> RedactedDocument:
        return redactor.reveal(document, values)

    def put(text: str) -> str:
        return placeholders.replace_some(text, values.get)

    documents = []
    files = []
    for each in project.store.test_sets():
        documents += [f"{each.name}/{name}" for name in revision.revise(each, lambda text: concerns(text.text), change)]
        for path in revision.side_files(each):
            if any(name in values for piece in revision.pieces_of(path) for name in placeholders.names(piece)):
                pieces = revision.pieces_of(path)
                write_whole(path, (put(piece).encode("latin-1") for piece in pieces))
                files.append(path)
    for path in project.other_files():
        with reading(path):
            content = path.read_text("utf-8")
        if concerns(content):
            tree = placeholders.in_tree(
                load(content, path=path), lambda text: placeholders.replace_some(text, values.get)
            )
            write_whole(path, set_to(content, tree, path=path).encode())
            files.append(path)
    return documents, files


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


# -- rotate -------------------------------------------------------------------------------------------------------


def rotate(path: Path | None, config_folder: Path) -> int:
    """Seals all secrets with a new key, which becomes the user's own."""
    project = Project(path, config_folder)
    vault, console = project.vault, Console()
    before = vault.key_id
    if before is None:
        raise UsageError(f"There is no {vault.path}: nothing is sealed yet.", remedy="Record something first.")
    key = NewKey(os.environ)
    vault.rekey(key)  # fails before anything is written if there is a secret that cannot be unsealed
    older = key.keep()
    vault.save()
    key.take_over()
    console.headline(f"{many(len(vault.names()), 'secret')} in {shown(vault.path)} sealed with the key {key.id}")
    console.line(f"The new key is in {key.path}, and is yours for every project.")
    if older is not None:
        console.line(f"The one before stays in {older}, for other projects and older commits.")
    if sys.stdout.isatty():
        console.line(f"For CI and colleagues: RR_KEY={key.text}")
    else:
        console.line(f"For CI and colleagues: set RR_KEY to the content of {key.path}.")
    if os.environ.get("RR_KEY"):
        console.warning("RR_KEY is set here, and holds the key before: change it as well.")
    console.note(
        "Who has the key before and an older commit still reads what was sealed then: change those secrets too."
    )
    return 0
