# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for the same incident as each of the two services writes it.

Only what both services have is generated; what the Defender API lacks is left out of Graph's form too.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import vocabulary as v
from hypothesis import strategies as st

Json = dict[str, Any]
Twin = tuple[Any, Any]

_DETERMINATIONS = {
    "unknown": ("NotAvailable",),
    "notMalicious": ("Clean", "NotMalicious"),
    "notEnoughDataToValidate": ("NoEnoughDataToValidate", "InsufficientData"),
    "compromisedAccount": ("CompromisedAccount", "CompromisedUser"),
    "confirmedActivity": ("ConfirmedActivity", "ConfirmedUserActivity"),
}
_SOURCES = {
    "microsoftDefenderForEndpoint": ("MicrosoftDefenderATP", "MicrosoftDefenderForEndpoint"),
    "microsoftDefenderForOffice365": ("OfficeATP", "MicrosoftDefenderForOffice365"),
    "microsoftDefenderForCloudApps": ("MicrosoftCloudAppSecurity",),
    "microsoftDefenderForIdentity": ("AzureATP",),
    "azureAdIdentityProtection": ("AAD Identity Protection",),
}
_DETECTIONS = {"cloudAppSecurity": ("MCAS",), "antivirus": ("WindowsDefenderAv",), "microsoftDefenderForEndpoint": ("WindowsDefenderAtp",)}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
filled = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda text: text.lower() != "unassigned")
maybe = st.none() | filled
names = st.lists(filled, max_size=3)


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


def members(enum: str, spellings: dict[str, tuple[str, ...]] | None = None) -> st.SearchStrategy[Twin]:
    """A member of an enumeration of Graph, and one of the ways in which the Defender API writes it."""
    special = {**(spellings or {}), **({"unknown": ("UnSpecified",)} if enum == "severity" else {})}
    known = [name for name in v.ENUMS[enum] if name != "unknownFutureValue"]
    return st.sampled_from(known).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(special.get(name, (_pascal(name),)))))


instants = st.builds(
    lambda day, second, ticks: f"2026-01-{day:02d}T00:00:{second:02d}" + (f".{ticks:07d}".rstrip("0") if ticks else "") + "Z",
    st.integers(1, 31),
    st.integers(0, 59),
    st.integers(0, 9_999_999),
)
maybe_instants = st.none() | instants
numbers = st.integers(1, 2**53)


@st.composite
def incidents(draw: st.DrawFn) -> Twin:
    """An incident with its alerts."""
    number, redirect = draw(numbers), draw(st.none() | numbers)
    name, assigned, tags = draw(texts), draw(maybe), draw(names)
    created, updated = draw(instants), draw(instants)
    status, severity = draw(members("incident_status")), draw(members("severity"))
    classification, determination = draw(members("classification")), draw(members("determination", _DETERMINATIONS))
    comments, found = draw(st.lists(_comments(), max_size=2)), draw(st.lists(alerts(), max_size=2))
    graph = {
        "id": str(number),
        "redirectIncidentId": None if redirect is None else str(redirect),
        "displayName": name,
        "assignedTo": assigned,
        "customTags": tags,
        "createdDateTime": created,
        "lastUpdateDateTime": updated,
        "status": status[0],
        "severity": severity[0],
        "classification": classification[0],
        "determination": determination[0],
        "comments": [comment[0] for comment in comments],
        "alerts": [alert[0] for alert in found],
    }
    defender = {
        "incidentId": number,
        "redirectIncidentId": redirect,
        "incidentName": name,
        "assignedTo": assigned,
        "tags": tags,
        "createdTime": created,
        "lastUpdateTime": updated,
        "status": status[1],
        "severity": severity[1],
        "classification": classification[1],
        "determination": determination[1],
        "comments": [comment[1] for comment in comments],
        "alerts": [alert[1] for alert in found],
        "entities": [],
    }
    return _with_extras(draw, graph), _with_extras(draw, defender)


def _with_extras(draw: st.DrawFn, shape: Json) -> Json:
    """Add what nobody knows yet, and drop what is null half of the time: a missing field says as much."""
    kept = {key: value for key, value in shape.items() if value is not None or draw(st.booleans())}
    return {**kept, **({"somethingNewer": {"nested": [1, None]}} if draw(st.booleans()) else {})}


@st.composite
def _comments(draw: st.DrawFn) -> Twin:
    said, author, created = draw(texts), draw(maybe), draw(instants)
    graph = {"comment": said, "createdByDisplayName": author, "createdDateTime": created}
    return graph, {"comment": said, "createdBy": author, "createdTime": created}


