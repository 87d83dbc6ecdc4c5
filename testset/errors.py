"""Every error that rr shows to a person, on one page.

Each class has a stable code (quoted in the docs and in bug reports) and each instance a remedy: what the
reader can do now. The command line prints `str(error)`, then the remedy, and exits with 2. Anything that is not
an `RRError` is a bug in rr, and is shown as one.
"""

from __future__ import annotations

from pathlib import Path


class RRError(Exception):
    """rr could not do its work. The root of the tree."""

    code = "RR000"
    default_remedy = "Run the same command with --debug and report what it prints."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy if remedy is not None else self.default_remedy


# -- what the user wrote ----------------------------------------------------------------------------------------


class UsageError(RRError):
    """An option, an argument or a combination of them that cannot be meant."""

    code = "RR100"
    default_remedy = "See `rr --help`."


class SettingsError(RRError):
    """`rr.yml` (or `keploy.yml`) cannot be read or says something unknown."""

    code = "RR101"
    default_remedy = "Correct the line, or run `rr config` to see every setting with its default."


class CommandError(RRError):
    """The application's command could not be started, or ended before it was of use."""

    code = "RR102"
    default_remedy = "Run the command by itself, without rr, and see what it says."


# -- what is on disk --------------------------------------------------------------------------------------------


class DocumentError(RRError):
    """A recorded document is broken, unknown or there twice. Always names the file and, if known, the line."""

    code = "RR200"
    default_remedy = "Correct the document, or restore it from version control."

    def __init__(
        self, message: str, *, path: Path | None = None, line: int | None = None, remedy: str | None = None
    ) -> None:
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(where + message, remedy=remedy)
        self.path = path
        self.line = line


class NoTestSetError(RRError):
    """There is nothing to replay."""

    code = "RR201"
    default_remedy = 'Record one first: rr record -c "<the command that starts your app>".'


class StorageError(RRError):
    """A file of the recording could not be written: a full or read-only disk, a missing right."""

    code = "RR202"
    default_remedy = "Free some space or choose a folder that you may write to with --path."


class SecretError(RRError):
    """A secret in the recording cannot be unsealed: no key, another key, or a file that was changed."""

    code = "RR203"
    default_remedy = (
        "Set RR_KEY to the key that it was recorded with: its owner has it in ~/.local/share/rr/key. `rr secrets list` "
        "shows which secrets need it, and where."
    )


# -- the machine ------------------------------------------------------------------------------------------------


class NamespaceError(RRError):
    """The kernel does not let rr put the app into a namespace of its own."""

    code = "RR300"
    default_remedy = "Run `rr doctor`: it names the step that is forbidden here and how to allow it."


class PortTakenError(RRError):
    """The app opened a port that another program on this machine holds."""

    code = "RR301"
    default_remedy = "Stop the other program, or let the app listen on another port."


class JournalError(RRError):
    """The journal has no room, or holds something that rr did not write."""

    code = "RR302"
    default_remedy = "Free some memory under /dev/shm, or set `journal.limit` in rr.yml to less."


class RelayError(RRError):
    """The relay process could not be started, or ended again and again."""

    code = "RR303"


class ContainerError(RRError):
    """Docker, or a project that is to run in it, does not do what rr needs."""

    code = "RR304"
    default_remedy = "Run the docker command by itself, without rr, and see what it says."


class HookError(RRError):
    """A command of the project's own, before or after a test set, has failed."""

    code = "RR305"
    default_remedy = "Correct the command under `hooks` in rr.yml, or run it by itself and see what it says."


# -- the wire ---------------------------------------------------------------------------------------------------


class ProtocolError(RRError):
    """Bytes that are not what the protocol allows at this point. A decoder raises nothing else."""

    code = "RR400"
    default_remedy = "The connection is kept as raw bytes; nothing is lost."


class LimitError(ProtocolError):
    """A peer sent more than the limit that the caller set: a head of megabytes, a packet without end."""

    code = "RR401"


# -- the replay -------------------------------------------------------------------------------------------------


class AppNotReadyError(RRError):
    """The app did not open its port, or did not answer, in the time that `--delay` gives it."""

    code = "RR500"
    default_remedy = "Give it longer with --delay, or name a page that answers when it is ready with --health-url."


class AppDiedError(RRError):
    """The app ended while rr still had tests for it."""

    code = "RR501"
    default_remedy = "See its last output above; run the command by itself to find out why it ends."


class CoverageError(RRError):
    """The coverage of the app could not be measured, or not reported."""

    code = "RR502"
    default_remedy = (
        "Only Python is measured, and only where it reads PYTHONPATH: not with -I, -E or -S. For other languages see "
        "docs/coverage.md."
    )


class DependencyError(RRError):
    """What the app depends on is not there, where the real dependencies are needed."""

    code = "RR503"
    default_remedy = "Start it, then run the command again."
