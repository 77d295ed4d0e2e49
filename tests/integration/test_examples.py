# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the modules for incidents, alerts and hunting, run as `ansible-doc` shows them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.alerts import OPERATION
from integration.harness import CLIENT_ID, FABRIKAM, HERE, NORTHWIND, Ansible, Emulator

MODULES = ["m365d_incidents", "m365d_incident", "m365d_alerts", "m365d_alert", "m365d_hunting"]
# The jobs of a security operations centre stand in front of a colon: "Triage: what nobody has taken yet".
FEWEST_JOBS = 5


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with customers that consented to everything."""
    emulator = Emulator.start(tmp_path_factory.mktemp("examples") / "state", HERE / "examples.yml")
    yield emulator
    emulator.stop()


def examples(module: str) -> str:
    """The examples of a module's documentation."""
    text: str = importlib.import_module(f"ansible_collections.m365d.partner.plugins.modules.{module}").EXAMPLES
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
