"""Measures one Python process of the app. rr's kit has this file as `sitecustomize.py`, which Python runs at start-up.

The app must not notice: whatever goes wrong here is noted for rr, and the app runs on as without it. Data are saved
whenever the process ends otherwise than by SIGKILL: at exit, at a signal that ends it, at `os._exit` (how forked
children end), and before it becomes another program. A fork needs nothing: coverage.py goes on in the child, and gives
it a data file of its own.

Runs in whichever Python the app has, so it uses nothing that is newer than Python 3.6, and nothing of rr.
"""

import atexit
import hashlib
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from typing import Any, Callable, Dict, List  # noqa: UP035 - Python 3.6 has no `dict[str, Any]`

_HERE = os.path.dirname(os.path.abspath(__file__))
_BASE = "RR_COVERAGE_BASE"  # the folder that the project's configuration is relative to; the first process names it
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def run_the_other_sitecustomize() -> None:
    """The one that Python would have found without rr's."""
    own = sys.modules.pop("sitecustomize")
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own)


def measure() -> None:
    with open(os.path.join(_HERE, "settings.json")) as file:
        settings = json.load(file)
    data = os.path.join(_HERE, "data")
    note = {"python": ".".join(map(str, sys.version_info[:3])), "base": "", "config": "", "core": "", "problem": ""}
    try:
        coverage = _coverage(settings["lib"] or os.path.join(_HERE, "lib"), settings["oldest"])
        _Measurement(coverage, settings, data, note)
    except Exception as error:  # whichever Python this is, and whatever its project says: the app runs on
        note["problem"] = f"{type(error).__name__}: {error}"
    _leave(note, data)


def _coverage(folder: str, oldest: List[int]) -> Any:  # noqa: UP006
    """coverage.py from this folder. What it compiles for another Python than rr's stays in the kit."""
    if sys.version_info < tuple(oldest):
        return _own_coverage(oldest)
    before = sys.pycache_prefix, sys.dont_write_bytecode
    sys.path.insert(0, folder)
    compiled = f"control.{sys.implementation.cache_tag}.pyc"
    if not os.path.exists(os.path.join(folder, "coverage", "__pycache__", compiled)):
        sys.pycache_prefix, sys.dont_write_bytecode = os.path.join(_HERE, "compiled"), False
    try:
        import coverage
    finally:
        sys.path.remove(folder)
        sys.pycache_prefix, sys.dont_write_bytecode = before
    return coverage


def _own_coverage(oldest: List[int]) -> Any:  # noqa: UP006
    """The app may have one that suits its old Python: the data are the same since version 5."""
    try:
        import coverage
    except ImportError as error:
        wanted = ".".join(map(str, oldest))
        raise RuntimeError(
            f"rr's coverage.py needs Python {wanted} or newer, and the app has none of its own"
        ) from error
    return coverage


class _Measurement:
    """This process's, and that of its forks."""

    def __init__(self, coverage: Any, settings: Dict[str, Any], data: str, note: Dict[str, str]) -> None:  # noqa: UP006
        self._settings = settings
        self._data = data
        here = os.open(".", os.O_RDONLY)
        base = settings["base"] or os.environ.get(_BASE)
        try:
            if base:
                os.chdir(base)  # what the configuration says of folders is relative to its own
            config = os.path.join(_HERE, "project", settings["config"]) if settings["config"] else True
            self._coverage = cov = coverage.Coverage(
                data_file=os.path.join(data, "lines"), data_suffix=True, config_file=config
            )
            read = getattr(cov.config, "config_files_read", [])
            if not base:
                base = os.getcwd() if read else settings["folder"] or os.getcwd()
                os.chdir(base)
            note["core"] = _adapt(cov)
            cov._warn_no_data = cov._warn_unimported_source = cov._warn_preimported_source = False
            cov.start()
        finally:
            os.fchdir(here)
            os.close(here)
        self._base = base
        note["base"], note["config"] = base, read[0] if read else ""
        os.environ[_BASE] = base
        if settings["keep_sources"] and read and not settings["config"]:
            self._keep(read[0])
        self._ended = 0  # the process whose data were saved at its exit
        for _ in range(2):  # a signal's handler may break the first one off before it has begun
            atexit.register(self._at_exit)
        self._set_signal, self._get_signal = signal.signal, signal.getsignal
        if _in_main_thread():
            for number in _ENDS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self._at_signal)
        setattr(signal, "signal", self._signal)  # noqa: B010 - mypy would have them called by keyword
        setattr(signal, "getsignal", self._getsignal)  # noqa: B010
        for name in ("_exit", "execv", "execve"):
            setattr(os, name, self._before(getattr(os, name)))

    def _at_exit(self) -> None:
        if self._ended != os.getpid():
            _undisturbed()
            self._ended = os.getpid()
            self._save(stop=True)

    def _at_signal(self, number: int, _frame: object) -> None:
        """A signal that ends the process without a word of Python, unless it is a container's first process, which
        the kernel lets live."""
        handlers = _undisturbed()
        self._save()
        self._set_signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        _restore(handlers)

    def _signal(self, number: int, handler: Any) -> Any:
        """`signal.signal`: who wants a signal to end the process, as uvicorn's workers do, gets an end with data."""
        if handler == signal.SIG_DFL and number in _ENDS:
            handler = self._at_signal
        return self._as_seen(self._set_signal(number, handler))

    def _getsignal(self, number: int) -> Any:
        return self._as_seen(self._get_signal(number))

    def _as_seen(self, handler: Any) -> Any:
        return signal.SIG_DFL if handler == self._at_signal else handler

    def _before(self, end: "Callable[..., Any]") -> "Callable[..., Any]":
        def ending(*arguments: Any, **named: Any) -> Any:
            handlers = _undisturbed()
            self._save()
            _restore(handlers)
            return end(*arguments, **named)

        return ending

    def _save(self, stop: bool = False) -> None:
        try:
            try:
                if stop:
                    self._coverage.stop()
            finally:
                self._coverage.save()
            if self._settings["keep_sources"]:
                for path in self._coverage.get_data().measured_files():
                    self._keep(path)
        except Exception as error:  # a full disk, say: rr tells of it, and the app ends as without rr
            _leave({"problem": f"the data were not saved: {type(error).__name__}: {error}"}, self._data)

    def _keep(self, path: str) -> None:
        """What was measured here may be nowhere else: the files of a container's image."""
        path = os.path.join(self._base, path)
        copy = os.path.join(self._data, "sources", path.lstrip("/"))
        if os.path.exists(copy) or not os.path.isfile(path):
            return
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        fresh = f"{copy}.{os.getpid()}"
        with open(path, "rb") as source, open(fresh, "wb") as target:
            target.write(source.read())
        os.rename(fresh, copy)


