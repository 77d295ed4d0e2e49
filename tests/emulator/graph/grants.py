# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""App role assignments and grants of delegated permissions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..auth import GRAPH
from ..errors import ApiError, bad_request, denied, not_found
from ..first_party import roles_of
from ..identifiers import is_guid, opaque_id
from ..model import DEFAULT_ACCESS, AppRoleAssignment, PermissionGrant, ServicePrincipal
from . import bodies
from .access import ASSIGN_ROLES, OWNED, READ_APPS, READ_GRANTS, WRITE_APPS, WRITE_GRANTS, Access, conflict, enter, no_content, respond
from .query import page
from .service_principals import find

_READ_ONE = ("Application.Read.All", *WRITE_APPS, OWNED, "Directory.Read.All")
_FILTERABLE = ("principalId", "resourceId", "appRoleId", "principalDisplayName", "resourceDisplayName", "id")


def _path_kind(request: Request) -> str:
    return "appRoleAssignedTo" if "/appRoleAssignedTo" in request.url.path else "appRoleAssignments"


async def list_assignments(request: Request) -> Response:
    """GET …/appRoleAssignments (held by this service principal) or …/appRoleAssignedTo (held on it)."""
    access = enter(request, f"servicePrincipals.{_path_kind(request)}.list", READ_APPS)
    principal, directory = find(access), access.tenant.directory
    member = "principal_id" if _path_kind(request) == "appRoleAssignments" else "resource_id"
    seen = [one for one in directory.assignments.values() if getattr(one, member) == principal.id and directory.visible(one.created)]
    rows = (bodies.role_assignment(access.cloud, access.tenant, one) for one in seen)
    fragment = f"servicePrincipals('{principal.id}')/{_path_kind(request)}"
    return respond(page(access, rows, fragment=fragment, filterable=_FILTERABLE))


async def create_assignment(request: Request) -> Response:
    """POST to either collection: needs the permission to assign and the one to read applications."""
    access = enter(request, f"servicePrincipals.{_path_kind(request)}.create", ASSIGN_ROLES, _READ_ONE)
    addressed, raw = find(access), await access.json()
    for name in ("principalId", "resourceId", "appRoleId"):
        if not is_guid(raw.get(name)):
            raise bad_request(f"Invalid value specified for property '{name}' of resource 'AppRoleAssignment'.")
    wanted = {name: str(raw[name]).lower() for name in ("principalId", "resourceId", "appRoleId")}
    side = "principalId" if _path_kind(request) == "appRoleAssignments" else "resourceId"
    if wanted[side] != addressed.id:
        raise bad_request(f"The {side} of the assignment does not match the object in the request address.")
    principal, resource = _reference(access, wanted["principalId"]), _reference(access, wanted["resourceId"])
    _check_role(access, resource, wanted["appRoleId"])
    _check_role_of_user(access, resource)
    made = _assign(access, principal, resource, wanted["appRoleId"])
    fragment = f"servicePrincipals('{addressed.id}')/{_path_kind(request)}/$entity"
    return respond({"@odata.context": access.context_url(fragment)} | bodies.role_assignment(access.cloud, access.tenant, made), status=201)


def _reference(access: Access, object_id: str) -> ServicePrincipal:
    """A service principal named in a body; one that has not replicated is no valid reference. Raises ApiError 400."""
    directory = access.tenant.directory
    found = directory.service_principals.get(object_id)
    if found is None or not directory.visible(found.created):
        raise bad_request("Not a valid reference update.")
    return found


def _check_role(access: Access, resource: ServicePrincipal, role_id: str) -> None:
    app = access.cloud.applications.get(resource.app_id)
    offered = roles_of(app) if app else []
    if role_id == DEFAULT_ACCESS and not any("Application" in role.member_types for role in offered):
        return
    if not any(role.id == role_id and role.enabled and "Application" in role.member_types for role in offered):
        name = app.display_name if app else resource.app_id
        raise bad_request(f"Permission being assigned was not found on application '{name}'")


def _check_role_of_user(access: Access, resource: ServicePrincipal) -> None:
    """A person needs a directory role too; application administrators may not grant Microsoft Graph's app roles."""
    user = access.user
    if access.caller.user_id is None:
        return
    if user is None or not access.administers() or (resource.app_id == GRAPH and not user.administrator):
        raise denied()


def _assign(access: Access, principal: ServicePrincipal, resource: ServicePrincipal, role_id: str) -> AppRoleAssignment:
    directory = access.tenant.directory
    for one in directory.assignments.values():
        if (one.principal_id, one.resource_id, one.app_role_id) == (principal.id, resource.id, role_id):
            text = access.cloud.settings.duplicate_assignment_text
            raise ApiError(400, "Request_BadRequest", text, details=[{"code": "InvalidUpdate", "target": "", "message": text}])
    stamp = access.cloud.replication.stamp()
    made = AppRoleAssignment(opaque_id(access.cloud.rng), principal.id, resource.id, role_id, access.cloud.now(), stamp)
    return directory.add_assignment(made)


