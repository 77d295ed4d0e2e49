# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`/applications`: create, read, list, update, upsert, delete, restore, owners."""

from __future__ import annotations

import copy
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..clock import graph_time
from ..errors import ApiError, bad_request, not_found
from ..identifiers import is_guid
from ..model import Application
from . import bodies
from .access import CHANGE_APPS, CREATE_APPS, OWNED, READ_APPS, READ_DIRECTORY, WRITE_APPS, Access, conflict, enter, no_content, respond
from .credentials import replace_keys
from .lookup import find, parse_key
from .query import page, select
from .validation import check_application

FILTERABLE = (
    "appId",
    "createdDateTime",
    "displayName",
    "id",
    "identifierUris",
    "publisherDomain",
    "signInAudience",
    "tags",
    "uniqueName",
    "notes",
    "description",
)
_CREATE_HEADER = "create-if-missing"


async def list_applications(request: Request) -> Response:
    """GET /applications."""
    access = enter(request, "applications.list", READ_APPS)
    directory = access.tenant.directory
    with_keys = "keyCredentials" in request.query_params.get("$select", "")
    apps = [app for app in directory.live_applications() if directory.visible(app.created)]
    rows = (bodies.application(access.cloud, app, with_keys=with_keys) for app in apps)
    return respond(page(access, rows, fragment="applications", filterable=FILTERABLE))


async def get_application(request: Request) -> Response:
    """GET /applications/{id}."""
    access = enter(request, "applications.get", READ_APPS)
    app = find(access)
    wanted = request.query_params.get("$select")
    body = bodies.application(access.cloud, app, with_keys="keyCredentials" in (wanted or ""))
    if wanted and "authenticationBehaviors" in wanted:
        body.setdefault("authenticationBehaviors", None)
    elif "authenticationBehaviors" in body:
        del body["authenticationBehaviors"]
    return respond({"@odata.context": access.context_url("applications/$entity")} | select(body, wanted))


async def create_application(request: Request) -> Response:
    """POST /applications."""
    access = enter(request, "applications.create", CREATE_APPS)
    app = create(access, await access.json())
    return respond(
        {"@odata.context": access.context_url("applications/$entity")} | bodies.application(access.cloud, app, fresh=True), status=201
    )


def create(access: Access, raw: dict[str, Any]) -> Application:
    """Register an application; a caller without the wide permission becomes its owner. Raises ApiError."""
    cloud, directory = access.cloud, access.tenant.directory
    plain = {name: value for name, value in raw.items() if not name.startswith("@")}
    merged = {"signInAudience": "AzureADandPersonalMicrosoftAccount"} | copy.deepcopy(plain)
    app_id = cloud.new_id()
    check_application(cloud, access.tenant, plain, merged, app_id=app_id)
    unique = plain.get("uniqueName")
    if unique and any(one.body.get("uniqueName") == unique for one in directory.applications.values()):
        raise conflict("Another object with the same value for property uniqueName already exists.")
    merged.pop("passwordCredentials", None)
    keys = merged.pop("keyCredentials", None)
    app = Application(cloud.new_id(), app_id, access.tenant.tenant_id, cloud.now(), merged, created=cloud.replication.stamp())
    replace_keys(cloud, access.tenant, app, keys or [])
    if access.caller.user_id or not access.has(WRITE_APPS):
        app.owners.append(access.caller.user_id or access.caller.service_principal_id)
    directory.applications[app.id] = app
    cloud.add_application(app)
    return app


async def update_application(request: Request) -> Response:
    """PATCH /applications/{id}; with a unique name and `Prefer: create-if-missing` an upsert."""
    access = enter(request, "applications.update", CHANGE_APPS)
    raw = await access.json()
    name, value = parse_key(request)
    upsert = name == "uniqueName" and _CREATE_HEADER in request.headers.get("prefer", "").lower()
    try:
        app = find(access, primary=upsert)
    except ApiError:
        if not upsert:
            raise
        if not access.has(CREATE_APPS):
            raise
        app = create(access, raw | {"uniqueName": value})
        body = {"@odata.context": access.context_url("applications/$entity")} | bodies.application(access.cloud, app, fresh=True)
        return respond(body, status=201, headers={"Preference-Applied": _CREATE_HEADER})
    access.demand_change(app, wide=(*WRITE_APPS, "Application.ReadUpdate.All"))
    change(access, app, raw)
    return no_content()


def change(access: Access, app: Application, raw: dict[str, Any]) -> None:
    """Apply a PATCH: complex properties are merged one level deep, lists are replaced. Raises ApiError 400."""
    plain = {name: value for name, value in raw.items() if not name.startswith("@")}
    if "uniqueName" in plain and plain["uniqueName"] != app.body.get("uniqueName"):
        raise bad_request("Property 'uniqueName' is immutable and cannot be changed.")
    merged = copy.deepcopy(app.body)
    for name, value in plain.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = merged[name] | value if both else copy.deepcopy(value)
    check_application(access.cloud, access.tenant, plain, merged, app_id=app.app_id)
    merged.pop("passwordCredentials", None)
    keys = merged.pop("keyCredentials", None)
    if keys is not None:
        replace_keys(access.cloud, access.tenant, app, keys)
    app.previous_body, app.body, app.changed = app.body, merged, access.cloud.replication.stamp()
    access.cloud.index_resource(app)


