# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the emulated Microsoft cloud as a process of its own, and ends it whatever happens."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
START_SECONDS = 30


class EmulatorError(Exception):
    """The emulator did not start."""


@contextlib.contextmanager
def emulator(scenario: Path, state: Path) -> Iterator[dict[str, Any]]:
    """Run the emulator; yield what it says about itself, credentials included.

    :param scenario: the scenario file.
    :param state: its directory, which holds `endpoints.json` then.
    :raises EmulatorError: when it does not accept connections in time.
    """
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "emulator", "--port", "0", "--scenario", str(scenario), "--state-dir", str(state)]
    with (state / "stderr.log").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, text=True)
    try:
        yield _ready(process, state)
    finally:
        stop(process)


def _ready(process: subprocess.Popen[str], state: Path) -> dict[str, Any]:
    ready = state / "endpoints.json"
    limit = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > limit:
            raise EmulatorError(f"the emulator did not start: {(state / 'stderr.log').read_text(encoding='utf-8')[-500:]}")
        time.sleep(0.05)
    endpoints: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
    return endpoints


def stop(process: subprocess.Popen[str]) -> None:
    """End a process, by force when it does not listen."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
