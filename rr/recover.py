"""`rr recover`, and the end of every recording: the rest of the journal becomes files, whoever began it.

A session's facts, written before the app starts, say all that this needs; rr's own memory may be gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intercept import memory
from intercept.containers import leftovers
from protocols.documents import time_text
from recorder import filters
from recorder.recording import Recording, Wanted
from rr import __version__
from rr.console import Console
from rr.settings import Settings, load_settings
from testset.config import SetConfig
from testset.errors import RRError
from testset.redaction import Redactor
from testset.store import TestSetStore

HASH_SEED = "0"
AGAIN = "Then run `rr recover`: what was recorded waits for it in memory, until this machine is switched off."


def facts(
    store: TestSetStore,
    name: str,
    command: str,
    config_folder: Path,
    flags: Mapping[str, Any],
    container: tuple[str, Mapping[str, str]] | None = None,
    **words: Sequence[str],
) -> dict[str, Any]:
    """What a recovery has to know of a recording. `container`: of the app, with its environment. `words`: the filters
    of the command line."""
    seed = os.environ.get("PYTHONHASHSEED", HASH_SEED)
    return {
        "store": str(store.root.resolve()),
        "test_set": name,
        "command": command,
        "config_folder": str(config_folder.resolve()),
        "flags": {name: value for name, value in flags.items() if value is not None},
        **{name: list(value) for name, value in words.items()},
        # what is secret in there is a secret in the documents
        "environment": {**os.environ, **(container[1] if container is not None else {})},
        "hash_seed": int(seed) if seed.isdigit() else None,
        "started_ns": time.time_ns(),
        "time_zone": _time_zone() if container is None else container[1].get("TZ"),
        "container": container[0] if container is not None else None,
    }


def recover(debug: bool) -> int:
    """Finish what recordings that were cut off have left in memory."""
    console = Console(out=sys.stderr, debug=debug)
    sweep(console)
    errors = recover_abandoned(console)
    if errors is None:
        console.note("There is nothing to recover.")
        return 0
    if errors:
        raise errors[0]
    return 0


def sweep(console: Console) -> None:
    """Remove what an rr that was killed has left in Docker."""
    if leftovers.are_there():
        from intercept.containers.apps import sweep

        sweep(console.note)


def recover_abandoned(console: Console) -> list[RRError] | None:
    """Finish all recordings whose rr is gone; returns what stood in the way, or None if there were none."""
    found = memory.abandoned()
    errors = []
    for session in found:
        try:
            recover_one(console, session)
        except RRError as error:
            errors.append(error)
        except Exception as error:
            console.debug(f"{session.path}: {error!r}")
            errors.append(as_bug(error, f"It stays in {session.path}; delete that folder to be rid of it."))
    return errors if found else None


def recover_one(console: Console, session: memory.SessionFolder) -> None:
    """Finish one. If it fails, everything stays for another time."""
    facts = session.facts
    if facts.get("passing"):  # it was to be compared with an old one, and is nothing by itself
        session.remove()
        return
    store = TestSetStore(Path(facts["store"]))
    settings = load_settings(Path(facts["config_folder"]), facts["flags"])
    vault = store.vault()
    redactor = Redactor(vault, settings.redact.rules())
    redactor.expect(facts.get("environment") or {}, facts["command"])
    console.note(f"Recovering a recording of {redactor.mask_command(facts['command'])} that was cut off …")
    with store.reopen(facts["test_set"], vault) as writer:
        recording = Recording(
            session,
            writer,
            redactor,
            wanted(settings, facts["include"], facts["exclude"]),
            spill_limit=settings.journal.spill,
            memory_limit=settings.journal.limit,
        )
        try:
            finish(console, recording)
            counts = recording.counts
            if counts.tests or counts.mocks:
                writer.write_config(set_config(facts, recording))
        except BaseException:
            recording.close(keep=True)
            raise
        if not (counts.tests or counts.mocks):
            store.discard(facts["test_set"])
        recording.close(keep=False)
    console.note(
        f"Recovered a recording that was cut off: {many(counts.tests, 'test case')} and "
        f"{many(counts.mocks, 'mock')} in {shown(writer.path)}"
    )


def finish(console: Console, recording: Recording) -> None:
    """Decode and write the rest of the journal, with progress."""
    told = time.monotonic()
    while recording.work():
        if time.monotonic() - told > 0.2:
            told = time.monotonic()
            console.counter(f"finishing: {recording.counts.tests} tests, {recording.counts.mocks} mocks …")
    recording.finish()
    console.counter("")


def set_config(facts: Mapping[str, Any], recording: Recording) -> SetConfig:
    """The `config.yml` of what was recorded."""
    return SetConfig(
        command=recording.sealed_command(facts["command"]),
        container=facts.get("container"),
        app_ports=tuple(sorted(recording.ports)),
        certificates=dict(sorted(recording.reading.notes.faults.items())),
        hash_seed=facts["hash_seed"],
        clock=time_text(facts["started_ns"]) if "started_ns" in facts else None,
        time_zone=facts["time_zone"],
        recorded_by=__version__,
    )


def wanted(settings: Settings, include: Sequence[str], exclude: Sequence[str]) -> Wanted:
    """What the settings and the command line's filters say is to be kept."""
    tests = [filters.parse(text, include=True) for text in include]
    tests += [filters.parse(text, include=False) for text in exclude]
    for one in settings.record.filters:
        tests.append(
            filters.from_settings(
                path=one.path,
                host=one.host,
                port=one.port,
                methods=one.methods,
                include=one.filter_policy == "include",
                any_of=one.match_type == "or",
            )
        )
    mocks = [
        filters.from_settings(path=None, host=one.host and f"^{one.host}$", port=one.port, methods=(), include=False)
        for one in settings.record.pass_through
    ]
    return Wanted(tests=tests, mocks=mocks, app_ports=frozenset(settings.record.app_ports))


def as_bug(error: Exception, remedy: str) -> RRError:
    """An error that rr did not foresee, as a person may be told of it."""
    bug = RRError(f"rr has a bug, and could not go on recording: {type(error).__name__}: {error}.", remedy=remedy)
    bug.__cause__ = error
    return bug


def many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _time_zone() -> str | None:
    if os.environ.get("TZ"):
        return os.environ["TZ"]
    local = Path("/etc/localtime")
    try:
        return os.readlink(local).partition("zoneinfo/")[2] or None
    except FileNotFoundError:
        return "UTC"
    except OSError:  # a copy of a zone's file: its last line is the rule in short, which TZ may have as well
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return local.read_bytes().rstrip(b"\n").rpartition(b"\n")[2].decode("ascii") or None
        return None
