# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a consent asks for, who may give it, and what it leaves behind in the customer's directory."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..auth import GRAPH
from ..first_party import roles_of, scopes_of
from ..identifiers import opaque_id
from ..model import APPLICATION_ADMINISTRATORS, Application, AppRoleAssignment, PermissionGrant, ServicePrincipal, User
from ..state import Cloud, Tenant
from .errors import EntraError


@dataclass(slots=True)
class Ask:
    """The permissions of one resource that a consent covers."""

    resource: Application
    roles: list[tuple[str, str]] = field(default_factory=list)
    """(id, value) of application permissions."""
    scopes: list[str] = field(default_factory=list)
    """Values of delegated permissions."""


def static_permissions(cloud: Cloud, app: Application, *, only: Application | None = None) -> list[Ask]:
    """What the registration declares (`requiredResourceAccess`), for all resources or for one.

    Raises EntraError 650054 for a resource that is gone and 650053 for a permission the resource does not have.
    """
    asks: list[Ask] = []
    for entry in app.body.get("requiredResourceAccess") or []:
        resource = cloud.resource(str(entry.get("resourceAppId")))
        if resource is None:
            raise EntraError(650054, client=app.app_id)
        if only is not None and resource is not only:
            continue
        ask = Ask(resource)
        roles = {role.id: role.value for role in roles_of(resource) if role.enabled}
        scopes = {scope.id: scope.value for scope in scopes_of(resource) if scope.enabled}
        for access in entry.get("resourceAccess") or []:
            known = roles if access.get("type") == "Role" else scopes
            value = known.get(str(access.get("id")))
            if value is None:
                raise EntraError(650053, client=app.app_id, scope=str(access.get("id")), resource=resource.app_id)
            if access.get("type") == "Role":
                ask.roles.append((str(access["id"]), value))
            else:
                ask.scopes.append(value)
        asks.append(ask)
    return asks


def may_consent(user: User, asks: list[Ask]) -> bool:
    """Whether the user's directory role suffices for every application permission asked for.

    Source: entra-docs grant-admin-consent: (Cloud) Application Administrators may grant all but Microsoft Graph's app roles.
    """
    if user.administrator:
        return True
    if not set(APPLICATION_ADMINISTRATORS) & set(user.roles):
        return False
    return all(not ask.roles or ask.resource.app_id != GRAPH for ask in asks)


def needs_administrator(asks: list[Ask]) -> bool:
    """Whether an ordinary user cannot give this consent: any application permission, or a delegated one of type Admin."""
    for ask in asks:
        admin_scopes = {scope.value for scope in scopes_of(ask.resource) if scope.kind == "Admin"}
        if ask.roles or admin_scopes & set(ask.scopes):
            return True
    return False


def available(cloud: Cloud, tenant: Tenant, app: Application, asks: list[Ask]) -> list[Ask]:
    """The part of a consent that the tenant can give. Raises EntraError 650052 when it lacks a product, or leaves that product out."""
    kept: list[Ask] = []
    for ask in asks:
        own = ask.resource.tenant_id == tenant.tenant_id
        if own or tenant.directory.service_principal(ask.resource.app_id) is not None:
            kept.append(ask)
        elif cloud.settings.consent_without_product != "skip":
            names = {"resource": ask.resource.app_id, "resource_name": ask.resource.display_name, "directory": tenant.display_name}
            raise EntraError(650052, client=app.app_id, values=names)
    return kept


def ensure_principal(cloud: Cloud, tenant: Tenant, app: Application) -> ServicePrincipal:
    """The app's service principal in the tenant, created when it is not there."""
    found = tenant.directory.service_principal(app.app_id)
    if found is not None:
        return found
    return tenant.directory.add_service_principal(
        ServicePrincipal(cloud.new_id(), app.app_id, tenant.tenant_id, app.tenant_id, cloud.now(), created=cloud.replication.stamp())
    )


def grant(
    cloud: Cloud, tenant: Tenant, app: Application, asks: list[Ask], *, user: User, whole_tenant: bool, complete: bool
) -> ServicePrincipal:
    """Carry out a consent. With `complete` (every declared permission was asked for) earlier tenant-wide grants that are no longer
    declared are revoked, which is what re-running a tenant-wide consent may do.
    """
    principal = ensure_principal(cloud, tenant, app)
    for ask in asks:
        resource = tenant.directory.service_principal(ask.resource.app_id) or ensure_principal(cloud, tenant, ask.resource)
        for role_id, _value in ask.roles:
            assign(cloud, tenant, principal, resource, role_id)
        if ask.scopes:
            _grant_scopes(cloud, tenant, principal, resource, ask.scopes, None if whole_tenant else user.id)
    if whole_tenant and cloud.settings.reconsent_revokes:
        _revoke_rest(tenant, principal, asks, complete=complete)
    return principal


def assign(cloud: Cloud, tenant: Tenant, principal: ServicePrincipal, resource: ServicePrincipal, role_id: str) -> AppRoleAssignment:
    """The assignment of one application permission, created when it is not there."""
    for one in tenant.directory.assignments.values():
        if (one.principal_id, one.resource_id, one.app_role_id) == (principal.id, resource.id, role_id):
            return one
    made = AppRoleAssignment(opaque_id(cloud.rng), principal.id, resource.id, role_id, cloud.now(), cloud.replication.stamp())
    return tenant.directory.add_assignment(made)


def _grant_scopes(
    cloud: Cloud, tenant: Tenant, principal: ServicePrincipal, resource: ServicePrincipal, scopes: list[str], user_id: str | None
) -> None:
    kind = "Principal" if user_id else "AllPrincipals"
    wanted = " ".join(scopes)
    for one in tenant.directory.grants.values():
        if (one.client_id, one.resource_id, one.principal_id) == (principal.id, resource.id, user_id):
            one.scope = wanted if user_id is None else " ".join(dict.fromkeys([*one.scope.split(), *scopes]))
            return
    stamp = cloud.replication.stamp()
    tenant.directory.add_grant(PermissionGrant(opaque_id(cloud.rng), principal.id, kind, user_id, resource.id, f" {wanted}", stamp))


def _revoke_rest(tenant: Tenant, principal: ServicePrincipal, asks: list[Ask], *, complete: bool) -> None:
    """Revoke tenant-wide grants that were not asked for: of all resources, or of the resources asked for when not `complete`."""
    directory = tenant.directory
    resources = {sp.id: ask for ask in asks if (sp := directory.service_principal(ask.resource.app_id)) is not None}
    for one in list(directory.assignments_by_principal.get(principal.id, ())):
        ask = resources.get(one.resource_id)
        if (
            one.removed is None
            and (ask is not None or complete)
            and one.app_role_id not in {role for role, _unused in (ask.roles if ask else ())}
        ):
            directory.remove_assignment(one)
    for held in list(directory.grants.values()):
        ask = resources.get(held.resource_id)
        stale = (ask is not None and not ask.scopes) or (ask is None and complete)
        if held.client_id == principal.id and held.consent_type == "AllPrincipals" and stale:
            directory.remove_grant(held)