@st.composite
def alerts(draw: st.DrawFn) -> Twin:
    """An alert with its evidence."""
    own = {key: draw(maybe) for key in ("detectorId", "assignedTo", "threatFamilyName", "providerAlertId", "description")}
    own["title"] = draw(texts)
    alert_id, incident, actor, category, techniques = draw(filled), draw(numbers), draw(maybe), draw(maybe), draw(names)
    times = {name: draw(maybe_instants) for name in ("created", "updated", "resolved", "first", "last")}
    twins = {
        "status": draw(members("alert_status", {"inProgress": ("InProgress", "Active")})),
        "severity": draw(members("severity")),
        "classification": draw(members("classification") | st.just(("unknown", None))),
        "determination": draw(members("determination", _DETERMINATIONS) | st.just(("unknown", None))),
        "serviceSource": draw(members("service_source", _SOURCES)),
        "detectionSource": draw(members("detection_source", _DETECTIONS)),
        "investigationState": draw(members("investigation_state")),
    }
    devices, entities = draw(st.lists(_devices(), max_size=2)), draw(st.lists(_entities(), max_size=3))
    graph = {
        **own,
        **{key: twin[0] for key, twin in twins.items()},
        "id": alert_id,
        "incidentId": str(incident),
        "actorDisplayName": actor,
        "category": category,
        "mitreTechniques": techniques,
        "createdDateTime": times["created"],
        "lastUpdateDateTime": times["updated"],
        "resolvedDateTime": times["resolved"],
        "firstActivityDateTime": times["first"],
        "lastActivityDateTime": times["last"],
        "evidence": _mixed(draw, devices, entities),
    }
    defender = {
        **own,
        **{key: twin[1] for key, twin in twins.items()},
        "alertId": alert_id,
        "incidentId": incident,
        "investigationId": draw(st.none() | numbers),
        "actorName": actor,
        "category": category,
        "mitreTechniques": techniques,
        "creationTime": times["created"],
        "lastUpdatedTime": times["updated"],
        "resolvedTime": times["resolved"],
        "firstActivity": times["first"],
        "lastActivity": times["last"],
        "devices": [device[1] for device in devices],
        "entities": [entity[1] for entity in entities],
    }
    return graph, defender


def _mixed(draw: st.DrawFn, devices: list[Twin], entities: list[Twin]) -> list[Json]:
    """Return Graph's one list of evidence, devices anywhere among the rest."""
    mixed = [entity[0] for entity in entities]
    for device in devices:
        mixed.insert(draw(st.integers(0, len(mixed))), device[0])
    in_order = [device[0] for device in devices]
    rest = [item for item in mixed if not any(item is device for device in in_order)]
    kinds = [any(item is device for device in in_order) for item in mixed]
    return [in_order.pop(0) if is_device else rest.pop(0) for is_device in kinds]


@st.composite
def _devices(draw: st.DrawFn) -> Twin:
    twins = {
        "healthStatus": draw(members("health_status")),
        "riskScore": draw(members("risk_score")),
        "onboardingStatus": draw(members("onboarding_status")),
        "defenderAvStatus": draw(members("defender_av_status")),
    }
    own: Json = {key: draw(maybe) for key in ("deviceDnsName", "osPlatform", "version", "rbacGroupName")}
    own |= {"osBuild": draw(st.none() | numbers), "rbacGroupId": draw(st.none() | numbers), "tags": draw(names)}
    own["loggedOnUsers"] = [{"accountName": draw(filled), "domainName": draw(maybe)}] if draw(st.booleans()) else []
    own["vmMetadata"] = {"vmId": draw(filled), "cloudProvider": "azure"} if draw(st.booleans()) else None
    mde, aad, seen = draw(maybe), draw(maybe), draw(maybe_instants)
    graph = {"@odata.type": "#microsoft.graph.security.deviceEvidence", **own, **{key: twin[0] for key, twin in twins.items()}}
    graph |= {"mdeDeviceId": mde, "azureAdDeviceId": aad, "firstSeenDateTime": seen}
    defender = {**own, **{key: twin[1] for key, twin in twins.items()}, "mdatpDeviceId": mde, "aadDeviceId": aad, "firstSeen": seen}
    return graph, {**defender, "osProcessor": "x64"}


