# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads the incidents of a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._argspec import shared_options
from .._core.incidents.cursor import Cursor, read_cursor
from .._core.incidents.defender import DefenderIncidents
from .._core.incidents.expansion import AdaptivePages, ExpansionMemory
from .._core.incidents.files import IncidentFile, Sink, destination_for, format_of, is_per_tenant
from .._core.incidents.fleet_file import FilePart
from .._core.incidents.graph import GraphIncidents
from .._core.incidents.incremental import IncrementalReader
from .._core.incidents.intake import Intake, ReadReport
from .._core.incidents.pages import Backend
from .._core.incidents.query import Plan, local_plan, plan_query
from .._core.incidents.reader import IncidentReader, in_order, read_by_id
from .._core.incidents.redirects import follow_redirects
from .._core.incidents.schema import Place
from .._core.incidents.times import duration_seconds, now_text
from ._fleet import with_fleet
from ._fleet_output import as_wanted, check_wanted, described, run_with_dest
from ._incident_options import ARGUMENT_SPEC, TIME_OPTIONS, checked_ids, first_start, incident_query, is_incremental
from ._retirement import note_retirement
from ._session import open_session
from ._task import Operation, Outcome, Task

_SEVERITIES = ("high", "medium", "low", "informational", "unknown")


def run(task: Task, part: FilePart | None = None) -> Outcome:
    """Run the operation `m365d_incidents` for one tenant.

    :param part: takes the incidents for the file that the tenants of a fleet share.
    """
    params = task.params
    now = now_text()
    query = incident_query(params, now=now)
    incident_ids = checked_ids(params["incident_ids"])
    start = first_start(params, now=now)
    api = params["api"]
    plan = plan_query(query, api=api) if incident_ids is None else local_plan(query)
    if params["dest"] and part is None and not is_per_tenant(params["dest"]):
        file_at(params, params["dest"]).check()
    session = open_session(task)
    note_retirement(task, permission="SecurityIncident.Read.All")
    client = session.client(api)
    backend: Backend = DefenderIncidents(client) if api == "defender" else GraphIncidents(client)
    source = AdaptivePages(backend, wants_alerts=params["include_alerts"] or plan.needs_alerts, memory=ExpansionMemory(task.run_directory))
    place = Place(tenant_id=session.tenant.tenant_id, portal_url=session.endpoints.portal_url)
    report = ReadReport()
    intake = Intake(source=source, plan=plan, place=place, include_alerts=params["include_alerts"], raw=params["raw"], report=report)
    reading = _Reading(task, intake, incident_ids=incident_ids, start=start, now=now)
    delivery = _deliver(reading, task, place.tenant_id, part)
    result = {
        "tenant_id": place.tenant_id,
        "api": api,
        "consent_state": "ready",
        **delivery.result,
        "complete": report.complete,
        "partial_reason": report.reason,
        "not_found": reading.not_found,
        "filters": {"pushed": plan.pushed, "local": plan.local, "odata": plan.odata},
        "window": {name: getattr(query, name) for name in TIME_OPTIONS},
        "cursor": reading.cursor,
        "requests": client.requests_sent,
    }
    if not report.complete and task.places is None:
        task.warn(f"Tenant {place.tenant_id}: this is not everything: {report.reason}.")
    return Outcome(result, changed=delivery.changed)