def _assignment(access: Access) -> AppRoleAssignment:
    addressed = find(access)
    found = access.tenant.directory.assignments.get(str(access.request.path_params["assignment"]))
    if found is None or addressed.id not in (found.principal_id, found.resource_id):
        raise not_found(str(access.request.path_params["assignment"]))
    return found


async def get_assignment(request: Request) -> Response:
    """GET one assignment."""
    access = enter(request, f"servicePrincipals.{_path_kind(request)}.get", READ_APPS)
    body = bodies.role_assignment(access.cloud, access.tenant, _assignment(access))
    return respond({"@odata.context": access.context_url("appRoleAssignments/$entity")} | body)


async def delete_assignment(request: Request) -> Response:
    """DELETE one assignment."""
    access = enter(request, f"servicePrincipals.{_path_kind(request)}.delete", ASSIGN_ROLES)
    found = _assignment(access)
    if not access.administers():
        raise denied()
    access.tenant.directory.remove_assignment(found)
    return no_content()


# -- delegated ----------------------------------------------------------------------------------------------------


async def list_grants(request: Request) -> Response:
    """GET /oauth2PermissionGrants, or those of one service principal."""
    access = enter(request, "oauth2PermissionGrants.list", READ_GRANTS)
    directory = access.tenant.directory
    grants = [one for one in directory.grants.values() if directory.visible(one.created)]
    if "object_id" in request.path_params or "key" in request.path_params:
        client = find(access)
        grants = [one for one in grants if one.client_id == client.id]
    rows = (bodies.permission_grant(one) for one in grants)
    filterable = ("clientId", "consentType", "principalId", "resourceId", "scope", "id")
    return respond(page(access, rows, fragment="oauth2PermissionGrants", filterable=filterable))


async def create_grant(request: Request) -> Response:
    """POST /oauth2PermissionGrants."""
    access = enter(request, "oauth2PermissionGrants.create", WRITE_GRANTS)
    raw = await access.json()
    if not access.administers():
        raise denied()
    kind, user_id = raw.get("consentType"), raw.get("principalId")
    if kind not in ("AllPrincipals", "Principal") or (kind == "Principal") != bool(user_id) or not isinstance(raw.get("scope"), str):
        raise bad_request("Invalid value specified for property 'consentType' of resource 'OAuth2PermissionGrant'.")
    client, resource = (_reference(access, str(raw.get(name, "")).lower()) for name in ("clientId", "resourceId"))
    directory = access.tenant.directory
    for one in directory.grants.values():
        if (one.client_id, one.resource_id, one.principal_id) == (client.id, resource.id, user_id):
            text = "Permission entry already exists."
            raise conflict(text) if access.cloud.settings.duplicate_grant_status == 409 else bad_request(text)
    stamp = access.cloud.replication.stamp()
    made = PermissionGrant(opaque_id(access.cloud.rng), client.id, str(kind), user_id, resource.id, str(raw["scope"]), stamp)
    directory.add_grant(made)
    return respond({"@odata.context": access.context_url("oauth2PermissionGrants/$entity")} | bodies.permission_grant(made), status=201)


def _grant(access: Access) -> PermissionGrant:
    found = access.tenant.directory.grants.get(str(access.request.path_params["grant"]))
    if found is None:
        raise not_found(str(access.request.path_params["grant"]))
    return found


async def get_grant(request: Request) -> Response:
    """GET /oauth2PermissionGrants/{id}."""
    access = enter(request, "oauth2PermissionGrants.get", READ_GRANTS)
    return respond({"@odata.context": access.context_url("oauth2PermissionGrants/$entity")} | bodies.permission_grant(_grant(access)))


async def update_grant(request: Request) -> Response:
    """PATCH /oauth2PermissionGrants/{id}: the scope alone."""
    access = enter(request, "oauth2PermissionGrants.update", WRITE_GRANTS)
    raw: dict[str, Any] = await access.json()
    found = _grant(access)
    if not access.administers():
        raise denied()
    if set(raw) != {"scope"} or not isinstance(raw["scope"], str):
        raise bad_request("Only the property 'scope' of an 'OAuth2PermissionGrant' can be updated.")
    found.scope, found.created = raw["scope"], access.cloud.replication.stamp()
    return no_content()


async def delete_grant(request: Request) -> Response:
    """DELETE /oauth2PermissionGrants/{id}."""
    access = enter(request, "oauth2PermissionGrants.delete", WRITE_GRANTS)
    found = _grant(access)
    if not access.administers():
        raise denied()
    access.tenant.directory.remove_grant(found)
    return no_content()
