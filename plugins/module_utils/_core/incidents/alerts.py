# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Alerts: from Graph's own list of them, or out of the incidents that they belong to.

Facts about `/v1.0/security/alerts_v2`: 100 alerts a page work, more is not known; it filters on serviceSource besides what incidents
are filtered on; sorting works, but is not documented, so that a refusal of `$orderby` is no reason to give up. The Defender XDR API
has no list of alerts: there they come with the incidents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote

from ..api import ApiClient
from ..errors import OptionError, ServiceError
from .evidence import EVIDENCE_LISTS
from .intake import Intake
from .pages import ALERT_ID, IncidentPage, ServerQuery, get, incident_in, incidents_in, link_in, url_with, warnings_in
from .query import TERMS, Filter, Plan, applied_here, enum_filter, owner_filters, raw_filter, time_filters
from .redirects import successor_of
from .schema import malformed_in, normalise_alert
from .shapes import objects

_PATH = "v1.0/security/alerts_v2"
_HEADERS = {"Prefer": "include-unknown-enum-members"}
_GRAPH = TERMS["graph"]
_TERMS = replace(_GRAPH, properties={**_GRAPH.properties, "service_source": "serviceSource"})


@dataclass(frozen=True)
class AlertQuery:
    """What alerts are wanted. Lists match any of their members, filters add up; empty ones are off.

    Members of enumerations are given in any spelling that `vocabulary.member()` reads. Instants are canonical.

    :param categories: kinds of attack, in any case.
    :param mitre_techniques: techniques; `T1059` also matches `T1059.001`.
    :param raw_filter: a `$filter` text in Graph's terms, passed on as it is.
    """

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    classification: tuple[str, ...] = ()
    determination: tuple[str, ...] = ()
    service_sources: tuple[str, ...] = ()
    detection_sources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    mitre_techniques: tuple[str, ...] = ()
    assigned_to: str | None = None
    unassigned: bool = False
    created_since: str | None = None
    created_until: str | None = None
    updated_since: str | None = None
    updated_until: str | None = None
    raw_filter: str | None = None


# Option: key of the schema, enumeration. Detection sources are not among what Graph filters on.
_ENUM_FILTERS: Mapping[str, tuple[str, str]] = {
    "status": ("status", "alert_status"),
    "severity": ("severity", "severity"),
    "classification": ("classification", "classification"),
    "determination": ("determination", "determination"),
    "service_sources": ("service_source", "service_source"),
    "detection_sources": ("detection_source", "detection_source"),
}


def plan_alerts(query: AlertQuery, *, listed: bool) -> Plan:
    """Return how `query` is carried out.

    :param listed: whether Graph's list of alerts is asked, which applies most filters itself; otherwise all are applied here.
    :raises OptionError: for a value that cannot be written as an OData literal, and for a raw filter that no service would apply.
    """
    filters = [
        enum_filter(option, enum, values, _TERMS, key=key)
        for option, (key, enum) in _ENUM_FILTERS.items()
        if (values := getattr(query, option))
    ]
    filters += [*time_filters(query, _TERMS), *owner_filters(query.assigned_to, _TERMS, unassigned=query.unassigned)]
    if query.categories:
        filters.append(_category_filter(query.categories))
    if query.mitre_techniques:
        filters.append(_technique_filter(query.mitre_techniques))
    if query.raw_filter:
        if not listed:
            raise OptionError(
                "filter applies to Microsoft Graph's list of alerts only.",
                next_step="Leave out filter.",
            )
        filters.append(raw_filter(query.raw_filter))
    plan = Plan(tuple(filters))
    return plan if listed else applied_here(plan)


def _category_filter(categories: tuple[str, ...]) -> Filter:
    wanted = frozenset(category.casefold() for category in categories)
    return Filter("categories", None, lambda alert: any(category.casefold() in wanted for category in alert["categories"]))


def _technique_filter(techniques: tuple[str, ...]) -> Filter:
    wanted = tuple(technique.upper() for technique in techniques)

    def _accepts(alert: Mapping[str, Any]) -> bool:
        found = [technique.upper() for technique in alert["mitre_techniques"]]
        return any(technique == name or technique.startswith(f"{name}.") for technique in found for name in wanted)

    return Filter("mitre_techniques", None, _accepts)


