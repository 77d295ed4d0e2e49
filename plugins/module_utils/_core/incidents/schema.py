# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One schema for incidents and alerts, whichever service answered: snake_case keys, Graph's vocabulary of values.

The mapping is the one between the incident resources of the Defender XDR API and of the Graph security API. Every key is
always present. A member that only Graph has (`summary`, `priority_score`, `system_tags`) is empty where the Defender API
answered. Reading is tolerant: an unknown enumeration member, another case, a missing or an extra field breaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .evidence import EVIDENCE_LISTS, evidence_of
from .links import portal_link
from .shapes import Reader, enum_reader, filled_text, first_of, generic, identifier, number, objects, text, texts
from .times import LAST, canonical_time, is_instant


@dataclass(frozen=True)
class Place:
    """Where objects were read.

    :param tenant_id: GUID of the tenant; stands in where the service does not name it.
    :param portal_url: the portal of the cloud, for links.
    """

    tenant_id: str
    portal_url: str


def _assignee(value: Any) -> str | None:
    """Return who an object is assigned to; an owner that was cleared is written `Unassigned` by the Defender API."""
    name = filled_text(value)
    return None if name is None or name.lower() == "unassigned" else name


# Key of the schema: reader, then the names of the field in the order they are looked for (Graph's, the Defender API's).
_INCIDENT_FIELDS: Mapping[str, tuple[Reader, tuple[str, ...]]] = {
    "id": (identifier, ("id", "incidentId")),
    "tenant_id": (filled_text, ("tenantId",)),
    "display_name": (text, ("displayName", "incidentName")),
    "description": (filled_text, ("description",)),
    "summary": (filled_text, ("summary",)),
    "status": (enum_reader("incident_status", default="unknown"), ("status",)),
    "severity": (enum_reader("severity", default="unknown"), ("severity",)),
    "classification": (enum_reader("classification", default="unknown"), ("classification",)),
    "determination": (enum_reader("determination", default="unknown"), ("determination",)),
    "assigned_to": (_assignee, ("assignedTo",)),
    "created_date_time": (canonical_time, ("createdDateTime", "createdTime")),
    "last_update_date_time": (canonical_time, ("lastUpdateDateTime", "lastUpdateTime")),
    "last_modified_by": (filled_text, ("lastModifiedBy",)),
    "redirect_incident_id": (identifier, ("redirectIncidentId",)),
    "incident_web_url": (filled_text, ("incidentWebUrl", "incidentUri")),
    "custom_tags": (texts, ("customTags", "tags")),
    "system_tags": (texts, ("systemTags",)),
    "priority_score": (number, ("priorityScore",)),
    "resolving_comment": (filled_text, ("resolvingComment",)),
    "comments": (lambda value: [_comment(entry) for entry in objects(value)], ("comments",)),
}

_ALERT_FIELDS: Mapping[str, tuple[Reader, tuple[str, ...]]] = {
    "id": (filled_text, ("id", "alertId")),
    "provider_alert_id": (filled_text, ("providerAlertId",)),
    "incident_id": (identifier, ("incidentId",)),
    "tenant_id": (filled_text, ("tenantId",)),
    "title": (text, ("title",)),
    "description": (filled_text, ("description",)),
    "recommended_actions": (filled_text, ("recommendedActions",)),
    "category": (filled_text, ("category",)),
    "categories": (texts, ("categories",)),
    "status": (enum_reader("alert_status", default="unknown"), ("status",)),
    "severity": (enum_reader("severity", default="unknown"), ("severity",)),
    "classification": (enum_reader("classification", default="unknown"), ("classification",)),
    "determination": (enum_reader("determination", default="unknown"), ("determination",)),
    "service_source": (enum_reader("service_source", default="unknown"), ("serviceSource",)),
    "detection_source": (enum_reader("detection_source", default="unknown"), ("detectionSource",)),
    "product_name": (filled_text, ("productName",)),
    "detector_id": (filled_text, ("detectorId",)),
    "investigation_state": (enum_reader("investigation_state", default="unknown"), ("investigationState",)),
    "assigned_to": (_assignee, ("assignedTo",)),
    "actor_display_name": (filled_text, ("actorDisplayName", "actorName")),
    "threat_display_name": (filled_text, ("threatDisplayName",)),
    "threat_family_name": (filled_text, ("threatFamilyName",)),
    "mitre_techniques": (texts, ("mitreTechniques",)),
    "created_date_time": (canonical_time, ("createdDateTime", "creationTime")),
    "last_update_date_time": (canonical_time, ("lastUpdateDateTime", "lastUpdatedTime", "lastUpdateTime")),
    "resolved_date_time": (canonical_time, ("resolvedDateTime", "resolvedTime")),
    "first_activity_date_time": (canonical_time, ("firstActivityDateTime", "firstActivity")),
    "last_activity_date_time": (canonical_time, ("lastActivityDateTime", "lastActivity")),
    "alert_web_url": (filled_text, ("alertWebUrl",)),
    "incident_web_url": (filled_text, ("incidentWebUrl",)),
    "alert_policy_id": (filled_text, ("alertPolicyId",)),
    "system_tags": (texts, ("systemTags",)),
    "custom_details": (lambda value: dict(value) if isinstance(value, Mapping) and value else None, ("customDetails",)),
    "additional_data": (lambda value: generic(value) or None, ("additionalData",)),
    "comments": (lambda value: [_comment(entry) for entry in objects(value)], ("comments",)),
}

