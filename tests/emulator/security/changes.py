# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller may write, checked before anything changes: one table per backend of member names, types and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from . import vocabulary as v
from .model import Alert, Incident

Json = dict[str, Any]


class BodyError(ValueError):
    """The body has an unknown member or one of the wrong type."""


class ValueRefused(ValueError):
    """A value is well formed but not allowed."""


_GRAPH_INCIDENT: Final = {
    "status": "status",
    "assignedTo": "assigned_to",
    "classification": "classification",
    "determination": "determination",
    "customTags": "tags",
}
_GRAPH_INCIDENT_EXTRA: Final = {
    "displayName": "name",
    "description": "description",
    "severity": "severity",
    "resolvingComment": "resolving_comment",
    "summary": "summary",
}
_GRAPH_ALERT: Final = {
    "status": "status",
    "assignedTo": "assigned_to",
    "classification": "classification",
    "determination": "determination",
}
_GRAPH_INCIDENT_STATUSES: Final = frozenset({"active", "resolved", "inProgress"})
_GRAPH_ALERT_STATUSES: Final = frozenset({"new", "inProgress", "resolved"})
_DEFENDER: Final = {
    "status": "status",
    "assignedTo": "assigned_to",
    "classification": "classification",
    "determination": "determination",
    "tags": "tags",
    "comment": "comment",
}


def of_graph_incident(body: Mapping[str, Any], *, extra: bool) -> Json:
    """Return the changes of the neutral record that a Graph PATCH of an incident asks for.

    :param extra: also take the members that only newer documents name.
    :raises BodyError: an unknown member or a wrong type.
    :raises ValueRefused: a value that cannot be written.
    """
    names = _GRAPH_INCIDENT | _GRAPH_INCIDENT_EXTRA if extra else _GRAPH_INCIDENT
    changes = _graph(body, names, statuses=_GRAPH_INCIDENT_STATUSES)
    if changes.get("severity", "low") not in v.SEVERITIES[1:5]:
        raise ValueRefused(f"Invalid value '{changes['severity']}' for property 'severity'.")
    return changes


def of_graph_alert(body: Mapping[str, Any]) -> Json:
    """Return the changes of the neutral record that a Graph PATCH of an alert asks for; raises like :func:`of_graph_incident`."""
    return _graph(body, _GRAPH_ALERT, statuses=_GRAPH_ALERT_STATUSES)


def _graph(body: Mapping[str, Any], names: Mapping[str, str], *, statuses: frozenset[str]) -> Json:
    changes: Json = {}
    for key, value in body.items():
        if key.startswith("@odata."):
            continue
        if key not in names:
            raise BodyError(f"The property '{key}' does not exist on the type or cannot be updated.")
        if key == "customTags":
            changes["tags"] = _tags(value, key)
        elif key == "assignedTo" and value is None:
            changes["assigned_to"] = None
        elif not isinstance(value, str):
            raise BodyError(f"Cannot convert the value of property '{key}' to the expected type 'Edm.String'.")
        else:
            changes[names[key]] = value
    _demand(changes, "status", statuses)
    _demand(changes, "classification", frozenset(v.CLASSIFICATIONS) - {v.FUTURE})
    _demand(changes, "determination", frozenset(v.DETERMINATIONS) - {v.FUTURE})
    return changes


def _demand(changes: Mapping[str, Any], name: str, allowed: frozenset[str]) -> None:
    if name in changes and changes[name] not in allowed:
        raise ValueRefused(f"Invalid value '{changes[name]}' for property '{name}'.")


def _tags(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise BodyError(f"Cannot convert the value of property '{key}' to the expected type 'Collection(Edm.String)'.")
    return tuple(value)


def of_defender_incident(body: Mapping[str, Any]) -> Json:
    """Return the changes a Defender PATCH asks for, with the comment under ``comment``.

    :raises BodyError: an unknown member (names are case-sensitive) or a wrong type.
    :raises ValueRefused: a value that cannot be written.
    """
    changes: Json = {}
    for key, value in body.items():
        if key not in _DEFENDER:
            raise BodyError(key)
        if key == "tags":
            changes["tags"] = _tags(value, key)
        elif value is None and key == "assignedTo":
            changes["assigned_to"] = ""
        elif not isinstance(value, str):
            raise BodyError(key)
        else:
            changes[_DEFENDER[key]] = value
    if "status" in changes:
        # Redirected is a status one can read; it comes from merging alone.
        changes["status"] = _translated(changes["status"], v.INCIDENT_STATUS_FROM_DEFENDER, "status")
        _demand(changes, "status", _GRAPH_INCIDENT_STATUSES)
    if "classification" in changes:
        changes["classification"] = _translated(changes["classification"], v.CLASSIFICATION_FROM_DEFENDER, "classification")
    if "determination" in changes:
        changes["determination"] = v.determination_from_defender(changes["determination"])
        _demand(changes, "determination", frozenset(v.DETERMINATIONS) - {v.FUTURE})
    return changes


def _translated(value: str, table: Mapping[str, str], name: str) -> str:
    if value not in table:
        raise ValueRefused(f"Invalid value '{value}' for property '{name}'.")
    return table[value]


def demand_valid_verdict(record: Incident | Alert, changes: Mapping[str, Any], *, strict: bool) -> None:
    """Check that the determination to be written goes with the classification that will then hold.

    :param strict: also refuse a determination while the classification is unknown.
    :raises ValueRefused: the pair is not allowed.
    """
    determination = changes.get("determination", "unknown")
    if determination == "unknown":
        return
    classification = changes.get("classification", record.classification)
    if classification == "unknown" and not strict:
        return
    if determination not in v.DETERMINATIONS_BY_CLASSIFICATION.get(classification, frozenset()):
        raise ValueRefused(f"The determination '{determination}' is not valid for the classification '{classification}'.")
