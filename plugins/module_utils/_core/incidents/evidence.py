# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Evidence of alerts in one schema: Graph's typed evidence, and the Defender API's flat devices and entities.

`type` is Graph's type of evidence without its namespace (`device`, `user`, `analyzedMessage`). Known types have the same
keys whichever service answered; a type that is not known passes through with its keys in snake_case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .shapes import filled_text, first_of, generic, identifier, number, objects, texts
from .times import canonical_time
from .vocabulary import member

_COMMON = ("created_date_time", "verdict", "remediation_status", "remediation_status_details")
_COMMON_LISTS = ("roles", "detailed_roles", "tags")

_ACCOUNT = (
    "account_name",
    "domain_name",
    "user_sid",
    "azure_ad_user_id",
    "user_principal_name",
    "display_name",
    "active_directory_object_guid",
    "tenant_id",
    "resource_access_events",
)
_FILE = ("file_name", "file_path", "file_size", "sha1", "sha256", "sha256_ac", "md5", "file_publisher", "signer", "issuer")
_SENDER = ("display_name", "domain_name", "email_address")
_NESTED: Mapping[str, tuple[str, ...]] = {
    "user_account": _ACCOUNT,
    "file_details": _FILE,
    "image_file": _FILE,
    "parent_process_image_file": _FILE,
    "p1_sender": _SENDER,
    "p2_sender": _SENDER,
    "vm_metadata": ("vm_id", "cloud_provider", "resource_id", "subscription_id"),
}
_LISTS = frozenset(
    {
        "ip_interfaces",
        "logged_on_users",
        "network_message_ids",
        "resource_access_events",
        "threat_detection_methods",
        "threats",
        "urls",
    }
)
_REGISTRY = ("registry_hive", "registry_key")
_MESSAGE = (
    "network_message_id",
    "internet_message_id",
    "subject",
    "recipient_email_address",
    "sender_ip",
    "p1_sender",
    "p2_sender",
    "delivery_action",
    "delivery_location",
    "received_date_time",
    "urls",
    "url_count",
    "attachments_count",
    "threats",
    "threat_detection_methods",
    "anti_spam_direction",
    "language",
    "urn",
)
_DEVICE = (
    "mde_device_id",
    "azure_ad_device_id",
    "device_dns_name",
    "host_name",
    "nt_domain",
    "dns_domain",
    "os_platform",
    "os_build",
    "version",
    "health_status",
    "risk_score",
    "rbac_group_id",
    "rbac_group_name",
    "onboarding_status",
    "defender_av_status",
    "first_seen_date_time",
    "ip_interfaces",
    "last_ip_address",
    "last_external_ip_address",
    "logged_on_users",
    "vm_metadata",
    "resource_access_events",
)
_PROCESS = (
    "process_id",
    "process_command_line",
    "process_creation_date_time",
    "parent_process_id",
    "parent_process_creation_date_time",
    "image_file",
    "parent_process_image_file",
    "user_account",
    "detection_status",
    "mde_device_id",
)

# The keys of each known type of evidence, besides the common ones.
EVIDENCE_KEYS: Mapping[str, tuple[str, ...]] = {
    "device": _DEVICE,
    "user": ("user_account", "stream"),
    "file": ("file_details", "detection_status", "mde_device_id"),
    "process": _PROCESS,
    "ip": ("ip_address", "country_letter_code", "location", "stream"),
    "url": ("url",),
    "mailbox": ("primary_address", "display_name", "upn", "user_account"),
    "analyzedMessage": _MESSAGE,
    "mailCluster": ("cluster_by", "cluster_by_value", "email_count", "network_message_ids", "query", "urn"),
    "registryKey": _REGISTRY,
    "registryValue": (*_REGISTRY, "registry_value", "registry_value_name", "registry_value_type", "mde_device_id"),
    "securityGroup": ("security_group_id", "display_name", "sid", "distinguished_name", "friendly_name", "active_directory_object_guid"),
    "cloudApplication": ("app_id", "display_name", "instance_id", "instance_name", "saas_app_id", "stream"),
    "oauthApplication": ("app_id", "display_name", "object_id", "publisher"),
}

# The lists of an alert that hold evidence: Graph's, then the Defender API's.
EVIDENCE_LISTS = ("evidence", "devices", "entities")

_TYPE_OF_ENTITY: Mapping[str, str] = {
    "user": "user",
    "ip": "ip",
    "url": "url",
    "file": "file",
    "process": "process",
    "mailbox": "mailbox",
    "mailmessage": "analyzedMessage",
    "mailcluster": "mailCluster",
    "registry": "registryKey",
    "registrykey": "registryKey",
    "registryvalue": "registryValue",
    "securitygroup": "securityGroup",
    "cloudapplication": "cloudApplication",
    "oauthapplication": "oauthApplication",
    "machine": "device",
    "device": "device",
}

# Graph's keys of a device, and what the Defender API calls them where that is another name.
_DEVICE_SOURCES: Mapping[str, str] = {
    "mdatpDeviceId": "mdeDeviceId",
    "aadDeviceId": "azureAdDeviceId",
    "firstSeen": "firstSeenDateTime",
}