async def delete_application(request: Request) -> Response:
    """DELETE /applications/{id}: soft; the home tenant's service principal goes with it, those of customers stay."""
    access = enter(request, "applications.delete", (*WRITE_APPS, OWNED))
    app = find(access)
    access.demand_change(app)
    app.deleted_at = access.cloud.now()
    principal = access.tenant.directory.service_principal(app.app_id)
    if principal is not None:
        access.tenant.directory.remove_service_principal(principal, app.deleted_at)
    return no_content()


# -- deleted items ------------------------------------------------------------------------------------------------


async def list_deleted(request: Request) -> Response:
    """GET /directory/deletedItems/microsoft.graph.application."""
    access = enter(request, "deleted.list", READ_APPS)
    gone = (bodies.application(access.cloud, app) for app in access.tenant.directory.applications.values() if app.deleted_at is not None)
    return respond(page(access, gone, fragment="directoryObjects", filterable=(*FILTERABLE, "deletedDateTime")))


def _deleted(access: Access) -> Application:
    value = str(access.request.path_params["object_id"]).lower()
    app = access.tenant.directory.applications.get(value)
    if app is None or app.deleted_at is None:
        raise not_found(value)
    return app


async def get_deleted(request: Request) -> Response:
    """GET /directory/deletedItems/{id}."""
    access = enter(request, "deleted.get", READ_APPS)
    body = {"@odata.context": access.context_url("directoryObjects/$entity"), "@odata.type": "#microsoft.graph.application"}
    return respond(body | bodies.application(access.cloud, _deleted(access)))


async def restore_deleted(request: Request) -> Response:
    """POST /directory/deletedItems/{id}/restore; the service principal does not come back."""
    access = enter(request, "deleted.restore", (*WRITE_APPS, OWNED))
    app = _deleted(access)
    access.demand_change(app)
    app.deleted_at = None
    body = {"@odata.context": access.context_url("directoryObjects/$entity"), "@odata.type": "#microsoft.graph.application"}
    return respond(body | bodies.application(access.cloud, app))


async def purge_deleted(request: Request) -> Response:
    """DELETE /directory/deletedItems/{id}: for good."""
    access = enter(request, "deleted.purge", (*WRITE_APPS, OWNED))
    app = _deleted(access)
    access.demand_change(app)
    del access.tenant.directory.applications[app.id]
    access.cloud.forget_application(app)
    return no_content()


# -- owners and publisher -----------------------------------------------------------------------------------------


async def list_owners(request: Request) -> Response:
    """GET /applications/{id}/owners."""
    access = enter(request, "applications.owners", READ_APPS)
    directory = access.tenant.directory
    rows: list[dict[str, Any]] = []
    for owner in find(access).owners:
        principal = directory.service_principals.get(owner)
        if principal is not None:
            rows.append({"@odata.type": "#microsoft.graph.servicePrincipal"} | bodies.service_principal(access.cloud, principal))
        rows += [{"@odata.type": "#microsoft.graph.user"} | bodies.user(user) for user in directory.users.values() if user.id == owner]
    return respond(page(access, rows, fragment="directoryObjects", filterable=("id", "displayName")))


async def add_owner(request: Request) -> Response:
    """POST /applications/{id}/owners/$ref."""
    access = enter(request, "applications.owners.add", (*WRITE_APPS, OWNED), READ_DIRECTORY)
    app = find(access)
    access.demand_change(app)
    owner = str((await access.json()).get("@odata.id", "")).rpartition("/")[2].lower()
    directory = access.tenant.directory
    if not is_guid(owner) or (owner not in directory.service_principals and not any(user.id == owner for user in directory.users.values())):
        raise not_found(owner)
    if owner in app.owners:
        raise bad_request("One or more added object references already exist for the following modified properties: 'owners'.")
    app.owners.append(owner)
    return no_content()


async def remove_owner(request: Request) -> Response:
    """DELETE /applications/{id}/owners/{owner}/$ref."""
    access = enter(request, "applications.owners.remove", (*WRITE_APPS, OWNED))
    app = find(access)
    access.demand_change(app)
    owner = str(request.path_params["owner"]).lower()
    if owner not in app.owners:
        raise not_found(owner)
    app.owners.remove(owner)
    return no_content()


async def set_publisher(request: Request) -> Response:
    """POST /applications/{id}/setVerifiedPublisher and unsetVerifiedPublisher."""
    access = enter(request, "applications.publisher", (*WRITE_APPS, OWNED))
    app = find(access)
    access.demand_change(app)
    if request.url.path.endswith("/unsetVerifiedPublisher"):
        app.body.pop("verifiedPublisher", None)
        return no_content()
    publisher = (await access.json()).get("verifiedPublisherId")
    if not publisher:
        raise bad_request("The verifiedPublisherId is required.")
    added = graph_time(access.cloud.now())
    app.body["verifiedPublisher"] = {"displayName": access.tenant.display_name, "verifiedPublisherId": publisher, "addedDateTime": added}
    return no_content()
