# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph's JSON of a neutral record: string ids, members that begin small, alerts only on demand, evidence as typed items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from . import vocabulary as v
from .model import TENANT_MARK, Alert, Comment, Evidence, Incident
from .times import iso, iso_or_none

Json = dict[str, Any]
_PORTAL: Final = "https://security.microsoft.com"
_EVIDENCE_TYPE: Final = "#microsoft.graph.security.{}Evidence"
_HIDDEN: Final = {
    name: v.hidden_members(members)
    for name, members in {
        "status": v.INCIDENT_STATUSES,
        "serviceSource": v.SERVICE_SOURCES,
        "detectionSource": v.DETECTION_SOURCES,
        "remediationStatus": v.REMEDIATIONS,
    }.items()
}


def member(name: str, value: str, *, all_members: bool) -> str:
    """Return an enumeration member as the caller may see it; without ``Prefer: include-unknown-enum-members`` the newer ones are hidden."""
    return value if all_members or value not in _HIDDEN[name] else v.FUTURE


def incident_url(incident_id: int) -> str:
    """Return the portal's deep link to an incident, with the tenant."""
    return f"{_PORTAL}/incidents/{incident_id}?tid={TENANT_MARK}"


def comments(items: Sequence[Comment]) -> list[Json]:
    """Return comments as Graph writes them."""
    return [{"comment": item.text, "createdByDisplayName": item.created_by, "createdDateTime": iso(item.created)} for item in items]


def incident(record: Incident, alerts: Sequence[Alert] | None = None, *, all_members: bool = False) -> Json:
    """Return an incident; with ``alerts`` as ``$expand=alerts`` gives it."""
    shape: Json = {
        "id": str(record.id),
        "tenantId": TENANT_MARK,
        "status": member("status", record.status, all_members=all_members),
        "incidentWebUrl": incident_url(record.id),
        "redirectIncidentId": None if record.redirect_id is None else str(record.redirect_id),
        "displayName": record.name,
        "createdDateTime": iso(record.created),
        "lastUpdateDateTime": iso(record.last_update),
        "assignedTo": record.assigned_to or None,
        "classification": record.classification,
        "determination": record.determination,
        "severity": record.severity,
        "customTags": list(record.tags),
        "systemTags": list(record.system_tags),
        "description": record.description,
        "lastModifiedBy": record.last_modified_by,
        "resolvingComment": record.resolving_comment,
        "summary": record.summary,
        "priorityScore": record.priority_score,
        "comments": comments(record.comments),
    }
    if alerts is not None:
        shape["alerts"] = [alert(one, all_members=all_members) for one in alerts]
    return shape


def alert(record: Alert, *, all_members: bool = False) -> Json:
    """Return an alert of alerts_v2."""
    return {
        "id": record.id,
        "providerAlertId": record.provider_alert_id,
        "incidentId": str(record.incident_id),
        "status": record.status,
        "severity": record.severity,
        "classification": record.classification,
        "determination": record.determination,
        "serviceSource": member("serviceSource", record.service_source, all_members=all_members),
        "detectionSource": member("detectionSource", record.detection_source, all_members=all_members),
        "productName": record.product_name,
        "detectorId": record.detector_id,
        "tenantId": TENANT_MARK,
        "title": record.title,
        "description": record.description,
        "recommendedActions": record.recommended_actions,
        "category": record.category,
        "categories": [record.category],
        "assignedTo": record.assigned_to or None,
        "alertWebUrl": f"{_PORTAL}/alerts/{record.id}?tid={TENANT_MARK}",
        "incidentWebUrl": incident_url(record.incident_id),
        "actorDisplayName": record.actor,
        "threatDisplayName": record.threat_display_name,
        "threatFamilyName": record.threat_family,
        "mitreTechniques": list(record.techniques),
        "createdDateTime": iso(record.created),
        "lastUpdateDateTime": iso(record.last_update),
        "resolvedDateTime": iso_or_none(record.resolved),
        "firstActivityDateTime": iso(record.first_activity),
        "lastActivityDateTime": iso(record.last_activity),
        "systemTags": list(record.system_tags),
        "alertPolicyId": record.alert_policy_id,
        "investigationState": record.investigation_state,
        "additionalData": record.additional_data,
        "customDetails": record.custom_details,
        "comments": comments(record.comments),
        "evidence": [evidence(item, all_members=all_members) for item in record.evidence],
    }


def evidence(item: Evidence, *, all_members: bool = False) -> Json:
    """Return an evidence item with its ``@odata.type``."""
    return {
        "@odata.type": _EVIDENCE_TYPE.format(item.kind),
        "createdDateTime": iso(item.created),
        "verdict": item.verdict,
        "remediationStatus": member("remediationStatus", item.remediation, all_members=all_members),
        "remediationStatusDetails": item.remediation_details,
        "roles": list(item.roles),
        "detailedRoles": list(item.detailed_roles),
        "tags": list(item.tags),
        **_OWN[item.kind](item.data),
    }