def evidence_of(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the evidence of an alert of either service: its devices first, the rest in the service's order."""
    found = [_from_graph(item) for item in objects(source.get("evidence"))]
    found += [_from_device(item) for item in objects(source.get("devices"))]
    found += [_from_entity(item) for item in objects(source.get("entities"))]
    return sorted(found, key=lambda item: item["type"] != "device")


def _from_graph(item: Mapping[str, Any]) -> dict[str, Any]:
    name = str(item.get("@odata.type") or "").rpartition(".")[2].lstrip("#")
    name = name[: -len("Evidence")] if name.endswith("Evidence") else name
    return _shaped(name[:1].lower() + name[1:] or "unknown", generic(item))


def _from_device(item: Mapping[str, Any]) -> dict[str, Any]:
    return _shaped("device", generic({_DEVICE_SOURCES.get(key, key): value for key, value in item.items()}))


def _from_entity(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evidence of a flat entity, in which every key of every type is present and mostly null."""
    entity_type = str(item.get("entityType") or "unknown")
    kind = _TYPE_OF_ENTITY.get(entity_type.lower().replace(" ", "").replace("_", ""))
    if kind == "registryKey" and first_of(item, "registryValue", "registryValueType", "registryValueName") is not None:
        kind = "registryValue"
    common = {
        "created_date_time": canonical_time(first_of(item, "evidenceCreationTime", "createdDateTime")),
        "verdict": member("verdict", item.get("verdict")),
        "remediation_status": member("remediation_status", item.get("remediationStatus")),
        "remediation_status_details": filled_text(item.get("remediationStatusDetails")),
        "roles": [member("role", role) for role in texts(first_of(item, "evidenceRoles", "roles"))],
        "detailed_roles": texts(item.get("detailedRoles")),
        "tags": texts(item.get("tags")),
        "detection_status": member("detection_status", item.get("detectionStatus")),
    }
    if kind is None:
        known = {key: value for key, value in item.items() if value is not None and key not in ("entityType", "evidenceCreationTime")}
        return _shaped(entity_type[:1].lower() + entity_type[1:], {**generic(known), **common})
    return _shaped(kind, {**common, **_entity_members(kind, item)})


def _entity_members(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a flat entity under Graph's names; flat ones that Graph nests are nested."""
    if kind in ("url", "ip"):
        return {key: item.get(source) for key, source in (("url", "url"), ("ip_address", "ipAddress"))}
    if kind == "user":
        return {"user_account": _account(item)}
    if kind == "file":
        return {"file_details": _file(item), "mde_device_id": item.get("deviceId")}
    if kind == "process":
        return _process(item)
    if kind == "mailbox":
        return {
            "primary_address": item.get("mailboxAddress"),
            "display_name": item.get("mailboxDisplayName"),
            "upn": item.get("userPrincipalName"),
            "user_account": _account(item),
        }
    if kind == "analyzedMessage":
        return _message(item)
    if kind == "mailCluster":
        return {"cluster_by": item.get("clusterBy"), "cluster_by_value": item.get("clusterByValue")}
    if kind in ("registryKey", "registryValue"):
        names = ("registryHive", "registryKey", "registryValue", "registryValueName", "registryValueType")
        return {**generic({name: item.get(name) for name in names}), "mde_device_id": item.get("deviceId")}
    if kind == "securityGroup":
        return {"security_group_id": item.get("securityGroupId"), "display_name": item.get("securityGroupName")}
    if kind in ("cloudApplication", "oauthApplication"):
        return {"app_id": identifier(item.get("applicationId")), "display_name": item.get("applicationName")}
    return {"mde_device_id": item.get("deviceId"), "device_dns_name": item.get("deviceDnsName")}


def _account(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "account_name": item.get("accountName"),
        "domain_name": item.get("domainName"),
        "user_sid": item.get("userSid"),
        "azure_ad_user_id": item.get("aadUserId"),
        "user_principal_name": item.get("userPrincipalName"),
    }


def _file(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "file_name": item.get("fileName"),
        "file_path": item.get("filePath"),
        "sha1": item.get("sha1"),
        "sha256": item.get("sha256"),
    }


def _process(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "process_id": number(item.get("processId")),
        "process_command_line": item.get("processCommandLine"),
        "process_creation_date_time": canonical_time(item.get("processCreationTime")),
        "parent_process_id": number(item.get("parentProcessId")),
        "parent_process_creation_date_time": canonical_time(item.get("parentProcessCreationTime")),
        "image_file": _file(item),
        "parent_process_image_file": {
            "file_name": item.get("parentProcessFileName"),
            "file_path": item.get("parentProcessFilePath"),
        },
        "user_account": _account(item),
        "mde_device_id": item.get("deviceId"),
    }


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mail; its `sender` is the one people see (P2, RFC 5322), which is what the Defender API shows."""
    return {
        "subject": item.get("subject"),
        "recipient_email_address": item.get("recipient"),
        "p2_sender": {"email_address": item.get("sender")},
        "delivery_action": item.get("deliveryAction"),
        "sender_ip": item.get("ipAddress"),
    }


def _shaped(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence with the keys of its type in their order, all present; what else was found stays for unknown types."""
    shaped: dict[str, Any] = {"type": kind}
    shaped.update({key: found.get(key) for key in _COMMON})
    shaped.update({key: found.get(key) or [] for key in _COMMON_LISTS})
    if kind not in EVIDENCE_KEYS:
        shaped.update({key: value for key, value in found.items() if key not in shaped})
        return shaped
    for key in EVIDENCE_KEYS[kind]:
        value = found.get(key)
        if key in _NESTED:
            shaped[key] = _nested(value, _NESTED[key])
        elif key in _LISTS:
            shaped[key] = value if isinstance(value, list) else []
        elif key == "app_id":
            shaped[key] = identifier(value)
        else:
            shaped[key] = value
    return shaped


def _nested(value: Any, keys: Iterable[str]) -> dict[str, Any] | None:
    """Return a nested object with all its keys, or None where it says nothing."""
    if not isinstance(value, Mapping) or not any(entry not in (None, "", []) for entry in value.values()):
        return None
    shaped = {key: value.get(key) for key in keys}
    for key in _LISTS & shaped.keys():
        shaped[key] = shaped[key] or []
    return shaped
