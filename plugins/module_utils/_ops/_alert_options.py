# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The options of the operation `m365d_alerts`: their spec, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import OptionError
from .._core.incidents import vocabulary
from .._core.incidents.alerts import AlertQuery
from .._core.incidents.reader import ORDERS
from .._core.incidents.verdicts import member_option
from .._core.incidents.writers import FORMATS
from ._incident_options import check_reading, listed, members_of, time_window

_LONGEST_ID = 256

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "status": {"type": "list", "elements": "str", "choices": members_of(vocabulary.ALERT_STATUS)},
    "severity": {"type": "list", "elements": "str", "choices": members_of(vocabulary.SEVERITY)},
    "classification": {"type": "list", "elements": "str", "choices": members_of(vocabulary.CLASSIFICATION)},
    "determination": {"type": "list", "elements": "str", "choices": members_of(vocabulary.DETERMINATION)},
    "assigned_to": {"type": "str"},
    "unassigned": {"type": "bool", "default": False},
    "service_sources": {"type": "list", "elements": "str"},
    "detection_sources": {"type": "list", "elements": "str"},
    "categories": {"type": "list", "elements": "str"},
    "mitre_techniques": {"type": "list", "elements": "str"},
    "created_since": {"type": "str"},
    "created_until": {"type": "str"},
    "updated_since": {"type": "str"},
    "updated_until": {"type": "str"},
    "filter": {"type": "str"},
    "alert_ids": {"type": "list", "elements": "str"},
    "incident_ids": {"type": "list", "elements": "str"},
    "order_by": {"type": "str", "choices": list(ORDERS), "default": "updated_desc"},
    "limit": {"type": "int"},
    "raw": {"type": "bool", "default": False},
    "dest": {"type": "path"},
    "dest_format": {"type": "str", "choices": list(FORMATS)},
    "force": {"type": "bool", "default": False},
    "resume": {"type": "bool", "default": False},
    "return_tenants": {"type": "str", "choices": ["all", "lacking"], "default": "all"},
}


def alert_query(params: Mapping[str, Any], *, now: str) -> AlertQuery:
    """Return the typed filters that the options describe; raise `OptionError` where they make no sense."""
    check_reading(params)
    return AlertQuery(
        status=listed(params["status"]),
        severity=listed(params["severity"]),
        classification=listed(params["classification"]),
        determination=listed(params["determination"]),
        service_sources=_sources("service_sources", "service_source", params),
        detection_sources=_sources("detection_sources", "detection_source", params),
        categories=listed(params["categories"]),
        mitre_techniques=listed(params["mitre_techniques"]),
        assigned_to=params["assigned_to"] or None,
        unassigned=params["unassigned"],
        raw_filter=(params["filter"] or "").strip() or None,
        **time_window(params, now=now),
    )


def _sources(option: str, enum: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the members that the names of products stand for, old names too; a name that nobody has would match nothing."""
    choices = members_of(vocabulary.ENUMS[enum])
    return tuple(member_option(option, enum, value, choices=choices, verb="be") for value in listed(params[option]))


def checked_alert_ids(alert_ids: list[str] | None) -> list[str] | None:
    """Return the ids without doubles, None where none were asked for."""
    return None if alert_ids is None else list(dict.fromkeys(checked_alert_id(alert_id) for alert_id in alert_ids))


def checked_alert_id(alert_id: str) -> str:
    """Return an id that can be one of an alert; products form theirs differently, so that only what no URL can hold is refused.

    :raises OptionError: for anything else.
    """
    if not alert_id.strip(". ") or len(alert_id) > _LONGEST_ID or not alert_id.isprintable() or " " in alert_id:
        raise OptionError(f"'{alert_id[:80]}' is no id of an alert.", next_step="Ids look like da637551227677560813_-961444813.")
    return alert_id
