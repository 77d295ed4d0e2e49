# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs hunting queries over a tenant's tables, within the limits both services set."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from . import kql
from .hunting_tables import RETENTION, Source, Window
from .kql.operators import ResourcesExceeded
from .store import SecurityStore
from .times import DAY, HOUR, MINUTE, TICKS_PER_SECOND, parse_iso

if TYPE_CHECKING:
    from ..state import Cloud

RESOURCES: Final = (
    "Query execution has exceeded the allowed limits. The query execution was preempted. This could possibly be due to high CPU and/or "
    "memory resource consumption. Optimize your query by following best practices and try again."
)
# Fault → HTTP status and the engine's words. The status of a timeout is not documented; the gateway's own is known from reports.
FAULTS: Final[Mapping[str, tuple[int, str]]] = {
    "timeout": (400, "Query exceeded the timeout period."),
    "gateway_timeout": (504, ""),
    "cpu": (429, "You have exceeded processing resources allocated to this tenant. You can run queries again in 00:14:00."),
    "result_size": (
        400,
        'Result size limit exceeded. Use "summarize" to aggregate results, drop uninteresting columns with "project", or truncate '
        'results with "take".',
    ),
    "resources": (400, RESOURCES),
    "unknown": (500, "An unexpected error occurred during query execution. Please try again in a few minutes."),
}
_DURATION: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


class HuntingFault(Exception):
    """A limit of the service, or a fault that the scenario asks for; ``name`` is a key of ``FAULTS``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns as (name, type in an answer's schema), the rows, and how long it took (seconds)."""

    columns: tuple[tuple[str, str], ...]
    rows: list[dict[str, Any]]
    seconds: float


def duration(text: str) -> int:
    """Return the ticks of an ISO 8601 duration of weeks, days and shorter units.

    :raises ValueError: the text is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"'{text}' is not a valid ISO 8601 duration")
    weeks, days, hours, minutes = (int(group or 0) for group in match.groups()[:4])
    seconds = round(float(match[5] or 0) * TICKS_PER_SECOND)
    return (weeks * 7 + days) * DAY + hours * HOUR + minutes * MINUTE + seconds


def window_of(timespan: str | None, now: int) -> Window:
    """Return the first and last instant a query may see: the time span asked for, within the last 30 days.

    :param timespan: ``P7D``, ``start/end``, ``start/P1D`` or ``P1D/end``.
    :raises ValueError: the text is none of these.
    """
    first, last = now - RETENTION, now
    if not timespan:
        return first, last
    start, slash, end = timespan.partition("/")
    if not slash:
        return max(first, now - duration(start)), last
    if start.startswith("P"):
        stop = parse_iso(end)
        return max(first, stop - duration(start)), min(last, stop)
    begin = parse_iso(start)
    stop = begin + duration(end) if end.startswith("P") else parse_iso(end)
    return max(first, begin), min(last, stop)


def run(cloud: Cloud, store: SecurityStore, query: str, *, timespan: str | None, now: int) -> Answer:
    """Run a query.

    :raises KqlError: the query is at fault.
    :raises HuntingFault: a limit was met.
    :raises ValueError: the time span is malformed.
    """
    settings = store.settings.hunting
    _demand_no_fault(store)
    started = time.perf_counter()
    source = Source(cloud, store, window_of(timespan, now))
    try:
        table = kql.run(query, source.table, now=now, budget=settings.max_scan)
        raw = list(islice(table.rows, settings.row_limit))
    except ResourcesExceeded as exc:
        raise HuntingFault("resources") from exc
    rows = [_row(row, table.columns, as_number=settings.bool_as_number) for row in raw]
    columns = tuple((name, kql.SCHEMA_TYPES.get(kind, "Object")) for name, kind in table.columns.items())
    return Answer(columns, rows, time.perf_counter() - started)


def _demand_no_fault(store: SecurityStore) -> None:
    settings = store.settings.hunting
    if settings.fault is None:
        return
    fault = settings.fault
    if settings.fault_count:
        settings.fault_count -= 1
        if settings.fault_count == 0:
            settings.fault = None
    raise HuntingFault(fault)


def _row(row: Mapping[str, Any], columns: Mapping[str, str], *, as_number: bool) -> dict[str, Any]:
    found = {name: kql.to_json(row[name], kind) for name, kind in columns.items()}
    if as_number:
        for name, kind in columns.items():
            if kind == "bool" and found[name] is not None:
                found[name] = int(found[name])
    return found
