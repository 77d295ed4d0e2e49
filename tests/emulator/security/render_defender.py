# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Defender API's JSON of a neutral record: numeric ids, capital members, alerts inline, devices apart from entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from . import vocabulary as v
from .model import TENANT_MARK, Alert, Comment, Evidence, Incident
from .times import iso, iso_or_none

Json = dict[str, Any]


def incident(record: Incident, alerts: Sequence[Alert], *, resource_page: bool = False) -> Json:
    """Return an incident with its alerts.

    :param resource_page: spell determinations as the resource page does, not as the update page does.
    """
    return {
        "incidentId": record.id,
        "incidentUri": f"https://security.microsoft.com/incidents/{record.id}?tid={TENANT_MARK}",
        "redirectIncidentId": record.redirect_id,
        "incidentName": record.name,
        "createdTime": iso(record.created),
        "lastUpdateTime": iso(record.last_update),
        # An owner that was cleared with an empty text reads like this.
        "assignedTo": "Unassigned" if record.assigned_to == "" else record.assigned_to,
        "classification": v.pascal(record.classification),
        "determination": v.defender_determination(record.determination, resource_page=resource_page),
        "status": v.pascal(record.status),
        "severity": v.defender_severity(record.severity),
        "tags": list(record.tags),
        "comments": [_comment(item) for item in record.comments],
        "alerts": [alert(one, resource_page=resource_page) for one in alerts],
    }


def _comment(item: Comment) -> Json:
    return {"comment": item.text, "createdBy": item.created_by, "createdTime": iso(item.created)}


def alert(record: Alert, *, resource_page: bool = False) -> Json:
    """Return an alert as it stands inside an incident."""
    return {
        "alertId": record.id,
        "providerAlertId": record.provider_alert_id,
        "incidentId": record.incident_id,
        "serviceSource": v.defender_service_source(record.service_source, old_name=record.old_source_name),
        "creationTime": iso(record.created),
        "lastUpdatedTime": iso(record.last_update),
        "resolvedTime": iso_or_none(record.resolved),
        "firstActivity": iso(record.first_activity),
        "lastActivity": iso(record.last_activity),
        "title": record.title,
        "description": record.description,
        "category": record.category,
        "status": v.pascal(record.status),
        "severity": v.defender_severity(record.severity),
        "investigationId": record.investigation_id,
        "investigationState": v.pascal(record.investigation_state),
        "classification": None if record.classification == "unknown" else v.pascal(record.classification),
        "determination": (
            None
            if record.determination == "unknown" and record.classification == "unknown"
            else v.defender_determination(record.determination, resource_page=resource_page)
        ),
        "detectionSource": v.defender_detection_source(record.detection_source),
        "detectorId": record.detector_id,
        "assignedTo": "Unassigned" if record.assigned_to == "" else record.assigned_to,
        "actorName": record.actor,
        "threatFamilyName": record.threat_family,
        "mitreTechniques": list(record.techniques),
        "devices": [_device(item.data) for item in record.evidence if item.kind == "device"],
        "entities": [_entity(item) for item in record.evidence if item.kind != "device"],
    }


def _device(data: Json) -> Json:
    return {
        "mdatpDeviceId": data["mde_id"],
        "aadDeviceId": data["aad_id"],
        "deviceDnsName": data["dns_name"],
        "osPlatform": data["os_platform"],
        "version": data["version"],
        "osProcessor": data["os_processor"],
        "osBuild": data["os_build"],
        "healthStatus": v.pascal(data["health"]),
        "riskScore": v.pascal(data["risk"]),
        "rbacGroupName": data["rbac_group_name"],
        "rbacGroupId": data["rbac_group_id"],
        "firstSeen": iso(data["first_seen"]),
        "tags": list(data["tags"]),
        "defenderAvStatus": v.pascal(data["av_status"]),
        "onboardingStatus": v.pascal(data["onboarding"]),
        "vmMetadata": data["vm"],
        "loggedOnUsers": [{"accountName": account, "domainName": domain} for account, domain in data["logged_on"]],
    }


