# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Queries that are ready to run, by name. Each is plain KQL with the parameters that it names.

The columns are those of the schema reference of advanced hunting. AlertInfo and AlertEvidence do not name the incident
of an alert: what belongs to an incident is found by the ids of its alerts, which m365d_incidents returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError


@dataclass(frozen=True)
class ReadyQuery:
    """A query by name.

    :param about: what it tells, in a sentence.
    :param defaults: its parameters with the values that they have unless the user gives others.
    :param required: its parameters without such a value; each is a list of texts.
    """

    about: str
    text: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()


_PERMISSIONS = """\
OAuthAppInfo
| where wanted_app == "" or OAuthAppId == wanted_app or AppName == wanted_app
| summarize arg_max(Timestamp, *) by OAuthAppId
| mv-expand Permission = Permissions
| project Timestamp, OAuthAppId, AppName, AppStatus, AppOrigin, AppOwnerTenantId, IsAdminConsented, ConsentedUsersCount, LastUsedTime,
    Resource = tostring(Permission.TargetAppDisplayName), PermissionValue = tostring(Permission.PermissionValue),
    PermissionType = tostring(Permission.PermissionType), PermissionLevel = tostring(Permission.PrivilegeLevel),
    InUse = tobool(Permission.InUse)
| where isnotempty(PermissionValue)
"""

READY_QUERIES: Mapping[str, ReadyQuery] = {
    "app_permissions": ReadyQuery(
        "Which permissions the apps of the tenant hold, and whether each is in use, by the latest state of each app (OAuthAppInfo).",
        f"{_PERMISSIONS}| order by AppName asc, Resource asc, PermissionValue asc\n",
        {"wanted_app": ""},
    ),
    "unused_permissions": ReadyQuery(
        "Which permissions the apps of the tenant hold and do not use, the powerful ones first (OAuthAppInfo).",
        f"{_PERMISSIONS}| where InUse == false\n| order by PermissionLevel asc, AppName asc, PermissionValue asc\n",
        {"wanted_app": ""},
    ),
    "app_activity": ReadyQuery(
        "What was done in cloud apps, by application, action and account, with counts and times (CloudAppEvents).",
        """\
CloudAppEvents
| where wanted_application == "" or Application == wanted_application
| where wanted_account == "" or AccountObjectId == wanted_account or AccountId == wanted_account
| where array_length(wanted_actions) == 0 or ActionType in (wanted_actions)
| summarize Events = count(), FirstSeen = min(Timestamp), LastSeen = max(Timestamp), Addresses = make_set(IPAddress, 20),
    Countries = make_set(CountryCode, 20) by Application, ActionType, AccountObjectId, AccountDisplayName
| order by Events desc, Application asc, ActionType asc
""",
        {"wanted_application": "", "wanted_account": "", "wanted_actions": []},
    ),
    "consent_activity": ReadyQuery(
        "Who consented to apps or changed their permissions, one row per event (CloudAppEvents).",
        """\
CloudAppEvents
| where ActionType in (wanted_actions)
| project Timestamp, ActionType, Application, AccountObjectId, AccountDisplayName, IPAddress, CountryCode, ObjectName, ObjectId, ReportId,
    RawEventData
| order by Timestamp desc
""",
        {
            "wanted_actions": [
                "Consent to application.",
                "Add app role assignment to service principal.",
                "Add delegated permission grant.",
                "Add OAuth2PermissionGrant.",
                "Add service principal.",
            ]
        },
    ),
    "incident_alerts": ReadyQuery(
        "The alerts of an incident, by their ids (AlertInfo).",
        """\
AlertInfo
| where AlertId in (alert_ids)
| project Timestamp, AlertId, Title, Category, Severity, ServiceSource, DetectionSource, AttackTechniques
| order by Timestamp asc
""",
        required=("alert_ids",),
    ),
    "incident_evidence": ReadyQuery(
        "The evidence of an incident, one row per piece, by the ids of its alerts (AlertEvidence).",
        """\
AlertEvidence
| where AlertId in (alert_ids)
| project Timestamp, AlertId, Title, EntityType, EvidenceRole, AccountUpn, AccountObjectId, DeviceId, DeviceName, RemoteIP, RemoteUrl,
    FileName, FolderPath, SHA1, SHA256, ProcessCommandLine, NetworkMessageId, EmailSubject, OAuthApplicationId, AdditionalFields
| order by Timestamp asc
""",
        required=("alert_ids",),
    ),
    "incident_entities": ReadyQuery(
        "Which accounts, devices, addresses and files an incident involves, by the ids of its alerts (AlertEvidence).",
        """\
AlertEvidence
| where AlertId in (alert_ids)
| summarize Alerts = dcount(AlertId), FirstSeen = min(Timestamp), LastSeen = max(Timestamp)
    by EntityType, AccountUpn, AccountObjectId, DeviceName, DeviceId, RemoteIP, RemoteUrl, FileName, SHA256
| order by Alerts desc, EntityType asc
""",
        required=("alert_ids",),
    ),
    "related_alerts": ReadyQuery(
        "Which other alerts involve one of some accounts, devices, files or addresses (AlertEvidence), as incident_entities finds them.",
        """\
AlertEvidence
| where AccountObjectId in (account_ids) or DeviceId in (device_ids) or SHA256 in (hashes) or RemoteIP in (addresses)
| where not(AlertId in (known_alert_ids))
| summarize FirstSeen = min(Timestamp), LastSeen = max(Timestamp), Accounts = make_set(AccountUpn, 50),
    Devices = make_set(DeviceName, 50), Files = make_set(FileName, 50), Addresses = make_set(RemoteIP, 50) by AlertId, Title, Severity
| order by LastSeen desc
""",
        {"account_ids": [], "device_ids": [], "hashes": [], "addresses": [], "known_alert_ids": []},
    ),
}


def ready_query(name: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text of a ready query and all its parameters.

    :raises OptionError: for an unknown query, and for parameters that are missing, unknown or of another kind.
    """
    known = READY_QUERIES.get(name)
    if known is None:
        raise OptionError(f"There is no ready query '{name}'.", next_step=f"Known ones: {', '.join(READY_QUERIES)}.")
    names = (*known.defaults, *known.required)
    unknown = sorted(set(parameters) - set(names))
    if unknown:
        raise OptionError(f"The ready query {name} has no parameter {unknown[0]}.", next_step=f"It has: {', '.join(names) or 'none'}.")
    missing = [parameter for parameter in known.required if parameter not in parameters]
    if missing:
        raise OptionError(f"The ready query {name} needs the parameter {missing[0]}.", next_step=f"Give parameters: {missing[0]}.")
    for parameter, value in parameters.items():
        wanted = type(known.defaults.get(parameter, []))
        if not isinstance(value, wanted):
            kind = "a list" if wanted is list else "a text"
            raise OptionError(f"The parameter {parameter} of the ready query {name} has to be {kind}.", next_step="Correct it.")
    return known.text, {**known.defaults, **parameters}
