# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Grants an app its application permissions in a tenant, or revokes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._argspec import shared_options
from .._core import consent
from .._core.consent import Grant
from .._core.errors import OptionError
from .._core.graph import GraphClient
from .._core.guids import PLACEHOLDER, checked_guid
from .._core.permissions import Access, Catalog, Permission, names, parse_all, resource_name, role_names
from .._core.service_principals import (
    ServicePrincipal,
    create_service_principal,
    find_service_principal,
    read_catalog,
    resolve_permissions,
)
from ._seconds import check_seconds
from ._session import open_session
from ._task import Operation, Outcome, Task

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "app_id": {"type": "str", "required": True},
    "permissions": {"type": "list", "elements": "str"},
    "exclusive": {"type": "bool", "default": False},
    "replication_timeout": {"type": "float", "default": 300.0},
}


@dataclass(frozen=True)
class _Held:
    """A permission that the app holds in the tenant, with its name."""

    grant: Grant
    name: str


@dataclass
class _Situation:
    """What was found before anything was written.

    :param catalogs: what the resources concerned offer, by application id.
    """

    principal: ServicePrincipal | None
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    held: list[_Held] = field(default_factory=list)

    def find(self, permission: Permission) -> _Held | None:
        """Return what is held of a permission, or None."""
        resource_id = self.catalogs[permission.resource_app_id].service_principal_id
        return next((held for held in self.held if (held.grant.resource_id, held.grant.role_id) == (resource_id, permission.id)), None)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_consent`."""
    params = task.params
    check_seconds(params, "replication_timeout", zero=True)
    app_id = checked_guid(params["app_id"], option="app_id")
    if app_id == PLACEHOLDER and not task.check_mode:
        raise OptionError(f"app_id {PLACEHOLDER} stands for no app.", next_step="Give the client id of the app in app_id.")
    requested = None if params["permissions"] is None else parse_all(params["permissions"])
    _refuse_delegated(requested or ())
    session = open_session(task)
    client = session.graph()
    bring = _absent if params["state"] == "absent" else _present
    outcome: Outcome | None = None
    try:
        outcome = bring(task, client, app_id, requested)
    finally:
        # Tokens in the cache carry the roles of before; after a fault too, since some grants may have been made until then.
        if not task.check_mode and (outcome is None or outcome.changed):
            session.tokens.purge(client.tenant_id)
    return outcome


def _refuse_delegated(permissions: Iterable[Permission]) -> None:
    delegated = [permission.name for permission in permissions if permission.kind == "delegated"]
    if delegated:
        raise OptionError(
            f"Delegated permissions are not granted by app-role assignments: {', '.join(delegated)}.",
            next_step="Leave them out; they are consented to by a person, with the consent link.",
        )


def _present(task: Task, client: GraphClient, app_id: str, requested: list[Permission] | None) -> Outcome:
    if requested is None:
        requested = _declared(task, client, app_id)
    wanted, catalogs = resolve_permissions(client, requested)
    situation = _situation(client, app_id, catalogs)
    if situation.principal and not situation.principal.enabled:
        task.warn(f"Tenant {client.tenant_id}: the service principal of the app {app_id} is disabled; it gets no tokens there.")
    missing = [permission for permission in wanted if situation.find(permission) is None]
    matching = [held for permission in wanted if (held := situation.find(permission))]
    undeclared = [held for held in situation.held if held not in matching]
    exclusive = task.params["exclusive"]
    if undeclared and not exclusive:
        task.warn(
            f"Tenant {client.tenant_id}: the app {app_id} also holds {', '.join(sorted(held.name for held in undeclared))}; "
            "exclusive=true revokes what is not listed."
        )
    revoked = undeclared if exclusive else []
    diff = _diff(situation, missing, revoked)
    principal = situation.principal
    ids: dict[str, str | None] = {}
    if not task.check_mode:
        principal, ids = _write(task, client, app_id, situation, missing, revoked)
    grants = [
        *(_entry(held.name, held.grant.id, "present") for held in matching),
        *(_entry(permission.name, ids.get(permission.name), "granted") for permission in missing),
        *(_entry(held.name, held.grant.id, "revoked" if exclusive else "undeclared") for held in undeclared),
    ]
    drift = {"missing": sorted(permission.name for permission in missing), "undeclared": sorted(held.name for held in undeclared)}
    changed = bool(situation.principal is None or missing or revoked)
    return Outcome(_result(client, app_id, principal, grants, drift), changed=changed, diff=diff)


def _diff(situation: _Situation, missing: list[Permission], revoked: list[_Held]) -> dict[str, Any]:
    kept = {held.name for held in situation.held if held not in revoked}
    after: dict[str, Any] = {"service_principal": "present", "granted": sorted(kept | {permission.name for permission in missing})}
    resources = {permission.resource_app_id for permission in missing}
    added = sorted(resource_name(app_id) for app_id in resources if situation.catalogs[app_id].service_principal_id is None)
    if added:
        after["resources_added"] = added
    return {"before": _view(situation), "after": after}


def _declared(task: Task, client: GraphClient, app_id: str) -> list[Permission]:
    """Return the application permissions that the app declares in this tenant, its home."""
    if app_id == PLACEHOLDER:
        task.warn("The app does not exist yet, so what it declares is not known; name the permissions to have their grants predicted.")
        return []
    accesses = consent.read_declared(client, app_id)
    delegated = [access for access in accesses if access.type != "Role"]
    if delegated:
        task.warn(
            f"Tenant {client.tenant_id}: the app {app_id} declares delegated permissions, which are left alone: {_listed(delegated)}."
        )
    return [_permission(access) for access in dict.fromkeys(accesses) if access.type == "Role"]


def _listed(accesses: Iterable[Access]) -> str:
    return ", ".join(names(accesses, {}))


def _permission(access: Access) -> Permission:
    value = role_names([access.id], access.resource_app_id)[0]
    return Permission(resource_name(access.resource_app_id), access.resource_app_id, value, "application", access.id)


def _situation(client: GraphClient, app_id: str, catalogs: dict[str, Catalog]) -> _Situation:
    principal = None if app_id == PLACEHOLDER else find_service_principal(client, app_id)
    situation = _Situation(principal, catalogs)
    if principal is None:
        return situation
    grants = consent.read_grants(client, principal.id)
    app_ids = {str(catalog.service_principal_id): resource for resource, catalog in catalogs.items() if catalog.service_principal_id}
    strangers = [grant.resource_id for grant in grants if grant.resource_id not in app_ids]
    app_ids.update(consent.read_resource_ids(client, strangers))
    known = dict(catalogs)
    for grant in grants:
        resource = app_ids.get(grant.resource_id)
        # The built-in tables name most roles; a foreign resource is asked for the rest only.
        if resource and resource not in known and role_names([grant.role_id], resource) == [grant.role_id]:
            known[resource] = read_catalog(client, resource)
    situation.held = [_Held(grant, _name(grant, app_ids.get(grant.resource_id), known)) for grant in grants]
    return situation


def _name(grant: Grant, resource_app_id: str | None, catalogs: Mapping[str, Catalog]) -> str:
    if resource_app_id is None:
        return f"{grant.resource_title or grant.resource_id}/{grant.role_id}"
    return names([Access(resource_app_id, grant.role_id, "Role")], catalogs)[0]


def _write(
    task: Task, client: GraphClient, app_id: str, situation: _Situation, missing: list[Permission], revoked: list[_Held]
) -> tuple[ServicePrincipal, dict[str, str | None]]:
    """Make and revoke grants; return the app's service principal and the ids of the new assignments by permission."""
    timeout = task.params["replication_timeout"]
    principal = situation.principal or create_service_principal(client, app_id, timeout=timeout)
    resource_ids = {resource: catalog.service_principal_id for resource, catalog in situation.catalogs.items()}
    ids: dict[str, str | None] = {}
    pairs = set()
    for permission in missing:
        resource = permission.resource_app_id
        resource_id = resource_ids[resource] or create_service_principal(client, resource, timeout=timeout).id
        resource_ids[resource] = resource_id
        ids[permission.name] = consent.give(
            client, service_principal_id=principal.id, resource_id=resource_id, permission=permission, timeout=timeout
        )
        pairs.add((resource_id.lower(), str(permission.id)))
    for held in revoked:
        consent.take(client, service_principal_id=principal.id, grant=held.grant, name=held.name)
    if pairs or revoked:
        _await(task, client, principal, frozenset(pairs), frozenset(held.grant.id for held in revoked))
    return principal, ids


def _await(
    task: Task, client: GraphClient, principal: ServicePrincipal, present: frozenset[tuple[str, str]], absent: frozenset[str]
) -> None:
    timeout = task.params["replication_timeout"]
    if not consent.await_grants(client, principal.id, present=present, absent=absent, timeout=timeout):
        task.warn(f"Tenant {client.tenant_id}: the directory does not show the new grants after {timeout:g} s; tokens may lag behind too.")


def _absent(task: Task, client: GraphClient, app_id: str, requested: list[Permission] | None) -> Outcome:
    """Revoke the permissions named, or all that the app holds."""
    wanted, catalogs = resolve_permissions(client, requested or ())
    situation = _situation(client, app_id, catalogs)
    doomed = situation.held if requested is None else [held for permission in wanted if (held := situation.find(permission))]
    if doomed and situation.principal and not task.check_mode:
        for held in doomed:
            consent.take(client, service_principal_id=situation.principal.id, grant=held.grant, name=held.name)
        _await(task, client, situation.principal, frozenset(), frozenset(held.grant.id for held in doomed))
    grants = [
        *(_entry(held.name, held.grant.id, "revoked") for held in doomed),
        *(_entry(held.name, held.grant.id, "present") for held in situation.held if held not in doomed),
    ]
    before = _view(situation)
    diff = {"before": before, "after": {**before, "granted": sorted(held.name for held in situation.held if held not in doomed)}}
    drift: dict[str, list[str]] = {"missing": [], "undeclared": sorted(held.name for held in doomed)}
    return Outcome(_result(client, app_id, situation.principal, grants, drift), changed=bool(doomed), diff=diff)


def _entry(permission: str, assignment_id: str | None, state: str) -> dict[str, Any]:
    return {"permission": permission, "id": assignment_id, "state": state}


def _view(situation: _Situation) -> dict[str, Any]:
    return {
        "service_principal": "present" if situation.principal else "absent",
        "granted": sorted(held.name for held in situation.held),
    }


def _result(
    client: GraphClient, app_id: str, principal: ServicePrincipal | None, grants: list[dict[str, Any]], drift: dict[str, list[str]]
) -> dict[str, Any]:
    return {
        "tenant_id": client.tenant_id,
        "app_id": app_id,
        "service_principal_id": principal.id if principal else None,
        "grants": sorted(grants, key=lambda entry: (entry["permission"], entry["state"])),
        "granted": sorted(entry["permission"] for entry in grants if entry["state"] != "revoked"),
        "drift": drift,
    }


OPERATION = Operation(
    run=run,
    argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC},
)
