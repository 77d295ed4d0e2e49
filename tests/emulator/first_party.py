# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's own applications: the resources with their permissions, and the public clients used for a first bootstrap."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .auth import AAD_GRAPH, GRAPH, MTP, WDATP
from .clock import graph_time
from .model import Application, AppRole, PermissionScope, ServicePrincipal
from .permission_table import GRAPH as GRAPH_TABLE
from .permission_table import MTP as MTP_TABLE
from .permission_table import WDATP_ROLES, WDATP_SCOPES, WDATP_USER_ROLES
from .state import Cloud, Tenant

MICROSOFT_TENANT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
AZURE_MANAGEMENT = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
GRAPH_POWERSHELL = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
_BORN = datetime(2014, 1, 1, tzinfo=timezone.utc)

ALWAYS_PRESENT = (GRAPH, AAD_GRAPH, AZURE_MANAGEMENT, AZURE_CLI, GRAPH_POWERSHELL)
DEFENDER = (MTP, WDATP)

_IDENTIFIERS: dict[str, tuple[str, tuple[str, ...]]] = {
    GRAPH: ("Microsoft Graph", ("https://graph.microsoft.com",)),
    MTP: ("Microsoft Threat Protection", ("https://api.security.microsoft.com", "https://security.microsoft.com/mtp")),
    WDATP: (
        "WindowsDefenderATP",
        (
            "https://api.securitycenter.microsoft.com",
            "https://api.securitycenter.windows.com",
            "https://securitycenter.onmicrosoft.com/windowsatpservice",
        ),
    ),
    AAD_GRAPH: ("Windows Azure Active Directory", ("https://graph.windows.net",)),
    AZURE_MANAGEMENT: (
        "Windows Azure Service Management API",
        ("https://management.core.windows.net", "https://management.azure.com"),
    ),
    AZURE_CLI: ("Microsoft Azure CLI", ()),
    GRAPH_POWERSHELL: ("Microsoft Graph Command Line Tools", ()),
}


def _mtp() -> tuple[list[AppRole], list[PermissionScope]]:
    roles = [AppRole(guid, value, name) for value, kind, guid, name in MTP_TABLE if kind == "Role"]
    scopes = [PermissionScope(guid, value, name) for value, kind, guid, name in MTP_TABLE if kind == "Scope"]
    return roles, scopes


def _wdatp() -> tuple[list[AppRole], list[PermissionScope]]:
    roles = [AppRole(guid, value, value) for value, guid in WDATP_ROLES]
    roles += [AppRole(guid, value, value, ("User",)) for value, guid in WDATP_USER_ROLES]
    return roles, [PermissionScope(guid, value, value) for value, guid in WDATP_SCOPES]


def _graph() -> tuple[list[AppRole], list[PermissionScope]]:
    roles = [AppRole(role, value, value) for value, role, _scope in GRAPH_TABLE if role]
    everyday = {"User.Read", "offline_access", "openid", "profile", "email"}
    scopes = [
        PermissionScope(scope, value, value, "User" if value in everyday else "Admin") for value, _role, scope in GRAPH_TABLE if scope
    ]
    return roles, scopes


ROLES: dict[str, list[AppRole]] = {GRAPH: _graph()[0], MTP: _mtp()[0], WDATP: _wdatp()[0]}
SCOPES: dict[str, list[PermissionScope]] = {GRAPH: _graph()[1], MTP: _mtp()[1], WDATP: _wdatp()[1]}
SCOPES[AZURE_MANAGEMENT] = [PermissionScope("41094075-9dad-400e-a0bd-54e686782033", "user_impersonation", "Access Azure", "User")]

BOOTSTRAP_SCOPES = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "User.Read",
)
"""What the public clients may ask for on behalf of an administrator without a consent prompt."""


def register(cloud: Cloud) -> None:
    """Make Microsoft's applications known to the cloud."""
    for app_id, (name, uris) in _IDENTIFIERS.items():
        body: dict[str, Any] = {"displayName": name, "identifierUris": list(uris), "signInAudience": "AzureADMultipleOrgs"}
        public = app_id in (AZURE_CLI, GRAPH_POWERSHELL)
        if public:
            body |= {"isFallbackPublicClient": True, "publicClient": {"redirectUris": ["http://localhost"]}}
        cloud.add_application(
            Application(cloud.derived_id("app", app_id), app_id, MICROSOFT_TENANT, _BORN, body, first_party=True, public_only=public)
        )


def provision(cloud: Cloud, tenant: Tenant, app_ids: tuple[str, ...]) -> None:
    """Create the service principals of Microsoft's applications in a tenant; those that exist stay as they are."""
    for app_id in app_ids:
        if tenant.directory.service_principal(app_id) is None:
            principal_id = cloud.derived_id("service-principal", tenant.tenant_id, app_id)
            tenant.directory.add_service_principal(ServicePrincipal(principal_id, app_id, tenant.tenant_id, MICROSOFT_TENANT, _BORN))


def roles_of(app: Application) -> list[AppRole]:
    """The application permissions an application offers."""
    if app.app_id in ROLES:
        return ROLES[app.app_id]
    return [
        AppRole(
            one["id"],
            one.get("value") or "",
            one.get("displayName") or "",
            tuple(one.get("allowedMemberTypes") or ()),
            one.get("isEnabled", True),
        )
        for one in app.body.get("appRoles") or []
    ]


def scopes_of(app: Application) -> list[PermissionScope]:
    """The delegated permissions an application offers."""
    if app.app_id in SCOPES:
        return SCOPES[app.app_id]
    offered = (app.body.get("api") or {}).get("oauth2PermissionScopes") or []
    return [
        PermissionScope(
            one["id"],
            one.get("value") or "",
            one.get("adminConsentDisplayName") or "",
            one.get("type") or "User",
            one.get("isEnabled", True),
        )
        for one in offered
    ]


def role_values(app: Application) -> dict[str, str]:
    """GUID → value of the enabled application permissions."""
    return {role.id: role.value for role in roles_of(app) if role.enabled}


def role_body(role: AppRole) -> dict[str, Any]:
    """An application permission as Graph shows it."""
    return {
        "allowedMemberTypes": list(role.member_types),
        "description": role.display_name,
        "displayName": role.display_name,
        "id": role.id,
        "isEnabled": role.enabled,
        "origin": "Application",
        "value": role.value,
    }


def scope_body(scope: PermissionScope) -> dict[str, Any]:
    """A delegated permission as Graph shows it."""
    return {
        "adminConsentDescription": scope.display_name,
        "adminConsentDisplayName": scope.display_name,
        "id": scope.id,
        "isEnabled": scope.enabled,
        "type": scope.kind,
        "userConsentDescription": scope.display_name,
        "userConsentDisplayName": scope.display_name,
        "value": scope.value,
    }


def born() -> str:
    """Creation time shown for Microsoft's own objects."""
    return graph_time(_BORN)
