# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a partner can learn about tenants: its organization, its contracts, its GDAP relationships, other tenants' public names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..clock import graph_time
from ..errors import ApiError, not_found
from ..state import Cloud, Tenant
from .access import FIND_TENANTS, READ_DIRECTORY, READ_ORGANIZATION, READ_RELATIONSHIPS, Access, enter, respond
from .query import page, select

Object = dict[str, Any]


async def organization(request: Request) -> Response:
    """GET /organization: the caller's own tenant."""
    access = enter(request, "organization", READ_ORGANIZATION)
    tenant = access.tenant
    names = [tenant.domain, *tenant.domains]
    domains = [
        {
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": name == tenant.domain,
            "isInitial": index == len(names) - 1,
            "name": name,
            "type": "Managed",
        }
        for index, name in enumerate(names)
    ]
    row = {
        "id": tenant.tenant_id,
        "deletedDateTime": None,
        "displayName": tenant.display_name,
        "tenantType": "AAD",
        "createdDateTime": graph_time(tenant.created_at) if tenant.created_at else None,
        "countryLetterCode": None,
        "verifiedDomains": domains,
        "assignedPlans": [],
    }
    return respond(page(access, [row], fragment="organization", filterable=("id",)))


async def me(request: Request) -> Response:
    """GET /me, for delegated tokens only."""
    access = enter(request, "me")
    user = access.user
    if user is None:
        raise ApiError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
    body = {"id": user.id, "displayName": user.display_name, "userPrincipalName": user.username}
    return respond({"@odata.context": access.context_url("users/$entity")} | body)


def _customers(access: Access) -> list[Tenant]:
    """The partner's customers; every other tenant has none."""
    if not access.tenant.home:
        return []
    return [tenant for tenant in access.cloud.tenants.values() if not tenant.home]


async def contracts(request: Request) -> Response:
    """GET /contracts."""
    access = enter(request, "contracts.list", READ_DIRECTORY)
    rows = (contract(access.cloud, tenant) for tenant in _customers(access) if tenant.settings.get("contract", True))
    return respond(page(access, rows, fragment="contracts", filterable=("customerId", "defaultDomainName", "displayName")))


def contract(cloud: Cloud, tenant: Tenant) -> Object:
    """A contract; names are copies from the day it was made."""
    kind = tenant.settings.get("contract", True)
    return {
        "id": cloud.derived_id("contract", tenant.tenant_id),
        "deletedDateTime": None,
        "contractType": kind if isinstance(kind, str) else "ResellerPartner",
        "customerId": tenant.tenant_id,
        "defaultDomainName": tenant.domain,
        "displayName": tenant.display_name,
    }


async def get_contract(request: Request) -> Response:
    """GET /contracts/{id}."""
    access = enter(request, "contracts.get", READ_DIRECTORY)
    wanted = str(request.path_params["object_id"]).lower()
    for tenant in _customers(access):
        row = contract(access.cloud, tenant)
        if tenant.settings.get("contract", True) and row["id"] == wanted:
            return respond({"@odata.context": access.context_url("contracts/$entity")} | select(row, request.query_params.get("$select")))
    raise not_found(wanted)


def relationship(cloud: Cloud, tenant: Tenant) -> Object | None:
    """The GDAP relationship with a customer, None when the scenario says `gdap: none`."""
    status = str(tenant.settings.get("gdap", "active"))
    if status in ("none", "False"):
        return None
    started = (tenant.created_at or cloud.now()) + timedelta(days=30)
    active = status in ("active", "expiring", "expired", "terminating", "terminated", "terminationRequested")
    first, second = cloud.derived_id("gdap-a", tenant.tenant_id), cloud.derived_id("gdap-b", tenant.tenant_id)
    return {
        "@odata.etag": 'W/"JyI0NDAwMzRiZi0wMDAwLTAyMDAtMDAwMC02M2Y3NmVmMDAwMDAiJw=="',
        "@odata.type": "#microsoft.graph.delegatedAdminRelationship",
        "id": f"{first}-{second}",
        "displayName": f"Partner access to {tenant.display_name}"[:50],
        "duration": "P730D",
        "autoExtendDuration": "PT0S",
        "customer": {"tenantId": tenant.tenant_id, "displayName": tenant.display_name} if active else None,
        "accessDetails": {"unifiedRoles": [{"roleDefinitionId": "5d6b6bb7-de71-4623-b4af-96380a352509"}]},
        "status": status,
        "createdDateTime": graph_time(started),
        "lastModifiedDateTime": graph_time(started),
        "activatedDateTime": graph_time(started) if active else None,
        "endDateTime": graph_time(started + timedelta(days=730)) if active else None,
    }


