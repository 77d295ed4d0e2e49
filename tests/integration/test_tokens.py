# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens in real runs of Ansible: the module on both paths, the lookup, the test plugin, and that nothing leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.canaries import TOKEN, leaks
from integration.harness import CLIENT_ID, FABRIKAM, NORTHWIND, TAILSPIN, WINGTIP, Ansible, Emulator

HOSTS: dict[str, dict[str, Any]] = {
    "fabrikam": {"m365d_tenant_id": FABRIKAM},
    "northwind": {"m365d_tenant_id": "northwind.example"},
    "tailspin": {"m365d_tenant_id": TAILSPIN},
    "wingtip": {"m365d_tenant_id": WINGTIP},
}


@pytest.fixture
def customers(ansible: Ansible, cloud: Emulator) -> Ansible:
    """The customers of the scenario as hosts, with the reader's credential as group variables."""
    ansible.inventory(HOSTS, cloud.reader)
    return ansible


@pytest.fixture
def lookups(quiet_ansible: Ansible, cloud: Emulator) -> Ansible:
    """The same, for what has one path only."""
    quiet_ansible.inventory(HOSTS, cloud.reader)
    return quiet_ansible


def play(tasks: str, *, hosts: str = "fabrikam") -> str:
    """Return a playbook of one play."""
    lines = [f"- hosts: {hosts}", "  gather_facts: false", "  tasks:"]
    return "\n".join([*lines, *(f"    {line}" for line in tasks.strip("\n").splitlines())]) + "\n"


def test_an_inventory_alone_makes_an_ad_hoc_command_a_whole_command(customers: Ansible, cloud: Emulator) -> None:
    run = customers.adhoc("fabrikam:northwind", "m365d.partner.m365d_token", "required_roles=SecurityIncident.Read.All", "-vvvv")
    assert run.status == 0, run.output
    results = {entry["host"]: entry["result"] for entry in run.events}
    assert {host: result["tenant_id"] for host, result in results.items()} == {"fabrikam": FABRIKAM, "northwind": NORTHWIND}
    assert {result["consent_state"] for result in results.values()} == {"ready"}
    assert all("access_token" not in result for result in results.values())
    assert run.logins == []
    assert leaks(run, cloud.client_secret) == []


def test_all_tasks_and_workers_of_a_run_share_one_token_request_for_a_tenant(customers: Ansible, cloud: Emulator) -> None:
    tasks = """
- m365d.partner.m365d_token:
- m365d.partner.m365d_token:
  loop: [1, 2]
- name: last
  m365d.partner.m365d_token: {required_roles: [SecurityAlert.Read.All]}
"""
    run = customers.playbook(play(tasks, hosts="fabrikam:northwind"), "-f", "8")
    assert run.status == 0, run.output
    assert {result["source"] for result in run.results("last")} == {"cache"}
    assert cloud.token_requests() == 2


def test_a_new_run_asks_again_unless_a_directory_keeps_the_tokens(customers: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    text = play("- name: token\n  m365d.partner.m365d_token:")
    kept = {"M365D_TOKEN_CACHE_DIRECTORY": str(tmp_path / "kept")}
    for _round in range(2):
        customers.playbook(text)
    assert cloud.token_requests() == 2
    runs = [customers.playbook(text, environment=kept) for _round in range(2)]
    assert cloud.token_requests() == 3
    assert [run.result("token")["source"] for run in runs] == ["network", "cache"]
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert path.stat().st_mode & 0o077 == 0
        assert cloud.client_secret.encode() not in path.read_bytes()
        assert not TOKEN.search(path.read_bytes().decode("latin-1"))


@pytest.mark.parametrize(
    ("host", "state", "words"),
    [("tailspin", "not_consented", "consent"), ("fabrikam", "missing_roles", "SecurityIncident.ReadWrite.All")],
)
def test_a_tenant_that_is_not_ready_fails_with_its_state_and_the_next_step(customers: Ansible, host: str, state: str, words: str) -> None:
    task = "- name: token\n  m365d.partner.m365d_token: {required_roles: [SecurityIncident.ReadWrite.All]}"
    result = customers.playbook(play(task, hosts=host)).result("token", event="failed")
    assert result["consent_state"] == state
    assert HOSTS[host]["m365d_tenant_id"] in result["msg"]
    assert words in result["msg"]
    assert result["error"]["next_step"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"m365d_client_secret": "wrong-secret-canary"}, "secret"),
        ({"m365d_client_secret": ""}, "client_secret"),
        ({"m365d_client_secret": "5f3b1f3e-1111-4111-8111-00000000000a"}, "not its value"),
        ({"m365d_login_url": "https://localhost:9"}, "localhost:9"),
        ({"m365d_ca_path": "/nowhere/ca.pem"}, "ca.pem"),
        ({"m365d_ca_path": None}, "certificate"),
        ({"m365d_cloud": "venus"}, "cloud"),
        ({"m365d_tenant_id": "common"}, "common"),
        ({"m365d_tenant_id": "1111-2222"}, "1111-2222"),
        ({"m365d_tenant_id": None}, "tenant_id"),
        ({"m365d_allowed_tenants": [NORTHWIND]}, "allowed_tenants"),
    ],
)
def test_bad_input_is_one_sentence_without_a_traceback(ansible: Ansible, cloud: Emulator, variables: dict[str, Any], words: str) -> None:
    merged = {**cloud.reader, "m365d_tenant_id": FABRIKAM, "m365d_deadline": 2, **variables}
    ansible.inventory({"fabrikam": {name: value for name, value in merged.items() if value is not None}}, {})
    run = ansible.playbook(play("- name: token\n  m365d.partner.m365d_token:"), "-vvv")
    result = run.result("token", event="failed")
    assert words in result["msg"]
    assert "Traceback" not in run.output
    assert leaks(run, cloud.client_secret, "wrong-secret-canary") == []


