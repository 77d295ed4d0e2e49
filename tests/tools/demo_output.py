# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Ansible prints: a short account for the terminal, and the facts that checks need."""

from __future__ import annotations

import re
from collections import Counter

_HEADING = re.compile(r"^(PLAY|TASK) \[(.*)\] \*+$")
_OUTCOME = re.compile(r"^(ok|changed|skipping|fatal|failed): \[([^\] ]+)")
_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)


class Progress:
    """Turns the stream of a verbose run into a line for each task that did something."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._task = ""
        self._outcomes: Counter[str] = Counter()

    def feed(self, line: str) -> None:
        """Take one line of output."""
        heading = _HEADING.match(line)
        if heading:
            self.close()
            kind, name = heading.groups()
            if kind == "PLAY":
                self._say(f"\n  {name}")
            else:
                self._task = name.rpartition(" : ")[2]
        elif line.startswith("PLAY RECAP"):
            self.close()
        elif outcome := _OUTCOME.match(line):
            self._outcomes[outcome.group(1)] += 1

    def close(self) -> None:
        """Say how the last task ended."""
        told = {kind: number for kind, number in self._outcomes.items() if kind != "skipping"}
        if self._task and told and not self._task.startswith("Validating arguments"):
            self._say(f"    {self._task[:88]:<88}  {', '.join(f'{kind} {number}' for kind, number in sorted(told.items()))}")
        self._task = ""
        self._outcomes.clear()

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)


def recap(output: str) -> dict[str, dict[str, int]]:
    """The numbers at the end of a run of ansible-playbook, by host."""
    _text, _mark, closing = output.rpartition("PLAY RECAP")
    return {host: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in _RECAP.findall(closing)}


def changed_tasks(output: str, role: str) -> set[str]:
    """The names of a role's tasks that changed something, or would have."""
    found = set()
    task = ""
    for line in output.splitlines():
        heading = _HEADING.match(line)
        if heading:
            task = heading.group(2)
        elif (outcome := _OUTCOME.match(line)) and outcome.group(1) == "changed" and f".{role} : " in task:
            found.add(task.rpartition(" : ")[2])
    return found
