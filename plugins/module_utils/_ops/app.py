# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Brings the registration of an app, and its service principal in the home tenant, to a state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._argspec import shared_options
from .._core import apps, service_principals
from .._core.apps import App, AppKey, AppSettings, DeletedApp
from .._core.errors import NotFound, OptionError, PermissionDenied
from .._core.graph import GraphClient
from .._core.guids import PLACEHOLDER, checked_guid
from .._core.permissions import Catalog, Permission, names, parse_all
from .._core.service_principals import ServicePrincipal
from ._seconds import check_seconds
from ._session import open_session
from ._task import Operation, Outcome, Task

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "unique_name": {"type": "str"},
    "app_id": {"type": "str"},
    "sign_in_audience": {"type": "str", "choices": list(apps.AUDIENCES), "default": "AzureADMultipleOrgs"},
    "redirect_uris": {"type": "list", "elements": "str"},
    "permissions": {"type": "list", "elements": "str"},
    "permissions_exclusive": {"type": "bool", "default": True},
    "notes": {"type": "str"},
    "service_principal": {"type": "bool", "default": True},
    "service_principal_enabled": {"type": "bool", "default": True},
    "restore": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
    "replication_timeout": {"type": "float", "default": 300.0},
}


@dataclass(frozen=True)
class _Found:
    """What a search found before anything was written."""

    app: App | None
    deleted: DeletedApp | None
    service_principal: ServicePrincipal | None


def run(task: Task) -> Outcome:
    """Run the operation `m365d_app`."""
    params = task.params
    check_seconds(params, "replication_timeout", zero=True)
    key = _key(params)
    settings = AppSettings(
        sign_in_audience=params["sign_in_audience"],
        name=params["name"],
        unique_name=params["unique_name"],
        redirect_uris=None if params["redirect_uris"] is None else tuple(dict.fromkeys(params["redirect_uris"])),
        access_exclusive=params["permissions_exclusive"],
        notes=params["notes"],
    )
    apps.check_settings(settings)
    requested = None if params["permissions"] is None else parse_all(params["permissions"])
    client = open_session(task).graph()
    if params["state"] == "absent":
        return _absent(task, client, key)
    return _present(task, client, key, settings, requested)


def _key(params: Mapping[str, Any]) -> AppKey:
    for option in ("name", "unique_name", "app_id"):
        if params[option] is not None and not params[option].strip():
            raise OptionError(f"{option} is empty.", next_step=f"Give {option} a value, or leave it out.")
    if params["app_id"]:
        app_id = checked_guid(params["app_id"], option="app_id")
        if app_id == PLACEHOLDER:
            raise OptionError(
                f"app_id {PLACEHOLDER} stands for no app.", next_step="Give the client id of the app, or name or unique_name."
            )
        return AppKey(app_id=app_id)
    return AppKey(unique_name=params["unique_name"], name=params["name"])


def _present(task: Task, client: GraphClient, key: AppKey, settings: AppSettings, requested: list[Permission] | None) -> Outcome:
    catalogs: dict[str, Catalog] = {}
    if requested is not None:
        resolved, catalogs = service_principals.resolve_permissions(client, requested)
        settings = replace(settings, access=tuple(permission.access for permission in resolved))
    found = _find(task, client, key, settings)
    before = found.app or (found.deleted.app if found.deleted else None)
    after = apps.expected(before, settings)
    principal = _expected_principal(task.params, found.service_principal)
    pending = apps.changes(before, settings) if before else {}
    app_changes = found.app is None or bool(pending)
    changed = app_changes or principal != _principal_state(found.service_principal)
    diff = {
        "before": _view(found.app, _principal_state(found.service_principal), catalogs) if found.app else {},
        "after": _view(after, principal, catalogs),
    }
    service_principal = found.service_principal
    if task.check_mode:
        if service_principal is None and principal != "absent":
            service_principal = ServicePrincipal(PLACEHOLDER, after.app_id, after.display_name, principal == "enabled")
        elif service_principal is not None:
            service_principal = replace(service_principal, enabled=principal == "enabled")
    else:
        if app_changes:
            after = _write_app(task, client, key, settings, found)
        service_principal = _write_principal(task, client, after, service_principal)
    return Outcome(_result(client.tenant_id, after, service_principal, catalogs), changed=changed, diff=diff)


def _find(task: Task, client: GraphClient, key: AppKey, settings: AppSettings) -> _Found:
    """Return what is there; refuse what cannot be done before anything is written."""
    app = apps.find_app(client, key)
    if app:
        return _Found(app, None, service_principals.find_service_principal(client, app.app_id))
    deleted = _find_deleted(task, client, key)
    if deleted and not task.params["restore"]:
        raise OptionError(
            f"{_capital(str(key))} was deleted on {deleted.deleted} and can still be restored (object id {deleted.app.object_id}, "
            f"client id {deleted.app.app_id}); until then nobody else can have its unique name.",
            tenant_id=client.tenant_id,
            next_step="Set restore=true to bring it back with its client id, or delete it for good with state=absent and purge=true.",
        )
    if deleted:
        return _Found(None, deleted, None)
    if key.app_id:
        raise NotFound(
            f"The tenant has no app with the client id {key.app_id}.",
            tenant_id=client.tenant_id,
            next_step=apps.explain_missing(client, key.app_id),
        )
    if settings.name is None:
        raise OptionError(
            f"{_capital(str(key))} does not exist, and there is no name to create it with.",
            tenant_id=client.tenant_id,
            next_step="Give name, the display name that administrators of customers will see.",
        )
    return _Found(None, None, None)


