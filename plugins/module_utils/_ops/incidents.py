# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads the incidents of a tenant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._argspec import shared_options
from .._core.errors import OptionError
from .._core.incidents import vocabulary
from .._core.incidents.defender import RETIREMENT_DATE, DefenderIncidents
from .._core.incidents.expansion import AdaptivePages, ExpansionMemory
from .._core.incidents.graph import GraphIncidents
from .._core.incidents.intake import Intake, ReadReport
from .._core.incidents.pages import Backend
from .._core.incidents.query import IncidentQuery, Plan, local_plan, plan_query
from .._core.incidents.reader import ORDERS, IncidentReader, read_by_id
from .._core.incidents.redirects import follow_redirects
from .._core.incidents.schema import Place
from .._core.incidents.times import instant_option, now_text
from ._fleet import with_fleet
from ._session import open_session
from ._task import Operation, Outcome, Task

_SEVERITIES = ("high", "medium", "low", "informational", "unknown")
_TIME_OPTIONS = ("created_since", "created_until", "updated_since", "updated_until")
_RETIREMENT = (
    f"api=defender uses the Microsoft Defender XDR API, which Microsoft retires on {RETIREMENT_DATE} (message centre MC1220762). "
    "Use api=graph; the customer has to consent to MicrosoftGraph/SecurityIncident.Read.All for it."
)


def _members(members: tuple[str, ...]) -> list[str]:
    return [name for name in members if name != "unknownFutureValue"]


ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "status": {"type": "list", "elements": "str", "choices": _members(vocabulary.INCIDENT_STATUS)},
    "severity": {"type": "list", "elements": "str", "choices": _members(vocabulary.SEVERITY)},
    "classification": {"type": "list", "elements": "str", "choices": _members(vocabulary.CLASSIFICATION)},
    "determination": {"type": "list", "elements": "str", "choices": _members(vocabulary.DETERMINATION)},
    "assigned_to": {"type": "str"},
    "unassigned": {"type": "bool", "default": False},
    "tags": {"type": "list", "elements": "str"},
    "service_sources": {"type": "list", "elements": "str"},
    "created_since": {"type": "str"},
    "created_until": {"type": "str"},
    "updated_since": {"type": "str"},
    "updated_until": {"type": "str"},
    "filter": {"type": "str"},
    "incident_ids": {"type": "list", "elements": "str"},
    "follow_redirects": {"type": "bool", "default": False},
    "include_alerts": {"type": "bool", "default": False},
    "order_by": {"type": "str", "choices": list(ORDERS), "default": "updated_desc"},
    "limit": {"type": "int"},
    "raw": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class _Found:
    """What was read, besides what the report says about it."""

    incidents: list[dict[str, Any]]
    not_found: list[str]


def run(task: Task) -> Outcome:
    """Run the operation `m365d_incidents`."""
    params = task.params
    query = _query(params, now=now_text())
    incident_ids = _checked_ids(params["incident_ids"])
    api = params["api"]
    plan = plan_query(query, api=api) if incident_ids is None else local_plan(query)
    session = open_session(task)
    if api == "defender":
        task.warn(_RETIREMENT)
    client = session.client(api)
    backend: Backend = DefenderIncidents(client) if api == "defender" else GraphIncidents(client)
    source = AdaptivePages(backend, wants_alerts=params["include_alerts"] or plan.needs_alerts, memory=ExpansionMemory(task.run_directory))
    place = Place(tenant_id=session.tenant.tenant_id, portal_url=session.endpoints.portal_url)
    report = ReadReport()
    intake = Intake(source=source, plan=plan, place=place, include_alerts=params["include_alerts"], raw=params["raw"], report=report)
    found = _read(params, intake, incident_ids, task)
    result = {
        "tenant_id": place.tenant_id,
        "api": api,
        "consent_state": "ready",
        "incidents": found.incidents,
        "count": len(found.incidents),
        "by_severity": count_by_severity(found.incidents),
        "complete": report.complete,
        "partial_reason": report.reason,
        "not_found": found.not_found,
        "filters": _filters(plan),
        "window": _window(query),
        "requests": client.requests_sent,
    }
    if not report.complete:
        task.warn(f"Tenant {place.tenant_id}: this is not everything: {report.reason}.")
    return Outcome(result)


