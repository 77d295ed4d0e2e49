# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading a list that comes newest first and is not counted, so that what moves meanwhile is not passed over in silence.

By offset, an incident that leaves the filter between two requests pulls another one over the edge of the page that was read
already, and nothing tells. So each further page is asked for by instants: what is not newer than the last incident, which
comes again, so that none of several on one instant is lost, and what was updated since the reading began.

The Defender API does not say by which instant it sorts, the last update or the creation. What a page is not sorted by is
ruled out; as long as both are possible, what either of them leaves for further pages is asked for. Where a page is sorted by
neither, or leads no further (many incidents on one instant), the caller has to read in another way.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ServiceError
from .expansion import AdaptivePages
from .pages import IncidentPage, ServerQuery
from .query import TERMS, conjunction
from .schema import instant_of
from .times import shifted

_UPDATED = "last_update_date_time"
_CREATED = "created_date_time"

# How much older than the newest last update that was met a later change may be dated: clocks of several machines, late writes.
_LATENESS_SECONDS = 300.0


class Descent:
    """The pages of one list.

    :param odata: the filter of the query, in the service's terms.
    :param now: the present instant, beyond which no last update is believed.
    """

    def __init__(self, source: AdaptivePages, *, odata: str | None, now: str) -> None:
        self._source = source
        self._odata = odata
        self._now = now
        self._newest = ""
        # What the list may be sorted by: key of the schema → the oldest instant that was met.
        self._oldest: dict[str, str] = dict.fromkeys((_UPDATED, _CREATED), "")
        self.safe = True
        """Whether nothing that was there all the time can have been passed over."""

    def pages(self, first: IncidentPage) -> Iterator[IncidentPage]:
        """Yield the first page and those that follow it; ends early, and is not `safe`, where it knows no way on."""
        page: IncidentPage | None = first
        while page is not None:
            yield page
            if page.next_target is None:
                return
            page = self._next() if self._led_on(page) else None
        self.safe = False

    def _led_on(self, page: IncidentPage) -> bool:
        """Note what a page says about the order, and whether the list went on by it."""
        before, self._oldest = self._oldest, {}
        found = {key: [instant_of(entry, key) for entry in page.incidents] for key in (_UPDATED, _CREATED)}
        if not page.incidents or not all(all(instants) for instants in found.values()):
            return False
        self._oldest = {key: instants[-1] for key, instants in found.items() if key in before and _descends(instants)}
        self._newest = max(self._newest, *found[_UPDATED])
        return bool(self._oldest) and all(not before[key] or oldest < before[key] for key, oldest in self._oldest.items())

    def _next(self) -> IncidentPage | None:
        names = TERMS[self._source.backend.api].properties
        rest = [f"{names[key]} le {oldest}" for key, oldest in self._oldest.items()]
        if _UPDATED in self._oldest:
            rest.append(f"{names[_UPDATED]} ge {shifted(min(self._newest, self._now), -_LATENESS_SECONDS)}")
        query = ServerQuery(odata=conjunction(self._odata, f"({' or '.join(rest)})"))
        try:
            return next(self._source.pages(query, top=self._source.backend.page_size))
        except ServiceError as error:
            if error.http_status != 400:
                raise
            return None


def _descends(instants: list[str]) -> bool:
    return instants == sorted(instants, reverse=True)
