# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directory objects as Graph shows them."""

from __future__ import annotations

import base64
from typing import Any

from ..clock import graph_time
from ..first_party import role_body, roles_of, scope_body, scopes_of
from ..model import (
    Application,
    AppRoleAssignment,
    FederatedCredential,
    KeyCredential,
    PasswordCredential,
    PermissionGrant,
    ServicePrincipal,
    User,
)
from ..state import Cloud, Tenant

Object = dict[str, Any]

APPLICATION_DEFAULTS: Object = {
    "appRoles": [],
    "applicationTemplateId": None,
    "certification": None,
    "defaultRedirectUri": None,
    "description": None,
    "disabledByMicrosoftStatus": None,
    "displayName": None,
    "groupMembershipClaims": None,
    "identifierUris": [],
    "isDeviceOnlyAuthSupported": None,
    "isDisabled": None,
    "isFallbackPublicClient": None,
    "nativeAuthenticationApisEnabled": None,
    "notes": None,
    "optionalClaims": None,
    "requestSignatureVerification": None,
    "requiredResourceAccess": [],
    "samlMetadataUrl": None,
    "serviceManagementReference": None,
    "servicePrincipalLockConfiguration": None,
    "signInAudience": "AzureADandPersonalMicrosoftAccount",
    "tags": [],
    "tokenEncryptionKeyId": None,
    "uniqueName": None,
    "addIns": [],
}
API_DEFAULTS: Object = {
    "acceptMappedClaims": None,
    "knownClientApplications": [],
    "requestedAccessTokenVersion": None,
    "oauth2PermissionScopes": [],
    "preAuthorizedApplications": [],
}
INFO_DEFAULTS: Object = {"logoUrl": None, "marketingUrl": None, "privacyStatementUrl": None, "supportUrl": None, "termsOfServiceUrl": None}
WEB_DEFAULTS: Object = {
    "homePageUrl": None,
    "logoutUrl": None,
    "redirectUris": [],
    "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
}


