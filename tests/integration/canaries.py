# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for secrets where they must not be: in what a run shows and leaves, and in what can be seen while it lasts."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from integration.harness import Run

TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ")
_LARGEST_FILE = 1024 * 1024


def leaks(run: Run, *canaries: str) -> list[str]:
    """Return where a run shows or leaves a token or one of the canaries."""
    found = found_in(run.everything_shown(), "shown", canaries)
    for path, content in run.files_left():
        found += found_in(content.decode("utf-8", errors="replace"), f"left in {path}", canaries)
    return found


def found_in(text: str, where: str, canaries: Iterable[str]) -> list[str]:
    """Return what of the canaries, and which tokens and assertions, a text holds."""
    found = [f"{where}: {canary[:6]}…" for canary in canaries if canary in text]
    return found + [f"{where}: a token {match[:20]}…" for match in TOKEN.findall(text)]


@dataclass
class Watched:
    """What could be seen while a block lasted.

    :param processes: command lines of all processes.
    :param files: contents of files, by path; of a file that changed, all contents that were met.
    """

    processes: set[str] = field(default_factory=set)
    files: dict[Path, set[bytes]] = field(default_factory=dict)

    def leaks(self, *canaries: str) -> list[str]:
        """Return where the canaries, tokens and assertions were."""
        found = found_in("\n".join(self.processes), "in the list of processes", canaries)
        for path, contents in self.files.items():
            for content in contents:
                found += found_in(content.decode("utf-8", errors="replace"), f"for a while in {path}", canaries)
        return found

    def look(self, *directories: Path) -> None:
        """Take in everything that there is at this moment."""
        self.processes.add(subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=False).stdout)
        # os.walk() passes over what is gone again before it comes there.
        paths = (Path(folder, name) for directory in directories for folder, _below, names in os.walk(directory) for name in names)
        for path in paths:
            with suppress(OSError):
                if path.is_file() and path.stat().st_size <= _LARGEST_FILE:
                    self.files.setdefault(path, set()).add(path.read_bytes())


@contextmanager
def watching(*directories: Path) -> Iterator[Watched]:
    """Look again and again, every few hundredths of a second, at the processes and at the files below some directories."""
    seen, over = Watched(), threading.Event()

    def _watch() -> None:
        while not over.is_set():
            seen.look(*directories)
            over.wait(0.05)

    watcher = threading.Thread(target=_watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