class _Reading:
    """The way in which the options ask for incidents: by id, incrementally, or by filters."""

    def __init__(self, task: Task, intake: Intake, *, incident_ids: list[str] | None, start: str | None, now: str) -> None:
        self._task = task
        self._intake = intake
        self._incident_ids = incident_ids
        self._incremental = _incremental(task.params, intake, start=start, now=now)
        self.not_found: list[str] = []

    @property
    def cursor(self) -> dict[str, Any] | None:
        """Where the next incremental reading begins; None where this is none."""
        return None if self._incremental is None else self._incremental.cursor.as_dict()

    def incidents(self, *, as_they_come: bool) -> Iterable[dict[str, Any]]:
        """Return the incidents, one after the other where the caller does not need their order."""
        params = self._task.params
        if self._incremental is not None:
            return self._incremental.read() if as_they_come else in_order(self._incremental.read(), "updated_asc")
        if self._incident_ids is not None:
            found, self.not_found = read_by_id(self._intake, self._incident_ids)
            return self._linked(found)
        reader = IncidentReader(
            source=self._intake.source,
            intake=self._intake,
            plan=self._intake.plan,
            order=params["order_by"],
            limit=params["limit"],
            as_they_come=as_they_come and not params["follow_redirects"],
        )
        return reader.read() if reader.as_they_come else self._linked(reader.collect())

    def _linked(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self._task.params["follow_redirects"]:
            return found
        return follow_redirects(found, lambda incident_id: _linked(self._intake, incident_id), warn=self._task.warn)


@dataclass(frozen=True)
class _Delivery:
    """What was delivered: the incidents or where they were written to, and their counts."""

    result: dict[str, Any]
    changed: bool = False


def _deliver(reading: _Reading, task: Task, tenant_id: str, part: FilePart | None) -> _Delivery:
    """Deliver what is read to the result, to the tenant's file, or to the file of the fleet."""
    params = task.params
    if not params["dest"]:
        found = list(reading.incidents(as_they_come=False))
        return _Delivery({"incidents": found, **counted(count_by_severity(found))})
    if part is not None:
        return _Delivery(counted(count_by_severity(written_to(part, reading.incidents(as_they_come=True)))))
    with file_at(params, destination_for(params["dest"], tenant_id), sole=task.places is not None) as file:
        counts = counted(count_by_severity(written_to(file, reading.incidents(as_they_come=True))))
        written = file.commit(dry_run=task.check_mode)
    return _Delivery({**counts, **described(written)}, changed=written.changed)


def written_to(sink: Sink, found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Write incidents, or alerts, as they come and yield them on."""
    for one in found:
        sink.write(one)
        yield one


def counted(by_severity: Mapping[str, int]) -> dict[str, Any]:
    """Return the counts of a result."""
    return {"count": sum(by_severity.values()), "by_severity": dict(by_severity)}


def file_at(params: Mapping[str, Any], path: str, *, sole: bool = False) -> IncidentFile:
    """Return the file that the options describe."""
    return IncidentFile(path, format_of(path, params["dest_format"]), force=params["force"], raw=params["raw"], sole=sole)


def _incremental(params: Mapping[str, Any], intake: Intake, *, start: str | None, now: str) -> IncrementalReader | None:
    """Return the incremental reader, or None where neither a cursor nor `max_age` asks for one."""
    if not is_incremental(params):
        return None
    tenant_id = intake.place.tenant_id
    cursor = read_cursor(own_cursor(params["cursor"] or {}, tenant_id), tenant_id=tenant_id)
    return IncrementalReader(
        intake,
        cursor=cursor or Cursor(tenant_id=tenant_id, seen_from=start),
        overlap=duration_seconds("overlap", params["overlap"]),
        now=now,
        limit=params["limit"],
    )


def own_cursor(cursor: Mapping[str, Any], tenant_id: str) -> Mapping[str, Any]:
    """Return a tenant's cursor, out of the cursors of a fleet where those were given."""
    if not cursor or "format" in cursor or not all(isinstance(entry, Mapping) for entry in cursor.values()):
        return cursor
    return next((entry for name, entry in cursor.items() if str(name).lower() == tenant_id.lower()), {})


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


def count_by_severity(incidents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many incidents have each severity; the known ones are always there, the most urgent first.

    A severity that is none of them counts as unknown: a service's text is no key of a result.
    """
    counts = dict.fromkeys(_SEVERITIES, 0)
    for incident in incidents:
        counts[incident["severity"] if incident["severity"] in counts else "unknown"] += 1
    return counts


def fleet_totals(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums over the tenants that were read; `complete` says whether those are all."""
    severities: dict[str, int] = dict.fromkeys(_SEVERITIES, 0)
    for result in results:
        for severity, count in result["by_severity"].items():
            severities[severity] = severities.get(severity, 0) + count
    return {"count": sum(result["count"] for result in results), "by_severity": severities}


_SPEC: dict[str, dict[str, Any]] = {**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}


def _as_fleet(single: Callable[[Task], Outcome]) -> Operation:
    return with_fleet(Operation(run=single, argument_spec=_SPEC), totals=fleet_totals)


_FLEET = _as_fleet(run)


def run_all(task: Task) -> Outcome:
    """Run the operation `m365d_incidents` for one tenant or for a fleet, whose tenants may share a file and a mapping of cursors."""
    params = task.params
    if params.get("tenants") is None:
        return run(task)
    check_wanted(params)
    if not params["dest"]:
        return _with_cursors(_FLEET.run(task), params)
    outcome = run_with_dest(task, run, as_fleet=_as_fleet, file_at=lambda path: file_at(params, path, sole=True), options=ARGUMENT_SPEC)
    return as_wanted(_with_cursors(outcome, params), params)


def _with_cursors(outcome: Outcome, params: Mapping[str, Any]) -> Outcome:
    """Return the outcome with the cursors of all tenants: the old one of a tenant that was not read."""
    if not is_incremental(params):
        return outcome
    fresh = {result["tenant_id"]: result["cursor"] for result in outcome.result["tenants"] if result.get("cursor")}
    old = {name: entry for name, entry in (params["cursor"] or {}).items() if name.lower() not in {known.lower() for known in fresh}}
    return replace(outcome, result={**outcome.result, "cursor": {**old, **fresh}})


OPERATION = replace(
    _FLEET,
    run=run_all,
    mutually_exclusive=(("incident_ids", "filter"), ("incident_ids", "limit")),
)
