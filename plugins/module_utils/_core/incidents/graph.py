# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Incidents from the Graph security API (`/v1.0/security/incidents`).

Facts: at most 50 incidents a page ("The limit of '50' for Top query has been exceeded"); the next link is followed as it
is; alerts come with `$expand=alerts` only; members after `unknownFutureValue` come only to who says it knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..api import ApiClient
from ..transport import Response
from .pages import ALERT_ID, IncidentPage, ServerQuery, Trail, get, incident_in, incidents_in, link_in, url_with, warnings_in
from .query import TERMS

_PATH = "v1.0/security/incidents"
_HEADERS = {"Prefer": "include-unknown-enum-members"}


class GraphIncidents:
    """The incidents of one tenant, through Microsoft Graph. See `pages.Backend`."""

    api = "graph"
    page_size = 50
    can_order = True
    counts = True
    alerts_inline = False

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    def target(self, query: ServerQuery, *, top: int, skip: int = 0) -> str:
        """Return where a page is found."""
        options: dict[str, Any] = {"$top": min(top, self.page_size)}
        if skip:
            options["$skip"] = skip
        if query.odata:
            options["$filter"] = query.odata
        if query.order_by:
            key, direction = query.order_by
            options["$orderby"] = f"{TERMS[self.api].properties[key]} {direction}"
        if query.expand_alerts:
            options["$expand"] = "alerts"
        if query.count:
            options["$count"] = "true"
        return url_with(_PATH, options)

    def fetch(self, target: str, *, top: int, fragile: bool = False) -> IncidentPage:
        """Return the page at `target`, a path or a next link."""
        response = get(self.client, target, attempted="listing incidents", headers=_HEADERS, fragile=fragile)
        body = response.json()
        found = incidents_in(body, response)
        warnings = list(warnings_in(response))
        completed = tuple(self._with_all_alerts(entry, response, warnings, fragile=fragile) for entry in found)
        total = body.get("@odata.count")
        return IncidentPage(
            incidents=completed,
            next_target=link_in(body, response),
            total=total if isinstance(total, int) else None,
            warnings=tuple(warnings),
        )

    def incident(self, incident_id: str, *, expand_alerts: bool, fragile: bool = False) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return one incident as the service sent it, with warnings."""
        options = {"$expand": "alerts"} if expand_alerts else {}
        target = url_with(f"{_PATH}/{quote(incident_id, safe='')}", options)
        response = get(self.client, target, attempted=f"reading incident {incident_id}", headers=_HEADERS, fragile=fragile)
        found = incident_in(response.json(), response)
        warnings = list(warnings_in(response))
        return self._with_all_alerts(found, response, warnings, fragile=fragile), tuple(warnings)

    def _with_all_alerts(self, incident: Mapping[str, Any], source: Response, warnings: list[str], *, fragile: bool) -> Mapping[str, Any]:
        """Return the incident with the alerts that OData leaves for further pages of an expansion.

        :param source: the answer that holds the incident.
        :param warnings: takes what the service says about those pages.
        """
        target = link_in(incident, source, name="alerts@odata.nextLink")
        if target is None:
            return incident
        alerts = list(incident.get("alerts") or ())
        trail = Trail(self.client.tenant_id)
        while target is not None:
            trail.enter(target)
            response = get(self.client, target, attempted="listing the alerts of an incident", headers=_HEADERS, fragile=fragile)
            body = response.json()
            found = incidents_in(body, response, id_names=ALERT_ID)
            warnings.extend(warnings_in(response))
            alerts.extend(found)
            target = link_in(body, response)
            trail.leave(found, target)
        return {**incident, "alerts": alerts}
