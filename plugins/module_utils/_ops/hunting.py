# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Runs a hunting query in a tenant."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from .._argspec import shared_options
from .._core.errors import OptionError
from .._core.hunting.backends import SERVICE_ROW_LIMIT, DefenderHunting, GraphHunting, HuntingBackend
from .._core.hunting.parameters import prologue
from .._core.hunting.query import Query
from .._core.hunting.reader import Hunt, HuntReader, HuntReport
from .._core.hunting.ready import READY_QUERIES, ready_query
from .._core.hunting.rows import FORMATS, RowFile, TenantRows, row_file
from .._core.hunting.windows import duration_ticks, window_of
from .._core.incidents.files import destination_for, is_per_tenant
from .._core.incidents.fleet_file import FilePart
from .._core.incidents.times import text_of
from ._fleet import with_fleet
from ._fleet_output import as_wanted, check_wanted, described, run_with_dest
from ._retirement import note_retirement
from ._session import open_session
from ._task import Operation, Outcome, Task

_LONGEST_QUERY_BYTES = 1 << 20

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "query": {"type": "str"},
    "query_file": {"type": "path"},
    "ready_query": {"type": "str", "choices": list(READY_QUERIES)},
    "parameters": {"type": "dict", "default": {}},
    "timespan": {"type": "str"},
    "row_limit": {"type": "int"},
    "split": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "shortest_part": {"type": "str", "default": "1m"},
    "service_row_limit": {"type": "int", "default": SERVICE_ROW_LIMIT},
    "dest": {"type": "path"},
    "dest_format": {"type": "str", "choices": list(FORMATS)},
    "force": {"type": "bool", "default": False},
    "resume": {"type": "bool", "default": False},
    "return_tenants": {"type": "str", "choices": ["all", "lacking"], "default": "all"},
}


def run(task: Task, part: FilePart | None = None) -> Outcome:
    """Run the operation `m365d_hunting` for one tenant.

    :param part: takes the rows for the file that the tenants of a fleet share.
    """
    params = task.params
    hunt = hunt_of(params, now=datetime.now(timezone.utc))
    if params["dest"] and part is None and not is_per_tenant(params["dest"]):
        _file_at(params, params["dest"]).check()
    session = open_session(task)
    api = params["api"]
    note_retirement(task, permission="ThreatHunting.Read.All")
    client = session.client(api, budget="hunting")
    backend: HuntingBackend = DefenderHunting(client) if api == "defender" else GraphHunting(client)
    reader = HuntReader(backend, hunt)
    delivery = _deliver(reader, task, session.tenant.tenant_id, part)
    report = delivery.report
    result = {
        "tenant_id": session.tenant.tenant_id,
        "api": api,
        "consent_state": "ready",
        **delivery.result,
        "columns": [{"name": column.name, "type": column.type} for column in report.columns],
        "count": report.count,
        "complete": report.complete,
        "partial_reason": report.reason,
        "window": {"start": text_of(hunt.window.start), "end": text_of(hunt.window.end)},
        "parts": report.parts,
        "seconds_of_engine": report.seconds,
        "requests": client.requests_sent,
    }
    if not report.complete and task.places is None:
        task.warn(f"Tenant {session.tenant.tenant_id}: this is not everything: {report.reason}.")
    return Outcome(result, changed=delivery.changed)


