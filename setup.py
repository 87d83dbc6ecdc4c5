"""Makes the library that moves an app's clock, and puts it into the wheel; all else is in pyproject.toml.

With a C compiler (`cc`, or $CC) the wheel gets the library for this machine. `RR_CLOCK_BUILD=zig` fetches `ziglang`
from PyPI (90 MB, for the build alone) and makes it for every processor that rr knows: one wheel for all. Without a
compiler the wheel has none, and rr makes it where it is needed, or says that it cannot. An editable install has none
either.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))

from intercept import clock_library

WITH_ZIG = os.environ.get("RR_CLOCK_BUILD") == "zig"


class BuildWithClock(build_py):
    """Copies the modules, and makes the library beside them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib) / "intercept"
        if WITH_ZIG:
            for machine in clock_library.MACHINES:
                zig = [*clock_library.ZIG, "-target", f"{machine}-linux-gnu.2.17"]
                clock_library.build(clock_library.beside(folder, machine), zig)
            return
        machine = platform.machine()
        if sys.platform != "linux" or machine not in clock_library.MACHINES:
            return
        for compiler in clock_library.compilers(machine):
            try:
                clock_library.build(clock_library.beside(folder, machine), compiler)
            except (OSError, subprocess.SubprocessError) as error:
                self.announce(f"{compiler[0]} does not make rr's clock: {error}", level=2)
                continue
            return
        self.announce("no C compiler: rr will make its clock where it is needed", level=2)


class WheelOfItsMachine(bdist_wheel):
    """A wheel with one library is for one machine; one with all of them, or none, is for any."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, any_machine = super().get_tag()
        made = list((Path(self.bdist_dir) / "intercept").glob("clock-*.so"))
        return (python, abi, any_machine if len(made) != 1 else f"linux_{platform.machine()}")


setup(
    cmdclass={"build_py": BuildWithClock, "bdist_wheel": WheelOfItsMachine},
    package_data={"intercept": ["clock.c"]},
    setup_requires=["ziglang"] if WITH_ZIG else [],
)
