# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Grants: which application permissions an app holds in a tenant, and how to give and take them.

A grant is an app-role assignment: principal = the app's service principal, resource = the API's, both of this tenant.
Sources: the appRoleAssignment pages of Microsoft Graph v1.0. Giving needs AppRoleAssignment.ReadWrite.All together with
Application.Read.All; a holder of the former can give itself anything, so guard it like a Global Administrator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .apps import access_from_graph, explain_missing
from .errors import AlreadyExists, NotFound, ServiceError
from .graph import GraphClient, by_key, is_concurrency
from .guids import PLACEHOLDER
from .permissions import Access, Permission, resource_name

_NOT_OFFERED = re.compile(r"was not found on application", re.IGNORECASE)


@dataclass(frozen=True)
class Grant:
    """An application permission that an app holds in a tenant.

    :param id: the assignment's id; opaque, no GUID.
    :param resource_id: object id of the API's service principal in this tenant.
    """

    id: str
    resource_id: str
    resource_title: str
    role_id: str


def read_grants(client: GraphClient, service_principal_id: str) -> list[Grant]:
    """Return what a service principal holds; the default access, which carries no permission, is left out."""
    found = client.list_all(
        f"servicePrincipals/{service_principal_id}/appRoleAssignments", attempted="reading the permissions that were granted to the app"
    )
    return [_grant(raw) for raw in found if str(raw.get("appRoleId")) != PLACEHOLDER]


def _grant(raw: Mapping[str, Any]) -> Grant:
    return Grant(
        id=str(raw["id"]),
        resource_id=str(raw["resourceId"]).lower(),
        resource_title=str(raw.get("resourceDisplayName") or ""),
        role_id=str(raw["appRoleId"]).lower(),
    )


def read_declared(client: GraphClient, app_id: str) -> list[Access]:
    """Return the permissions that an app declares, application and delegated.

    :raises NotFound: where the app is not registered in the client's tenant.
    """
    raw = client.find(
        by_key("applications", "appId", app_id),
        attempted=f"reading what the app {app_id} declares",
        params={"$select": "id,appId,requiredResourceAccess"},
    )
    if raw is None:
        raise NotFound(
            f"The tenant has no registration of the app {app_id}, so what it declares cannot be read.",
            tenant_id=client.tenant_id,
            next_step=f"{explain_missing(client, app_id)} In another tenant than the app's home, name the permissions.",
        )
    return access_from_graph(raw.get("requiredResourceAccess"))


def read_resource_ids(client: GraphClient, ids: Iterable[str]) -> dict[str, str]:
    """Return the application ids of resources by their object ids in the tenant; what cannot be read is left out."""
    found = {}
    for object_id in dict.fromkeys(ids):
        raw = client.find(f"servicePrincipals/{object_id}", attempted="reading a resource of the grants", params={"$select": "id,appId"})
        if raw:
            found[object_id] = str(raw["appId"]).lower()
    return found


def give(client: GraphClient, *, service_principal_id: str, resource_id: str, permission: Permission, timeout: float) -> str | None:
    """Grant an application permission; return the assignment's id, or None where it was granted already.

    :param timeout: seconds to wait for new service principals to be known everywhere.
    :raises ServiceError: where the tenant refuses; a role that the resource does not offer is explained.
    """
    body = {"principalId": service_principal_id, "resourceId": resource_id, "appRoleId": permission.access.id}
    path = f"servicePrincipals/{service_principal_id}/appRoleAssignments"
    try:
        raw = client.when_replicated(
            lambda: client.post(path, body, attempted=f"granting {permission.name}", repeatable=True), timeout=timeout
        )
    except AlreadyExists as error:
        if is_concurrency(error):
            raise
        return None
    except ServiceError as error:
        if error.http_status == 400 and _NOT_OFFERED.search(error.service_message or ""):
            error.next_step = (
                f"{resource_name(permission.resource_app_id)} does not offer {permission.value} in this tenant: take it off the list."
            )
        raise
    return str(raw.get("id") or "") or None


def take(client: GraphClient, *, service_principal_id: str, grant: Grant, name: str) -> None:
    """Revoke a grant; one that is gone already is as good. Tokens that were issued before stay valid until they expire."""
    client.delete(f"servicePrincipals/{service_principal_id}/appRoleAssignments/{grant.id}", attempted=f"revoking {name}")


def await_grants(
    client: GraphClient,
    service_principal_id: str,
    *,
    present: frozenset[tuple[str, str]],
    absent: frozenset[str],
    timeout: float,
) -> bool:
    """Wait until a read shows the grants `present` (resource and role id) and none of `absent` (assignment ids)."""

    def _settled() -> bool:
        grants = read_grants(client, service_principal_id)
        shown = {(grant.resource_id, grant.role_id) for grant in grants}
        return present <= shown and not absent & {grant.id for grant in grants}

    return client.wait_until(_settled, timeout=timeout)
