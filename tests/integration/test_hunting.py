# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hunting with real runs of Ansible, inside its worker and as a real module, and the plan of the migration."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.harness import FABRIKAM, HERE, NORTHWIND, TAILSPIN, WINGTIP, Ansible, Emulator

HOSTS = {
    "fabrikam": {"m365d_tenant_id": FABRIKAM, "m365d_tenant_name": "Fabrikam {{ 7 * 7 }}"},
    "northwind": {"m365d_tenant_id": NORTHWIND},
    "tailspin": {"m365d_tenant_id": TAILSPIN, "m365d_tenant_name": "Tailspin Toys"},
    "wingtip": {"m365d_tenant_id": WINGTIP},
}
HUNTED = "Hunt"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with customers that granted more and less."""
    emulator = Emulator.start(tmp_path_factory.mktemp("hunting") / "state", HERE / "hunting.yml")
    yield emulator
    emulator.stop()


@pytest.fixture
def customers(ansible: Ansible, cloud: Emulator) -> Ansible:
    """Ansible with the customers in its inventory."""
    cloud.forget_requests()
    ansible.inventory(HOSTS, cloud.reader)
    return ansible


def play(options: dict[str, Any], *, hosts: str = "fabrikam") -> str:
    """Return a playbook with one hunting task; JSON is YAML."""
    task = {"name": HUNTED, "m365d.partner.m365d_hunting": options}
    return json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": [task]}])


@pytest.mark.slow
class TestHunting:
    """The module m365d_hunting, whichever way its tasks go."""

    @pytest.mark.parametrize("api", ["graph", "defender"])
    def test_a_query_with_parameters_is_one_request_and_its_rows_have_types(self, customers: Ansible, cloud: Emulator, api: str) -> None:
        options = {
            "query": "print a = text, b = number, c = flag, d = since, e = array_length(names)",
            "parameters": {
                "text": '"; print secret // \\',
                "number": 7,
                "flag": True,
                "since": {"datetime": "2026-01-31"},
                "names": ["x", "y"],
            },
            "api": api,
        }
        run = customers.playbook(play(options))
        result = run.result(HUNTED)
        assert ("DEPRECATION WARNING" in run.output) is ("2027-02-01" in run.output) is (api == "defender")
        row = {"tenant_id": FABRIKAM, "a": '"; print secret // \\', "b": 7, "c": True, "d": "2026-01-31T00:00:00.0000000Z", "e": 2}
        assert result["rows"] == [row]
        assert [column["type"] for column in result["columns"]] == ["string", "long", "bool", "datetime", "long"]
        assert (result["complete"], result["changed"], result["requests"]) == (True, False, 1)
        path = "/v1.0/security/runHuntingQuery" if api == "graph" else "/api/advancedhunting/run"
        assert len(cloud.requests(path=path)) == 1

    @pytest.mark.parametrize("name", ["app_permissions", "unused_permissions", "app_activity", "consent_activity"])
    def test_ready_queries_arrive_on_both_ways(self, customers: Ansible, name: str) -> None:
        result = customers.playbook(play({"ready_query": name})).result(HUNTED)
        assert result["rows"]
        assert result["complete"]

    def test_the_partners_own_app_is_found_with_its_permissions(self, customers: Ansible) -> None:
        options = {"ready_query": "app_permissions", "parameters": {"wanted_app": "{{ m365d_client_id }}"}}
        rows = customers.playbook(play(options)).result(HUNTED)["rows"]
        assert {row["PermissionValue"] for row in rows} >= {"ThreatHunting.Read.All", "AdvancedHunting.Read.All"}
        assert {row["AppName"] for row in rows} == {"Partner reader"}

    def test_a_result_beyond_the_limit_goes_into_a_file_whole(self, customers: Ansible, tmp_path: Path) -> None:
        options = {
            "query": "CloudAppEvents | project Timestamp, ReportId | order by Timestamp asc",
            "service_row_limit": 300,
            "dest": str(tmp_path / "events.ndjson"),
        }
        result = customers.playbook(play(options)).result(HUNTED)
        rows = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines()]
        assert (result["complete"], result["changed"]) == (True, True)
        # The oldest of the 1,000 leaves the service's 30 days while the test begins.
        assert 998 <= result["count"] == len(rows) <= 1000
        numbers = sorted(int(row["ReportId"].partition("_")[0]) for row in rows)
        assert numbers == list(range(numbers[0], numbers[0] + len(rows)))
        assert [row["Timestamp"] for row in rows] == sorted(row["Timestamp"] for row in rows)
        assert stat.S_IMODE((tmp_path / "events.ndjson").stat().st_mode) == 0o600

    def test_a_fleet_reads_who_can_be_read_into_one_table(self, customers: Ansible, tmp_path: Path) -> None:
        options = {
            "tenants": [FABRIKAM, NORTHWIND],
            "query": "AlertInfo | project AlertId, Severity",
            "dest": str(tmp_path / "alerts.csv"),
            "max_failed": "1",
        }
        result = customers.playbook(play(options)).result(HUNTED)
        assert [entry["outcome"] for entry in result["tenants"]] == ["ok", "failed"]
        assert "ThreatHunting.Read.All" in result["tenants"][1]["msg"]
        lines = (tmp_path / "alerts.csv").read_text(encoding="utf-8").splitlines()
        assert lines[0] == "tenant_id,AlertId,Severity"
        assert len(lines) == 1 + result["count"] > 1
        assert all(line.startswith(FABRIKAM) for line in lines[1:])

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"query": "AlertInfo | where"}, "not KQL"),
            ({"query": "AlertInfo | project Nothing"}, "Failed to resolve"),
            ({"query": "AlertInfo", "parameters": {"unused": 1}}, "does not use the parameter unused"),
            ({"query": "AlertInfo", "ready_query": "app_activity"}, "mutually exclusive"),
            ({}, "one of the following is required"),
        ],
    )
    def test_what_is_wrong_is_said(self, customers: Ansible, options: dict[str, Any], says: str) -> None:
        run = customers.playbook(play(options))
        assert run.status == 2
        assert says in run.result(HUNTED)["msg"]

    def test_check_mode_reads_and_writes_no_file(self, customers: Ansible, tmp_path: Path) -> None:
        run = customers.playbook(play({"query": "AlertInfo", "dest": str(tmp_path / "alerts.csv")}), "--check")
        assert run.result(HUNTED)["changed"] is True
        assert not (tmp_path / "alerts.csv").exists()


@pytest.mark.slow
def test_the_plan_of_the_migration_tells_who_has_to_consent_again(customers: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    text = json.dumps([{"import_playbook": "m365d.partner.plan_migration"}])
    run = customers.playbook(text, "-e", f"plan_migration_file={tmp_path}/plan.json")
    assert run.status == 0, run.output
    rows = {row["tenant_id"]: row for row in json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))}
    assert {tenant: row["status"] for tenant, row in rows.items()} == {
        FABRIKAM: "ready",
        NORTHWIND: "consent_needed",
        TAILSPIN: "nothing_to_migrate",
        WINGTIP: "unknown",
    }
    assert rows[NORTHWIND]["missing"] == ["MicrosoftGraph/ThreatHunting.Read.All"]
    assert rows[NORTHWIND]["consent_url"].startswith(f"{cloud.endpoints['login_url']}/{NORTHWIND}/oauth2/authorize?")
    assert [row["consent_url"] for tenant, row in rows.items() if tenant != NORTHWIND] == [None, None, None]
    assert rows[WINGTIP]["reason"]
    assert (rows[TAILSPIN]["tenant_name"], rows[WINGTIP]["tenant_name"]) == ("Tailspin Toys", "wingtip")
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    for shown in ("northwind", "consent_needed", "MicrosoftGraph/ThreatHunting.Read.All"):
        assert shown in run.output
    assert cloud.client_secret not in run.everything_shown()


@pytest.mark.slow
def test_a_plan_for_permissions_that_everybody_is_to_grant_includes_who_never_consented(customers: Ansible, tmp_path: Path) -> None:
    text = json.dumps([{"import_playbook": "m365d.partner.plan_migration"}])
    always = json.dumps({"plan_migration_always": ["MicrosoftGraph/ThreatHunting.Read.All"]})
    inventory = tmp_path / "partner" / "inventory"
    inventory.mkdir(parents=True)
    (inventory / "more.yml").write_text(json.dumps({"customers": {"hosts": {}}}), encoding="utf-8")
    arguments = ("-i", str(inventory), "-e", always)
    predicted = customers.playbook(text, *arguments, "--check")
    assert predicted.status == 0, predicted.output
    assert sorted(path.name for path in (tmp_path / "partner").iterdir()) == ["inventory"]
    run = customers.playbook(text, *arguments)
    assert run.status == 0, run.output
    # Beside the directory of the inventory: what lies in it is taken for an inventory.
    plan = tmp_path / "partner" / "reports" / "migration.json"
    rows = {row["tenant_id"]: row["status"] for row in json.loads(plan.read_text(encoding="utf-8"))}
    assert rows == {FABRIKAM: "ready", NORTHWIND: "consent_needed", TAILSPIN: "consent_needed", WINGTIP: "unknown"}
