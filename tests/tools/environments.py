# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the virtual environments and the collection path that every make target needs.

    python tests/tools/environments.py dev tools importer

Runs on a bare Python with venv: nothing but the standard library is imported here. An environment is made anew when its
requirement files, the interpreter or the place of the checkout changed; otherwise this returns at once.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
COLLECTIONS = ROOT / "build" / "collections"

# Name of an environment → the requirement files it is installed from. Separate where the tools' own pins conflict.
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "dev": ("requirements.txt", "tests/requirements.txt"),
    "tools": ("requirements.txt", "tests/tools/requirements.txt"),
    "importer": ("tests/tools/requirements-importer.txt",),
}


# What the witnesses need of programs that are too large to be installed whole; see `fill_azure_cli()` and `fill_recipes()`.
AZURE_CLI_PARTS = ("azure-cli-core", "azure-mgmt-resource")
AZURE_CLI_UNNAMED_PARTS = ("msrest",)
RECIPE_COLLECTIONS = ("azure/azcollection", "community/hashi_vault")


class SetupError(Exception):
    """Set-up failed; the message says what the user can do."""


def python_version() -> str:
    """The version of the running interpreter as ``3.12``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def environment_path(name: str) -> Path:
    """Where the environment ``name`` of the running interpreter's version lies."""
    return CACHE / "venvs" / python_version() / name


def binary(name: str, program: str) -> str:
    """The path of ``program`` in the environment ``name``."""
    return str(environment_path(name) / "bin" / program)


def link_collection() -> Path:
    """Make the checkout importable as ``ansible_collections.m365d.partner`` and return the collections path.

    A user's checkout can have any name and place; Ansible wants ``ansible_collections/m365d/partner``, so a symlink under
    ``build/`` gives it that name.
    """
    link = COLLECTIONS / "ansible_collections" / "m365d" / "partner"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.resolve() != ROOT:
        link.unlink(missing_ok=True)
        # Two make runs at the same time may both want to make it.
        with contextlib.suppress(FileExistsError):
            link.symlink_to(ROOT, target_is_directory=True)
    return COLLECTIONS


