# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The incidents of an emulated tenant, through both services and the whole client: token, requests, filters, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import expansion
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.incidents import OPERATION
from integration.harness import FABRIKAM, NORTHWIND, Emulator

APIS = ["graph", "defender"]
COUNT = 120


@pytest.fixture(scope="module")
def security(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of its own, with more than a page of incidents in one tenant."""
    emulator = Emulator.start(tmp_path_factory.mktemp("incidents") / "state")
    settings = {"incidents": COUNT, "alerts_per_incident": 2, "comments": True, "redirected": 0.05, "unknown_members": 0.1}
    emulator.admin("PATCH", f"/security/{FABRIKAM}/settings", settings)
    yield emulator
    emulator.stop()


@pytest.fixture
def tenant(security: Emulator) -> Iterator[Emulator]:
    """The emulator as it should be: no faults, no hostility, an empty request log; and a client that has learned nothing."""
    security.admin("DELETE", "/faults")
    security.forget_requests()
    expansion.forget_expansions()
    yield security
    security.admin("PUT", f"/security/{FABRIKAM}/hostile", {})


def read(emulator: Emulator, **options: Any) -> dict[str, Any]:
    """Run the operation and return its result."""
    defaults = {name: spec.get("default") for name, spec in OPERATION.argument_spec.items()}
    connection = {name.removeprefix("m365d_"): value for name, value in emulator.reader.items()}
    return OPERATION.run(Task(params={**defaults, **connection, "tenant_id": FABRIKAM, **options})).result


def shared_part(poorer: Any, richer: Any) -> Any:
    """Return what of `richer` answers to what `poorer` says: null, empty lists and what only one service has are left out."""
    if isinstance(poorer, dict) and isinstance(richer, dict):
        return {key: shared_part(value, richer.get(key)) for key, value in poorer.items() if value not in (None, [])}
    if isinstance(poorer, list) and isinstance(richer, list) and len(poorer) == len(richer):
        return [shared_part(one, other) for one, other in zip(poorer, richer, strict=True)]
    return richer


def said(value: Any) -> Any:
    """Return a value without null and empty lists."""
    if isinstance(value, dict):
        return {key: said(entry) for key, entry in value.items() if entry not in (None, [])}
    return [said(entry) for entry in value] if isinstance(value, list) else value


def test_both_services_give_the_same_objects(tenant: Emulator) -> None:
    graph, defender = (read(tenant, api=api, include_alerts=True)["incidents"] for api in APIS)
    assert len(graph) == COUNT
    assert sum(len(alert["evidence"]) for incident in graph for alert in incident["alerts"]) > COUNT
    for one, other in zip(defender, graph, strict=True):
        assert said(one) == shared_part(one, other)


@pytest.mark.parametrize(("api", "requests"), [("graph", 3), ("defender", 2)])
@pytest.mark.parametrize("include_alerts", [False, True])
def test_there_are_as_many_requests_as_pages_and_one_for_a_token(
    tenant: Emulator, tmp_path: Path, api: str, requests: int, include_alerts: bool
) -> None:
    tmp_path.chmod(0o700)
    result = read(tenant, api=api, include_alerts=include_alerts, token_cache_directory=str(tmp_path))
    assert (result["count"], result["complete"], result["requests"]) == (COUNT, True, requests)
    assert len(tenant.requests(family=api)) == requests
    assert tenant.token_requests() == 1


@pytest.mark.parametrize(
    "options",
    [
        {"status": ["active"]},
        {"status": ["active", "inProgress"], "severity": ["high", "medium"]},
        {"status": ["redirected"]},
        {"severity": ["unknown", "informational"]},
        {"classification": ["truePositive", "falsePositive"]},
        {"determination": ["phishing", "malware", "notMalicious"]},
        {"unassigned": True},
        {"created_since": "10d"},
        {"updated_since": "5d", "updated_until": "1d"},
        {"created_until": "7d"},
        {"service_sources": ["microsoftDefenderForOffice365"]},
    ],
)
def test_a_filter_means_the_same_to_both_services_and_here(tenant: Emulator, options: dict[str, Any]) -> None:
    everything = read(tenant, include_alerts=True)["incidents"]
    results = [read(tenant, api=api, **options) for api in APIS]
    found = [[incident["id"] for incident in result["incidents"]] for result in results]
    assert found[0] == found[1]
    assert 0 < len(found[0]) < len(everything)
    assert all(result["complete"] for result in results)


@pytest.mark.parametrize("api", APIS)
def test_an_assignee_with_a_quote_is_found_and_nothing_else(tenant: Emulator, api: str) -> None:
    number = read(tenant, limit=1)["incidents"][0]["id"]
    tenant.admin("PATCH", f"/security/{FABRIKAM}/incidents/{number}", {"assignedTo": "o'neill@fabrikam.example"})
    assert [incident["id"] for incident in read(tenant, api=api, assigned_to="o'neill@fabrikam.example")["incidents"]] == [number]
    assert read(tenant, api=api, assigned_to="x' or status eq 'active")["count"] == 0


@pytest.mark.parametrize("api", APIS)
def test_the_newest_come_with_a_limit(tenant: Emulator, api: str) -> None:
    everything = read(tenant, api=api)["incidents"]
    newest = read(tenant, api=api, limit=7)
    assert newest["incidents"] == everything[:7]
    assert (newest["requests"], newest["complete"]) == (1, False)


@pytest.mark.parametrize("hostile", [{"expand_fails_above": 20}, {"expand_fails_always": True}])
def test_alerts_come_also_where_the_service_chokes_on_them(tenant: Emulator, hostile: dict[str, Any]) -> None:
    expected = read(tenant, include_alerts=True, status=["active"])
    tenant.admin("PUT", f"/security/{FABRIKAM}/hostile", hostile)
    found = read(tenant, include_alerts=True, status=["active"])
    assert found["incidents"] == expected["incidents"]
    assert found["complete"]
    again = read(tenant, include_alerts=True, status=["active"])
    assert again["requests"] < found["requests"]


@pytest.mark.parametrize("api", APIS)
def test_a_merged_incident_leads_to_the_one_that_lives_on(tenant: Emulator, api: str) -> None:
    open_ones = [incident["id"] for incident in read(tenant, status=["active"], limit=2)["incidents"]]
    merged = tenant.admin("POST", f"/security/{FABRIKAM}/merge", {"ids": open_ones})
    kept = str(merged["id"])
    gone = next(number for number in open_ones if number != kept)
    found = read(tenant, api=api, incident_ids=[gone, "999999999"], follow_redirects=True)
    assert [(one["id"], one["redirected_to"], one["redirected_from"]) for one in found["incidents"]] == [
        (gone, kept, []),
        (kept, None, [gone]),
    ]
    assert found["not_found"] == ["999999999"]


@pytest.mark.parametrize("api", APIS)
def test_an_offset_beyond_the_limit_of_the_service_is_no_end(tenant: Emulator, api: str) -> None:
    tenant.admin("PATCH", f"/security/{FABRIKAM}/settings", {"max_skip": 60})
    try:
        result = read(tenant, api=api)
    finally:
        tenant.admin("PATCH", f"/security/{FABRIKAM}/settings", {"max_skip": None})
    assert (result["count"], result["complete"]) == (COUNT, True)


def test_a_fleet_shares_a_file_and_a_mapping_of_cursors(tenant: Emulator, tmp_path: Path) -> None:
    options = {"tenant_id": None, "tenants": [FABRIKAM, NORTHWIND], "max_failed": "1", "cursor": {}}
    first = read(tenant, dest=str(tmp_path / "first.ndjson"), **options)
    rows = [json.loads(line) for line in (tmp_path / "first.ndjson").read_text().splitlines()]
    good = {entry["tenant_id"] for entry in first["tenants"] if entry["outcome"] == "ok"}
    assert FABRIKAM in good
    assert (len(rows), {row["tenant_id"] for row in rows}) == (first["count"], good)
    assert set(first["cursor"]) == good
    second = read(tenant, dest=str(tmp_path / "second.ndjson"), **{**options, "cursor": first["cursor"]})
    assert (second["count"], (tmp_path / "second.ndjson").read_text()) == (0, "")


@pytest.mark.parametrize("api", APIS)
def test_a_foreign_next_link_gets_no_token(tenant: Emulator, api: str) -> None:
    tenant.admin("PATCH", f"/security/{FABRIKAM}/settings", {"defender_next_link": True})
    tenant.admin("POST", "/faults", {"family": api, "foreign_next_link": "https://evil.example"})
    try:
        with pytest.raises(PartnerError, match="the token was not sent there"):
            read(tenant, api=api)
    finally:
        tenant.admin("PATCH", f"/security/{FABRIKAM}/settings", {"defender_next_link": False})
