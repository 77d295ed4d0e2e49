# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads the alerts of a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .._argspec import shared_options
from .._core.api import ApiClient
from .._core.incidents.alerts import AlertIntake, AlertQuery, GraphAlerts, alerts_of, merged_away, plan_alerts
from .._core.incidents.defender import DefenderIncidents
from .._core.incidents.expansion import AdaptivePages, ExpansionMemory
from .._core.incidents.files import IncidentFile, destination_for, format_of, is_per_tenant
from .._core.incidents.fleet_file import FilePart
from .._core.incidents.graph import GraphIncidents
from .._core.incidents.intake import Intake, ReadReport
from .._core.incidents.pages import Backend
from .._core.incidents.query import Plan
from .._core.incidents.reader import IncidentReader, in_order, read_by_id
from .._core.incidents.schema import ALERT_KEYS, Place
from .._core.incidents.times import now_text
from ._alert_options import ARGUMENT_SPEC, alert_query, checked_alert_ids
from ._fleet import with_fleet
from ._fleet_output import as_wanted, check_wanted, described, run_with_dest
from ._incident_options import TIME_OPTIONS, checked_ids
from ._retirement import note_retirement
from ._session import open_session
from ._task import Operation, Outcome, Task
from .incidents import count_by_severity, counted, fleet_totals, written_to


def run(task: Task, part: FilePart | None = None) -> Outcome:
    """Run the operation `m365d_alerts` for one tenant.

    :param part: takes the alerts for the file that the tenants of a fleet share.
    """
    params = task.params
    query = alert_query(params, now=now_text())
    reading = _Reading(task, query)
    if params["dest"] and part is None and not is_per_tenant(params["dest"]):
        file_at(params, params["dest"]).check()
    session = open_session(task)
    note_retirement(task, permission="SecurityAlert.Read.All")
    client = session.client(reading.api)
    place = Place(tenant_id=session.tenant.tenant_id, portal_url=session.endpoints.portal_url)
    delivered, changed = _deliver(lambda: reading.alerts(client, place), task, place.tenant_id, part)
    report = reading.report
    if not report.complete and task.places is None:
        task.warn(f"Tenant {place.tenant_id}: this is not everything: {report.reason}.")
    return Outcome(
        {
            "tenant_id": place.tenant_id,
            "api": reading.api,
            "consent_state": "ready",
            **delivered,
            "complete": report.complete,
            "partial_reason": report.reason,
            "not_found": reading.not_found,
            "filters": {"pushed": reading.plan.pushed, "local": reading.plan.local, "odata": reading.plan.odata},
            "window": {name: getattr(query, name) for name in TIME_OPTIONS},
            "requests": client.requests_sent,
        },
        changed=changed,
    )


def _deliver(
    read: Callable[[], Iterable[dict[str, Any]]], task: Task, tenant_id: str, part: FilePart | None
) -> tuple[dict[str, Any], bool]:
    """Deliver alerts to the result, to the tenant's file, or to the file of the fleet.

    :returns: what the result says about them, and whether a file changed.
    """
    params = task.params
    if not params["dest"]:
        found = list(read())
        return {"alerts": found, **counted(count_by_severity(found))}, False
    if part is not None:
        return counted(count_by_severity(written_to(part, read()))), False
    with file_at(params, destination_for(params["dest"], tenant_id), sole=task.places is not None) as file:
        counts = counted(count_by_severity(written_to(file, read())))
        written = file.commit(dry_run=task.check_mode)
    return {**counts, **described(written)}, written.changed


def file_at(params: Mapping[str, Any], path: str, *, sole: bool = False) -> IncidentFile:
    """Return the file that the options describe."""
    found = format_of(path, params["dest_format"])
    return IncidentFile(path, found, force=params["force"], raw=params["raw"], sole=sole, keys=ALERT_KEYS)


