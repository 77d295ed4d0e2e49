# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Incidents and alerts are brought to a state by real playbooks, each way that tasks go, with both services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.harness import FABRIKAM, HERE, Ansible, Emulator, Run

READER = "33333333-3333-4333-8333-000000000002"
CLOSED = """
        status: resolved
        assigned_to: analyst@contoso.example
        classification: truePositive
        determination: compromisedUser
        tags: [managed-by-contoso]
        comment: "Password reset. Case CONTOSO-1207."
"""


@pytest.fixture(scope="module")
def responder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with an app that may write."""
    emulator = Emulator.start(tmp_path_factory.mktemp("writers") / "state", HERE / "writers.yml")
    yield emulator
    emulator.stop()


@pytest.fixture
def customer(ansible: Ansible, responder: Emulator) -> Ansible:
    """One customer, whose incidents the app may write."""
    responder.admin("DELETE", "/faults")
    responder.forget_requests()
    ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, responder.reader)
    return ansible


def playbook(ansible: Ansible, tasks: str, *arguments: str) -> Run:
    """Run the tasks of one play."""
    body = "\n".join(f"    {line}" for line in tasks.strip("\n").splitlines())
    return ansible.playbook(f"- hosts: customers\n  gather_facts: false\n  tasks:\n{body}\n", *arguments)


def ended(run: Run, name: str) -> dict[str, Any]:
    """The result of a task that succeeded; in diff mode there are other events too."""
    return run.result(name, event="ok")


def writes(responder: Emulator) -> list[tuple[str, str]]:
    """The requests that wrote something, in order."""
    log = [(entry["method"], entry["path"]) for entry in responder.requests() if entry["family"] in ("graph", "defender")]
    return [(method, path) for method, path in log if method != "GET"]


def state(responder: Emulator, incident_id: str) -> dict[str, Any]:
    """An incident as the service has it."""
    found = responder.admin("GET", f"/security/{FABRIKAM}/incidents")["incidents"]
    return next(incident for incident in found if str(incident["id"]) == incident_id)


def fresh_incident(responder: Emulator) -> str:
    """The id of a new incident that nothing was done with."""
    fields = {"status": "active", "classification": "unknown", "determination": "unknown", "assignedTo": None, "customTags": []}
    added = responder.admin("POST", f"/security/{FABRIKAM}/incidents", fields)["incidents"]
    return str(added[0]["id"])


def task(incident_id: str, api: str, options: str, *, name: str = "write") -> str:
    """A task that brings an incident to a state."""
    return f"- name: {name}\n  m365d.partner.m365d_incident:\n        incident_id: '{incident_id}'\n        api: {api}\n{options}"


@pytest.mark.slow
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_an_incident_is_predicted_then_changed_then_unchanged(customer: Ansible, responder: Emulator, api: str) -> None:
    incident_id = fresh_incident(responder)
    text = task(incident_id, api, CLOSED)

    predicted = playbook(customer, text, "--check", "--diff")
    assert predicted.status == 0, predicted.output
    assert writes(responder) == []
    changed = playbook(customer, text, "--diff")
    assert changed.status == 0, changed.output
    base = f"/v1.0/security/incidents/{incident_id}" if api == "graph" else f"/api/incidents/{incident_id}"
    expected = [("PATCH", base)] + [("POST", f"{base}/comments")] * (api == "graph")
    assert writes(responder) == expected
    unchanged = playbook(customer, text, "--diff")
    assert writes(responder) == expected

    results = [ended(run, "write") for run in (predicted, changed, unchanged)]
    assert [result["changed"] for result in results] == [True, True, False]
    assert results[0]["diff"] == results[1]["diff"]
    assert results[0]["incidents"][0]["written"] == results[1]["incidents"][0]["written"]
    assert '+        "status": "resolved"' in changed.output
    after = state(responder, incident_id)
    assert (after["status"], after["determination"], after["customTags"]) == ("resolved", "compromisedAccount", ["managed-by-contoso"])
    assert after["comments"] == ["Password reset. Case CONTOSO-1207."]


@pytest.mark.slow
def test_what_one_service_wrote_is_no_change_for_the_other(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    closed = "        classification: FalsePositive\n        determination: Clean\n        comment: Installer.\n"
    tasks = task(incident_id, "graph", closed, name="first") + task(incident_id, "defender", closed, name="second")
    run = playbook(customer, tasks)
    assert run.status == 0, run.output
    assert (run.result("first")["changed"], run.result("second")["changed"]) == (True, False)
    assert [method for method, _path in writes(responder)] == ["PATCH", "POST"]


@pytest.mark.slow
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_merged_incident_is_not_written_to_and_is_followed_on_demand(customer: Ansible, responder: Emulator, api: str) -> None:
    listed = responder.admin("GET", f"/security/{FABRIKAM}/incidents")["incidents"]
    merged = next(incident for incident in listed if incident["redirectIncidentId"])
    text = task(merged["id"], api, "        tags: [seen]\n")
    refused = playbook(customer, text)
    assert refused.status == 2
    result = refused.result("write")
    assert result["error"]["code"] == "Redirected"
    assert f"Name incident {merged['redirectIncidentId']} instead" in result["msg"]
    assert writes(responder) == []
    followed = playbook(customer, text.rstrip("\n") + "\n        follow_redirects: true\n")
    assert followed.status == 0, followed.output
    assert followed.result("write")["incidents"][0]["redirected_to"] == followed.result("write")["incident"]["id"]
    assert not [path for _method, path in writes(responder) if path.endswith(f"/{merged['id']}")]


@pytest.mark.slow
def test_the_guard_refuses_what_somebody_else_changed(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    tasks = f"""
- m365d.partner.m365d_incidents: {{incident_ids: ['{incident_id}']}}
  register: before
