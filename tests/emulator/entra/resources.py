# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From `resource` or `scope` to the resource application, the audience and the permissions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..auth import AAD_GRAPH, GRAPH
from ..first_party import BOOTSTRAP_SCOPES, role_values, scopes_of
from ..model import Application, ServicePrincipal, User
from ..state import Cloud, Tenant
from .clients import Client
from .errors import EntraError
from .form import Form

OIDC_SCOPES = ("openid", "profile", "email", "offline_access")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


@dataclass(slots=True)
class Target:
    """One resource, the audience form that was asked for, and the delegated scopes named one by one."""

    app: Application
    audience: str
    scopes: list[str] = field(default_factory=list)
    every_scope: bool = False


def v1_target(cloud: Cloud, tenant: Tenant, form: Form) -> Target:
    """The target of a v1 request; without `resource` it is Azure AD Graph, as the real endpoint does it."""
    identifier = form.get("resource") or AAD_GRAPH
    return Target(find_resource(cloud, tenant, identifier), identifier, every_scope=True)


def default_scope_target(cloud: Cloud, tenant: Tenant, form: Form) -> Target:
    """The target of a v2 client_credentials request: exactly one `{resource}/.default`. Raises EntraError."""
    if "resource" in form.values:
        raise EntraError(901002)
    if "scope" not in form.values:
        raise EntraError(900144, parameter="scope")
    scope = form.get("scope").strip()
    if not scope:
        raise EntraError(28003)
    if not _SCOPE.fullmatch(scope) or set(scope.split()) <= set(OIDC_SCOPES):
        raise EntraError(70011, scope=scope)
    parts = [part for part in scope.split() if part not in OIDC_SCOPES]
    if len({part.rpartition("/")[0] for part in parts}) > 1:
        raise EntraError(700022, scope=scope)
    if parts[0] in (".default", "/.default"):
        raise EntraError(700023, scope=scope)
    if not parts[0].endswith("/.default") or len(parts) > 1:
        raise EntraError(cloud.settings.scope_without_default, scope=scope)
    identifier = parts[0].removesuffix("/.default")
    return Target(find_resource(cloud, tenant, identifier), identifier, every_scope=True)


def delegated_target(cloud: Cloud, tenant: Tenant, scope: str) -> Target:
    """The target of a user's v2 request: scopes of one resource, bare names belong to Microsoft Graph. Raises EntraError."""
    wanted = [part for part in scope.split() if part not in OIDC_SCOPES]
    named = [(part.rpartition("/")[0], part.rpartition("/")[2]) for part in wanted]
    identifiers = {prefix for prefix, _name in named} or {"https://graph.microsoft.com"}
    if len(identifiers) > 1:
        raise EntraError(28002, scope=scope)
    identifier = next(iter(identifiers)) or "https://graph.microsoft.com"
    resource = find_resource(cloud, tenant, identifier)
    names = [name for _prefix, name in named]
    offered = {one.value for one in scopes_of(resource)}
    for name in names:
        if name != ".default" and name not in offered:
            raise EntraError(650053, scope=name, resource=resource.app_id)
    return Target(resource, identifier, [name for name in names if name != ".default"], ".default" in names or not names)


def find_resource(cloud: Cloud, tenant: Tenant, identifier: str) -> Application:
    """The application behind an App ID URI or GUID. Raises EntraError 500011."""
    found = cloud.resource(identifier)
    if found is None:
        raise EntraError(500011, resource=identifier, directory=tenant.display_name)
    return found


def resource_principal(tenant: Tenant, target: Target) -> ServicePrincipal:
    """The resource's service principal in the tenant. Raises EntraError 500011 or 500014."""
    principal = tenant.directory.seen_service_principal(target.app.app_id, "login")
    if principal is None:
        raise EntraError(500011, resource=target.audience, directory=tenant.display_name)
    if not tenant.directory.seen_enabled(principal):
        raise EntraError(500014, resource=target.audience)
    return principal


def app_roles(client: Client, target: Target) -> list[str]:
    """Names of the application permissions the client holds on the target. Raises EntraError 500011, 500014 or 501051."""
    resource = resource_principal(client.tenant, target)
    held = client.tenant.directory.held_roles(client.principal.id, resource.id)
    if resource.body.get("appRoleAssignmentRequired") and not held:
        raise EntraError(
            501051,
            client=client.app.app_id,
            name=client.app.display_name,
            resource=target.app.app_id,
            resource_name=target.app.display_name,
        )
    values = role_values(target.app)
    return [values[role] for role in dict.fromkeys(held) if values.get(role)]


def user_scopes(client: Client, target: Target, user: User) -> list[str]:
    """Names of the delegated permissions for a user. Raises EntraError 650057, 650053 or 65001."""
    resource = resource_principal(client.tenant, target)
    if client.app.public_only:
        offered = [scope.value for scope in scopes_of(target.app)]
        granted = [name for name in offered if name in BOOTSTRAP_SCOPES or target.app.app_id != GRAPH]
        return granted if target.every_scope else [name for name in target.scopes if name in offered]
    declared = {entry.get("resourceAppId") for entry in client.app.body.get("requiredResourceAccess") or []}
    if target.every_scope and target.app.app_id not in declared and target.app.app_id != GRAPH:
        raise EntraError(650057, client=client.app.app_id, name=client.app.display_name, resource=target.audience)
    granted = client.tenant.directory.delegated_scopes(client.principal.id, resource.id, user.id)
    missing = [name for name in target.scopes if name not in granted]
    if missing or not granted:
        raise EntraError(65001, client=client.app.app_id, name=client.app.display_name)
    return granted