def _find_deleted(task: Task, client: GraphClient, key: AppKey) -> DeletedApp | None:
    """Return the deleted app that is in the way, or that is to be restored."""
    if not (key.unique_name or task.params["restore"]):
        return None
    try:
        deleted = apps.find_deleted_apps(client, key)
    except PermissionDenied:
        if task.params["restore"]:
            raise
        # Only an aid here: the service itself refuses a unique name that is taken.
        return None
    if len(deleted) > 1 and not key.unique_name:
        raise _several_deleted(key, deleted, client.tenant_id)
    return deleted[0] if deleted else None


def _several_deleted(key: AppKey, deleted: list[DeletedApp], tenant_id: str) -> OptionError:
    listed = "; ".join(f"client id {entry.app.app_id}, deleted {entry.deleted}" for entry in deleted)
    return OptionError(
        f"{len(deleted)} deleted apps could be {key}: {listed}.",
        tenant_id=tenant_id,
        next_step="Say which one is meant with app_id.",
    )


def _write_app(task: Task, client: GraphClient, key: AppKey, settings: AppSettings, found: _Found) -> App:
    timeout = task.params["replication_timeout"]
    if found.app:
        app = found.app
    elif found.deleted:
        app = apps.restore_app(client, found.deleted.app, timeout=timeout)
    else:
        app = apps.create_app(client, settings)
    body = apps.changes(app, settings)
    if body:
        apps.update_app(client, app, body)
    settled = apps.await_app(client, key, settings, app, timeout=timeout)
    if settled is None:
        task.warn(
            f"Tenant {client.tenant_id}: the directory does not show the new state of the app {app.app_id} after {timeout:g} s; "
            "a task that reads it now may find the old one."
        )
    return settled or apps.expected(app, settings)


def _write_principal(task: Task, client: GraphClient, app: App, found: ServicePrincipal | None) -> ServicePrincipal | None:
    params = task.params
    if not params["service_principal"]:
        if found and not found.enabled:
            task.warn(f"Tenant {client.tenant_id}: the service principal of the app {app.app_id} is disabled; it gets no tokens there.")
        return found
    timeout = params["replication_timeout"]
    principal = found or service_principals.create_service_principal(client, app.app_id, timeout=timeout)
    if principal.enabled is not params["service_principal_enabled"]:
        service_principals.set_enabled(client, principal, params["service_principal_enabled"], timeout=timeout)
    return replace(principal, enabled=params["service_principal_enabled"])


def _principal_state(principal: ServicePrincipal | None) -> str:
    if principal is None:
        return "absent"
    return "enabled" if principal.enabled else "disabled"


def _expected_principal(params: Mapping[str, Any], found: ServicePrincipal | None) -> str:
    if not params["service_principal"]:
        return _principal_state(found)
    return "enabled" if params["service_principal_enabled"] else "disabled"


def _absent(task: Task, client: GraphClient, key: AppKey) -> Outcome:
    params = task.params
    app = apps.find_app(client, key)
    principal = service_principals.find_service_principal(client, app.app_id) if app else None
    leftovers = apps.find_deleted_apps(client, key) if params["purge"] and app is None else []
    if len(leftovers) > 1 and not key.unique_name:
        raise _several_deleted(key, leftovers, client.tenant_id)
    diff: dict[str, Any] = {"before": {}, "after": {}}
    if app:
        diff["before"] = _view(app, _principal_state(principal), {})
    elif leftovers:
        diff["before"] = {"deleted": [entry.app.app_id for entry in leftovers]}
    if not task.check_mode:
        _remove(task, client, key, app, leftovers)
    known = app or (leftovers[0].app if leftovers else None)
    result: dict[str, Any] = {
        "tenant_id": client.tenant_id,
        "app": None,
        "app_id": known.app_id if known else None,
        "object_id": known.object_id if known else None,
        "service_principal_id": None,
        "permissions": [],
    }
    return Outcome(result, changed=bool(app or leftovers), diff=diff)


def _remove(task: Task, client: GraphClient, key: AppKey, app: App | None, leftovers: list[DeletedApp]) -> None:
    timeout = task.params["replication_timeout"]
    if app and not apps.delete_app(client, app, key, timeout=timeout):
        task.warn(f"Tenant {client.tenant_id}: the directory still shows the deleted app {app.app_id} after {timeout:g} s.")
    if task.params["purge"]:
        for object_id in [app.object_id] if app else [entry.app.object_id for entry in leftovers]:
            apps.purge_app(client, object_id, timeout=timeout)


def _view(app: App, principal: str, catalogs: Mapping[str, Catalog]) -> dict[str, Any]:
    """Return what a diff shows: what people decide about, not what the service numbers."""
    return {
        "name": app.display_name,
        "unique_name": app.unique_name,
        "sign_in_audience": app.sign_in_audience,
        "redirect_uris": sorted(app.redirect_uris),
        "permissions": names(app.access, catalogs),
        "notes": app.notes or None,
        "service_principal": principal,
    }


def _result(tenant_id: str, app: App, principal: ServicePrincipal | None, catalogs: Mapping[str, Catalog]) -> dict[str, Any]:
    permissions = names(app.access, catalogs)
    return {
        "tenant_id": tenant_id,
        "app": {
            "app_id": app.app_id,
            "object_id": app.object_id,
            "name": app.display_name,
            "unique_name": app.unique_name,
            "sign_in_audience": app.sign_in_audience,
            "redirect_uris": sorted(app.redirect_uris),
            "permissions": permissions,
            "notes": app.notes or None,
            "created": app.created,
            "service_principal": _principal_state(principal),
        },
        "app_id": app.app_id,
        "object_id": app.object_id,
        "service_principal_id": principal.id if principal else None,
        "permissions": permissions,
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


OPERATION = Operation(
    run=run,
    argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC},
    mutually_exclusive=(("unique_name", "app_id"),),
    required_one_of=(("name", "unique_name", "app_id"),),
)