def _device(data: Json) -> Json:
    return {
        "firstSeenDateTime": iso(data["first_seen"]),
        "mdeDeviceId": data["mde_id"],
        "azureAdDeviceId": data["aad_id"],
        "deviceDnsName": data["dns_name"],
        "hostName": data["host_name"],
        "ntDomain": data["nt_domain"],
        "dnsDomain": data["dns_domain"],
        "osPlatform": data["os_platform"],
        "osBuild": data["os_build"],
        "version": data["version"],
        "healthStatus": data["health"],
        "riskScore": data["risk"],
        "rbacGroupId": data["rbac_group_id"],
        "rbacGroupName": data["rbac_group_name"],
        "onboardingStatus": data["onboarding"],
        "defenderAvStatus": data["av_status"],
        "lastIpAddress": data["last_ip"],
        "lastExternalIpAddress": data["last_external_ip"],
        "ipInterfaces": list(data["ip_interfaces"]),
        "vmMetadata": data["vm"],
        "loggedOnUsers": [{"accountName": account, "domainName": domain} for account, domain in data["logged_on"]],
        "resourceAccessEvents": [],
    }


def _account(data: Json) -> Json:
    return {
        "accountName": data["account"],
        "domainName": data["domain"],
        "userSid": data["sid"],
        "azureAdUserId": data["aad_id"],
        "userPrincipalName": data["upn"],
        "displayName": data["display_name"],
        "activeDirectoryObjectGuid": data["ad_guid"],
        "tenantId": TENANT_MARK,
        "resourceAccessEvents": [],
    }


def _process(data: Json) -> Json:
    return {
        "processId": data["pid"],
        "processCommandLine": data["command_line"],
        "processCreationDateTime": iso(data["started"]),
        "parentProcessId": data["parent_pid"],
        "parentProcessCreationDateTime": iso(data["parent_started"]),
        "imageFile": data["file"],
        "parentProcessImageFile": data["parent_file"],
        "userAccount": _account(data["user"]),
        "detectionStatus": data["detection_status"],
        "mdeDeviceId": data["mde_id"],
    }


def _message(data: Json) -> Json:
    return {
        "networkMessageId": data["network_message_id"],
        "internetMessageId": data["internet_message_id"],
        "subject": data["subject"],
        "recipientEmailAddress": data["recipient"],
        "senderIp": data["sender_ip"],
        "p1Sender": data["p1_sender"],
        "p2Sender": data["p2_sender"],
        "deliveryAction": data["delivery_action"],
        "deliveryLocation": data["delivery_location"],
        "receivedDateTime": iso(data["received"]),
        "urls": list(data["urls"]),
        "urlCount": len(data["urls"]),
        "attachmentsCount": data["attachments"],
        "threats": list(data["threats"]),
        "threatDetectionMethods": list(data["methods"]),
        "antiSpamDirection": data["direction"],
        "language": data["language"],
        "urn": data["urn"],
    }


def _cluster(data: Json) -> Json:
    return {
        "clusterBy": data["cluster_by"],
        "clusterByValue": data["cluster_by_value"],
        "emailCount": data["email_count"],
        "networkMessageIds": list(data["network_message_ids"]),
        "query": data["query"],
        "urn": data["urn"],
    }


def _registry_value(data: Json) -> Json:
    return {
        "registryHive": data["hive"],
        "registryKey": data["key"],
        "registryValue": data["value"],
        "registryValueName": data["name"],
        "registryValueType": data["type"],
        "mdeDeviceId": data["mde_id"],
    }


def _group(data: Json) -> Json:
    return {
        "securityGroupId": data["group_id"],
        "displayName": data["display_name"],
        "sid": data["sid"],
        "distinguishedName": data["distinguished_name"],
        "friendlyName": data["friendly_name"],
        "activeDirectoryObjectGuid": data["ad_guid"],
    }


_OWN: Final[Mapping[str, Callable[[Json], Json]]] = {
    "device": _device,
    "user": lambda data: {"userAccount": _account(data), "stream": None},
    "file": lambda data: {"fileDetails": data["file"], "detectionStatus": data["detection_status"], "mdeDeviceId": data["mde_id"]},
    "process": _process,
    "ip": lambda data: {"ipAddress": data["address"], "countryLetterCode": data["country"], "location": None, "stream": None},
    "url": lambda data: {"url": data["url"]},
    "mailbox": lambda data: {
        "primaryAddress": data["address"],
        "displayName": data["display_name"],
        "upn": data["upn"],
        "userAccount": _account(data["user"]),
    },
    "analyzedMessage": _message,
    "mailCluster": _cluster,
    "registryKey": lambda data: {"registryKey": data["key"], "registryHive": data["hive"]},
    "registryValue": _registry_value,
    "securityGroup": _group,
    "cloudApplication": lambda data: {
        "appId": data["app_id"],
        "displayName": data["display_name"],
        "instanceId": data["instance_id"],
        "instanceName": data["instance_name"],
        "saasAppId": data["saas_app_id"],
        "stream": None,
    },
    "oauthApplication": lambda data: {
        "appId": data["app_id"],
        "displayName": data["display_name"],
        "objectId": data["object_id"],
        "publisher": data["publisher"],
    },
}

# Every enumeration by the name of its property, for the hostile mode that writes members with a capital.
ENUM_PROPERTIES: Final = frozenset(
    {
        "status",
        "classification",
        "determination",
        "severity",
        "serviceSource",
        "detectionSource",
        "investigationState",
        "verdict",
        "remediationStatus",
    }
)
