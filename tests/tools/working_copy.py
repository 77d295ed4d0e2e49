# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real copies of the checkout for tools that insist on ``…/ansible_collections/m365d/partner`` and refuse symlinks.

Each gate gets a copy of its own, so that what one tool writes is not seen by the next. A copy is brought up to date, not made
anew: ansible-test keeps virtual environments below ``tests/output`` of the copy that are dear to rebuild.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
from pathlib import Path

from environments import CACHE, ROOT

# What tools keep in a copy between runs; not part of the collection, hence left alone.
KEPT = (".git", "tests/output", ".ansible")


def collection_files() -> list[str]:
    """The files that belong to the collection: tracked ones and new ones that are not ignored, as they are on disk now.

    :raises SystemExit: when the checkout is not a git repository.
    """
    result = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(f"git cannot list the checkout's files: {result.stderr.strip()}")
    return sorted({name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()})


def _remove_strangers(target: Path, wanted: set[str]) -> None:
    """Remove what an earlier copy had and the checkout has no more, and the directories that became empty."""
    visited: list[Path] = []
    for directory, directories, files in os.walk(target, topdown=True):
        relative = Path(directory).relative_to(target)
        directories[:] = [name for name in directories if str(relative / name) not in KEPT]
        visited.append(Path(directory))
        for name in files:
            if str(relative / name) not in wanted:
                (Path(directory) / name).unlink()
    for path in reversed(visited[1:]):
        if not any(path.iterdir()):
            path.rmdir()


def make_copy(name: str) -> Path:
    """Bring the copy ``name`` up to date with the checkout and return the collection's directory in it.

    The copy is a git repository without commits: ansible-test and reuse ask git which files to look at, and would otherwise find
    the surrounding repository, which ignores all of ``.cache``.
    """
    target = CACHE / "copies" / name / "ansible_collections" / "m365d" / "partner"
    target.mkdir(parents=True, exist_ok=True)
    names = collection_files()
    _remove_strangers(target, set(names))
    for file_name in names:
        source, destination = ROOT / file_name, target / file_name
        if (
            destination.is_file()
            and filecmp.cmp(source, destination, shallow=False)
            and source.stat().st_mode == destination.stat().st_mode
        ):
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination)
    # Does nothing to a repository that is there
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


def collections_path(copy: Path) -> Path:
    """The directory to name in ANSIBLE_COLLECTIONS_PATH for a copy."""
    return copy.parents[2]
