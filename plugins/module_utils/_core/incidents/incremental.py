# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Incremental reading: each version of an incident once, from run to run.

The cursor that a reading ends with is the caller's to keep, after it has delivered what was read. A reading that breaks
off leaves nothing behind: the next one begins at the old cursor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .cursor import Cursor, Version
from .intake import Intake, ReadReport
from .schema import instant_of, version_of
from .walk import TimeWalk


class IncrementalReader:
    """Reads what was not delivered yet.

    :param cursor: where the last reading ended; a fresh one, with `seen_from` for the beginning, at first.
    :param overlap: seconds before the watermark in which late arrivals are looked for.
    :param limit: the most versions to deliver, or None.
    :param now: the present instant. The watermark does not move beyond it: what arrives late while the reading lasts is late by
        the clock, and a last update that lies in the future must not hide what happens until then.
    """

    def __init__(self, intake: Intake, *, cursor: Cursor, overlap: float, now: str, limit: int | None = None) -> None:
        self.intake = intake
        self._before = cursor
        self._overlap = overlap
        self._limit = limit
        self._now = now
        self._since = cursor.since(overlap)
        self._walk = TimeWalk(intake.source, odata=intake.plan.odata, report=intake.report, now=now)
        self._delivered: set[Version] = set()
        self._reached: str | None = None
        self._ended: bool = False
        self._stopped: bool = False

    @property
    def report(self) -> ReadReport:
        """What may be missing."""
        return self.intake.report

    @property
    def cursor(self) -> Cursor:
        """Where the next reading begins: the old cursor until everything that was yielded was taken."""
        if not self._ended:
            return self._before
        # What a service does not vouch for, or what came in no order before a limit, holds the watermark back: the next
        # reading covers the same time again and leaves out what was delivered.
        sure = self._walk.certain and (self._walk.ascending or not self._stopped)
        reached = min(self._reached, self._now) if sure and self._reached else None
        return self._before.moved(self._delivered, since=self._since, watermark=reached, overlap=self._overlap)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield each version that was not delivered yet.

        :raises PartnerError: when a page cannot be read; the cursor stays where it was.
        """
        if self._since and self._since > self._now:
            self.report.lacks(f"the cursor lies in the future, so that nothing before {self._since} was looked for")
        met: set[Version] = set()
        for entry in self._walk.incidents(since=self._since):
            version = version_of(entry)
            if version not in met and version not in self._before.seen:
                met.add(version)
                incident = self._new(entry)
                if incident is not None and self._limit is not None and len(self._delivered) >= self._limit:
                    self._stopped = True
                    self.report.lacks(f"there are more than the limit of {self._limit}")
                    break
                if incident is not None:
                    self._delivered.add(_version(incident))
                    yield incident
            # A last update that is no instant would sort behind every one that is, and take the watermark to the present.
            self._reached = max(filter(None, (self._reached, instant_of(entry, "last_update_date_time"))), default=None)
        self._ended = True

    def _new(self, entry: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the incident to deliver; it may be a newer version of the entry, where its alerts were read by themselves."""
        incident = self.intake.take(entry)
        if incident is None or _version(incident) in self._delivered or _version(incident) in self._before.seen:
            return None
        return incident


def _version(incident: Mapping[str, Any]) -> Version:
    return incident["id"] or "", incident["last_update_date_time"] or ""
