# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""All incidents that a query wants, once each, and an honest answer to whether that is all.

A list that is read in pages by offset loses what moves between two requests. Where the service counts and sorts (Graph), each
page is asked for the total, last updates first: what changes meanwhile goes to the front, is not met again, and is missed in the
count. When the count changes, or fewer incidents came than were counted, the list is read again, by time. So it is where an offset
becomes larger than the service takes, and where the order is one in which a newcomer would make up for what was passed over.

A service that does not count (the Defender API) is not read by offset at all, see `descent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import NotFound, ServiceError
from .descent import Descent
from .expansion import AdaptivePages
from .intake import Intake, ReadReport
from .pages import IncidentPage, ServerQuery
from .query import Plan
from .schema import instant_of, version_of
from .times import now_text
from .walk import TimeWalk

# Both services: "The limit of '5000' for Skip query has been exceeded."
_SKIP_LIMIT = re.compile(r"limit of '?\d+'? for Skip", re.IGNORECASE)

# Values of the option order_by: key of the schema, direction.
ORDERS: Mapping[str, tuple[str, str]] = {
    "updated_desc": ("last_update_date_time", "desc"),
    "updated_asc": ("last_update_date_time", "asc"),
    "created_desc": ("created_date_time", "desc"),
    "created_asc": ("created_date_time", "asc"),
}

# What changes while a list is read goes to its front: nothing can take the place of what was passed over.
NEWEST_UPDATE_FIRST = "updated_desc"


@dataclass
class IncidentReader:
    """Reads the incidents of one plan.

    :param order: one of `ORDERS`: of what is collected, and by which a limit chooses where the service sorts.
    :param limit: the most incidents that are wanted, or None.
    :param as_they_come: the caller writes incidents as they are yielded, so the order of the reading has to do.
    """

    source: AdaptivePages
    intake: Intake
    plan: Plan
    order: str = "updated_desc"
    limit: int | None = None
    as_they_come: bool = False
    duplicates: int = field(default=0, init=False)

    @property
    def report(self) -> ReadReport:
        """What may be missing."""
        return self.intake.report

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield each version of an incident once; see `collect()` for one version of each.

        :raises PartnerError: when a page cannot be read.
        """
        delivered: set[tuple[str, str]] = set()
        reading = _Pass()
        yield from self._first_reading(reading, delivered)
        if reading.stopped or reading.consistent:
            return
        walk = TimeWalk(self.source, odata=self.plan.odata, report=self.report, now=now_text())
        for entry in walk.incidents():
            reading.ids.add(version_of(entry)[0])
            incident = self._taken(entry, delivered)
            if incident is None:
                continue
            if self.as_they_come and reading.yielded == self.limit:
                self._note_limit()
                return
            yield incident
            reading.yielded += 1
        if reading.short:
            self.report.lacks(f"the service counts {reading.counted}, but handed out {len(reading.ids)}")

    def collect(self) -> list[dict[str, Any]]:
        """Return the newest version that was seen of each incident, in order, at most `limit` of them."""
        newest: dict[str, dict[str, Any]] = {}
        for incident in self.read():
            known = newest.get(incident["id"] or "")
            if known is None or (known["last_update_date_time"] or "") <= (incident["last_update_date_time"] or ""):
                newest[incident["id"] or ""] = incident
        found = in_order(newest.values(), self.order)
        if self.limit is not None and len(found) > self.limit:
            self._note_limit()
            del found[self.limit :]
        return found

    def _first_reading(self, reading: _Pass, delivered: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        sequence = _Sequence(*ORDERS[self.order])
        for page in self._pages(reading):
            for warning in page.warnings:
                self.report.lacks(warning)
            reading.totals.append(page.total)
            sequence.add(page)
            for position, entry in enumerate(page.incidents, start=1):
                reading.ids.add(version_of(entry)[0])
                incident = self._taken(entry, delivered)
                if incident is None:
                    continue
                yield incident
                reading.yielded += 1
                more = position < len(page.incidents) or page.next_target is not None
                if more and self._enough(reading, sequence):
                    reading.stopped = True
                    self._note_limit()
                    return

    def _pages(self, reading: _Pass) -> Iterator[IncidentPage]:
        """Yield pages, and note where something may have been passed over."""
        backend = self.source.backend
        listed = self.source.pages(self._server_query(), top=self._page_size())
        first = next(listed, None)
        if first is None:
            return
        # Whether the service sorts is known for certain after the first answer.
        if not (backend.counts and backend.can_order):
            descent = Descent(self.source, odata=self.plan.odata, now=now_text())
            yield from descent.pages(first)
            reading.unsure = not descent.safe
            return
        reading.unsure = first.next_target is not None and (first.total is None or self._server_order() != NEWEST_UPDATE_FIRST)
        try:
            yield first
            yield from listed
        except ServiceError as error:
            if not reading.totals or error.http_status != 400 or not _SKIP_LIMIT.search(error.service_message or ""):
                raise
            reading.unsure = True

    def _taken(self, entry: Mapping[str, Any], delivered: set[tuple[str, str]]) -> dict[str, Any] | None:
        """Return the incident where it passes the filters and this version of it is new."""
        version = version_of(entry)
        if version in delivered:
            self.duplicates += 1
            return None
        delivered.add(version)
        return self.intake.take(entry)

    def _enough(self, reading: _Pass, sequence: _Sequence) -> bool:
        if self.limit is None or reading.yielded < self.limit:
            return False
        return self.as_they_come or sequence.sorted

    def _server_query(self) -> ServerQuery:
        backend = self.source.backend
        return ServerQuery(
            odata=self.plan.odata,
            order_by=ORDERS[self._server_order()] if backend.can_order else None,
            count=backend.counts and (self._page_size() != self.limit or bool(self.plan.local)),
        )

    def _server_order(self) -> str:
        """Return the order to ask for: the wanted one only where it decides which incidents are returned."""
        return NEWEST_UPDATE_FIRST if self.limit is None else self.order

    def _page_size(self) -> int:
        backend = self.source.backend
        if self.limit is None or self.plan.local or not (backend.can_order or self.as_they_come):
            return backend.page_size
        return min(backend.page_size, self.limit)

    def _note_limit(self) -> None:
        self.report.lacks(f"there are more than the limit of {self.limit}")


@dataclass
class _Pass:
    """One reading of all pages, from the first to the last."""

    ids: set[str] = field(default_factory=set)
    totals: list[int | None] = field(default_factory=list)
    yielded: int = 0
    stopped: bool = False
    unsure: bool = False

    @property
    def consistent(self) -> bool:
        """Whether nothing speaks against this being all: the pages agree on a count, and that many came."""
        return not self.unsure and len({total for total in self.totals if total is not None}) <= 1 and not self.short

    @property
    def counted(self) -> int:
        """How many there are at the least, as the service counted while it was read; 0 where it did not count."""
        return min((total for total in self.totals if total is not None), default=0)

    @property
    def short(self) -> bool:
        """Whether fewer came than the service counted."""
        return len(self.ids) < self.counted


class _Sequence:
    """Notices whether incidents came in order; a whole page says more about a service that is not told how to sort than some of it."""

    def __init__(self, key: str, direction: str) -> None:
        self._key = key
        self._descending = direction == "desc"
        self._last: str | None = None
        self.sorted = True

    def add(self, page: IncidentPage) -> None:
        for entry in page.incidents:
            value = instant_of(entry, self._key)
            if self._last is not None and (value > self._last if self._descending else value < self._last):
                self.sorted = False
            self._last = value


def in_order(incidents: Iterable[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """Return incidents sorted; equal instants by id, so that the same data gives the same list."""
    key, direction = ORDERS[order]
    by_id = sorted(incidents, key=lambda incident: (len(incident["id"] or ""), incident["id"] or ""))
    return sorted(by_id, key=lambda incident: incident[key] or "", reverse=direction == "desc")


def read_by_id(intake: Intake, incident_ids: Iterable[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the incidents with these ids, in that order, and the ids that the service does not know.

    An id that is given twice is read once. Local filters apply.

    :raises PartnerError: when an incident cannot be read for another reason than that there is none.
    """
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    source = intake.source
    for incident_id in dict.fromkeys(incident_ids):
        try:
            entry, warnings = source.one(incident_id)
        except NotFound:
            missing.append(incident_id)
            continue
        for warning in warnings:
            intake.report.lacks(warning)
        incident = intake.take(entry)
        if incident is not None:
            found.append(incident)
    return found, missing
