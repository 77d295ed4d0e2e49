# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of modules, lookups and filters, and of the guide on hunting, run as they are printed."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.alerts import OPERATION
from integration.harness import CLIENT_ID, FABRIKAM, HERE, NORTHWIND, TESTS, Ansible, Emulator, Run

MODULES = ["m365d_incidents", "m365d_incident", "m365d_alerts", "m365d_alert", "m365d_hunting"]
# The jobs of a security operations centre stand in front of a colon: "Triage: what nobody has taken yet".
FEWEST_JOBS = 5
# Examples that need nothing but customers.
OTHERS = ["modules.m365d_tenant_info", "modules.m365d_fleet", "lookup.m365d_incidents", "filter.consent_summary", "filter.migration_rows"]
GUIDE = TESTS.parent / "docs" / "docsite" / "rst" / "guide_hunting.rst"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with customers that consented to everything."""
    emulator = Emulator.start(tmp_path_factory.mktemp("examples") / "state", HERE / "examples.yml")
    yield emulator
    emulator.stop()


def examples(module: str, kind: str = "modules") -> str:
    """The examples of the documentation of a module, or of a plugin of another kind."""
    text: str = importlib.import_module(f"ansible_collections.m365d.partner.plugins.{kind}.{module}").EXAMPLES
    return text


def alert_ids(centre: Emulator) -> list[str]:
    """The ids of a customer's alerts."""
    defaults = {name: spec.get("default") for name, spec in OPERATION.argument_spec.items()}
    connection = {name.removeprefix("m365d_"): value for name, value in centre.reader.items()}
    found = OPERATION.run(Task(params={**defaults, **connection, "tenant_id": FABRIKAM})).result["alerts"]
    return [alert["id"] for alert in found]


def incident(ids: list[str], number: int) -> dict[str, str]:
    """An object that an earlier task would have read; its last update is that of tomorrow, so that nothing counts as stale."""
    return {"id": ids[number], "last_update_date_time": "2999-01-01T00:00:00.0000000Z"}


def own(text: str, replaced: Mapping[str, str]) -> str:
    """The examples with ids and places of these tests."""
    for theirs, ours in replaced.items():
        text = text.replace(theirs, ours)
    return text


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_show_the_commonest_jobs(module: str) -> None:
    tasks = yaml.safe_load(examples(module))
    jobs = {task["name"].partition(":")[0] for task in tasks if ":" in task["name"]}
    assert len(jobs) >= FEWEST_JOBS, jobs


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run_as_they_are_printed(quiet_ansible: Ansible, centre: Emulator, tmp_path: Path, module: str) -> None:
    centre.forget_requests()
    listed = centre.admin("GET", f"/security/{FABRIKAM}/incidents")["incidents"]
    numbers = [str(entry["id"]) for entry in listed if entry["status"] != "redirected"]
    alerts = alert_ids(centre)
    hosts = {"fabrikam": {"m365d_tenant_id": FABRIKAM}, "northwind": {"m365d_tenant_id": NORTHWIND}}
    quiet_ansible.inventory(hosts, centre.reader)
    folder = quiet_ansible.directory / "files"
    (folder / "siem").mkdir(parents=True)
    (quiet_ansible.directory / "queries").mkdir()
    (quiet_ansible.directory / "queries" / "new_inbox_rules.kql").write_text("CloudAppEvents\n| where ActionType == 'New-InboxRule'\n")
    text = own(
        examples(module),
        {
            "924565": numbers[0],
            "924566": numbers[1],
            "da637551227677560813_-961444813": alerts[0],
            "da637551227677560814_-961444814": alerts[1],
            "11111111-1111-4111-8111-000000000001": FABRIKAM,
            "22222222-2222-4222-8222-000000000001": CLIENT_ID,
            "/var/spool/siem": str(folder / "siem"),
            "/srv/reports": str(folder),
            "/srv/exports": str(folder),
        },
    )
    play = [{"hosts": "fabrikam", "gather_facts": False, "tasks": yaml.safe_load(text)}]
    variables: dict[str, Any] = {
        "vaulted_client_secret": centre.client_secret,
        "reported_account": "analyst@fabrikam.example",
        "incident": incident(numbers, 2),
        "alert": incident(alerts, 4),
    }
    run = quiet_ansible.playbook(json.dumps(play), "-e", json.dumps(variables))
    assert run.status == 0, run.output
    names = [task["name"] for entry in play[0]["tasks"] for task in entry.get("block", [entry])]
    ended = {event["task"] for event in run.events if event["event"] == "ok"}
    assert set(names) <= ended
    assert "secret" not in run.output


