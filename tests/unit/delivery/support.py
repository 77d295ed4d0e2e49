# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of incidents, and a process that dies at a chosen step of what it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._core.delivery import durable, growing_file, record_directory
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery.batch import Batch

FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"

# What changes a file system; a process can die before, within or after each.
_STEPS = ("write", "fsync", "ftruncate", "rename", "replace", "unlink", "mkdir", "fchmod", "chmod")


def incident(number: int | str, update: int | str = 0, *, tenant: str = FABRIKAM, **members: Any) -> dict[str, Any]:
    """An incident, whose last update is that many seconds into a day."""
    last = update if isinstance(update, str) else f"2026-11-20T{update // 3600:02d}:{update // 60 % 60:02d}:{update % 60:02d}.0000000Z"
    return {"id": str(number), "tenant_id": tenant, "last_update_date_time": last, "display_name": "Case \u2603", **members}


def batch_of(path: Path, incidents: Iterable[dict[str, Any]]) -> Batch:
    """Write a batch as m365d_incidents does."""
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in incidents), encoding="ascii")
    return Batch(str(path))


def versions_in(*paths: Path) -> list[tuple[str, str, str]]:
    """The versions that files hold; every line must be whole."""
    found = []
    for path in paths:
        text = path.read_text(encoding="ascii")
        assert not text or text.endswith("\n")
        rows = [json.loads(line) for line in text.splitlines()]
        found += [(row["tenant_id"], row["id"], row["last_update_date_time"]) for row in rows]
    return found


class Killed(BaseException):
    """The process is dead."""


class MortalOs:
    """The module `os` of a process that dies at its nth step; before it, in the middle of it (of a write), or after it."""

    def __init__(self, dies_at: int, manner: str) -> None:
        self._left = dies_at
        self._manner = manner
        self._dead = False

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        return self._mortal(name, function) if name in _STEPS else function

    def _mortal(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def _call(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._dead or (self._left == 0 and self._manner == "before"):
                self._dead = True
                raise Killed
            if self._left == 0 and self._manner == "within" and name == "write":
                self._dead = True
                function(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise Killed
            result = function(*args, **options)
            if self._left == 0:
                self._dead = True
                raise Killed
            return result

        return _call


class dying:
    """Let the code of deliveries die at a step; use as a context, which ends the dying."""

    def __init__(self, *, at: int | None, manner: str = "before") -> None:
        self._os = os if at is None else MortalOs(at, manner)
        self.died = False

    def __enter__(self) -> dying:
        for module in (durable, growing_file, record_directory):
            module.os = self._os  # type: ignore[attr-defined]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> bool:
        for module in (durable, growing_file, record_directory):
            module.os = os  # type: ignore[attr-defined]
        self.died = kind is Killed
        return self.died
