"""Programs that tests need and that rr does not bring along. A missing one fails the test, and says how to get it."""

from __future__ import annotations

import os
import shutil

import pytest

DEBIAN_PACKAGES = {
    "dnsmasq": "dnsmasq-base",
    "gcc": "gcc libc6-dev",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "strace": "strace",
    "unshare": "util-linux",
    "wrk": "wrk",
}

# An ordinary user's path often leaves these out, and Debian puts servers there.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]))


def program(name: str) -> str:
    """The program's path."""
    found = find(name)
    if found is None:
        pytest.fail(f"this test needs {name}: apt install {DEBIAN_PACKAGES[name]}", pytrace=False)
    return found
