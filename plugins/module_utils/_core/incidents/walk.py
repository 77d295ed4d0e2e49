# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading by time instead of by offset, so that nothing is lost while incidents move, and no `$skip` limit is met.

A list that is read by offset loses what moves between two requests. Here each request asks for a range of last updates,
and what it answers is a snapshot of that range. Where the range holds more than a page, the rest of it is asked for: what
comes after the last incident, where the service sorts as it is told, else each of two parts. A change only ever makes a
last update later, and ranges are read in ascending order, so an incident that changes meanwhile is met again further on.

That a page looks sorted proves nothing about a service that cannot be told to sort: with the newest incidents first, a page
of untouched ones looks sorted by last update too, and an old incident that was updated just now is not on it.

Many incidents may share one last update: such a range is divided by their creation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .expansion import AdaptivePages
from .intake import ReadReport
from .pages import IncidentPage, ServerQuery
from .query import TERMS, conjunction
from .schema import instant_of
from .shapes import first_of
from .times import next_tick

_MOST_PASSES = 10
_MOST_BEYOND_NOW = 5_000
_UPDATED = "last_update_date_time"
_CREATED = "created_date_time"


@dataclass(frozen=True)
class _Range:
    """Instants from `start` on and before `end`, None for no bound."""

    start: str | None = None
    end: str | None = None

    @property
    def is_instant(self) -> bool:
        """Whether no two instants that the services tell apart fit in."""
        return self.start is not None and self.end == next_tick(self.start)

    @property
    def is_empty(self) -> bool:
        """Whether no instant fits in."""
        return self.start is not None and self.end is not None and self.start >= self.end

    def __contains__(self, instant: str) -> bool:
        return (self.start is None or instant >= self.start) and (self.end is None or instant < self.end)

    def odata(self, name: str) -> str | None:
        return conjunction(f"{name} ge {self.start}" if self.start else None, f"{name} lt {self.end}" if self.end else None)


@dataclass(frozen=True)
class _Box:
    """The incidents whose last update and creation lie in two ranges."""

    updated: _Range = _Range()
    created: _Range = _Range()

    @property
    def axis(self) -> str:
        """By what the box is divided."""
        return _CREATED if self.updated.is_instant else _UPDATED

    @property
    def range(self) -> _Range:
        """The range along `axis`."""
        return self.created if self.axis == _CREATED else self.updated

    def with_range(self, part: _Range) -> _Box:
        """Return the part of the box whose range along `axis` is `part`."""
        return replace(self, created=part) if self.axis == _CREATED else replace(self, updated=part)