@st.composite
def _entities(draw: st.DrawFn) -> Twin:
    kind = draw(st.sampled_from(sorted(_ENTITIES)))
    entity_type, own_keys = _ENTITIES[kind]
    values: Json = {}
    for key in own_keys:
        is_number = key in ("processId", "parentProcessId") or (key == "applicationId" and kind == "cloudApplication")
        values[key] = draw(st.none() | numbers) if is_number else draw(maybe_instants) if key.endswith("Time") else draw(maybe)
    if kind == "registryValue":
        values["registryValue"] = draw(filled)
    created, verdict, remediation = draw(maybe_instants), draw(members("verdict")), draw(members("remediation_status"))
    defender = {**dict.fromkeys(_all_keys()), **values, "entityType": entity_type, "evidenceCreationTime": created}
    defender |= {"verdict": verdict[1], "remediationStatus": remediation[1]}
    graph = {
        "@odata.type": f"#microsoft.graph.security.{kind}Evidence",
        "createdDateTime": created,
        "verdict": verdict[0],
        "remediationStatus": remediation[0],
        **_nested(kind, values),
    }
    return graph, defender


_ACCOUNT = ("accountName", "domainName", "userSid", "aadUserId", "userPrincipalName")
_FILE = ("sha1", "sha256", "fileName", "filePath")
_PROCESS = (
    *("processId", "processCommandLine", "processCreationTime", "parentProcessId", "parentProcessCreationTime"),
    *("parentProcessFileName", "parentProcessFilePath"),
)
_ENTITIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "user": ("User", _ACCOUNT),
    "ip": ("Ip", ("ipAddress",)),
    "url": ("Url", ("url",)),
    "file": ("File", (*_FILE, "deviceId")),
    "process": (
        "Process",
        (*_ACCOUNT, *_FILE, "deviceId", *_PROCESS),
    ),
    "mailbox": ("MailBox", ("mailboxDisplayName", "mailboxAddress", "userPrincipalName", "aadUserId")),
    "analyzedMessage": ("MailMessage", ("sender", "recipient", "subject", "deliveryAction")),
    "mailCluster": ("MailCluster", ("clusterBy",)),
    "registryKey": ("Registry", ("registryHive", "registryKey")),
    "registryValue": ("Registry", ("registryHive", "registryKey", "registryValue", "registryValueType", "deviceId")),
    "securityGroup": ("SecurityGroup", ("securityGroupId", "securityGroupName")),
    "cloudApplication": ("CloudApplication", ("applicationId", "applicationName")),
    "oauthApplication": ("OAuthApplication", ("applicationId", "applicationName")),
}


def _all_keys() -> set[str]:
    """Return every key of an entity: the Defender API writes all of them, null where they do not apply."""
    return {key for _entity_type, keys in _ENTITIES.values() for key in keys}


def _nested(kind: str, flat: Json) -> Json:
    """Return the own members of Graph's evidence."""
    account = {("azureAdUserId" if key == "aadUserId" else key): flat.get(key) for key in _ACCOUNT}
    file = {key: flat.get(key) for key in ("sha1", "sha256", "fileName", "filePath")}
    parent = {"fileName": flat.get("parentProcessFileName"), "filePath": flat.get("parentProcessFilePath")}
    by_kind: dict[str, Json] = {
        "user": {"userAccount": account},
        "ip": {"ipAddress": flat.get("ipAddress")},
        "url": {"url": flat.get("url")},
        "file": {"fileDetails": file, "mdeDeviceId": flat.get("deviceId")},
        "process": {
            **{key: flat.get(key) for key in ("processId", "processCommandLine", "parentProcessId")},
            "processCreationDateTime": flat.get("processCreationTime"),
            "parentProcessCreationDateTime": flat.get("parentProcessCreationTime"),
            "imageFile": file,
            "parentProcessImageFile": parent,
            "userAccount": account,
            "mdeDeviceId": flat.get("deviceId"),
        },
        "mailbox": {
            "primaryAddress": flat.get("mailboxAddress"),
            "displayName": flat.get("mailboxDisplayName"),
            "upn": flat.get("userPrincipalName"),
            "userAccount": account,
        },
        "analyzedMessage": {
            "p2Sender": {"emailAddress": flat.get("sender")},
            "recipientEmailAddress": flat.get("recipient"),
            "subject": flat.get("subject"),
            "deliveryAction": flat.get("deliveryAction"),
        },
        "mailCluster": {"clusterBy": flat.get("clusterBy")},
        "securityGroup": {"securityGroupId": flat.get("securityGroupId"), "displayName": flat.get("securityGroupName")},
    }
    if kind in ("cloudApplication", "oauthApplication"):
        return {"appId": flat.get("applicationId"), "displayName": flat.get("applicationName")}
    if kind in ("registryKey", "registryValue"):
        return {key: flat.get(key) for key in flat if key != "deviceId"} | {"mdeDeviceId": flat.get("deviceId")}
    return by_kind[kind]