def application(cloud: Cloud, app: Application, *, with_keys: bool = False, fresh: bool = False) -> Object:
    """A registration; a change that has not replicated yet still shows the old properties unless `fresh`."""
    raw = app.body
    home = cloud.tenants.get(app.tenant_id)
    stale = not fresh and cloud.settings.stale_reads and app.previous_body is not None
    if stale and home is not None and not home.directory.replication.arrived(app.changed, "graph"):
        raw = app.previous_body or app.body
    web = WEB_DEFAULTS | (raw.get("web") or {})
    web["redirectUriSettings"] = [{"uri": uri, "index": None} for uri in web["redirectUris"]]
    return {
        "id": app.id,
        "deletedDateTime": graph_time(app.deleted_at) if app.deleted_at else None,
        "appId": app.app_id,
        "createdDateTime": graph_time(app.created_at),
        "publisherDomain": home.domain if home else None,
        **APPLICATION_DEFAULTS,
        **{name: value for name, value in raw.items() if name not in ("web", "spa", "publicClient", "api", "info")},
        "api": API_DEFAULTS | (raw.get("api") or {}),
        "info": INFO_DEFAULTS | (raw.get("info") or {}),
        "publicClient": {"redirectUris": []} | (raw.get("publicClient") or {}),
        "spa": {"redirectUris": []} | (raw.get("spa") or {}),
        "verifiedPublisher": raw.get("verifiedPublisher") or {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        "web": web,
        "keyCredentials": [key_credential(one, with_key=with_keys) for one in app.keys if one.removed is None],
        "passwordCredentials": [password_credential(one) for one in app.passwords if one.removed is None],
    }


def password_credential(one: PasswordCredential, *, secret: str | None = None) -> Object:
    """A secret's metadata; its text only in the answer that creates it."""
    return {
        "customKeyIdentifier": None,
        "displayName": one.display_name,
        "endDateTime": graph_time(one.end),
        "hint": one.hint,
        "keyId": one.key_id,
        "secretText": secret,
        "startDateTime": graph_time(one.start),
    }


def key_credential(one: KeyCredential, *, with_key: bool = False) -> Object:
    """A certificate's metadata, with the certificate itself only when `$select=keyCredentials` asks for it."""
    return {
        "customKeyIdentifier": one.custom_key_identifier,
        "displayName": one.display_name,
        "endDateTime": graph_time(one.end),
        "key": base64.b64encode(one.der).decode() if with_key else None,
        "keyId": one.key_id,
        "startDateTime": graph_time(one.start),
        "type": one.kind,
        "usage": one.usage,
    }


def federated_credential(one: FederatedCredential) -> Object:
    """A federated identity credential."""
    return {
        "id": one.id,
        "name": one.name,
        "issuer": one.issuer,
        "subject": one.subject,
        "description": one.description,
        "audiences": list(one.audiences),
    }


def service_principal(cloud: Cloud, principal: ServicePrincipal) -> Object:
    """A service principal; what it shows of the application comes from the registration."""
    app = cloud.applications.get(principal.app_id)
    body = app.body if app else {}
    identifiers = [principal.app_id, *(app.identifier_uris if app else [])]
    return {
        "id": principal.id,
        "deletedDateTime": graph_time(principal.deleted_at) if principal.deleted_at else None,
        "accountEnabled": principal.account_enabled,
        "alternativeNames": [],
        "appDisplayName": body.get("displayName"),
        "appDescription": body.get("description"),
        "appId": principal.app_id,
        "applicationTemplateId": None,
        "appOwnerOrganizationId": principal.owner_tenant_id,
        "appRoleAssignmentRequired": False,
        "createdDateTime": graph_time(principal.created_at),
        "description": None,
        "disabledByMicrosoftStatus": body.get("disabledByMicrosoftStatus"),
        "displayName": body.get("displayName"),
        "homepage": (body.get("web") or {}).get("homePageUrl"),
        "loginUrl": None,
        "logoutUrl": None,
        "notes": None,
        "notificationEmailAddresses": [],
        "preferredSingleSignOnMode": None,
        "replyUrls": app.redirect_uris if app else [],
        "servicePrincipalNames": identifiers,
        "servicePrincipalType": "Application",
        "signInAudience": body.get("signInAudience"),
        "tags": [],
        **principal.body,
        "info": INFO_DEFAULTS | (body.get("info") or {}),
        "keyCredentials": [],
        "passwordCredentials": [],
        "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        "appRoles": [role_body(role) for role in roles_of(app)] if app else [],
        "oauth2PermissionScopes": [scope_body(scope) for scope in scopes_of(app)] if app else [],
    }


def role_assignment(cloud: Cloud, tenant: Tenant, one: AppRoleAssignment) -> Object:
    """An app role assignment with the names of both ends."""
    return {
        "id": one.id,
        "deletedDateTime": None,
        "appRoleId": one.app_role_id,
        "createdDateTime": graph_time(one.created_at),
        "principalDisplayName": _name(cloud, tenant, one.principal_id),
        "principalId": one.principal_id,
        "principalType": "ServicePrincipal" if one.principal_id in tenant.directory.service_principals else "User",
        "resourceDisplayName": _name(cloud, tenant, one.resource_id),
        "resourceId": one.resource_id,
    }


def _name(cloud: Cloud, tenant: Tenant, principal_id: str) -> str | None:
    principal = tenant.directory.service_principals.get(principal_id)
    app = cloud.applications.get(principal.app_id) if principal else None
    return app.display_name if app else next((one.display_name for one in tenant.directory.users.values() if one.id == principal_id), None)


def permission_grant(one: PermissionGrant) -> Object:
    """A grant of delegated permissions."""
    return {
        "clientId": one.client_id,
        "consentType": one.consent_type,
        "id": one.id,
        "principalId": one.principal_id,
        "resourceId": one.resource_id,
        "scope": one.scope,
    }


def user(one: User) -> Object:
    """A person."""
    return {"id": one.id, "displayName": one.display_name, "userPrincipalName": one.username, "mail": one.username}
