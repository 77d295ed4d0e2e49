# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A batch of incidents on its way to where somebody wants them: a file with one JSON object per line.

It is read line by line, as often as needed, and never held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError

Version = tuple[str, str, str]

# How many versions a report names at most; the rest is counted.
_NAMED = 100


@dataclass(frozen=True)
class Entry:
    """One version of an incident.

    :param version: the ids of the tenant and of the incident, and the last update; each version is delivered once.
    :param line: the incident as JSON in ASCII, without the end of the line.
    """

    version: Version
    line: bytes = field(repr=False)

    def incident(self) -> Any:
        """Return the incident as it was written."""
        return json.loads(self.line)


@dataclass
class Delivered:
    """What became of a batch at one place.

    :param versions: how many versions were taken, or in a dry run would be.
    :param known: how many were there already.
    :param outdated: how many are older than what is there.
    :param named: the first of those that were taken, as text.
    """

    versions: int = 0
    known: int = 0
    outdated: int = 0
    named: list[str] = field(default_factory=list)

    def took(self, entry: Entry) -> None:
        """Count a version that was taken."""
        self.versions += 1
        if len(self.named) < _NAMED:
            self.named.append(described(entry.version))


def described(version: Version) -> str:
    """Return a version on one line, for people; a service chose its parts."""
    text = f"tenant {version[0]} incident {version[1]} of {version[2] or 'an unknown time'}"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def version_in(line: bytes) -> Version | None:
    """Return the version that a line holds, None where it is no incident."""
    try:
        incident = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(incident, dict) or "id" not in incident or not incident.get("tenant_id"):
        return None
    return str(incident["tenant_id"]).lower(), str(incident["id"] or ""), str(incident.get("last_update_date_time") or "")


@dataclass(frozen=True)
class Batch:
    """The file of a batch."""

    path: str

    def __iter__(self) -> Iterator[Entry]:
        """Yield the incidents in their order.

        :raises OptionError: where the file cannot be read, or holds anything else.
        """
        try:
            with open(self.path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    version = version_in(line)
                    if version is None or not line.endswith(b"\n"):
                        raise OptionError(
                            f"Line {number} of src '{self.path}' is no incident.",
                            next_step="Give a file that m365d_incidents wrote with dest_format=ndjson.",
                        )
                    yield Entry(version, line.rstrip(b"\r\n"))
        except OSError as exc:
            raise OptionError(
                f"src '{self.path}' cannot be read: {exc.strerror or exc}.",
                next_step="Give the file that m365d_incidents wrote to its dest.",
            ) from exc
