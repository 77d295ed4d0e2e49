# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Graph accepts in the properties of a registration. Limits: graph resources/application and supported-accounts-validation."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import Any

from ..errors import ApiError, bad_request
from ..identifiers import is_guid
from ..state import Cloud, Tenant
from .bodies import APPLICATION_DEFAULTS

AUDIENCES = ("AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
READ_ONLY = ("id", "appId", "createdDateTime", "deletedDateTime", "publisherDomain", "verifiedPublisher", "certification", "createdByAppId")
WRITABLE = {
    *APPLICATION_DEFAULTS,
    "web",
    "spa",
    "publicClient",
    "api",
    "info",
    "keyCredentials",
    "passwordCredentials",
    "authenticationBehaviors",
    "oauth2RequirePostResponse",
    "parentalControlSettings",
    "logo",
    "owners@odata.bind",
}


def invalid(name: str, *, message: str | None = None) -> ApiError:
    """Graph's usual sentence about a property it does not accept."""
    text = message or f"Invalid value specified for property '{name}' of resource 'Application'."
    return ApiError(400, "Request_BadRequest", text, details=[{"code": "InvalidValue", "target": name, "message": text}])


def check_application(cloud: Cloud, tenant: Tenant, body: dict[str, Any], merged: dict[str, Any], *, app_id: str | None) -> None:
    """Check the properties in `body`; `merged` is the registration as it would be afterwards. Raises ApiError 400."""
    for name in body:
        if name in READ_ONLY:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        if name not in WRITABLE and not name.startswith("@"):
            raise bad_request(f"Invalid property '{name}'.", code="BadRequest")
    _check_shapes(body)
    _check_texts(merged)
    if merged.get("signInAudience") not in AUDIENCES:
        raise invalid("signInAudience")
    if body.get("passwordCredentials"):
        raise invalid("passwordCredentials", message="New password credentials must be generated with the 'addPassword' action.")
    personal = "Personal" in str(merged["signInAudience"])
    version = (merged.get("api") or {}).get("requestedAccessTokenVersion")
    if version not in (None, 1, 2):
        raise invalid("api.requestedAccessTokenVersion")
    if personal and "signInAudience" in body and version not in (None, 2):
        raise invalid(
            "api.requestedAccessTokenVersion",
            message="Property api.requestedAccessTokenVersion is invalid; it must be 2 for this audience.",
        )
    for platform in ("web", "spa", "publicClient"):
        _check_redirects(platform, (merged.get(platform) or {}).get("redirectUris") or [], personal=personal)
    _check_access(merged.get("requiredResourceAccess") or [])
    _check_tags(merged.get("tags") or [])
    if "identifierUris" in body:
        _check_identifiers(cloud, tenant, body["identifierUris"] or [], multi=merged["signInAudience"] != "AzureADMyOrg", app_id=app_id)


def _check_shapes(body: dict[str, Any]) -> None:
    """Objects are objects, lists are lists, switches are booleans; null is allowed everywhere."""
    kinds: dict[str, type] = {name: list for name, default in APPLICATION_DEFAULTS.items() if isinstance(default, list)}
    kinds |= dict.fromkeys(("web", "spa", "publicClient", "api", "info"), dict)
    kinds |= {"isFallbackPublicClient": bool, "isDisabled": bool, "keyCredentials": list, "passwordCredentials": list}
    for name, kind in kinds.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise invalid(name)
    offered = [("appRoles", body.get("appRoles")), ("api.oauth2PermissionScopes", (body.get("api") or {}).get("oauth2PermissionScopes"))]
    for name, entries in offered:
        for one in entries or []:
            if not isinstance(one, dict) or not is_guid(one.get("id")) or not isinstance(one.get("value"), str | None):
                raise invalid(name)


def _check_texts(merged: dict[str, Any]) -> None:
    name = merged.get("displayName")
    if name is None or name == "":
        raise invalid("displayName", message="A value is required for property 'displayName' of resource 'Application'.")
    limit = 90 if "Personal" in str(merged.get("signInAudience")) else 120
    if not isinstance(name, str) or len(name) > limit:
        raise invalid("displayName")
    for field, most in (("description", 1024), ("notes", 1024), ("uniqueName", 120)):
        value = merged.get(field)
        if value is not None and (not isinstance(value, str) or len(value) > most):
            raise invalid(field)


def _check_redirects(platform: str, uris: Any, *, personal: bool) -> None:
    if not isinstance(uris, list) or len(uris) > (100 if personal else 256):
        raise invalid(f"{platform}.redirectUris")
    for uri in uris:
        parts = urllib.parse.urlsplit(uri) if isinstance(uri, str) else urllib.parse.urlsplit("")
        local = parts.hostname in ("localhost", "127.0.0.1") or _is_loopback(parts.hostname)
        fine = bool(parts.scheme) and (bool(parts.netloc) or platform == "publicClient")
        if not fine or "*" in str(uri) or (parts.scheme == "http" and not local) or parts.fragment:
            raise invalid(
                f"{platform}.redirectUris",
                message=f"Property {platform}.redirectUris is invalid: '{uri}' must be an absolute HTTPS address.",
            )


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _check_access(entries: Any) -> None:
    """≤50 resources, ≤400 permissions, GUIDs, type Role or Scope. Whether the permission exists is not checked here, nor by Graph."""
    if not isinstance(entries, list) or len(entries) > 50:
        raise invalid("requiredResourceAccess")
    total = 0
    seen: set[str] = set()
    for entry in entries:
        resource = entry.get("resourceAppId") if isinstance(entry, dict) else None
        access = entry.get("resourceAccess") if isinstance(entry, dict) else None
        if not is_guid(resource) or resource in seen or not isinstance(access, list):
            raise invalid("requiredResourceAccess")
        seen.add(str(resource))
        for one in access:
            total += 1
            if not isinstance(one, dict) or not is_guid(one.get("id")) or one.get("type") not in ("Role", "Scope"):
                raise invalid("requiredResourceAccess")
    if total > 400:
        raise invalid("requiredResourceAccess")


def _check_tags(tags: Any) -> None:
    fine = isinstance(tags, list) and all(isinstance(tag, str) and 1 <= len(tag) <= 256 and not re.search(r"\s", tag) for tag in tags)
    if not fine or len(set(tags)) != len(tags):
        raise invalid("tags")


def _check_identifiers(cloud: Cloud, tenant: Tenant, uris: Any, *, multi: bool, app_id: str | None) -> None:
    """Unique in the whole cloud; for multi-tenant apps on a verified domain or `api://{appId}`."""
    if not isinstance(uris, list) or not all(isinstance(uri, str) and 0 < len(uri) <= 255 for uri in uris):
        raise invalid("identifierUris")
    domains = (tenant.domain, *tenant.domains)
    for uri in uris:
        owner = cloud.resource(uri)
        if owner is not None and owner.app_id != app_id:
            text = f"Another object with the same value for property identifierUris already exists. '{uri}'"
            raise ApiError(
                400, "Request_BadRequest", text, details=[{"code": "ObjectConflict", "target": "identifierUris", "message": text}]
            )
        host = urllib.parse.urlsplit(uri).hostname or ""
        own = app_id is not None and uri == f"api://{app_id}"
        if multi and not own and not any(host == domain or host.endswith(f".{domain}") for domain in domains):
            message = f"Values of IdentifierUris property must use a verified domain of the organization or its subdomain: '{uri}'"
            raise bad_request(message, code="HostNameNotOnVerifiedDomain")