# By what lists are sorted and divided: key of the schema, then the names of the field of an incident or an alert of Graph.
INSTANT_NAMES: Mapping[str, tuple[str, ...]] = {key: _INCIDENT_FIELDS[key][1] for key in ("last_update_date_time", "created_date_time")}

INCIDENT_KEYS: tuple[str, ...] = (*_INCIDENT_FIELDS, "alerts", "redirected_from", "redirected_to")
ALERT_KEYS: tuple[str, ...] = (*_ALERT_FIELDS, "evidence")


def normalise_incident(source: Mapping[str, Any], *, place: Place, with_alerts: bool = False, raw: bool = False) -> dict[str, Any]:
    """Return an incident of either service in the one schema.

    :param with_alerts: whether `alerts` holds the alerts in the one schema; None otherwise, and where the service sent none
        although it was asked to (an empty list says that there are none).
    :param raw: whether `raw` holds the service's own object.
    """
    incident = _read(source, _INCIDENT_FIELDS)
    incident["tenant_id"] = incident["tenant_id"] or place.tenant_id
    incident["incident_web_url"] = _link(incident["incident_web_url"], "incidents", incident["id"], place)
    alerts = source.get("alerts") if with_alerts else None
    incident["alerts"] = [normalise_alert(alert, place=place) for alert in objects(alerts)] if isinstance(alerts, list) else None
    incident["redirected_from"] = []
    incident["redirected_to"] = None
    if raw:
        incident["raw"] = dict(source)
    return incident


def normalise_alert(source: Mapping[str, Any], *, place: Place, raw: bool = False) -> dict[str, Any]:
    """Return an alert of either service in the one schema, its evidence included."""
    alert = _read(source, _ALERT_FIELDS)
    alert["tenant_id"] = alert["tenant_id"] or place.tenant_id
    # Graph's `category` gives way to `categories` in 2028; until then, and with the Defender API, each fills the other.
    alert["categories"] = alert["categories"] or texts(alert["category"])
    alert["category"] = alert["category"] or next(iter(alert["categories"]), None)
    alert["alert_web_url"] = _link(alert["alert_web_url"], "alerts", alert["id"], place)
    alert["incident_web_url"] = _link(alert["incident_web_url"], "incidents", alert["incident_id"], place)
    alert["evidence"] = evidence_of(source)
    if raw:
        alert["raw"] = dict(source)
    return alert


def version_of(source: Mapping[str, Any]) -> tuple[str, str]:
    """Return what tells one version of an incident of either service from another: its id and its last update."""
    return (
        identifier(first_of(source, "id", "incidentId")) or "",
        canonical_time(first_of(source, "lastUpdateDateTime", "lastUpdateTime")) or "",
    )


def malformed_in(source: Mapping[str, Any], key: str) -> int:
    """Return how many entries of a list in an incident or an alert are no objects, those of the lists in its alerts included.

    :param key: `alerts`, or a list of evidence.
    """
    value = source.get(key)
    if value is None:
        return 0
    if not isinstance(value, list):
        return 1
    found = sum(not isinstance(entry, Mapping) for entry in value)
    if key != "alerts":
        return found
    return found + sum(malformed_in(alert, name) for alert in objects(value) for name in EVIDENCE_LISTS)


def instant_of(source: Mapping[str, Any], key: str) -> str:
    """Return the canonical instant of one of `INSTANT_NAMES` in an object of either service, the empty text where there is none.

    The last instant that there is stands for none: no list can be divided behind it.
    """
    found = canonical_time(first_of(source, *INSTANT_NAMES[key]))
    return found if found is not None and found != LAST and is_instant(found) else ""


def _read(source: Mapping[str, Any], fields: Mapping[str, tuple[Reader, tuple[str, ...]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, (reader, names) in fields.items():
        value = source.get(names[0])
        # The loop over the other names costs more than the lookup: it is entered only where it can find something.
        if value is None and len(names) > 1:
            value = first_of(source, *names[1:])
        found[key] = reader(value)
    return found


def _comment(source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "comment": text(source.get("comment")),
        "created_by_display_name": filled_text(first_of(source, "createdByDisplayName", "createdBy")),
        "created_date_time": canonical_time(first_of(source, "createdDateTime", "createdTime")),
    }


def _link(given: str | None, kind: str, object_id: str | None, place: Place) -> str | None:
    return portal_link(given, portal_url=place.portal_url, kind=kind, object_id=object_id, tenant_id=place.tenant_id)
