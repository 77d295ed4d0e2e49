# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Service principals: what stands for an app, or for an API, inside one tenant.

Sources: the servicePrincipal and appRoleAssignment resources of Microsoft Graph. Creating one needs
Application.ReadWrite.OwnedBy (own apps) or Application.ReadWrite.All; reading needs Application.Read.All.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import AlreadyExists, PermissionDenied, ServiceError
from .graph import GraphClient, by_key, is_concurrency
from .permissions import Catalog, Permission, catalog_from_graph, resolve, resource_name, table_catalog

_SELECT = "id,appId,displayName,accountEnabled,appOwnerOrganizationId"
_SELECT_CATALOG = "id,appId,displayName,appRoles,oauth2PermissionScopes"


@dataclass(frozen=True)
class ServicePrincipal:
    """An app in one tenant.

    :param id: its object id, different in every tenant.
    :param enabled: whether tokens are issued for it.
    :param owner_tenant_id: the tenant in which the app is registered; None where the service does not say.
    """

    id: str
    app_id: str
    display_name: str
    enabled: bool
    owner_tenant_id: str | None = None


def _from_graph(raw: Mapping[str, Any]) -> ServicePrincipal:
    return ServicePrincipal(
        id=str(raw["id"]).lower(),
        app_id=str(raw["appId"]).lower(),
        display_name=str(raw.get("displayName") or ""),
        enabled=raw.get("accountEnabled") is not False,
        owner_tenant_id=raw.get("appOwnerOrganizationId"),
    )


def find_service_principal(client: GraphClient, app_id: str) -> ServicePrincipal | None:
    """Return the service principal of an app in the client's tenant, or None."""
    raw = client.find(
        by_key("servicePrincipals", "appId", app_id), attempted=f"reading the service principal of {app_id}", params={"$select": _SELECT}
    )
    return _from_graph(raw) if raw else None


def create_service_principal(client: GraphClient, app_id: str, *, timeout: float) -> ServicePrincipal:
    """Create the service principal of an app and wait until it can be read; one that is there already is as good.

    :param timeout: seconds to wait for the directory, first to know the app, then to show the service principal.
    :raises ServiceError: where the tenant refuses, or the app is still unknown when time is over.
    """
    attempted = f"creating the service principal of {app_id}"
    created: ServicePrincipal | None = None
    try:
        raw = client.when_replicated(
            lambda: client.post("servicePrincipals", {"appId": app_id}, attempted=attempted, repeatable=True), timeout=timeout
        )
        created = _from_graph(raw)
    except AlreadyExists as error:
        if is_concurrency(error):
            raise
    found: list[ServicePrincipal] = []

    def _visible() -> bool:
        found[:] = filter(None, [find_service_principal(client, app_id)])
        return bool(found)

    client.wait_until(_visible, timeout=timeout)
    if found:
        return found[0]
    if created:
        return created
    raise ServiceError(
        "The service says that the service principal exists, but does not show it.",
        attempted=attempted,
        tenant_id=client.tenant_id,
        next_step="Run the task again later, or raise replication_timeout. If it was deleted, restore it in the portal.",
    )


def set_enabled(client: GraphClient, service_principal: ServicePrincipal, enabled: bool, *, timeout: float) -> None:
    """Let tokens be issued for a service principal, or stop that; wait until a read shows it."""
    client.patch(
        f"servicePrincipals/{service_principal.id}",
        {"accountEnabled": enabled},
        attempted=f"{'enabling' if enabled else 'disabling'} the service principal of {service_principal.app_id}",
    )

    def _settled() -> bool:
        now = find_service_principal(client, service_principal.app_id)
        return now is not None and now.enabled is enabled

    client.wait_until(_settled, timeout=timeout)


def read_catalog(client: GraphClient, resource_app_id: str) -> Catalog:
    """Return what a resource offers in the client's tenant; the built-in tables serve where the tenant cannot tell.

    :raises PermissionDenied: where the caller may not read it and the tables do not hold the resource.
    """
    fallback = table_catalog(resource_app_id)
    try:
        raw = client.find(
            by_key("servicePrincipals", "appId", resource_app_id),
            attempted=f"reading the permissions that {resource_name(resource_app_id)} offers",
            params={"$select": _SELECT_CATALOG},
        )
    except PermissionDenied:
        if not fallback.roles:
            raise
        return fallback
    return catalog_from_graph(raw) if raw else fallback


def resolve_permissions(client: GraphClient, permissions: Iterable[Permission]) -> tuple[list[Permission], dict[str, Catalog]]:
    """Return the permissions with their ids in the client's tenant, and what their resources offer there.

    :raises OptionError: for a permission that its resource does not offer; the message suggests the nearest.
    """
    wanted = list(permissions)
    catalogs = {app_id: read_catalog(client, app_id) for app_id in dict.fromkeys(permission.resource_app_id for permission in wanted)}
    resolved = [resolve(permission, catalogs[permission.resource_app_id], tenant_id=client.tenant_id) for permission in wanted]
    return list(dict.fromkeys(resolved)), catalogs
