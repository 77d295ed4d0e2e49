# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Incidents from the Defender XDR API (`/api/incidents`), which Microsoft retires.

Facts: at most 100 incidents a page, newest first, alerts inline; neither `$orderby` nor `$count`; pages by `$skip`. A next
link is not documented but was seen: where one comes, there is more, and once one came, its absence is the end. Without links
only a page that is not full is known to be the last, so that a list that ends with a full one costs a request more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from ..api import ApiClient
from .pages import IncidentPage, ServerQuery, get, incident_in, incidents_in, link_in, url_with, warnings_in

# Message centre, MC1220762.
RETIREMENT_DATE = "2027-02-01"

_PATH = "api/incidents"


class DefenderIncidents:
    """The incidents of one tenant, through the Defender API. See `pages.Backend`."""

    api = "defender"
    page_size = 100
    can_order = False
    counts = False
    alerts_inline = True

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self._links_seen = False

    def target(self, query: ServerQuery, *, top: int, skip: int = 0) -> str:
        """Return where a page is found."""
        options: dict[str, Any] = {"$top": min(top, self.page_size)}
        if skip:
            options["$skip"] = skip
        if query.odata:
            options["$filter"] = query.odata
        return url_with(_PATH, options)

    def fetch(self, target: str, *, top: int, fragile: bool = False) -> IncidentPage:
        """Return the page at `target`, a path or a next link."""
        response = get(self.client, target, attempted="listing incidents", fragile=fragile)
        body = response.json()
        found = incidents_in(body, response)
        link = link_in(body, response)
        if link is not None:
            # Lists are read on by instants (see `descent`), but an answer that points elsewhere is not to be trusted at all.
            self.client.check_target(link, attempted="listing incidents")
        self._links_seen = self._links_seen or link is not None
        if link is None and not self._links_seen and len(found) >= min(top, self.page_size):
            link = _next_by_skip(target, len(found))
        return IncidentPage(incidents=found, next_target=link, warnings=warnings_in(response))

    def incident(self, incident_id: str, *, expand_alerts: bool, fragile: bool = False) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return one incident as the service sent it, with warnings; its alerts are always there."""
        target = f"{_PATH}/{quote(incident_id, safe='')}"
        response = get(self.client, target, attempted=f"reading incident {incident_id}", fragile=fragile)
        return incident_in(response.json(), response), warnings_in(response)


def _next_by_skip(target: str, received: int) -> str:
    """Return where the page after a full one is found."""
    skipped = int(parse_qs(urlsplit(target).query).get("$skip", ["0"])[0])
    base = re.sub(r"([?&])\$skip=\d+&?", r"\1", target).rstrip("&?")
    joint = "&" if "?" in base else "?"
    return f"{base}{joint}$skip={skipped + received}"
