# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a partner reads about its customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"


def test_contracts_list_the_customers_and_customers_have_none(world: Any) -> None:
    rows = world.graph("GET", "/contracts").json()["value"]
    assert {row["customerId"] for row in rows} == {FABRIKAM, NORTHWIND}
    assert all(row["id"] != row["customerId"] for row in rows)
    assert world.graph("GET", f"/contracts/{rows[0]['id']}").json()["customerId"] == rows[0]["customerId"]
    found = world.graph("GET", f"/contracts?$filter=customerId eq '{FABRIKAM}'").json()["value"]
    assert [row["displayName"] for row in found] == ["Fabrikam"]
    assert world.graph("GET", "/contracts", tenant=FABRIKAM).json()["value"] == []


def test_gdap_customers_are_those_with_a_working_relationship(world: Any) -> None:
    world.http.patch(f"/_emulator/tenants/{NORTHWIND}", json={"gdap": "expired"})
    relationships = world.graph("GET", "/tenantRelationships/delegatedAdminRelationships").json()["value"]
    assert {row["customer"]["tenantId"]: row["status"] for row in relationships} == {FABRIKAM: "active", NORTHWIND: "expired"}
    active = world.graph("GET", "/tenantRelationships/delegatedAdminRelationships?$filter=status eq 'active'").json()["value"]
    assert [row["customer"]["tenantId"] for row in active] == [FABRIKAM]
    customers = world.graph("GET", "/tenantRelationships/delegatedAdminCustomers").json()["value"]
    assert [row["tenantId"] for row in customers] == [FABRIKAM]
    assert world.graph("GET", "/tenantRelationships/delegatedAdminRelationships?$top=301").status_code == 400


def test_a_tenant_is_found_by_id_and_by_domain(world: Any) -> None:
    by_id = world.graph("GET", f"/tenantRelationships/findTenantInformationByTenantId(tenantId='{FABRIKAM}')").json()
    by_name = world.graph("GET", "/tenantRelationships/findTenantInformationByDomainName(domainName='fabrikam.onmicrosoft.example')").json()
    assert by_id == by_name
    assert (by_id["tenantId"], by_id["displayName"], by_id["defaultDomainName"]) == (FABRIKAM, "Fabrikam", "fabrikam.example")
    missing = world.graph("GET", "/tenantRelationships/findTenantInformationByDomainName(domainName='unknown.example')")
    assert missing.status_code == 404


def test_the_organization_is_the_one_of_the_token(world: Any) -> None:
    assert world.graph("GET", "/organization", tenant=FABRIKAM).json()["value"][0]["id"] == FABRIKAM


@pytest.mark.parametrize("tenants", [7, 250])
def test_a_fleet_is_generated_the_same_from_the_same_seed(make_world: Callable[..., Any], tenants: int) -> None:
    first, second, third = (make_world(tenants=[], generate={"tenants": tenants}, seed=seed) for seed in (5, 5, 6))
    assert list(first.cloud.tenants) == list(second.cloud.tenants) != list(third.cloud.tenants)
    assert len(first.cloud.tenants) == tenants + 1
    rows, link = [], "/contracts"
    while link:
        answer = first.graph("GET", link).json()
        rows += answer["value"]
        link = answer.get("@odata.nextLink", "").removeprefix("https://localhost/v1.0")
    assert len({row["customerId"] for row in rows}) == tenants