class TimeWalk:
    """Yields the incidents of a query as the service sent them; some more than once.

    :param odata: the filter of the query, in the service's terms.
    :param report: told where a range could not be read for certain.
    :param now: the present instant. Where incidents change faster than they are read, the walk ends some time after it has
        got there.
    """

    def __init__(self, source: AdaptivePages, *, odata: str | None, report: ReadReport, now: str) -> None:
        self._source = source
        self._odata = odata
        self._report = report
        self._now = now
        self._beyond_now = 0
        self.ascending = True
        """Whether all that was yielded so far came in ascending order of last update."""
        self._highest = ""
        self.certain = True
        """Whether the service vouched for all of its answers, and every range could be read."""

    def incidents(self, *, since: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield all incidents that match, or those that were last updated at `since` or later.

        :raises PartnerError: when a page cannot be read.
        """
        boxes = [_Box(updated=_Range(start=since))]
        while boxes:
            box = boxes.pop()
            page = self._first_page(box)
            parts = self._rest(box, page) if page.next_target is not None else []
            self._note_order(page, box, parts or [])
            yield from page.incidents
            if parts is None:
                yield from self._by_offset(box)
            else:
                boxes.extend(reversed(parts))
            if self._beyond_now >= _MOST_BEYOND_NOW and boxes and (boxes[-1].updated.start or "") > self._now:
                return

    def _first_page(self, box: _Box) -> IncidentPage:
        page = next(self._source.pages(self._query(box), top=self._source.backend.page_size))
        self._note_warnings(page)
        return page

    def _rest(self, box: _Box, page: IncidentPage) -> list[_Box] | None:
        """Return what is left of a box after its first page, in the order in which it has to be read.

        :returns: None where the box cannot be divided: it is one instant, or the service sent nothing that lies in it.
        """
        instants = _instants(page, box.axis, box.range)
        if not instants or box.range.is_instant:
            return None
        sorted_page = self._source.backend.can_order and instants == sorted(instants)
        return [box.with_range(part) for part in _divided(box.range, instants, sorted_page=sorted_page) if not part.is_empty]

    def _by_offset(self, box: _Box) -> Iterator[Mapping[str, Any]]:
        """Yield the incidents of an instant that holds more than a page: read until the readings show that nothing is missing.

        Offsets are all that is left here. That two readings agree is not enough: where the service sends what is of one instant in
        any order, one that came twice stands in the place of one that did not come, and both readings may miss the same.
        """
        earlier: list[str] = []
        together: set[str] = set()
        for _pass in range(_MOST_PASSES):
            found: list[str] = []
            for page in self._source.pages(self._query(box), top=self._source.backend.page_size):
                self._note_warnings(page)
                yield from page.incidents
                found += [str(first_of(entry, "id", "incidentId")) for entry in page.incidents]
            together = {*found, *together} if len(found) == len(earlier) else set(found)
            if len(found) == len(earlier) and len(found) in (len(together), len({*found} & {*earlier})):
                return
            earlier = found
        self.certain = False
        self._report.lacks(f"the incidents that were last updated at {box.updated.start} kept changing while they were read")

    def _query(self, box: _Box) -> ServerQuery:
        backend = self._source.backend
        names = TERMS[backend.api].properties
        odata = conjunction(self._odata, box.updated.odata(names[_UPDATED]), box.created.odata(names[_CREATED]))
        return ServerQuery(odata=odata, order_by=(box.axis, "asc") if backend.can_order else None)

    def _note_warnings(self, page: IncidentPage) -> None:
        for warning in page.warnings:
            self.certain = False
            self._report.lacks(warning)

    def _note_order(self, page: IncidentPage, box: _Box, parts: list[_Box]) -> None:
        """Note whether the walk is still ascending: this page is, it lies after the last one, and before what is left."""
        instants = _instants(page, _UPDATED, _Range())
        if not instants or (box.updated.is_instant and instants[0] == self._highest):
            return
        behind = [part for part in parts if part.updated.end is not None and part.updated.end <= instants[-1]]
        if instants != sorted(instants) or instants[0] < self._highest or behind:
            self.ascending = False
        self._highest = max(self._highest, *instants)
        self._beyond_now += sum(instant > self._now for instant in instants)


def _divided(bounds: _Range, instants: list[str], *, sorted_page: bool) -> list[_Range]:
    """Return the parts of a range of which one page is known, in ascending order.

    :param sorted_page: whether the page holds the first incidents of the range.
    """
    distinct = sorted(set(instants))
    if len(distinct) == 1:
        only = distinct[0]
        return [_Range(bounds.start, only), _Range(only, next_tick(only)), _Range(next_tick(only), bounds.end)]
    if sorted_page:
        return [_Range(distinct[-1], bounds.end)]
    # Newest first, all but the oldest instant of the page make a part that is just short of a page.
    border = distinct[1] if instants == sorted(instants, reverse=True) else distinct[len(distinct) // 2]
    return [_Range(bounds.start, border), _Range(border, bounds.end)]


def _instants(page: IncidentPage, axis: str, bounds: _Range) -> list[str]:
    """Return the instants of a page's incidents along an axis, as far as they lie within `bounds`."""
    found = (instant_of(entry, axis) for entry in page.incidents)
    return [instant for instant in found if instant and instant in bounds]