def interpreter_identity(python: str) -> list[str]:
    """Version and installation of an interpreter: what an environment made from it depends on.

    :raises SetupError: when it does not run.
    """
    try:
        result = subprocess.run(
            [python, "-c", "import sys; print(sys.version.split()[0]); print(sys.base_prefix)"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_pip_environment(),
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as exc:
        raise SetupError(f"{python} does not run: {exc}") from exc
    return result.stdout.splitlines()


def fingerprint(python: str, requirements: Sequence[str], extra: Sequence[str]) -> str:
    """What an environment depends on, as text: files, further requirements, interpreter and place."""
    return json.dumps(
        {
            "files": {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in requirements},
            "extra": list(extra),
            "python": interpreter_identity(python),
            "root": str(ROOT),
        },
        sort_keys=True,
        indent=1,
    )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that two make runs do not build the same environment at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def clean_pip_environment() -> dict[str, str]:
    """The caller's environment without what would make pip or venv look at another Python."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if key not in dropped}


def run_logged(command: Sequence[str], *, log: Path) -> None:
    """Run a set-up command with its output in ``log``; raise SetupError with the output's end when it fails."""
    with log.open("a", encoding="utf-8") as handle:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, env=clean_pip_environment(), check=False
        )
    if result.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
        raise SetupError(f"{' '.join(command)}\nended with {result.returncode}; the end of {log.relative_to(ROOT)}:\n{tail}")


def pip(target: Path, command: str) -> list[str]:
    """The command line of a pip command in an environment, without its operands."""
    return [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", command, "--prefer-binary"]


def fill_azure_cli(target: Path, log: Path) -> None:
    """Install the Azure CLI with what signing in takes.

    The whole of it is 730 MB of libraries for services that no test asks. The program itself, its core and the library that
    `az login` lists subscriptions with are a quarter of that, in the versions that the program's own metadata demands. Nor
    is it compiled: that would take longer than all runs of it together.
    """
    run_logged([*pip(target, "install"), "--no-compile", "--no-deps", "azure-cli"], log=log)
    listing = subprocess.run(
        [str(target / "bin" / "python"), "-c", "import importlib.metadata as m; print(*m.requires('azure-cli'), sep='\\n')"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=clean_pip_environment(),
        check=True,
    ).stdout
    demanded = [line for line in listing.splitlines() if re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] in AZURE_CLI_PARTS]
    run_logged([*pip(target, "install"), *demanded, *AZURE_CLI_UNNAMED_PARTS], log=log)


def fill_recipes(target: Path, log: Path) -> None:
    """Unpack the collections that the guides' recipes name into ``collections`` below the environment.

    They come out of the PyPI package `ansible`, which carries a hundred of them, so that pip is the only way to anything here.
    """
    with tempfile.TemporaryDirectory(dir=target) as folder:
        run_logged([*pip(target, "download"), "--no-deps", "--only-binary=:all:", "--dest", folder, "ansible"], log=log)
        prefixes = tuple(f"ansible_collections/{name}/" for name in RECIPE_COLLECTIONS)
        with zipfile.ZipFile(next(Path(folder).glob("ansible-*.whl"))) as archive:
            archive.extractall(target / "collections", [name for name in archive.namelist() if name.startswith(prefixes)])


FILLS: dict[str, tuple[Callable[[Path, Path], None], tuple[str, ...]]] = {
    # name of an environment → what fills it, and what that depends on
    "azure-cli": (fill_azure_cli, ("azure-cli", *AZURE_CLI_PARTS, *AZURE_CLI_UNNAMED_PARTS)),
    "recipes": (fill_recipes, RECIPE_COLLECTIONS),
}


def ensure_environment(
    target: Path,
    requirements: Sequence[str],
    *,
    extra: Sequence[str] = (),
    python: str = sys.executable,
    fill: Callable[[Path, Path], None] | None = None,
) -> bool:
    """Make the virtual environment ``target`` unless it is current; True when it was made.

    :param requirements: requirement files, relative to the checkout.
    :param extra: further requirements as pip takes them, for example ``ansible-core==2.19.*``.
    :param python: the interpreter to make it with.
    :param fill: fills it instead of pip, given the environment and the log; ``extra`` then only tells what that depends on.
    :raises SetupError: when Python cannot make the environment or pip cannot fill it.
    """
    stamp = target / "setup-stamp.json"
    wanted = fingerprint(python, requirements, extra)
    with locked(target.with_name(f"{target.name}.lock")):
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return False
        started = time.monotonic()
        label = str(target.relative_to(ROOT))
        print(f"setting up {label} …", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        log = target.with_name(f"{target.name}.log")
        log.write_text("", encoding="utf-8")
        run_logged([python, "-m", "venv", str(target)], log=log)
        if fill:
            fill(target, log)
        else:
            files = [part for name in requirements for part in ("-r", str(ROOT / name))]
            run_logged([*pip(target, "install"), *files, *extra], log=log)
        stamp.write_text(wanted, encoding="utf-8")
        print(f"setting up {label}: done in {time.monotonic() - started:.0f} s", flush=True)
        return True


def ensure(names: Sequence[str]) -> None:
    """Make the named environments, at the same time, and the collection path."""
    link_collection()
    with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
        # list() so that a failure is raised here
        list(pool.map(_ensure_one, names))


def _ensure_one(name: str) -> bool:
    if name in FILLS:
        fill, needs = FILLS[name]
        return ensure_environment(environment_path(name), (), extra=needs, fill=fill)
    return ensure_environment(environment_path(name), ENVIRONMENTS[name])


def main() -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description="Make the virtual environments that the make targets need.")
    parser.add_argument("names", nargs="+", choices=[*ENVIRONMENTS, *FILLS], help="environments to make")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):
        print(f"Python 3.11 or newer is needed, this is {python_version()}; choose another with make PYTHON=…", file=sys.stderr)
        return 1
    try:
        ensure(arguments.names)
    except SetupError as exc:
        print(f"set-up failed: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
