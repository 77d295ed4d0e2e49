# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that a scenario brings along, with credentials and the tenants that consented."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .auth import GRAPH, MTP, WDATP
from .clock import parse_moment
from .entra.consent import assign
from .first_party import roles_of, scopes_of
from .identifiers import secret_text
from .model import Application, FederatedCredential, KeyCredential, PasswordCredential, PermissionGrant, ServicePrincipal, digest
from .state import Cloud, Tenant

RESOURCES = {"MicrosoftThreatProtection": MTP, "WindowsDefenderATP": WDATP, "MicrosoftGraph": GRAPH}
ADMINISTRATION = (
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
    "Directory.Read.All",
    "Organization.Read.All",
    "DelegatedAdminRelationship.Read.All",
    "CrossTenantInformation.ReadBasic.All",
    "Policy.Read.All",
    "Policy.ReadWrite.ApplicationConfiguration",
)
"""Graph permissions of the bootstrap app and of the tenants' automation apps."""
APP_KEYS = (
    "display_name",
    "client_id",
    "object_id",
    "home",
    "permissions",
    "scopes",
    "secrets",
    "certificates",
    "federated",
    "redirect_uris",
    "public_redirect_uris",
    "sign_in_audience",
    "identifier_uris",
    "unique_name",
    "public_client",
    "consented",
    "token_version",
    "client_secret",
)


class PreparedAppError(ValueError):
    """An entry under `apps` that cannot be used."""


def permission(cloud: Cloud, name: str, *, kind: str = "Role") -> tuple[Application, str]:
    """Resource and GUID behind `Resource/Role`. Raises PreparedAppError."""
    resource_name, _unused, value = name.partition("/")
    resource = cloud.applications.get(RESOURCES.get(resource_name, resource_name))
    if resource is None:
        raise PreparedAppError(f"permission {name!r}: unknown resource, use one of {', '.join(RESOURCES)} or a client id")
    offered = roles_of(resource) if kind == "Role" else scopes_of(resource)
    found = next((one.id for one in offered if one.value == value), None)
    if found is None:
        raise PreparedAppError(f"permission {name!r}: {resource_name} has no such {kind.lower()}")
    return resource, found


def declared_access(cloud: Cloud, roles: list[str], scopes: list[str]) -> list[dict[str, Any]]:
    """`requiredResourceAccess` for permissions by name."""
    entries: dict[str, list[dict[str, str]]] = {}
    for kind, names in (("Role", roles), ("Scope", scopes)):
        for name in names:
            resource, guid = permission(cloud, name, kind=kind)
            entries.setdefault(resource.app_id, []).append({"id": guid, "type": kind})
    return [{"resourceAppId": app_id, "resourceAccess": access} for app_id, access in entries.items()]


def prepare_app(cloud: Cloud, raw: Mapping[str, Any], *, key: str) -> dict[str, str]:
    """Register one application and carry out the consents; returns its ids and first secret. Raises PreparedAppError."""
    unknown = sorted(set(raw) - set(APP_KEYS))
    if unknown:
        raise PreparedAppError(f"app {raw.get('display_name')!r}: unknown key(s) {', '.join(unknown)}; known: {', '.join(APP_KEYS)}")
    home = cloud.tenant(str(raw.get("home") or cloud.home_tenant_id))
    roles, scopes = list(raw.get("permissions") or []), list(raw.get("scopes") or [])
    body: dict[str, Any] = {
        "displayName": str(raw.get("display_name") or key),
        "signInAudience": raw.get("sign_in_audience", "AzureADMultipleOrgs"),
        "requiredResourceAccess": declared_access(cloud, roles, scopes),
        "web": {"redirectUris": list(raw.get("redirect_uris") or [])},
        "publicClient": {"redirectUris": list(raw.get("public_redirect_uris") or [])},
        "isFallbackPublicClient": bool(raw.get("public_client", False)),
        "identifierUris": list(raw.get("identifier_uris") or []),
        "api": {"requestedAccessTokenVersion": raw.get("token_version")},
    }
    if raw.get("unique_name"):
        body["uniqueName"] = str(raw["unique_name"])
    object_id = str(raw.get("object_id") or cloud.derived_id("object", key))
    app = Application(object_id, str(raw.get("client_id") or cloud.derived_id("client", key)), home.tenant_id, cloud.now(), body)
    home.directory.applications[app.id] = app
    cloud.add_application(app)
    secret = _add_credentials(cloud, app, raw)
    for entry in _consents(cloud, raw.get("consented")):
        _consent(cloud, app, entry, roles, scopes)
    return {"display_name": app.display_name, "client_id": app.app_id, "object_id": app.id, "client_secret": secret}


