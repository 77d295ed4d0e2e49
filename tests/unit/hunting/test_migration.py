# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tenants still lack the permissions of Microsoft Graph."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.filter.migration_rows import migration_rows
from ansible_collections.m365d.partner.plugins.module_utils._core.migration import REPLACEMENTS
from ansible_collections.m365d.partner.plugins.module_utils._core.permissions import parse_all

FABRIKAM, NORTHWIND, TAILSPIN, WINGTIP = (f"11111111-1111-4111-8111-{number:012d}" for number in range(2, 6))
DEFENDER, GRAPH = "MicrosoftThreatProtection", "MicrosoftGraph"
READ, WRITE, HUNT = f"{DEFENDER}/Incident.Read.All", f"{DEFENDER}/Incident.ReadWrite.All", f"{DEFENDER}/AdvancedHunting.Read.All"
NEW_READ, NEW_WRITE, NEW_HUNT = (
    f"{GRAPH}/{name}" for name in ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All", "ThreatHunting.Read.All")
)


def _tenant(*roles: str, state: str = "missing_roles", refused: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    evidence = [
        {"probe": "token", "resource": resource, "error": {"state": "x"} if resource in refused else None} for resource in (DEFENDER, GRAPH)
    ]
    return {"tenant_id": FABRIKAM, "outcome": "ok", "consent_state": state, "roles": list(roles), "evidence": evidence, **more}


@pytest.mark.parametrize(
    ("tenant", "always", "status", "missing"),
    [
        (_tenant(READ), [], "consent_needed", [NEW_READ]),
        (_tenant(READ, WRITE, HUNT, NEW_READ), [], "consent_needed", [NEW_WRITE, NEW_HUNT]),
        (_tenant(READ, NEW_READ, state="ready"), [], "ready", []),
        (_tenant(READ, NEW_WRITE), [], "ready", []),
        (_tenant(WRITE, NEW_READ), [], "consent_needed", [NEW_WRITE]),
        (_tenant(NEW_READ), [], "nothing_to_migrate", []),
        (_tenant(NEW_READ), [NEW_HUNT], "consent_needed", [NEW_HUNT]),
        (_tenant(state="not_consented", refused=(DEFENDER, GRAPH)), [], "nothing_to_migrate", []),
        (_tenant(state="not_consented", refused=(DEFENDER, GRAPH)), [NEW_READ], "consent_needed", [NEW_READ]),
        (_tenant(READ, state="disabled", refused=(GRAPH,)), [], "unknown", []),
        (_tenant(state="disabled", refused=(DEFENDER, GRAPH)), [], "unknown", []),
        (_tenant(READ, state="unreachable"), [], "unknown", []),
        (_tenant(outcome="unknown", state="unreachable"), [], "unknown", []),
        ({"tenant_id": FABRIKAM, "outcome": "failed", "msg": "x"}, [], "unknown", []),
        ({"tenant_id": FABRIKAM, "outcome": "ok", "consent_state": "ready", "roles": [READ, NEW_READ]}, [], "unknown", []),
    ],
)
def test_a_tenant_needs_what_replaces_the_permissions_that_it_granted(
    tenant: dict[str, Any], always: list[str], status: str, missing: list[str]
) -> None:
    (row,) = migration_rows([tenant], [{"tenant_id": FABRIKAM.upper(), "url": "https://login.example/"}], always=always)
    assert (row["status"], row["missing"]) == (status, missing)
    assert row["consent_url"] == ("https://login.example/" if status == "consent_needed" else None)
    assert row["next_step"]


def test_tenants_that_need_something_come_first_with_their_names() -> None:
    tenants = [
        _tenant(READ, NEW_READ, state="ready"),
        {**_tenant(NEW_READ), "tenant_id": NORTHWIND},
        {
            "tenant_id": TAILSPIN,
            "outcome": "unknown",
            "msg": "no answer",
            "error": {"message": "no answer", "next_step": "Try again later."},
        },
        {**_tenant(READ), "tenant_id": WINGTIP},
    ]
    rows = migration_rows(tenants, names={WINGTIP: "Wingtip Toys"})
    assert [row["tenant_name"] for row in rows] == ["Wingtip Toys", TAILSPIN, NORTHWIND, FABRIKAM]
    assert (rows[1]["reason"], rows[1]["next_step"]) == ("no answer", "Try again later.")


def test_a_tenant_that_was_asked_for_by_its_domain_is_named_by_it() -> None:
    tenant = {"tenant_id": WINGTIP, "requested": ["wingtip.example"], "outcome": "ok", "consent_state": "ready", "roles": []}
    assert [row["tenant_name"] for row in migration_rows([tenant], names={"wingtip.example": "Wingtip Toys"})] == ["Wingtip Toys"]


def test_the_replacements_are_permissions_that_exist() -> None:
    for old, new in REPLACEMENTS.items():
        assert [permission.id for permission in parse_all([old, new]) if permission.id]


@pytest.mark.parametrize("wrong", ["text", {"tenants": []}, ["text"]])
def test_what_is_no_list_of_tenants_is_refused(wrong: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="needs the list tenants"):
        migration_rows(wrong)