def _read(params: Mapping[str, Any], intake: Intake, incident_ids: list[str] | None, task: Task) -> _Found:
    """Return the incidents that the options ask for."""
    not_found: list[str] = []
    if incident_ids is not None:
        incidents, not_found = read_by_id(intake, incident_ids)
    else:
        reader = IncidentReader(source=intake.source, intake=intake, plan=intake.plan, order=params["order_by"], limit=params["limit"])
        incidents = reader.collect()
    if params["follow_redirects"]:
        incidents = follow_redirects(incidents, lambda incident_id: _linked(intake, incident_id), warn=task.warn)
    return _Found(incidents, not_found)


def _linked(intake: Intake, incident_id: str) -> dict[str, Any] | None:
    """Return an incident that another one leads to; filters do not apply to it."""
    unfiltered = Intake(
        source=intake.source,
        plan=Plan(()),
        place=intake.place,
        include_alerts=intake.include_alerts,
        raw=intake.raw,
        report=intake.report,
    )
    found, _missing = read_by_id(unfiltered, [incident_id])
    return found[0] if found else None


def _query(params: Mapping[str, Any], *, now: str) -> IncidentQuery:
    """Return the typed filters; a window that begins in the past and has no end ends now, once and for all pages."""
    if params["unassigned"] and params["assigned_to"]:
        raise OptionError("assigned_to and unassigned exclude each other.", next_step="Leave one of them out.")
    if params["limit"] is not None and params["limit"] < 1:
        raise OptionError(f"limit must be at least 1; got {params['limit']}.", next_step="Correct limit, or leave it out to read all.")
    times = {name: instant_option(name, params[name], now=now) if params[name] else None for name in _TIME_OPTIONS}
    for what in ("created", "updated"):
        since, until = times[f"{what}_since"], times[f"{what}_until"]
        if since and not until:
            times[f"{what}_until"] = until = max(now, since)
        if since and until and since > until:
            raise OptionError(f"{what}_since ({since}) is later than {what}_until ({until}).", next_step="Correct the window.")
    return IncidentQuery(
        status=_listed(params["status"]),
        severity=_listed(params["severity"]),
        classification=_listed(params["classification"]),
        determination=_listed(params["determination"]),
        assigned_to=params["assigned_to"] or None,
        unassigned=params["unassigned"],
        tags=_listed(params["tags"]),
        service_sources=_listed(params["service_sources"]),
        raw_filter=(params["filter"] or "").strip() or None,
        **times,
    )


def _listed(values: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(value for value in values or () if value)


def _checked_ids(incident_ids: list[str] | None) -> list[str] | None:
    """Return the ids without doubles, None where none were asked for; both services number their incidents."""
    if incident_ids is None:
        return None
    for incident_id in incident_ids:
        if not re.fullmatch(r"\d{1,19}", incident_id):
            raise OptionError(
                f"incident_ids holds '{incident_id}', which is no id of an incident.", next_step="Ids are numbers, such as 924565."
            )
    return list(dict.fromkeys(incident_ids))


def count_by_severity(incidents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many incidents have each severity; the known ones are always there, the most urgent first."""
    counts = dict.fromkeys(_SEVERITIES, 0)
    for incident in incidents:
        counts[incident["severity"]] = counts.get(incident["severity"], 0) + 1
    return counts


def _filters(plan: Plan) -> dict[str, Any]:
    return {"pushed": plan.pushed, "local": plan.local, "odata": plan.odata}


def _window(query: IncidentQuery) -> dict[str, str | None]:
    return {name: getattr(query, name) for name in _TIME_OPTIONS}


def fleet_totals(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums over the tenants that were read; `complete` says whether those are all."""
    severities: dict[str, int] = dict.fromkeys(_SEVERITIES, 0)
    for result in results:
        for severity, count in result["by_severity"].items():
            severities[severity] = severities.get(severity, 0) + count
    return {"count": sum(result["count"] for result in results), "by_severity": severities}


OPERATION = with_fleet(
    Operation(
        run=run,
        argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC},
        mutually_exclusive=(("incident_ids", "filter"), ("incident_ids", "limit")),
    ),
    totals=fleet_totals,
)
