# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`/servicePrincipals`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..errors import ApiError, bad_request, denied, not_found
from ..model import ServicePrincipal
from . import bodies
from .access import OWNED, READ_APPS, WRITE_APPS, Access, conflict, enter, no_content, respond
from .lookup import parse_key
from .query import page, select

FILTERABLE = (
    "accountEnabled",
    "appId",
    "appOwnerOrganizationId",
    "displayName",
    "appDisplayName",
    "id",
    "servicePrincipalNames",
    "servicePrincipalType",
    "tags",
    "createdDateTime",
)
_CHANGEABLE = (
    "accountEnabled",
    "appRoleAssignmentRequired",
    "tags",
    "notes",
    "description",
    "alternativeNames",
    "loginUrl",
    "notificationEmailAddresses",
    "preferredSingleSignOnMode",
    "customSecurityAttributes",
)


def find(access: Access) -> ServicePrincipal:
    """The service principal the path names, by id or by client id. Raises ApiError 404."""
    name, value = parse_key(access.request)
    directory = access.tenant.directory
    if name not in ("id", "appId"):
        raise bad_request(f"The key '{name}' is not a key of 'servicePrincipal'.", code="BadRequest")
    found = directory.service_principals.get(value.lower()) if name == "id" else directory.service_principal(value.lower())
    if found is None or not directory.visible(found.created):
        raise not_found(value)
    return found


async def list_principals(request: Request) -> Response:
    """GET /servicePrincipals."""
    access = enter(request, "servicePrincipals.list", READ_APPS)
    directory = access.tenant.directory
    seen = [one for one in directory.service_principals.values() if directory.visible(one.created)]
    rows = (bodies.service_principal(access.cloud, one) for one in seen)
    return respond(page(access, rows, fragment="servicePrincipals", filterable=FILTERABLE))


async def get_principal(request: Request) -> Response:
    """GET /servicePrincipals/{id}."""
    access = enter(request, "servicePrincipals.get", READ_APPS)
    body = bodies.service_principal(access.cloud, find(access))
    return respond({"@odata.context": access.context_url("servicePrincipals/$entity")} | select(body, request.query_params.get("$select")))


async def create_principal(request: Request) -> Response:
    """POST /servicePrincipals with an appId of this tenant, of a multi-tenant app of another one, or of Microsoft."""
    access = enter(request, "servicePrincipals.create", (*WRITE_APPS, OWNED))
    raw = await access.json()
    cloud, directory = access.cloud, access.tenant.directory
    app_id = str(raw.get("appId") or "").lower()
    if not app_id:
        raise bad_request("A value is required for property 'appId' of resource 'ServicePrincipal'.")
    app = cloud.applications.get(app_id)
    local = app is not None and app.tenant_id == access.tenant.tenant_id
    invalid = bad_request(f"The appId '{app_id}' of the service principal does not reference a valid application object.")
    if app is None or app.deleted_at is not None or not (local or app.multi_tenant):
        raise invalid
    if local and directory.seen_application(app) is None:
        raise invalid
    if not access.has(WRITE_APPS):
        if not local:
            text = "When using this permission, the backing application of the service principal being created must in the local tenant"
            raise ApiError(403, "Authorization_RequestDenied", text)
        if not access.owns(app):
            raise denied()
    if not access.administers():
        raise denied()
    if directory.service_principal(app_id) is not None:
        raise conflict(
            f"The service principal cannot be created, updated, or restored because the service principal name {app_id} is already in use."
        )
    plain = _plain(raw)
    made = ServicePrincipal(cloud.new_id(), app_id, access.tenant.tenant_id, app.tenant_id, cloud.now(), created=cloud.replication.stamp())
    _apply(access, made, plain)
    if not access.has(WRITE_APPS) or access.caller.user_id:
        made.owners.append(access.caller.user_id or access.caller.service_principal_id)
    directory.add_service_principal(made)
    return respond({"@odata.context": access.context_url("servicePrincipals/$entity")} | bodies.service_principal(cloud, made), status=201)


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in raw.items() if name not in ("appId", "displayName") and not name.startswith("@")}
    unknown = sorted(set(plain) - set(_CHANGEABLE))
    if unknown:
        raise bad_request(f"Property '{unknown[0]}' is read-only and cannot be set.")
    return plain


def _apply(access: Access, principal: ServicePrincipal, plain: dict[str, Any]) -> None:
    for name in ("accountEnabled", "appRoleAssignmentRequired"):
        if name in plain and not isinstance(plain[name], bool):
            raise bad_request(f"Invalid value specified for property '{name}' of resource 'ServicePrincipal'.")
    enabled = plain.pop("accountEnabled", principal.account_enabled)
    if enabled != principal.account_enabled:
        principal.account_enabled = enabled
        principal.enabled_changed = access.cloud.replication.stamp()
    principal.body |= plain


async def update_principal(request: Request) -> Response:
    """PATCH /servicePrincipals/{id}."""
    access = enter(request, "servicePrincipals.update", (*WRITE_APPS, OWNED))
    principal = find(access)
    access.demand_change(principal)
    _apply(access, principal, _plain(await access.json()))
    return no_content()


async def delete_principal(request: Request) -> Response:
    """DELETE /servicePrincipals/{id}: with all its grants."""
    access = enter(request, "servicePrincipals.delete", (*WRITE_APPS, OWNED))
    principal = find(access)
    access.demand_change(principal)
    access.tenant.directory.remove_service_principal(principal, access.cloud.now())
    return no_content()


async def list_deleted(request: Request) -> Response:
    """GET /directory/deletedItems/microsoft.graph.servicePrincipal."""
    access = enter(request, "deleted.list", READ_APPS)
    rows = (bodies.service_principal(access.cloud, one) for one in access.tenant.directory.deleted_principals.values())
    return respond(page(access, rows, fragment="directoryObjects", filterable=FILTERABLE))


async def list_owners(request: Request) -> Response:
    """GET /servicePrincipals/{id}/owners."""
    access = enter(request, "servicePrincipals.owners", READ_APPS)
    directory = access.tenant.directory
    owners = [directory.service_principals[one] for one in find(access).owners if one in directory.service_principals]
    rows = [{"@odata.type": "#microsoft.graph.servicePrincipal"} | bodies.service_principal(access.cloud, one) for one in owners]
    return respond(page(access, rows, fragment="directoryObjects", filterable=("id",)))