def run_tasks(ansible: Ansible, centre: Emulator, text: str, *, hosts: str = "fabrikam", variables: Mapping[str, Any] | None = None) -> Run:
    """Run tasks for the two customers, every one of which has to end well."""
    ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}, "northwind": {"m365d_tenant_id": NORTHWIND}}, centre.reader)
    play = [{"hosts": hosts, "gather_facts": False, "tasks": yaml.safe_load(text)}]
    run = ansible.playbook(json.dumps(play), "-e", json.dumps(variables or {}))
    assert run.status == 0, run.output
    assert centre.client_secret not in run.output
    return run


@pytest.mark.slow
@pytest.mark.parametrize("plugin", OTHERS)
def test_shorter_examples_run_as_they_are_printed(quiet_ansible: Ansible, centre: Emulator, plugin: str) -> None:
    kind, _dot, name = plugin.partition(".")
    ours = {
        "fabrikam.onmicrosoft.com": "fabrikam.example",
        "northwindtraders.com": "northwind.example",
        "contoso.onmicrosoft.com": "partner.contoso.example",
        "22222222-2222-4222-8222-000000000001": CLIENT_ID,
    }
    secrets = dict.fromkeys(("vaulted_client_secret", "vaulted_contoso_secret", "vaulted_fabrikam_secret"), centre.client_secret)
    run = run_tasks(quiet_ansible, centre, own(examples(name, kind), ours), variables=secrets)
    assert not any(event["event"] == "failed" for event in run.events)


@pytest.mark.slow
def test_the_examples_of_the_sink_run_as_they_are_printed(quiet_ansible: Ansible, centre: Emulator) -> None:
    folder = quiet_ansible.directory / "files"
    folder.mkdir()
    ours = dict.fromkeys(("/var/spool/m365d", "/var/log/m365d", "/srv/incidents"), str(folder))
    printed = yaml.safe_load(own(examples("m365d_incident_sink"), ours))
    # A receiver with an authority of its own is in the tests of the role.
    sinks = [task for task in printed if "webhook" not in task.get("m365d.partner.m365d_incident_sink", {})]
    assert len(sinks) == len(printed) - 1
    reading = {"m365d.partner.m365d_incidents": {"max_age": "7d", "dest": f"{folder}/{{{{ inventory_hostname }}}}.ndjson"}}
    run_tasks(quiet_ansible, centre, json.dumps([reading, *sinks]))
    assert (folder / "incidents.ndjson").stat().st_size > 0


@pytest.mark.slow
def test_the_guide_on_hunting_leads_from_an_incident_to_other_alerts(quiet_ansible: Ansible, centre: Emulator) -> None:
    blocks = re.findall(r"\.\. code-block:: yaml\+jinja\n\n((?:    [^\n]*\n|\n)+)", GUIDE.read_text(encoding="utf-8"))
    (steps,) = (textwrap.dedent(block) for block in blocks if "related_alerts" in block)
    listed = centre.admin("GET", f"/security/{FABRIKAM}/incidents")["incidents"]
    number = next(str(entry["id"]) for entry in listed if entry["status"] != "redirected")
    run = run_tasks(quiet_ansible, centre, own(steps, {"924565": number}))
    assert run.result("Find what it involves", event="ok")["count"] > 0