class _Reading:
    """The way in which the options ask for alerts: Graph's list of them, by id, or out of incidents."""

    def __init__(self, task: Task, query: AlertQuery) -> None:
        self._task = task
        self._params: Mapping[str, Any] = task.params
        self.api: str = task.params["api"]
        self._alert_ids = checked_alert_ids(task.params["alert_ids"])
        self._incident_ids = checked_ids(task.params["incident_ids"])
        self._from_incidents = self.api == "defender" or self._incident_ids is not None
        self.plan = plan_alerts(query, listed=not self._from_incidents and self._alert_ids is None)
        self.report = ReadReport()
        self.not_found: list[str] = []

    def alerts(self, client: ApiClient, place: Place) -> Iterable[dict[str, Any]]:
        """Return the alerts, in order; of those that were asked for by id, in the order of the ids.

        For a file, Graph's list is handed out as it comes, so that it is never in memory as a whole.
        """
        if self._from_incidents:
            return self._out_of_incidents(client, place)
        source = AdaptivePages(GraphAlerts(client), wants_alerts=False)
        intake = AlertIntake(source=source, plan=self.plan, place=place, include_alerts=False, raw=self._params["raw"], report=self.report)
        if self._alert_ids is not None:
            found, self.not_found = read_by_id(intake, self._alert_ids)
            return found
        reader = IncidentReader(
            source=source,
            intake=intake,
            plan=self.plan,
            order=self._params["order_by"],
            limit=self._params["limit"],
            as_they_come=self._params["dest"] is not None,
        )
        return reader.read() if reader.as_they_come else reader.collect()

    def _out_of_incidents(self, client: ApiClient, place: Place) -> list[dict[str, Any]]:
        backend: Backend = DefenderIncidents(client) if self.api == "defender" else GraphIncidents(client)
        source = AdaptivePages(backend, wants_alerts=True, memory=ExpansionMemory(self._task.run_directory))
        intake = Intake(source=source, plan=Plan(()), place=place, include_alerts=True, raw=self._params["raw"], report=self.report)
        incidents: Iterable[dict[str, Any]]
        if self._incident_ids is not None:
            incidents, self.not_found = read_by_id(intake, self._incident_ids)
            for incident_id, successor in merged_away(incidents).items():
                self._task.warn(f"Incident {incident_id} was merged into {successor}, which has its alerts.")
        else:
            incidents = IncidentReader(source=source, intake=intake, plan=intake.plan).read()
        if self._alert_ids is None:
            return self._limited(in_order(alerts_of(incidents, self.plan, raw=self._params["raw"]), self._params["order_by"]))
        known = {alert["id"]: alert for alert in alerts_of(incidents, Plan(()), raw=self._params["raw"])}
        self.not_found = [alert_id for alert_id in self._alert_ids if alert_id not in known]
        found = [known[alert_id] for alert_id in self._alert_ids if alert_id in known]
        return [alert for alert in found if self.plan.accepts(alert)]

    def _limited(self, alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        limit = self._params["limit"]
        if limit is not None and len(alerts) > limit:
            self.report.lacks(f"there are more than the limit of {limit}")
        return alerts[:limit]


_SPEC: dict[str, dict[str, Any]] = {**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}


def _as_fleet(single: Callable[[Task], Outcome]) -> Operation:
    return with_fleet(Operation(run=single, argument_spec=_SPEC), totals=fleet_totals)


_FLEET = _as_fleet(run)


def run_all(task: Task) -> Outcome:
    """Run the operation `m365d_alerts` for one tenant or for a fleet, whose tenants may share a file."""
    params = task.params
    if params.get("tenants") is None:
        return run(task)
    check_wanted(params)
    if not params["dest"]:
        return _FLEET.run(task)
    outcome = run_with_dest(task, run, as_fleet=_as_fleet, file_at=lambda path: file_at(params, path, sole=True), options=ARGUMENT_SPEC)
    return as_wanted(outcome, params)


OPERATION = replace(
    _FLEET,
    run=run_all,
    mutually_exclusive=(("alert_ids", "incident_ids"), ("alert_ids", "filter"), ("incident_ids", "filter"), ("alert_ids", "limit")),
)