async def relationships(request: Request) -> Response:
    """GET /tenantRelationships/delegatedAdminRelationships."""
    access = enter(request, "delegatedAdminRelationships.list", READ_RELATIONSHIPS)
    rows = [row for tenant in _customers(access) if (row := relationship(access.cloud, tenant)) is not None]
    filterable = ("status", "customer/tenantId", "displayName", "id", "endDateTime", "createdDateTime")
    return respond(page(access, rows, fragment="tenantRelationships/delegatedAdminRelationships", filterable=filterable, maximum=300))


async def get_relationship(request: Request) -> Response:
    """GET /tenantRelationships/delegatedAdminRelationships/{id}."""
    access = enter(request, "delegatedAdminRelationships.get", READ_RELATIONSHIPS)
    wanted = str(request.path_params["object_id"]).lower()
    for tenant in _customers(access):
        row = relationship(access.cloud, tenant)
        if row is not None and row["id"] == wanted:
            return respond({"@odata.context": access.context_url("tenantRelationships/delegatedAdminRelationships/$entity")} | row)
    raise not_found(wanted)


async def relationship_customers(request: Request) -> Response:
    """GET /tenantRelationships/delegatedAdminCustomers: customers with at least one relationship that works."""
    access = enter(request, "delegatedAdminCustomers.list", READ_RELATIONSHIPS)
    if not access.cloud.settings.delegated_admin_customers_app_only and access.caller.user_id is None:
        raise ApiError(403, "Authorization_RequestDenied", "This call is not supported for application permissions.")
    rows: list[Object] = []
    for tenant in _customers(access):
        row = relationship(access.cloud, tenant)
        if row is not None and row["status"] in ("active", "expiring"):
            rows.append(
                {
                    "@odata.etag": row["@odata.etag"],
                    "id": tenant.tenant_id,
                    "tenantId": tenant.tenant_id,
                    "displayName": tenant.display_name,
                }
            )
    fragment = "tenantRelationships/delegatedAdminCustomers"
    return respond(page(access, rows, fragment=fragment, filterable=("tenantId", "displayName"), maximum=300))


async def find_by_id(request: Request) -> Response:
    """GET /tenantRelationships/findTenantInformationByTenantId(tenantId='…')."""
    return _found(request, "findTenantInformationByTenantId", by_domain=False)


async def find_by_domain(request: Request) -> Response:
    """GET /tenantRelationships/findTenantInformationByDomainName(domainName='…')."""
    return _found(request, "findTenantInformationByDomainName", by_domain=True)


def _found(request: Request, operation: str, *, by_domain: bool) -> Response:
    access = enter(request, operation, FIND_TENANTS)
    value = str(request.path_params["value"]).strip("'").lower()
    tenant = access.cloud.tenants.get(value)
    if by_domain:
        tenant = next((one for one in access.cloud.tenants.values() if value in (one.domain, *one.domains)), None)
    if tenant is None or tenant.foreign:
        raise ApiError(404, "Directory_ObjectNotFound", f"Unable to find target address {value}.")
    body = {
        "tenantId": tenant.tenant_id,
        "federationBrandName": None,
        "displayName": tenant.display_name,
        "defaultDomainName": tenant.domain,
    }
    return respond({"@odata.context": access.context_url("microsoft.graph.tenantInformation")} | body)