def _adapt(cov: Any) -> str:
    """The project's configuration, but for what rr decides: where data go, and how processes are followed."""
    config = cov.config
    fast = importlib.util.find_spec("coverage.tracer") is not None and _has_tracer()
    # Without multiprocessing, which would write into the project, and what the app has not got.
    given = [each for each in config.concurrency if each == "thread" or importlib.util.find_spec(each) is not None]
    given = [each for each in given if each != "multiprocessing"]
    if not fast:
        given = [each for each in given if each == "thread"]  # the others need the C tracer
    elif given in ([], ["thread"]) and importlib.util.find_spec("greenlet") is not None:
        given = ["thread", "greenlet"]
    monitoring = (
        sys.version_info >= (3, 14 if config.branch else 12) and not config.dynamic_context and not config.timid
    )
    options = {
        "concurrency": given or ["thread"],
        "sigterm": False,
        "patch": [],
        "relative_files": False,
        "plugins": [],  # rr's Python, which makes the reports, has not got them
        "disable_warnings": [*config.disable_warnings, "no-ctracer", "no-sysmon", "module-not-imported"],
    }  # type: Dict[str, Any]
    if not fast and monitoring:
        options["core"] = "sysmon"
    for name, value in options.items():
        if hasattr(config, name):  # an app's own, older coverage.py has not all of them
            cov.set_option("run:" + name, value)
    cov.set_option("run:omit", [*(config.run_omit or []), os.path.join(_HERE, "*")])
    return "C" if fast else "sys.monitoring" if monitoring else "Python"


def _has_tracer() -> bool:
    try:
        import coverage.tracer  # noqa: F401
    except ImportError:  # of another libc, or on a file system from which nothing may be run
        return False
    return True


def _undisturbed() -> Dict[int, Any]:  # noqa: UP006
    """From here on no signal breaks in: supervisors send several, and each handler may end the process. Returns the
    handlers that were there."""
    before = {}  # type: Dict[int, Any]
    waiting = list(_ENDS) if _in_main_thread() else []  # handlers run in the main thread, and disturb no other
    while waiting:
        try:
            handler = signal.getsignal(waiting[0])
            if handler is not None:  # None: not set by Python, and so not to be set again by it
                before.setdefault(waiting[0], handler)
            signal.signal(waiting[0], signal.SIG_IGN)
            waiting.pop(0)
        except BaseException:  # noqa: S112 - a signal came just before; its handler wants the end that is coming
            continue
    return before


def _restore(handlers: Dict[int, Any]) -> None:  # noqa: UP006
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave(note: Dict[str, str], data: str) -> None:  # noqa: UP006
    """A note for rr, the same of all processes that are alike."""
    text = json.dumps(note, sort_keys=True)
    path = os.path.join(data, f"note-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json")
    try:
        if not os.path.exists(path):
            fresh = f"{path}.{os.getpid()}.{time.time()}"
            with open(fresh, "w") as file:
                file.write(text)
            os.rename(fresh, path)
    except OSError:  # no place for notes: rr sees that nothing came, and says so
        return


if __name__ == "sitecustomize":
    try:
        run_the_other_sitecustomize()
    finally:
        measure()
