"""Programs that tests and benchmarks need and that rr does not bring along. A missing one is an error that says so."""

from __future__ import annotations

import os
import shutil

DEBIAN_PACKAGES = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "dnsmasq": "dnsmasq-base",
    "dockerd": "docker.io",
    "curl": "curl",
    "gcc": "gcc libc6-dev",
    "git": "git",
    "haproxy": "haproxy",
    "musl-gcc": "musl-tools",
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "qemu-aarch64": "qemu-user",
    "strace": "strace",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "wrk": "wrk",
}

# An ordinary user's path often leaves these out, and Debian puts servers there.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]))


class MissingProgram(Exception):
    """A program is not installed on this machine."""


def program(name: str) -> str:
    """The program's path."""
    found = find(name)
    if found is None:
        raise MissingProgram(f"{name} is missing here: apt install {DEBIAN_PACKAGES[name]}")
    return found
