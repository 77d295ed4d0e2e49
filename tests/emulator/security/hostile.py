# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that behaves badly on purpose: data that move while they are read, and answers that are odd but legal.

Everything is drawn from the seed of the settings, the tenant and the number of the request, so that a run can be repeated.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

from ..errors import ApiError
from . import render_graph
from .model import Alert, Incident
from .store import SecurityStore
from .times import TICKS_PER_SECOND
from .vocabulary import pascal

Json = dict[str, Any]
_WARNING: Final = '199 - "Microsoft/Microsoft Defender for Office 365/504/10000"'
_OPTIONAL: Final = frozenset(
    {
        "description", "lastModifiedBy", "resolvingComment", "summary", "priorityScore", "systemTags", "customTags", "tags", "comments",
        "redirectIncidentId", "assignedTo", "incidentUri", "incidentWebUrl", "determination", "classification", "severity", "evidence",
        "entities", "devices", "mitreTechniques", "detectorId", "providerAlertId", "actorDisplayName", "actorName",
    }
)  # fmt: skip


def after_page(store: SecurityStore, *, now: int) -> None:
    """Let the tenant's data change after a list was answered, as the settings say."""
    settings = store.settings.hostile
    store.list_requests += 1
    if not settings.moves:
        return
    rng = store.rng("events", store.list_requests)
    for mean, event in ((settings.updates_per_page, _update), (settings.adds_per_page, _add), (settings.late_per_page, _late)):
        for _unused in range(int(mean) + (rng.random() < mean % 1)):
            if settings.event_limit and store.events >= settings.event_limit:
                return
            store.events += 1
            event(store, rng, now)


def _some_incident(store: SecurityStore, rng: random.Random) -> Incident | None:
    keys = store.keys
    for _unused in range(20):
        if keys:
            incident = store.get(rng.choice(keys)[1])
            if incident is not None and incident.status != "redirected":
                return incident
    return None


def _changes(rng: random.Random) -> dict[str, Any]:
    return {
        "status": rng.choice(("active", "inProgress", "resolved")),
        "severity": rng.choice(("low", "medium", "high")),
        "assigned_to": rng.choice(("soc-tier1@contoso.com", "soc-tier2@contoso.com")),
    }


def _update(store: SecurityStore, rng: random.Random, now: int) -> None:
    incident = _some_incident(store, rng)
    if incident is None:
        return
    newest = store.keys[-1][0]
    same = rng.random() < store.settings.hostile.same_tick and newest > incident.last_update
    store.update(incident.id, _changes(rng), now=now, last_update=newest if same else None, cause="hostile: updated")


def create(store: SecurityStore, *, now: int, last_update: int | None = None, cause: str = "added", **values: Any) -> Incident:
    """Add an incident with one alert, modelled on a present one.

    :param values: fields of the neutral record to set.
    """
    rng = store.rng("created", len(store))
    incident_id = store.new_id()
    model = _some_incident(store, rng)
    moment = store.stamp(now) if last_update is None else last_update
    fields: dict[str, Any] = {
        "name": model.name if model else "Suspicious activity on one endpoint",
        "description": model.description if model else "",
        "status": "active",
        "severity": rng.choice(("low", "medium", "high")),
        "classification": "unknown",
        "determination": "unknown",
        "assigned_to": None,
        "created": min(moment, now),
    } | values
    incident = Incident(id=incident_id, last_update=moment, **fields)
    source = next(iter(store.alerts_of(model.id)), None) if model else None
    alerts = [_copied(source, incident, rng)] if source else []
    return store.add(incident, alerts, now=now, cause=cause)


def _copied(source: Alert, incident: Incident, rng: random.Random) -> Alert:
    serial = f"{incident.id:018d}_{rng.randrange(2**31)}"
    return replace(
        source, id=f"{source.id[:2]}{serial}", provider_alert_id=serial, status="new", resolved=None, created=incident.created,
        last_update=incident.last_update, comments=[],
    )  # fmt: skip


def _add(store: SecurityStore, rng: random.Random, now: int) -> None:
    create(store, now=now, cause="hostile: added")


def _late(store: SecurityStore, rng: random.Random, now: int) -> None:
    moment = now - int(rng.random() * store.settings.hostile.late_seconds * TICKS_PER_SECOND)
    incident = _some_incident(store, rng) if rng.random() < 0.5 else None
    if incident is not None and incident.last_update < moment:
        store.update(incident.id, _changes(rng), now=now, last_update=moment, cause="hostile: updated late")
    else:
        create(store, now=now, last_update=moment, cause="hostile: added late")


def check_expand(store: SecurityStore, *, top: int, incidents: list[Incident]) -> None:
    """Fail as ``$expand=alerts`` does on tenants with much data.

    :raises ApiError: 500.
    """
    settings = store.settings.hostile
    too_wide = settings.expand_fails_above is not None and top > settings.expand_fails_above
    limit = settings.expand_fails_above_alerts
    too_many = limit is not None and sum(len(store.alerts_of(incident.id)) for incident in incidents) > limit
    if settings.expand_fails_always or too_wide or too_many:
        raise ApiError(500, "UnknownError", "", family="graph")


def page_oddity(store: SecurityStore) -> tuple[int, dict[str, str]]:
    """Return the status and the extra headers of the list answer that is about to be sent."""
    settings = store.settings.hostile
    if not (settings.partial or settings.warning):
        return 200, {}
    rng = store.rng("oddity", store.list_requests)
    if rng.random() < settings.partial:
        return 206, {"Warning": _WARNING}
    return 200, {"Warning": _WARNING} if rng.random() < settings.warning else {}


def shuffled_ties(store: SecurityStore, incidents: list[Incident]) -> list[Incident]:
    """Return incidents sorted by last update with equal instants in an order that differs from request to request."""
    rng = store.rng("ties", store.list_requests)
    place = {incident.last_update: number for number, incident in reversed(list(enumerate(incidents)))}
    return sorted(incidents, key=lambda incident: (place[incident.last_update], rng.random()))


def rewrite(store: SecurityStore, shape: Json, record_id: int | str, revision: int, *, graph: bool) -> Json:
    """Return a rendered record with fields missing, members written otherwise or fields added; the same ones each time it is read."""
    settings = store.settings.hostile
    rng = random.Random(f"{settings.seed}:{store.tenant_id}:rewrite:{record_id}:{revision}")
    if rng.random() < settings.missing_fields:
        shape = _without(shape, rng)
    if graph and rng.random() < settings.pascal_case:
        shape = _with_capitals(shape)
    if rng.random() < settings.extra_fields:
        shape = {**shape, "@odata.etag": 'W/"7"', "newerField": {"nested": [1, None, "ä"]}, "incidentScore2": 0.5}
    return shape


def _without(shape: Json, rng: random.Random) -> Json:
    kept = {key: value for key, value in shape.items() if key not in _OPTIONAL or rng.random() < 0.5}
    if isinstance(kept.get("alerts"), list):
        kept["alerts"] = [_without(alert, rng) for alert in kept["alerts"]]
    return kept


def _with_capitals(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _with_capitals(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_capitals(item, key) for item in value]
    return pascal(value) if isinstance(value, str) and key in render_graph.ENUM_PROPERTIES else value
