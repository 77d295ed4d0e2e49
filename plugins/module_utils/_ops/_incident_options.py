# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The options of the operation `m365d_incidents`: their spec, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import OptionError
from .._core.incidents import vocabulary
from .._core.incidents.query import IncidentQuery
from .._core.incidents.reader import ORDERS
from .._core.incidents.times import duration_seconds, instant_option, shifted
from .._core.incidents.writers import FORMATS

TIME_OPTIONS = ("created_since", "created_until", "updated_since", "updated_until")


def members_of(members: tuple[str, ...]) -> list[str]:
    """Return the members of an enumeration that a user can mean."""
    return [name for name in members if name != "unknownFutureValue"]


ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "status": {"type": "list", "elements": "str", "choices": members_of(vocabulary.INCIDENT_STATUS)},
    "severity": {"type": "list", "elements": "str", "choices": members_of(vocabulary.SEVERITY)},
    "classification": {"type": "list", "elements": "str", "choices": members_of(vocabulary.CLASSIFICATION)},
    "determination": {"type": "list", "elements": "str", "choices": members_of(vocabulary.DETERMINATION)},
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
    "dest": {"type": "path"},
    "dest_format": {"type": "str", "choices": list(FORMATS)},
    "force": {"type": "bool", "default": False},
    "resume": {"type": "bool", "default": False},
    "return_tenants": {"type": "str", "choices": ["all", "lacking"], "default": "all"},
    "cursor": {"type": "dict"},
    "max_age": {"type": "str"},
    "overlap": {"type": "str", "default": "15m"},
}


def is_incremental(params: Mapping[str, Any]) -> bool:
    """Whether the options ask for what was not delivered yet."""
    return params["cursor"] is not None or params["max_age"] is not None


def first_start(params: Mapping[str, Any], *, now: str) -> str | None:
    """Return from which last update on a first incremental reading reads, None where it reads all.

    :raises OptionError: for options that make no sense together.
    """
    if not is_incremental(params):
        return None
    for name in ("incident_ids", "updated_since", "updated_until"):
        if params[name]:
            raise OptionError(f"{name} makes no sense with cursor or max_age.", next_step=f"Leave out {name}, or cursor and max_age.")
    if params["follow_redirects"]:
        raise OptionError("follow_redirects makes no sense with cursor or max_age.", next_step="Leave one of them out.")
    return None if params["max_age"] is None else shifted(now, -duration_seconds("max_age", params["max_age"]))


def check_reading(params: Mapping[str, Any]) -> None:
    """Raise `OptionError` for options of a reading that contradict each other, or make no sense."""
    if params["unassigned"] and params["assigned_to"]:
        raise OptionError("assigned_to and unassigned exclude each other.", next_step="Leave one of them out.")
    if params["limit"] is not None and params["limit"] < 1:
        raise OptionError(f"limit must be at least 1; got {params['limit']}.", next_step="Correct limit, or leave it out to read all.")


def time_window(params: Mapping[str, Any], *, now: str) -> dict[str, str | None]:
    """Return the bounds by option; a window that begins in the past and has no end ends now, once and for all pages."""
    times = {name: instant_option(name, params[name], now=now) if params[name] else None for name in TIME_OPTIONS}
    for what in ("created", "updated"):
        since, until = times[f"{what}_since"], times[f"{what}_until"]
        if since and not until:
            times[f"{what}_until"] = until = max(now, since)
        if since and until and since > until:
            raise OptionError(f"{what}_since ({since}) is later than {what}_until ({until}).", next_step="Correct the window.")
    return times


def incident_query(params: Mapping[str, Any], *, now: str) -> IncidentQuery:
    """Return the typed filters that the options describe."""
    check_reading(params)
    return IncidentQuery(
        status=listed(params["status"]),
        severity=listed(params["severity"]),
        classification=listed(params["classification"]),
        determination=listed(params["determination"]),
        assigned_to=params["assigned_to"] or None,
        unassigned=params["unassigned"],
        tags=listed(params["tags"]),
        service_sources=listed(params["service_sources"]),
        raw_filter=(params["filter"] or "").strip() or None,
        **time_window(params, now=now),
    )


def listed(values: Iterable[str] | None) -> tuple[str, ...]:
    """Return the values of a list option, without empty ones."""
    return tuple(value for value in values or () if value)


def checked_ids(incident_ids: list[str] | None) -> list[str] | None:
    """Return the ids without doubles, None where none were asked for; both services number their incidents."""
    if incident_ids is None:
        return None
    for incident_id in incident_ids:
        if not re.fullmatch(r"\d{1,19}", incident_id):
            raise OptionError(
                f"incident_ids holds '{incident_id}', which is no id of an incident.", next_step="Ids are numbers, such as 924565."
            )
    return list(dict.fromkeys(incident_ids))