def test_a_tenant_that_is_not_allowed_costs_no_request(customers: Ansible, cloud: Emulator) -> None:
    run = customers.adhoc("fabrikam", "m365d.partner.m365d_token", f"allowed_tenants={NORTHWIND}")
    assert "no request was made" in run.output
    assert cloud.requests() == []


LOOKUPS = f"""
- name: token for the host
  ansible.builtin.assert:
    that: lookup('m365d.partner.m365d_token') is match('^[^.]+[.][^.]+[.][^.]+$')
  no_log: true
- name: tokens for terms
  ansible.builtin.assert:
    that:
      - query('m365d.partner.m365d_token', '{FABRIKAM}', 'northwind.example') | length == 2
      - query('m365d.partner.m365d_token', '{FABRIKAM}', 'northwind.example') | unique | length == 2
      - lookup('m365d.partner.m365d_token', '{FABRIKAM}', wantlist=true) | length == 1
  no_log: true
- name: claims
  ansible.builtin.debug:
    msg: "{{{{ lookup('m365d.partner.m365d_token', 'northwind.example', result='claims') }}}}"
- name: all
  ansible.builtin.debug:
    msg: "{{{{ lookup('m365d.partner.m365d_token', '{TAILSPIN}', result='all', fail_on='never') }}}}"
- name: granted
  ansible.builtin.assert:
    that:
      - look is m365d.partner.m365d_granted('SecurityIncident.Read.All')
      - look is m365d.partner.m365d_granted(['MicrosoftGraph/SecurityAlert.Read.All', 'SecurityIncident.Read.All'])
      - look is not m365d.partner.m365d_granted('SecurityIncident.ReadWrite.All')
      - look is m365d.partner.m365d_granted(['SecurityIncident.ReadWrite.All', 'SecurityIncident.Read.All'], any=true)
      - look.roles is m365d.partner.m365d_granted('SecurityIncident.Read.All')
  vars:
    look: "{{{{ lookup('m365d.partner.m365d_token', result='all') }}}}"
"""


def test_the_lookup_returns_tokens_claims_or_the_whole_finding(lookups: Ansible, cloud: Emulator) -> None:
    run = lookups.playbook(play(LOOKUPS), "-vvvv")
    assert run.status == 0, run.output
    claims = run.result("claims")["msg"]
    assert (claims["tid"], claims["appid"]) == (NORTHWIND, CLIENT_ID)
    finding = run.result("all")["msg"]
    assert (finding["tenant_id"], finding["consent_state"]) == (TAILSPIN, "not_consented")
    assert leaks(run, cloud.client_secret) == []


def test_the_lookup_shares_the_tokens_of_the_run(lookups: Ansible, cloud: Emulator) -> None:
    tasks = """
- m365d.partner.m365d_token:
- ansible.builtin.assert: {that: "lookup('m365d.partner.m365d_token') | length > 100"}
"""
    run = lookups.playbook(play(tasks))
    assert run.status == 0, run.output
    assert cloud.token_requests() == 1


@pytest.mark.parametrize(
    ("term", "options", "words"),
    [
        (TAILSPIN, "", "consent"),
        ("common", "", "common"),
        (FABRIKAM, ", required_roles=['SecurityIncident.ReadWrite.All']", "SecurityIncident.ReadWrite.All"),
        (FABRIKAM, ", client_secret='wrong-secret-canary'", "secret"),
        (FABRIKAM, ", fail_on='never'", "fail_on=never needs result=all"),
        (FABRIKAM, ", colour='red'", "colour"),
        (FABRIKAM, ", timeout='soon'", "timeout"),
        (FABRIKAM, ", until_roles=-1", "wait_for_roles must be from 0"),
        (FABRIKAM, ", allowed_tenants=['northwind.example']", "allowed_tenants"),
    ],
)
def test_a_fault_in_the_lookup_is_a_sentence_without_a_secret(
    lookups: Ansible, cloud: Emulator, term: str, options: str, words: str
) -> None:
    task = f"- name: token\n  ansible.builtin.set_fact:\n    kept: \"{{{{ lookup('m365d.partner.m365d_token', '{term}'{options}) }}}}\""
    run = lookups.playbook(play(task), "-vvvv")
    assert run.status != 0
    assert words in run.output
    assert leaks(run, cloud.client_secret) == []


def test_the_lookup_takes_its_options_in_the_order_of_the_modules(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory(
        {"fabrikam": {"m365d_tenant_id": FABRIKAM}}, {**cloud.connection, "m365d_client_id": "{{ app }}", "app": CLIENT_ID}
    )
    (quiet_ansible.directory / "ansible.cfg").write_text("[defaults]\n[m365d]\nclient_id = 1\nendpoint_version = v1\n", encoding="utf-8")
    task = "- name: all\n  ansible.builtin.debug:\n    msg: \"{{ lookup('m365d.partner.m365d_token', result='all') }}\""
    environment = {"AZURE_CLIENT_SECRET": cloud.client_secret, "M365D_CLIENT_ID": "2", "AZURE_CLIENT_ID": "3"}
    run = quiet_ansible.playbook(play(task), environment=environment)
    assert run.status == 0, run.output
    assert run.result("all")["msg"]["client_id"] == CLIENT_ID
    assert run.result("all")["msg"]["claims"]["ver"] == "1.0"
    certificate = {**environment, "M365D_CLIENT_CERTIFICATE_PATH": "/nowhere/partner.pem"}
    other = quiet_ansible.playbook(play(task), environment=certificate)
    assert "/nowhere/partner.pem" in other.output
    assert "given together" not in other.output