def _add_credentials(cloud: Cloud, app: Application, raw: Mapping[str, Any]) -> str:
    """Secrets, certificates and federated credentials; returns the first secret's value. Without any entry a secret is made."""
    entries = raw.get("secrets")
    if raw.get("client_secret"):
        entries = [{"value": raw["client_secret"]}]
    if entries is None and not raw.get("certificates") and not raw.get("federated"):
        entries = [{}]
    first, now = "", cloud.now()
    for entry in entries or []:
        value = str(entry.get("value") or secret_text())
        end = parse_moment(str(entry["expires"])) if entry.get("expires") else now + timedelta(days=730)
        start = min(now, end) - timedelta(days=1)
        app.passwords.append(
            PasswordCredential(cloud.new_id(), entry.get("display_name", "prepared"), start, end, value[:3], digest(value))
        )
        first = first or value
    for pem in raw.get("certificates") or []:
        app.keys.append(key_from_pem(cloud, str(pem)))
    for entry in raw.get("federated") or []:
        issuer = str(entry["issuer"])
        audiences = list(entry.get("audiences") or ["api://AzureADTokenExchange"])
        app.federated.append(FederatedCredential(cloud.new_id(), str(entry["name"]), issuer, str(entry["subject"]), audiences))
    return first


def key_from_pem(cloud: Cloud, pem: str) -> KeyCredential:
    """A key credential from a PEM certificate, given as text or as a file name."""
    text = pem if "BEGIN CERTIFICATE" in pem else Path(pem).read_text(encoding="ascii")
    certificate = x509.load_pem_x509_certificate(text.encode())
    der = certificate.public_bytes(serialization.Encoding.DER)
    key = KeyCredential(
        cloud.new_id(), certificate.subject.rfc4514_string(), certificate.not_valid_before_utc, certificate.not_valid_after_utc, der, ""
    )
    key.custom_key_identifier = base64.b64encode(key.sha1).decode()
    return key


def _consents(cloud: Cloud, consented: Any) -> list[dict[str, Any]]:
    """`all`, or a list of tenants, or of mappings with `tenant`, `permissions`, `scopes` and `disabled`."""
    if consented == "all":
        return [{"tenant": tenant_id} for tenant_id in cloud.tenants]
    return [entry if isinstance(entry, dict) else {"tenant": entry} for entry in consented or []]


def _consent(cloud: Cloud, app: Application, entry: Mapping[str, Any], roles: list[str], scopes: list[str]) -> None:
    tenant = cloud.tenant(str(entry["tenant"]))
    principal_id = cloud.derived_id("service-principal", tenant.tenant_id, app.app_id)
    principal = tenant.directory.add_service_principal(
        ServicePrincipal(principal_id, app.app_id, tenant.tenant_id, app.tenant_id, cloud.now())
    )
    principal.account_enabled = not entry.get("disabled", False)
    for name in entry.get("permissions", roles):
        resource, guid = permission(cloud, name)
        found = _present(tenant, resource)
        if found is not None:
            assign(cloud, tenant, principal, found, guid)
    _consent_scopes(cloud, tenant, principal, list(entry.get("scopes", scopes)))


def _consent_scopes(cloud: Cloud, tenant: Tenant, principal: ServicePrincipal, names: list[str]) -> None:
    by_resource: dict[str, list[str]] = {}
    for name in names:
        resource, _guid = permission(cloud, name, kind="Scope")
        by_resource.setdefault(resource.app_id, []).append(name.partition("/")[2])
    for app_id, values in by_resource.items():
        found = tenant.directory.service_principal(app_id)
        if found is not None:
            grant_id = cloud.derived_id("grant", principal.id, found.id)
            tenant.directory.add_grant(PermissionGrant(grant_id, principal.id, "AllPrincipals", None, found.id, " ".join(values)))


def _present(tenant: Tenant, resource: Application) -> ServicePrincipal | None:
    """The resource in the tenant; a product the tenant does not have is skipped, as it could not have been granted."""
    return tenant.directory.service_principal(resource.app_id)