# One flat object for every kind of entity: each key is always there, null where it does not apply.
_EMPTY_ENTITY: Final[Json] = dict.fromkeys(
    (
        "entityType", "evidenceCreationTime", "verdict", "remediationStatus", "sha1", "sha256", "fileName", "filePath", "processId",
        "processCommandLine", "processCreationTime", "parentProcessId", "parentProcessCreationTime", "parentProcessFileName",
        "parentProcessFilePath", "ipAddress", "url", "accountName", "domainName", "userSid", "aadUserId", "userPrincipalName",
        "mailboxDisplayName", "mailboxAddress", "clusterBy", "sender", "recipient", "subject", "deliveryAction", "securityGroupId",
        "securityGroupName", "registryHive", "registryKey", "registryValueType", "registryValue", "deviceId", "applicationId",
        "applicationName",
    )
)  # fmt: skip


def _entity(item: Evidence) -> Json:
    entity_type, own = _ENTITIES[item.kind]
    return {
        **_EMPTY_ENTITY,
        "entityType": entity_type,
        "evidenceCreationTime": iso(item.created),
        "verdict": v.pascal(item.verdict),
        "remediationStatus": v.pascal(item.remediation),
        **own(item.data),
    }


def _account(data: Json) -> Json:
    return {
        "accountName": data["account"],
        "domainName": data["domain"],
        "userSid": data["sid"],
        "aadUserId": data["aad_id"],
        "userPrincipalName": data["upn"],
    }


def _file(data: Json) -> Json:
    details = data["file"]
    return {key: details[key] for key in ("sha1", "sha256", "fileName", "filePath")} | {"deviceId": data["mde_id"]}


def _process(data: Json) -> Json:
    return {
        **_file(data),
        **_account(data["user"]),
        "processId": data["pid"],
        "processCommandLine": data["command_line"],
        "processCreationTime": iso(data["started"]),
        "parentProcessId": data["parent_pid"],
        "parentProcessCreationTime": iso(data["parent_started"]),
        "parentProcessFileName": data["parent_file"]["fileName"],
        "parentProcessFilePath": data["parent_file"]["filePath"],
    }


def _message(data: Json) -> Json:
    return {
        "sender": data["p2_sender"]["emailAddress"],
        "recipient": data["recipient"],
        "subject": data["subject"],
        "deliveryAction": data["delivery_action"],
    }


def _registry(data: Json) -> Json:
    return {"registryHive": data["hive"], "registryKey": data["key"], "deviceId": data["mde_id"]}


_ENTITIES: Final[Mapping[str, tuple[str, Callable[[Json], Json]]]] = {
    "user": ("User", _account),
    "file": ("File", _file),
    "process": ("Process", _process),
    "ip": ("Ip", lambda data: {"ipAddress": data["address"]}),
    "url": ("Url", lambda data: {"url": data["url"]}),
    "mailbox": (
        "MailBox",
        lambda data: {
            "mailboxDisplayName": data["display_name"],
            "mailboxAddress": data["address"],
            "userPrincipalName": data["upn"],
            "aadUserId": data["user"]["aad_id"],
        },
    ),
    "analyzedMessage": ("MailMessage", _message),
    "mailCluster": ("MailCluster", lambda data: {"clusterBy": data["cluster_by"]}),
    "registryKey": ("Registry", _registry),
    "registryValue": (
        "Registry",
        lambda data: {**_registry(data), "registryValueType": data["type"], "registryValue": data["value"]},
    ),
    "securityGroup": ("SecurityGroup", lambda data: {"securityGroupId": data["group_id"], "securityGroupName": data["display_name"]}),
    "cloudApplication": (
        "CloudApplication",
        lambda data: {"applicationId": data["app_id"], "applicationName": data["display_name"]},
    ),
    "oauthApplication": (
        "OAuthApplication",
        lambda data: {"applicationId": data["app_id"], "applicationName": data["display_name"]},
    ),
}
