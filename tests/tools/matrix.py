# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit and integration tests on every supported ansible-core that an interpreter of this machine can carry.

    python tests/tools/matrix.py [PYTHON …]

Interpreters are those on the PATH and those named. Each ansible-core is tried with the oldest and the newest interpreter it supports; what
cannot be tried is said and counted as skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environments import CACHE, ROOT, SetupError, ensure_environment, interpreter_identity, link_collection
from gates import Counts, Gate, Step, count_pytest, pytest_steps, usable_path
from run_gates import run_and_close

# ansible-core → the oldest and the newest Python that may control with it (ansible-core's own support matrix).
CORES: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "2.16": ((3, 10), (3, 12)),
    "2.17": ((3, 10), (3, 12)),
    "2.18": ((3, 11), (3, 13)),
    "2.19": ((3, 11), (3, 13)),
    "2.20": ((3, 12), (3, 14)),
    "2.21": ((3, 12), (3, 14)),
}
# The plugins run on older Pythons than the tests and the emulator do.
OLDEST_FOR_TESTS = (3, 11)

IMPORT_ALL = """
import importlib, pathlib
import ansible_collections.m365d.partner as collection
names = []
for root in map(pathlib.Path, collection.__path__):
    for path in sorted((root / 'plugins').rglob('*.py')):
        names.append('.'.join(('ansible_collections.m365d.partner', *path.relative_to(root).with_suffix('').parts)))
for name in names:
    importlib.import_module(name.removesuffix('.__init__'))
print(len(names), 'files import')
assert names
"""

Version = tuple[int, int]


def interpreters(named: Sequence[str]) -> dict[Version, str]:
    """The interpreters that run, by version; one that was named wins over one on the PATH."""
    found: dict[Version, str] = {}
    on_path = [
        str(path)
        for directory in reversed(usable_path().split(os.pathsep))
        for path in sorted(Path(directory or ".").glob("python3.*"))
        if re.fullmatch(r"python3\.\d+", path.name) and os.access(path, os.X_OK)
    ]
    for candidate in (*on_path, sys.executable, *named):
        try:
            subprocess.run([candidate, "-c", "import ensurepip, venv"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
            major, minor = interpreter_identity(candidate)[0].split(".")[:2]
        except (SetupError, OSError, subprocess.CalledProcessError):
            if candidate in named:
                raise SystemExit(f"{candidate} does not run, or lacks venv or ensurepip") from None
            continue
        found[int(major), int(minor)] = candidate
    return found


def choose(available: dict[Version, str]) -> tuple[list[tuple[str, Version]], list[str]]:
    """Pairs of ansible-core and Python to try, and for which ansible-core there is no Python."""
    chosen: list[tuple[str, Version]] = []
    without: list[str] = []
    for core, (oldest, newest) in CORES.items():
        fitting = sorted(version for version in available if oldest <= version <= newest)
        if not fitting:
            without.append(f"ansible-core {core}: needs Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, none of them runs here")
        chosen.extend((core, version) for version in sorted({fitting[0], fitting[-1]} if fitting else set()))
    return chosen, without


def cell(core: str, version: Version) -> Gate:
    """The gate of one ansible-core and one Python."""
    name = f"core-{core}-py{version[0]}.{version[1]}"
    root = CACHE / "venvs" / "matrix" / name
    python = str(root / "bin" / "python")
    if version >= OLDEST_FOR_TESTS:
        return Gate(
            name=name,
            roots=(root,),
            steps=lambda: pytest_steps(name, "tests/unit", "tests/integration", python=python),
            count=count_pytest(name),
        )
    steps = [
        Step(command=(python, "-m", "compileall", "-q", "-f", "plugins"), env={"PYTHONPYCACHEPREFIX": str(CACHE / "pyc")}),
        Step(command=(python, "-c", IMPORT_ALL), env={"PYTHONPATH": str(ROOT / "build" / "collections")}),
        Step(command=(str(root / "bin" / "ansible-doc"), "--list", "m365d.partner")),
    ]
    return Gate(name=name, roots=(root,), steps=lambda: steps)


def requirements(version: Version) -> tuple[str, ...]:
    """What a cell's environment holds beside ansible-core."""
    return ("requirements.txt", "tests/requirements.txt") if version >= OLDEST_FOR_TESTS else ("requirements.txt",)


def main() -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description="Run the tests on every supported ansible-core.")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="further interpreters to use")
    arguments = parser.parse_args()
    started = time.monotonic()
    link_collection()
    available = interpreters(arguments.pythons)
    chosen, without = choose(available)
    for reason in without:
        print(f"SKIPPED {reason}")
    gates = [cell(core, version) for core, version in chosen]
    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(
                pool.map(
                    lambda pair: ensure_environment(
                        pair[0].roots[0],
                        requirements(pair[1][1]),
                        extra=(f"ansible-core=={pair[1][0]}.*",),
                        python=available[pair[1][1]],
                    ),
                    zip(gates, chosen, strict=True),
                )
            )
    except SetupError as exc:
        print(f"set-up failed: {exc}", file=sys.stderr)
        return 1
    return run_and_close(gates, jobs=2, started=started, before=Counts(skipped=len(without)))


if __name__ == "__main__":
    sys.exit(main())
