# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of advanced hunting, made from the same records as the incidents, and from the tenant's directory."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import catalog
from .kql import Table
from .model import DOMAIN_MARK, Alert, Evidence
from .store import SecurityStore
from .times import DAY, HOUR, ticks_of
from .vocabulary import pascal

if TYPE_CHECKING:
    from ..state import Cloud

Row = dict[str, Any]
Window = tuple[int, int]
RETENTION: Final = 30 * DAY
_STRING: Final = "string"


def _columns(text: str) -> dict[str, str]:
    """Columns written as ``Name:type Name``; without a type they are strings."""
    found: dict[str, str] = {}
    for part in text.split():
        name, _unused, kind = part.partition(":")
        found[name] = kind or _STRING
    return found


COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "AlertInfo": _columns("Timestamp:datetime AlertId Title Category Severity ServiceSource DetectionSource AttackTechniques"),
    "AlertEvidence": _columns(
        "Timestamp:datetime AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType EvidenceRole "
        "EvidenceDirection FileName FolderPath SHA1 SHA256 FileSize:long ThreatFamily RemoteIP RemoteUrl AccountName AccountDomain "
        "AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId EmailSubject Application ApplicationId:int "
        "OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName RegistryValueData AdditionalFields Severity"
    ),
    "DeviceInfo": _columns(
        "Timestamp:datetime DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform OSBuild:long IsAzureADJoined:bool "
        "AadDeviceId JoinType LoggedOnUsers OSVersion MachineGroup OnboardingStatus DeviceType SensorHealthState ExposureLevel "
        "AssetValue ReportId:long"
    ),
    "IdentityInfo": _columns(
        "Timestamp:datetime AccountObjectId AccountUpn OnPremSid AccountDisplayName AccountName AccountDomain Department JobTitle City "
        "Country IsAccountEnabled:bool EmailAddress AssignedRoles:dynamic"
    ),
    "OAuthAppInfo": _columns(
        "Timestamp:datetime OAuthAppId ServicePrincipalId AppName AddedOnTime:datetime LastModifiedTime:datetime AppStatus "
        "VerifiedPublisher:dynamic PrivilegeLevel Permissions:dynamic ConsentedUsersCount:int IsAdminConsented:bool AppOrigin "
        "AppOwnerTenantId LastUsedTime:datetime ReportId"
    ),
    "CloudAppEvents": _columns(
        "Timestamp:datetime ActionType Application ApplicationId:int AccountObjectId AccountId AccountDisplayName IsAdminOperation:bool "
        "DeviceType OSPlatform IPAddress IsAnonymousProxy:bool CountryCode City ISP UserAgent ActivityType ActivityObjects:dynamic "
        "ObjectName ObjectType ObjectId ReportId AccountType RawEventData:dynamic AdditionalFields:dynamic"
    ),
}
_DETECTIONS: Final = {
    "microsoftDefenderForEndpoint": "EDR",
    "antivirus": "Antivirus",
    "smartScreen": "SmartScreen",
    "customDetection": "Custom detection",
    "customTi": "Custom TI",
    "automatedInvestigation": "Automated investigation",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of one query come from."""

    cloud: Cloud
    store: SecurityStore
    window: Window

    def table(self, name: str) -> Table | None:
        """Return a table limited to the window, or None for an unknown name."""
        columns = COLUMNS.get(name)
        if columns is None:
            return None
        first, last = self.window
        rows = _ROWS[name](self)
        return Table(columns, (self._plain(row, columns) for row in rows if first <= row["Timestamp"] <= last))

    def _plain(self, row: Row, columns: Mapping[str, str]) -> Row:
        """Every column, with the tenant's own names in place of the marks."""
        return {name: self._value(row.get(name), kind) for name, kind in columns.items()}

    def _value(self, value: Any, kind: str) -> Any:
        if value is None:
            return "" if kind == _STRING else None
        if isinstance(value, str) and "mark" in value:
            return value.replace(DOMAIN_MARK, self.store.domain)
        return value


def _alerts(source: Source) -> Iterator[Alert]:
    for incident in source.store.newest_first():
        yield from source.store.alerts_of(incident.id)


def _alert_row(alert: Alert) -> Row:
    return {
        "Timestamp": alert.created,
        "AlertId": alert.id,
        "Title": alert.title,
        "Category": alert.category,
        "Categories": json.dumps([alert.category]),
        "Severity": "Unspecified" if alert.severity == "unknown" else pascal(alert.severity),
        "ServiceSource": alert.product_name,
        "DetectionSource": _DETECTIONS.get(alert.detection_source) or pascal(alert.detection_source),
        "AttackTechniques": json.dumps(list(alert.techniques)) if alert.techniques else "",
        "ThreatFamily": alert.threat_family,
    }


def _alert_info(source: Source) -> Iterable[Row]:
    return (_alert_row(alert) for alert in _alerts(source))


def _alert_evidence(source: Source) -> Iterable[Row]:
    for alert in _alerts(source):
        for item in alert.evidence:
            entity_type, own = _EVIDENCE[item.kind]
            role = "Impacted" if item.kind in ("device", "user", "mailbox") else "Related"
            yield {
                **_alert_row(alert),
                "EntityType": entity_type,
                "EvidenceRole": role,
                "EvidenceDirection": "Source" if "source" in item.roles else "",
                "AdditionalFields": json.dumps({"Verdict": pascal(item.verdict), "RemediationStatus": pascal(item.remediation)}),
                **own(item),
            }


def _account(data: Row) -> Row:
    return {
        "AccountName": data["account"],
        "AccountDomain": data["domain"],
        "AccountSid": data["sid"],
        "AccountObjectId": data["aad_id"],
        "AccountUpn": data["upn"],
    }


def _file(item: Evidence) -> Row:
    details = item.data["file"]
    names = {"FileName": "fileName", "FolderPath": "filePath", "SHA1": "sha1", "SHA256": "sha256", "FileSize": "fileSize"}
    return {column: details[name] for column, name in names.items()} | {"DeviceId": item.data["mde_id"]}


def _registry(item: Evidence) -> Row:
    data = item.data
    return {
        "RegistryKey": f"{data['hive']}\\{data['key']}",
        "RegistryValueName": data.get("name"),
        "RegistryValueData": data.get("value"),
        "DeviceId": data["mde_id"],
    }


def _cloud_application(item: Evidence) -> Row:
    return {"Application": item.data["display_name"], "ApplicationId": item.data["app_id"]}


def _oauth_application(item: Evidence) -> Row:
    return {"Application": item.data["display_name"], "OAuthApplicationId": item.data["app_id"]}


def _machine(item: Evidence) -> Row:
    return {"DeviceId": item.data["mde_id"], "DeviceName": item.data["dns_name"], "LocalIP": item.data["last_ip"]}


def _process(item: Evidence) -> Row:
    return {**_file(item), **_account(item.data["user"]), "ProcessCommandLine": item.data["command_line"]}


def _message(item: Evidence) -> Row:
    data = item.data
    return {"NetworkMessageId": data["network_message_id"], "EmailSubject": data["subject"], "AccountUpn": data["recipient"]}


_EVIDENCE: Final[Mapping[str, tuple[str, Callable[[Evidence], Row]]]] = {
    "device": ("Machine", _machine),
    "user": ("User", lambda item: _account(item.data)),
    "file": ("File", _file),
    "process": ("Process", _process),
    "ip": ("Ip", lambda item: {"RemoteIP": item.data["address"]}),
    "url": ("Url", lambda item: {"RemoteUrl": item.data["url"]}),
    "mailbox": ("Mailbox", lambda item: _account(item.data["user"])),
    "analyzedMessage": ("MailMessage", _message),
    "mailCluster": ("MailCluster", lambda item: {}),
    "registryKey": ("RegistryKey", _registry),
    "registryValue": ("RegistryValue", _registry),
    "securityGroup": ("SecurityGroup", lambda item: {"AccountName": item.data["display_name"], "AccountSid": item.data["sid"]}),
    "cloudApplication": ("CloudApplication", _cloud_application),
    "oauthApplication": ("OAuthApplication", _oauth_application),
}


def _snapshots(source: Source, every: int) -> Iterator[int]:
    """The moments at which a table of states holds a row per object."""
    start = source.store.settings.plan.now
    return iter(range(start - RETENTION + HOUR, start + 1, every))


def _device_info(source: Source) -> Iterable[Row]:
    for moment in _snapshots(source, 7 * DAY):
        for number, data in enumerate(source.store.data.generator.population.devices):
            yield {
                "Timestamp": moment,
                "DeviceId": data["mde_id"],
                "DeviceName": data["dns_name"],
                "ClientVersion": "10.8760.26100.1",
                "PublicIP": data["last_external_ip"],
                "OSArchitecture": "64-bit",
                "OSPlatform": data["os_platform"],
                "OSBuild": data["os_build"],
                "IsAzureADJoined": data["aad_id"] is not None,
                "AadDeviceId": data["aad_id"],
                "JoinType": "AAD Joined" if data["aad_id"] else "Domain Joined",
                "LoggedOnUsers": json.dumps([{"UserName": "adele.vance", "DomainName": data["nt_domain"]}]),
                "OSVersion": data["version"],
                "MachineGroup": data["rbac_group_name"],
                "OnboardingStatus": pascal(data["onboarding"]),
                "DeviceType": "Server" if "Server" in data["os_platform"] else "Workstation",
                "SensorHealthState": pascal(data["health"]),
                "ExposureLevel": ("Low", "Medium", "High")[number % 3],
                "AssetValue": ("Normal", "High", "Low")[number % 3],
                "ReportId": moment // DAY * 1_000 + number,
            }


def _identity_info(source: Source) -> Iterable[Row]:
    for moment in _snapshots(source, 14 * DAY):
        for number, data in enumerate(source.store.data.generator.population.users):
            yield {
                **{key: value for key, value in _account(data).items() if key != "AccountSid"},
                "Timestamp": moment,
                "OnPremSid": data["sid"] if data["ad_guid"] else "",
                "AccountDisplayName": data["display_name"],
                "Department": ("Finance", "Sales", "IT", "Operations")[number % 4],
                "JobTitle": ("Clerk", "Manager", "Administrator")[number % 3],
                "City": ("Berlin", "Seattle", "London")[number % 3],
                "Country": ("DE", "US", "GB")[number % 3],
                "IsAccountEnabled": number % 6 != 5,
                "EmailAddress": data["upn"],
                "AssignedRoles": ["Global Administrator"] if number % 9 == 2 else [],
            }


def _permission(value: str, *, kind: str = "Application", resource: str = "Microsoft Graph", app_id: str = "", used: bool = True) -> Row:
    high = any(word in value for word in ("ReadWrite", "FullControl", "Mail.", "Directory"))
    return {
        "PermissionType": kind,
        "PermissionValue": value,
        "TargetAppId": app_id or "00000003-0000-0000-c000-000000000000",
        "TargetAppDisplayName": resource,
        "PrivilegeLevel": "High" if high else "Low",
        "InUse": used,
    }


_APP_PERMISSIONS: Final = (
    ("Mail.Read", "Mail.Send"),
    ("Files.ReadWrite.All",),
    ("User.Read",),
    ("Calendars.Read", "offline_access"),
    ("Directory.ReadWrite.All", "Mail.ReadWrite"),
    ("Notes.Read",),
)


def _oauth_app_info(source: Source) -> Iterable[Row]:
    start = source.store.settings.plan.now
    for moment in _snapshots(source, 5 * DAY):
        for number, data in enumerate(source.store.data.generator.population.apps):
            delegated = number % 3 == 2
            names = _APP_PERMISSIONS[number % len(_APP_PERMISSIONS)]
            permissions = [
                _permission(name, kind="Delegated" if delegated else "Application", used=place == 0) for place, name in enumerate(names)
            ]
            yield {
                "Timestamp": moment,
                "OAuthAppId": data["app_id"],
                "ServicePrincipalId": data["object_id"],
                "AppName": data["display_name"],
                "AddedOnTime": start - (number + 2) * 40 * DAY,
                "LastModifiedTime": start - (number + 1) * 20 * DAY,
                "AppStatus": "Enabled" if number != 3 else "Disabled",
                "VerifiedPublisher": {"displayName": data["publisher"], "verifiedPublisherId": "1234567"} if number % 2 else {},
                "PrivilegeLevel": "High" if any(one["PrivilegeLevel"] == "High" for one in permissions) else "Low",
                "Permissions": permissions,
                "ConsentedUsersCount": 3 * number if delegated else 0,
                "IsAdminConsented": not delegated,
                "AppOrigin": "External" if number % 2 else "Internal",
                "AppOwnerTenantId": "99999999-9999-4999-8999-999999999999" if number % 2 else source.store.tenant_id,
                "LastUsedTime": None if number == 3 else moment - (number + 1) * HOUR,
                "ReportId": f"{data['app_id']}-{moment // DAY}",
            }
    yield from _apps_of_the_directory(source)


def _apps_of_the_directory(source: Source) -> Iterable[Row]:
    """The apps that really hold permissions in the tenant, a partner's app among them, as of now."""
    tenant = source.cloud.tenants.get(source.store.tenant_id)
    if tenant is None:
        return
    for principal in tenant.directory.service_principals.values():
        app = source.cloud.applications.get(principal.app_id)
        if app is None or app.first_party:
            continue
        permissions = list(_held(source.cloud, tenant.directory, principal.id))
        created = ticks_of(principal.created_at)
        yield {
            "Timestamp": source.window[1],
            "OAuthAppId": principal.app_id,
            "ServicePrincipalId": principal.id,
            "AppName": app.display_name,
            "AddedOnTime": created,
            "LastModifiedTime": created,
            "AppStatus": "Enabled" if principal.account_enabled else "Disabled",
            "VerifiedPublisher": {},
            "PrivilegeLevel": "High" if any(one["PrivilegeLevel"] == "High" for one in permissions) else "Low",
            "Permissions": permissions,
            "ConsentedUsersCount": 0,
            "IsAdminConsented": bool(permissions),
            "AppOrigin": "Internal" if app.tenant_id == tenant.tenant_id else "External",
            "AppOwnerTenantId": app.tenant_id,
            "LastUsedTime": source.window[1] if permissions else None,
            "ReportId": f"{principal.app_id}-now",
        }


def _held(cloud: Cloud, directory: Any, principal_id: str) -> Iterable[Row]:
    from ..first_party import roles_of

    for assignment in directory.assignments_by_principal.get(principal_id, ()):
        resource = directory.service_principals.get(assignment.resource_id)
        app = cloud.applications.get(resource.app_id) if resource else None
        if app is None or assignment.removed is not None:
            continue
        value = next((role.value for role in roles_of(app) if role.id == assignment.app_role_id), None)
        if value:
            yield _permission(value, resource=app.display_name, app_id=app.app_id)


_ACTIONS: Final = ("FileDownloaded", "FileAccessed", "MailItemsAccessed", "UserLoggedIn", "Consent to application.", "New-InboxRule")


def _cloud_app_events(source: Source) -> Iterable[Row]:
    """Events evenly spread over the retention time; only those of the window are made, since there may be very many."""
    store = source.store
    count = 60 + store.settings.hunting.extra_rows
    oldest = store.settings.plan.now - RETENTION
    population = store.data.generator.population
    first = max((source.window[0] - oldest) * count // RETENTION, 0)
    last = min((source.window[1] - oldest) * count // RETENTION + 1, count)
    shift = random.Random(f"{store.settings.plan.seed}:events").randrange(100)
    for number in range(first, last):
        place = number + shift
        user = population.users[place % len(population.users)]
        name, application_id = catalog.CLOUD_APPS[place % len(catalog.CLOUD_APPS)]
        action = _ACTIONS[place % len(_ACTIONS)]
        yield {
            "Timestamp": oldest + number * RETENTION // count,
            "ActionType": action,
            "Application": name,
            "ApplicationId": application_id,
            "AccountObjectId": user["aad_id"],
            "AccountId": user["upn"],
            "AccountDisplayName": user["display_name"],
            "IsAdminOperation": action.startswith("Consent"),
            "DeviceType": "Desktop",
            "OSPlatform": "Windows",
            "IPAddress": f"203.0.113.{place % 250 + 1}",
            "IsAnonymousProxy": place % 17 == 0,
            "CountryCode": catalog.COUNTRIES[place % len(catalog.COUNTRIES)],
            "ISP": "Proseware Networks",
            "UserAgent": "Mozilla/5.0",
            "ActivityType": "Basic",
            "ActivityObjects": [{"Type": "File", "Name": catalog.FILE_NAMES[place % len(catalog.FILE_NAMES)]}],
            "ObjectName": catalog.FILE_NAMES[place % len(catalog.FILE_NAMES)],
            "ObjectType": "File",
            "ReportId": f"{place:012d}_{application_id}",
            "AccountType": "Regular",
            "RawEventData": {"Operation": action, "Workload": name},
            "AdditionalFields": {},
        }


_ROWS: Final[Mapping[str, Callable[[Source], Iterable[Row]]]] = {
    "AlertInfo": _alert_info,
    "AlertEvidence": _alert_evidence,
    "DeviceInfo": _device_info,
    "IdentityInfo": _identity_info,
    "OAuthAppInfo": _oauth_app_info,
    "CloudAppEvents": _cloud_app_events,
}
