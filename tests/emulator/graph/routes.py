# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of the directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..errors import ApiError
from . import applications, credentials, federated, grants, policies, service_principals, tenants

Handler = Callable[[Request], Any]


def _keyed(collection: str, suffix: str, **methods: Handler) -> list[BaseRoute]:
    """One resource addressed by `/{id}` and by `(key='value')`, with a handler per method."""
    paths = (f"/v1.0/{collection}/{{object_id}}{suffix}", f"/v1.0/{collection}({{key}}){suffix}")
    return [Route(path, handler, methods=[method]) for path in paths for method, handler in methods.items()]


def _plain(path: str, **methods: Handler) -> list[BaseRoute]:
    return [Route(f"/v1.0/{path}", handler, methods=[method]) for method, handler in methods.items()]


async def not_found(request: Request) -> Response:
    """Any path or method of Graph that the emulator does not have."""
    segment = request.url.path.rpartition("/")[2] or request.url.path
    raise ApiError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def routes() -> list[BaseRoute]:
    """All routes of the directory; fixed paths before keyed ones."""
    apps, principals = "applications", "servicePrincipals"
    federation = "/federatedIdentityCredentials"
    assigned = {"GET": grants.list_assignments, "POST": grants.create_assignment}
    assignment = {"GET": grants.get_assignment, "DELETE": grants.delete_assignment}
    one_federated = {"GET": federated.get_federated, "PATCH": federated.update_federated, "DELETE": federated.delete_federated}
    return [
        *_plain(apps, GET=applications.list_applications, POST=applications.create_application),
        *_keyed(apps, "", GET=applications.get_application, PATCH=applications.update_application, DELETE=applications.delete_application),
        *_keyed(apps, "/addPassword", POST=credentials.add_password),
        *_keyed(apps, "/removePassword", POST=credentials.remove_password),
        *_keyed(apps, "/addKey", POST=credentials.add_key),
        *_keyed(apps, "/removeKey", POST=credentials.remove_key),
        *_keyed(apps, "/owners", GET=applications.list_owners),
        *_keyed(apps, "/owners/$ref", POST=applications.add_owner),
        *_keyed(apps, "/owners/{owner}/$ref", DELETE=applications.remove_owner),
        *_keyed(apps, "/setVerifiedPublisher", POST=applications.set_publisher),
        *_keyed(apps, "/unsetVerifiedPublisher", POST=applications.set_publisher),
        *_keyed(apps, federation, GET=federated.list_federated, POST=federated.create_federated),
        *_keyed(apps, f"{federation}/{{credential}}", **one_federated),
        *_keyed(apps, f"{federation}({{credential_key}})", **one_federated),
        *_plain(principals, GET=service_principals.list_principals, POST=service_principals.create_principal),
        *_keyed(
            principals,
            "",
            GET=service_principals.get_principal,
            PATCH=service_principals.update_principal,
            DELETE=service_principals.delete_principal,
        ),
        *_keyed(principals, "/appRoleAssignments", **assigned),
        *_keyed(principals, "/appRoleAssignedTo", **assigned),
        *_keyed(principals, "/appRoleAssignments/{assignment}", **assignment),
        *_keyed(principals, "/appRoleAssignedTo/{assignment}", **assignment),
        *_keyed(principals, "/oauth2PermissionGrants", GET=grants.list_grants),
        *_keyed(principals, "/owners", GET=service_principals.list_owners),
        *_plain("oauth2PermissionGrants", GET=grants.list_grants, POST=grants.create_grant),
        *_plain("oauth2PermissionGrants/{grant}", GET=grants.get_grant, PATCH=grants.update_grant, DELETE=grants.delete_grant),
        *_plain("directory/deletedItems/microsoft.graph.application", GET=applications.list_deleted),
        *_plain("directory/deletedItems/microsoft.graph.servicePrincipal", GET=service_principals.list_deleted),
        *_plain("directory/deletedItems/{object_id}", GET=applications.get_deleted, DELETE=applications.purge_deleted),
        *_plain("directory/deletedItems/{object_id}/restore", POST=applications.restore_deleted),
        *_plain("policies/defaultAppManagementPolicy", GET=policies.get_policy, PATCH=policies.update_policy),
        *_plain("organization", GET=tenants.organization),
        *_plain("me", GET=tenants.me),
        *_plain("contracts", GET=tenants.contracts),
        *_plain("contracts/{object_id}", GET=tenants.get_contract),
        *_plain("tenantRelationships/delegatedAdminRelationships", GET=tenants.relationships),
        *_plain("tenantRelationships/delegatedAdminRelationships/{object_id}", GET=tenants.get_relationship),
        *_plain("tenantRelationships/delegatedAdminCustomers", GET=tenants.relationship_customers),
        *_plain("tenantRelationships/findTenantInformationByTenantId(tenantId={value})", GET=tenants.find_by_id),
        *_plain("tenantRelationships/findTenantInformationByDomainName(domainName={value})", GET=tenants.find_by_domain),
    ]