- m365d.partner.m365d_incident: {{incident_id: '{incident_id}', assigned_to: other@fabrikam.example}}
- name: write
  m365d.partner.m365d_incident:
    incident_id: '{incident_id}'
    status: resolved
    if_unchanged_since: "{{{{ before.incidents[0].last_update_date_time }}}}"
  register: guarded
  failed_when: guarded is not failed or guarded.error.code != 'Stale'
"""
    run = playbook(customer, tasks)
    assert run.status == 0, run.output
    assert len(writes(responder)) == 1


@pytest.mark.slow
def test_one_bad_incident_does_not_keep_the_others_from_being_written(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    text = f"- name: write\n  m365d.partner.m365d_incident: {{incident_ids: ['999999999', '{incident_id}'], status: inProgress}}"
    run = playbook(customer, text)
    assert run.status == 2
    result = run.result("write")
    assert result["summary"] == {"total": 2, "changed": 1, "unchanged": 0, "failed": 1}
    assert result["changed"] is True
    assert "1 of 2 incidents failed. The first: incident 999999999" in result["msg"]


@pytest.mark.slow
def test_a_comment_that_failed_is_told_and_added_by_the_next_run(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    fault = {"family": "graph", "method": "POST", "path": "/comments$", "status": 400, "times": 1}
    responder.admin("POST", "/faults", fault)
    text = task(incident_id, "graph", "        status: resolved\n        comment: Closed.\n")
    failed = playbook(customer, text)
    assert failed.status == 2, failed.output
    assert failed.result("write")["msg"].startswith("status had been written; then this failed: Commenting incident")
    again = playbook(customer, text)
    assert again.status == 0, again.output
    assert again.result("write")["incidents"][0]["written"] == ["comments"]


@pytest.mark.slow
def test_a_reader_that_writes_learns_which_permission_is_missing(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    secret = str(responder.endpoints["apps"][1]["client_secret"])
    customer.inventory(
        {"fabrikam": {"m365d_tenant_id": FABRIKAM}}, {**responder.connection, "m365d_client_id": READER, "m365d_client_secret": secret}
    )
    run = playbook(customer, task(incident_id, "graph", "        status: resolved\n"))
    result = run.result("write")
    assert result["consent_state"] == "missing_roles"
    assert "SecurityIncident.ReadWrite.All" in result["msg"]
    assert secret not in run.everything_shown()


@pytest.mark.slow
def test_alerts_are_read_and_closed_once(customer: Ansible, responder: Emulator) -> None:
    incident_id = fresh_incident(responder)
    tasks = f"""
- name: read
  m365d.partner.m365d_alerts: {{incident_ids: ['{incident_id}']}}
  register: case
- name: write
  m365d.partner.m365d_alert:
    alert_ids: "{{{{ case.alerts | map(attribute='id') | list }}}}"
    status: resolved
    classification: informationalExpectedActivity
    determination: securityTesting
    comment: Exercise.
- name: list
  m365d.partner.m365d_alerts:
    determination: [securityTesting]
    status: [resolved]
    updated_since: 10m
"""
    predicted = playbook(customer, tasks, "--check", "--diff")
    assert predicted.status == 0, predicted.output
    assert writes(responder) == []
    changed, unchanged = playbook(customer, tasks, "--diff"), playbook(customer, tasks, "--diff")
    assert changed.status == unchanged.status == 0, changed.output
    assert [ended(run, "write")["changed"] for run in (predicted, changed, unchanged)] == [True, True, False]
    assert ended(predicted, "write")["diff"] == ended(changed, "write")["diff"]
    mine = {alert["id"] for alert in changed.result("read")["alerts"]}
    assert mine
    assert mine <= {alert["id"] for alert in changed.result("list")["alerts"]}
    assert changed.result("list")["filters"]["pushed"] == ["status", "determination", "updated_since", "updated_until"]


@pytest.mark.slow
def test_both_services_give_the_same_alerts(customer: Ansible) -> None:
    tasks = "".join(f"- name: {api}\n  m365d.partner.m365d_alerts: {{api: {api}, created_since: 365d}}\n" for api in ("graph", "defender"))
    run = playbook(customer, tasks)
    assert run.status == 0, run.output
    graph, defender = (run.result(api) for api in ("graph", "defender"))
    assert graph["complete"]
    assert defender["complete"]
    assert graph["count"] == defender["count"] > 0
    for name in ("id", "incident_id", "status", "severity", "service_source", "classification", "last_update_date_time"):
        assert [alert[name] for alert in graph["alerts"]] == [alert[name] for alert in defender["alerts"]], name