def hunt_of(params: Mapping[str, Any], *, now: datetime) -> Hunt:
    """Return what the options ask for; no request is made.

    :raises OptionError: for options that are wrong, and for a query that cannot be right.
    """
    parameters: dict[str, Any] = dict(params["parameters"] or {})
    if params["ready_query"]:
        text, parameters = ready_query(params["ready_query"], parameters)
    else:
        text = params["query"] if params["query"] is not None else _text_of_file(params["query_file"])
    for name in ("row_limit", "service_row_limit"):
        if params[name] is not None and params[name] < 1:
            raise OptionError(f"{name} must be at least 1; got {params[name]}.", next_step=f"Correct {name}, or leave it out.")
    shortest = timedelta(microseconds=duration_ticks("shortest_part", params["shortest_part"]) // 10)
    if shortest < timedelta(seconds=1):
        raise OptionError("shortest_part must be at least one second.", next_step="Correct shortest_part, or leave it out.")
    window, timespan = window_of(params["timespan"], now=now)
    query = Query(text, tuple(parameters))

    def _bind(bounds: Mapping[str, Any]) -> str:
        return prologue({**parameters, **bounds}, now=text_of(now))

    # Made once to find what is wrong before the first request.
    _bind({})
    query.check()
    return Hunt(
        query=query,
        window=window,
        bind=_bind,
        timespan=timespan,
        row_limit=params["row_limit"],
        service_row_limit=params["service_row_limit"],
        split=params["split"],
        shortest=shortest,
    )


def _text_of_file(path: str) -> str:
    """Return the query in a file; raise `OptionError` where it cannot be read as text."""
    try:
        if os.path.getsize(path) > _LONGEST_QUERY_BYTES:
            raise OptionError(f"'{path}' is too large for a query.", next_step="Check query_file.")
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeError) as exc:
        raise OptionError(f"The query in '{path}' cannot be read: {exc}.", next_step="Give query_file as a readable UTF-8 file.") from exc


@dataclass(frozen=True)
class _Delivery:
    """What was read, and where it went."""

    report: HuntReport
    result: dict[str, Any]
    changed: bool = False


def _deliver(reader: HuntReader, task: Task, tenant_id: str, part: FilePart | None) -> _Delivery:
    """Deliver the rows to the result, to the tenant's file, or to the file of the fleet."""
    params = task.params
    if not params["dest"]:
        found = TenantRows(tenant_id)
        report = reader.read(found)
        return _Delivery(report, {"rows": found.rows})
    if part is not None:
        return _Delivery(reader.read(TenantRows(tenant_id, place=part)), {})
    with _file_at(params, destination_for(params["dest"], tenant_id), sole=task.places is not None) as file:
        report = reader.read(TenantRows(tenant_id, place=file))
        written = file.commit(dry_run=task.check_mode)
    return _Delivery(report, described(written), changed=written.changed)


def _file_at(params: Mapping[str, Any], path: str, *, sole: bool = False) -> RowFile:
    """Return the file that the options describe."""
    return row_file(path, params["dest_format"], force=params["force"], sole=sole)


def fleet_totals(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many rows all tenants together have, and the rows themselves where they were returned."""
    totals: dict[str, Any] = {"count": sum(result["count"] for result in results)}
    if all("rows" in result for result in results):
        totals["rows"] = [row for result in results for row in result["rows"]]
    return totals


_SPEC: dict[str, dict[str, Any]] = {**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}


def _as_fleet(single: Callable[[Task], Outcome]) -> Operation:
    return with_fleet(Operation(run=single, argument_spec=_SPEC), totals=fleet_totals)


_FLEET = _as_fleet(run)


def run_all(task: Task) -> Outcome:
    """Run the operation `m365d_hunting` for one tenant or for a fleet, whose tenants may share a file."""
    if task.params.get("tenants") is None:
        return run(task)
    if task.params["query_file"]:
        # Read once: all tenants are asked the same, also where the file changes meanwhile, and a run that goes on notices that it changed.
        task = replace(task, params={**task.params, "query": _text_of_file(task.params["query_file"]), "query_file": None})
    params = task.params
    hunt_of(params, now=datetime.now(timezone.utc))
    check_wanted(params)
    if not params["dest"]:
        return _FLEET.run(task)
    outcome = run_with_dest(task, run, as_fleet=_as_fleet, file_at=lambda path: _file_at(params, path, sole=True), options=ARGUMENT_SPEC)
    return as_wanted(outcome, params)


_CHOICES = ("query", "query_file", "ready_query")

OPERATION = replace(_FLEET, run=run_all, mutually_exclusive=(_CHOICES,), required_one_of=(_CHOICES,))