class GraphAlerts:
    """The alerts of one tenant, through Microsoft Graph. See `pages.Backend`; what it calls incidents are alerts here."""

    api = "graph"
    page_size = 100
    counts = True
    alerts_inline = True

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        self.can_order = True

    def target(self, query: ServerQuery, *, top: int, skip: int = 0) -> str:
        """Return where a page is found."""
        options: dict[str, Any] = {"$top": min(top, self.page_size)}
        if skip:
            options["$skip"] = skip
        if query.odata:
            options["$filter"] = query.odata
        if query.order_by and self.can_order:
            key, direction = query.order_by
            options["$orderby"] = f"{_TERMS.properties[key]} {direction}"
        if query.count:
            options["$count"] = "true"
        return url_with(_PATH, options)

    def fetch(self, target: str, *, top: int, fragile: bool = False) -> IncidentPage:
        """Return the page at `target`, a path or a next link; without `$orderby` from now on where the service refuses it."""
        try:
            return self._fetch(target, fragile=fragile)
        except ServiceError as error:
            if error.http_status != 400 or "$orderby" not in target or "orderby" not in (error.service_message or "").lower():
                raise
        self.can_order = False
        path, _mark, options = target.partition("?")
        kept = [(name, value) for name, value in parse_qsl(options) if name != "$orderby"]
        return self._fetch(url_with(path, dict(kept)), fragile=fragile)

    def _fetch(self, target: str, *, fragile: bool) -> IncidentPage:
        response = get(self.client, target, attempted="listing alerts", headers=_HEADERS, fragile=fragile)
        body = response.json()
        found = incidents_in(body, response, id_names=ALERT_ID)
        total = body.get("@odata.count")
        return IncidentPage(
            incidents=found,
            next_target=link_in(body, response),
            total=total if isinstance(total, int) else None,
            warnings=warnings_in(response),
        )

    def incident(self, incident_id: str, *, expand_alerts: bool, fragile: bool = False) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return one alert as the service sent it, with warnings."""
        target = f"{_PATH}/{quote(incident_id, safe='')}"
        response = get(self.client, target, attempted=f"reading alert {incident_id}", headers=_HEADERS, fragile=fragile)
        return incident_in(response.json(), response, id_names=ALERT_ID), warnings_in(response)


@dataclass(frozen=True)
class AlertIntake(Intake):
    """Takes the alerts of pages in, as `Intake` does with incidents."""

    def take(self, source: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the normalised alert, or None where a filter keeps it out."""
        alert = normalise_alert(source, place=self.place, raw=self.raw)
        if not self.plan.accepts(alert):
            return None
        self.report.leaves_out(f"alert {alert['id']}", sum(malformed_in(source, name) for name in EVIDENCE_LISTS))
        return alert


def alerts_of(incidents: Iterable[Mapping[str, Any]], plan: Plan, *, raw: bool) -> list[dict[str, Any]]:
    """Return the alerts of normalised incidents that pass the filters, the newest version that was seen of each.

    :param raw: whether the incidents hold the service's own objects, of which each alert then gets its own.
    """
    newest: dict[Any, dict[str, Any]] = {}
    for incident in incidents:
        alerts = incident["alerts"] or []
        if raw:
            sources = objects(incident["raw"].get("alerts"))
            alerts = [{**alert, "raw": dict(source)} for alert, source in zip(alerts, sources, strict=True)]
        for alert in alerts:
            # Alerts within an incident need not say where they belong.
            placed = alert if alert["incident_id"] else {**alert, "incident_id": incident["id"]}
            # One without an id cannot be told from others: it is kept, whatever it is.
            key = placed["id"] or len(newest)
            known = newest.get(key)
            if known is None or (known["last_update_date_time"] or "") <= (placed["last_update_date_time"] or ""):
                newest[key] = placed
    return [alert for alert in newest.values() if plan.accepts(alert)]


def merged_away(incidents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the incidents that were merged into another one, which has their alerts now: id → id."""
    return {incident["id"]: successor for incident in incidents if (successor := successor_of(incident))}
