# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tenants in one task, in real runs of Ansible: the module m365d_tenant_info, what a terminal shows meanwhile, the lookups."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.harness import ANSIBLE, FABRIKAM, HERE, HOME, NORTHWIND, RUN_SECONDS, TAILSPIN, WINGTIP, Ansible, Emulator, Run

PROSEWARE, LITWARE, ADVENTURE_WORKS, LUCERNE = (f"11111111-1111-4111-8111-0000000000{number}" for number in (21, 22, 23, 24))
NOBODY = "11111111-1111-4111-8111-00000000000f"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with the scenario of these tests."""
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator") / "state", scenario=HERE / "fleet.yml")
    yield emulator
    emulator.stop()


def play(tasks: str, *, hosts: str = "localhost") -> str:
    """Return a playbook of one play."""
    lines = [f"- hosts: {hosts}", "  gather_facts: false", "  tasks:"]
    return "\n".join([*lines, *(f"    {line}" for line in tasks.strip("\n").splitlines())]) + "\n"


def test_tenants_of_all_clouds_are_found_without_a_credential(ansible: Ansible, cloud: Emulator) -> None:
    ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.connection)
    task = f"""
- name: found
  m365d.partner.m365d_tenant_info:
    tenants:
      [fabrikam.example, proseware.example, litware.example, {ADVENTURE_WORKS}, lucerne.example, nobody.example, {NOBODY}]
    max_failed: 2
  delegate_to: localhost
"""
    run = ansible.playbook(play(task, hosts="fabrikam"))
    assert run.status == 0, run.output
    result = run.result("found")
    found = {entry["requested"][0]: (entry["outcome"], entry["tenant_id"], entry.get("cloud")) for entry in result["tenants"]}
    assert found == {
        "fabrikam.example": ("ok", FABRIKAM, "global"),
        "proseware.example": ("ok", PROSEWARE, "gcc"),
        "litware.example": ("ok", LITWARE, "gcc_high"),
        ADVENTURE_WORKS: ("ok", ADVENTURE_WORKS, "dod"),
        "lucerne.example": ("ok", LUCERNE, "china"),
        "nobody.example": ("failed", "nobody.example", None),
        NOBODY: ("failed", NOBODY, None),
    }
    assert {entry["consent_state"] for entry in result["tenants"] if entry["outcome"] != "ok"} == {"unknown_tenant"}
    assert {entry["hosts"]["graph_url"] for entry in result["tenants"] if entry.get("cloud") == "dod"} == {"https://dod-graph.microsoft.us"}
    assert cloud.token_requests() == 0


def test_names_come_in_the_name_of_the_home_tenant_with_one_token(ansible: Ansible, cloud: Emulator) -> None:
    ansible.inventory({"fabrikam": {"m365d_tenant_id": "fabrikam.example"}}, cloud.reader)
    task = f"""
- name: one
  m365d.partner.m365d_tenant_info: {{home_tenant_id: partner.contoso.example}}
- name: many
  m365d.partner.m365d_tenant_info:
    tenants: [{TAILSPIN}, northwind.example, litware.example]
    home_tenant_id: {HOME}
- name: without
  m365d.partner.m365d_tenant_info:
"""
    run = ansible.playbook(play(task, hosts="fabrikam"))
    assert run.status == 0, run.output
    assert (run.result("one")["display_name"], run.result("one")["default_domain"]) == ("Fabrikam", "fabrikam.example")
    many = run.result("many")["tenants"]
    assert [(entry["tenant_id"], entry["display_name"]) for entry in many] == [
        (TAILSPIN, "Tailspin"),
        (NORTHWIND, "Northwind"),
        (LITWARE, None),
    ]
    assert "global cloud only" in many[2]["names_error"]["message"]
    # The customer granted the app nothing of the kind, which is said and no fault.
    assert run.result("without")["display_name"] is None
    assert run.result("without")["names_error"]["http_status"] == 403
    assert cloud.token_requests() == 2


SLOW = play(
    f"- m365d.partner.m365d_consent_info: {{tenants: [{FABRIKAM}, {NORTHWIND}, {WINGTIP}], concurrency: 1, permissions: []}}",
    hosts="fabrikam",
)


def _shown_in_terminal(ansible: Ansible) -> str:
    """Run the slow playbook within a terminal and return what that showed."""
    (ansible.directory / "playbook.yml").write_text(SLOW, encoding="utf-8")
    command = [str(ANSIBLE / "ansible-playbook"), "-i", str(ansible.directory / "inventory.yml"), str(ansible.directory / "playbook.yml")]
    environment = ansible.environment_of(ansible.directory / "log", ansible.directory / "record", {"TERM": "dumb", "COLUMNS": "200"})
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def _read() -> None:
        try:
            while chunk := os.read(ours, 65536):
                shown.append(chunk)
        except OSError:
            return

    with subprocess.Popen(command, env=environment, cwd=ansible.directory, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read)
        reader.start()
        assert process.wait(timeout=RUN_SECONDS) == 0
        reader.join(timeout=10)
    os.close(ours)
    return b"".join(shown).decode("utf-8", errors="replace")


def test_a_terminal_shows_how_far_long_work_is_and_a_file_does_not(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.reader)
    cloud.admin("POST", "/faults", {"path": "/oauth2/v2.0/token$", "delay": 3})
    shown = _shown_in_terminal(quiet_ansible)
    assert re.search(r"Tenants: 1 of 3 done, 0 of them failed or unknown, 2 remaining; 0\.\d/s; about \d+ s left", shown), shown
    assert "Tenants: 3 of 3 done, 0 of them failed or unknown, 0 remaining" in shown
    assert cloud.client_secret not in shown
    assert "remaining" not in (quiet_ansible.directory / "log").read_text(encoding="utf-8")
    assert "remaining" not in quiet_ansible.playbook(SLOW).output


FLEET_HOSTS: dict[str, dict[str, Any]] = {
    "fabrikam": {"m365d_tenant_id": "{{ own_id }}", "own_id": "fabrikam.example"},
    "fabrikam-again": {"m365d_tenant_id": FABRIKAM},
    "northwind": {"m365d_tenant_id": NORTHWIND},
    "proseware": {"m365d_tenant_id": "proseware.example", "m365d_cloud": "gcc"},
    "tailspin": {"m365d_tenant_id": TAILSPIN},
    "wingtip": {"m365d_tenant_id": WINGTIP, "m365d_client_secret": "wrong-secret-canary"},
    "nobody": {"m365d_tenant_id": "nobody.example"},
    "adatum": {"m365d_tenant_id": "11111111"},
    "litware": {},
    "lucerne": {"m365d_tenant_id": LUCERNE, "m365d_credential": "not there"},
    "relecloud": {"m365d_tenant_id": LUCERNE, "m365d_credential": ["no name"]},
    "alpine": {"m365d_tenant_id": LUCERNE, "m365d_allowed_tenants": 5},
}
AFTER = """
- hosts: customers
  gather_facts: false
  tasks:
    - name: later
      ansible.builtin.debug:
        var: m365d_fleet_result
"""


def _fleet(ansible: Ansible, *arguments: str) -> Run:
    (ansible.directory / "options.json").write_text(json.dumps({"m365d_fleet_module": "m365d_incidents"}), encoding="utf-8")
    return ansible.playbook("- import_playbook: m365d.partner.fleet\n" + AFTER.lstrip(), "-e", "@options.json", *arguments)


def test_one_task_reads_for_all_hosts_and_hands_each_its_own_result(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory(FLEET_HOSTS, cloud.reader)
    run = _fleet(quiet_ansible, "-vvv")
    assert run.status == 0, run.output
    results = {entry["host"]: entry["result"]["m365d_fleet_result"] for entry in run.events if entry["task"] == "later"}
    assert {host: (result["outcome"], result["consent_state"]) for host, result in results.items()} == {
        "fabrikam": ("ok", "ready"),
        "fabrikam-again": ("ok", "ready"),
        "northwind": ("ok", "ready"),
        "proseware": ("ok", "ready"),
        "tailspin": ("failed", "not_consented"),
        "wingtip": ("failed", "credential_error"),
        "nobody": ("failed", "unknown_tenant"),
        "adatum": ("unknown", "unknown_tenant"),
        "litware": ("unknown", None),
        "lucerne": ("unknown", None),
        "relecloud": ("unknown", None),
        "alpine": ("unknown", None),
    }
    assert {host: result.get("count") for host, result in results.items() if result["outcome"] == "ok"} == dict.fromkeys(
        ("fabrikam", "fabrikam-again", "northwind", "proseware"), 4
    )
    assert not any("count" in result for result in results.values() if result["outcome"] != "ok")
    assert results["fabrikam"]["tenant_id"] == FABRIKAM
    assert "m365d_tenant_id" in results["litware"]["msg"]
    for secret in (cloud.client_secret, "wrong-secret-canary"):
        assert secret not in run.everything_shown()


def test_hosts_without_a_credential_use_that_of_the_environment(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.connection)
    quiet_ansible.environment.update(M365D_CLIENT_ID=cloud.reader["m365d_client_id"], M365D_CLIENT_SECRET=cloud.client_secret)
    run = _fleet(quiet_ansible, "-vvv")
    assert run.status == 0, run.output
    assert run.result("later")["m365d_fleet_result"]["outcome"] == "ok", run.output
    assert cloud.client_secret not in run.everything_shown()


def test_a_limit_is_followed_and_hosts_that_were_not_read_can_be_failed(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory(FLEET_HOSTS, cloud.reader)
    run = _fleet(quiet_ansible, "--limit", "northwind,tailspin", "-e", "m365d_fleet_fail=true")
    assert run.status == 2, run.output
    later = {entry["host"]: entry["result"]["m365d_fleet_result"]["outcome"] for entry in run.events if entry["task"] == "later"}
    assert later == {"northwind": "ok"}
    asked = {row["tenant_id"] for row in cloud.requests(operation="token")}
    assert asked == {NORTHWIND, TAILSPIN}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("module: m365d_token\n    options: {return_token: true}", "become facts"),
        ("module: m365d_incidents\n    options: {tenants: []}", "those of the hosts"),
        ("module: m365d_incidents\n    options: {colour: red}", "has no options colour"),
        ("module: m365d_app", "must be one of"),
        ("module: m365d_incidents\n    hosts: [nowhere]\n    options: {max_failed: 0}", "The inventory has no host nowhere"),
        ("module: m365d_incidents\n    options: {shard: 3/2}", "shard must be i/n"),
        ("module: m365d_incidents\n    options: {shard: 5}", "shard must be i/n"),
        ("module: m365d_incidents\n    options: {credentials: [nonsense]}", "credentials must be a list"),
        ("module: m365d_incidents\n    options: {credentials: [{client_id: x}]}", "credentials must be a list"),
        ("module: m365d_incidents\n    options: {return_tenants: lacking, dest: x.ndjson}", "Leave out return_tenants"),
    ],
)
def test_bad_input_for_hosts_is_a_sentence(quiet_ansible: Ansible, cloud: Emulator, arguments: str, words: str) -> None:
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.reader)
    run = quiet_ansible.playbook(play(f"- name: fleet\n  m365d.partner.m365d_fleet:\n    {arguments}", hosts="fabrikam"))
    assert words in run.result("fleet", event="failed")["msg"]
    assert "Traceback" not in run.output


def test_where_no_host_has_a_tenant_nothing_is_zero_and_a_file_stays_as_it_was(
    quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path
) -> None:
    dest = tmp_path / "incidents.ndjson"
    dest.write_text('{"id": "of the last run"}\n', encoding="ascii")
    quiet_ansible.inventory({"fabrikam": {}, "northwind": {"m365d_tenant_id": ""}}, cloud.reader)
    arguments = f"module: m365d_incidents\n    options: {{dest: {dest}, force: true}}"
    run = quiet_ansible.playbook(play(f"- name: fleet\n  run_once: true\n  m365d.partner.m365d_fleet:\n    {arguments}", hosts="all"))
    result = run.result("fleet")
    assert (result["count"], result["complete"], result["summary"]["unknown"], "dest" in result) == (None, False, 2, False)
    assert dest.read_text(encoding="ascii") == '{"id": "of the last run"}\n'


TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.eyJ")
LOOKUPS = f"""
- name: tokens
  ansible.builtin.assert:
    that:
      - tokens | length == 3
      - tokens[0] != tokens[1]
      - tokens[0] == tokens[2]
      - by_tenant.keys() | sort == ['fabrikam.example', '{TAILSPIN}'] | sort
      - by_tenant['fabrikam.example'] == tokens[0]
      - by_tenant['{TAILSPIN}'] is none
      - query('m365d.partner.m365d_token', []) == []
      - lookup('m365d.partner.m365d_token', [], form='dict') == {{}}
  vars:
    tokens: "{{{{ query('m365d.partner.m365d_token', ['fabrikam.example', '{NORTHWIND}', '{FABRIKAM}']) }}}}"
    by_tenant: "{{{{ lookup('m365d.partner.m365d_token', 'fabrikam.example', '{TAILSPIN}', form='dict', max_failed='50%') }}}}"
  no_log: true
- name: outcomes
  ansible.builtin.debug:
    msg: "{{{{ query('m365d.partner.m365d_token', '{FABRIKAM}', '{TAILSPIN}', 'nobody.example', result='all', max_failed='2') }}}}"
- name: incidents
  ansible.builtin.debug:
    msg:
      own: "{{{{ lookup('m365d.partner.m365d_incidents') | length }}}}"
      many: "{{{{ query('m365d.partner.m365d_incidents', ['northwind.example', gcc]) | map('length') }}}}"
      limited: "{{{{ lookup('m365d.partner.m365d_incidents', limit=1) | map(attribute='tenant_id') }}}}"
      all: "{{{{ lookup('m365d.partner.m365d_incidents', result='all').count }}}}"
      unknown: "{{{{ lookup('m365d.partner.m365d_incidents', '{TAILSPIN}', form='dict', max_failed='100%') }}}}"
  vars:
    gcc: {{tenant_id: proseware.example, cloud: gcc}}
"""


def test_lookups_take_many_tenants_as_terms(quiet_ansible: Ansible, cloud: Emulator) -> None:
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.reader)
    run = quiet_ansible.playbook(play(LOOKUPS, hosts="fabrikam"), "-vvv")
    assert run.status == 0, run.output
    outcomes = [(entry["outcome"], entry["consent_state"]) for entry in run.result("outcomes")["msg"]]
    assert outcomes == [("ok", "ready"), ("failed", "not_consented"), ("failed", "unknown_tenant")]
    shown = run.result("incidents")["msg"]
    # Before ansible-core 2.19, what a template makes of a number is a text.
    assert {**shown, "own": int(shown["own"]), "all": int(shown["all"])} == {
        "own": 4,
        "many": [4, 4],
        "limited": [FABRIKAM],
        "all": 4,
        "unknown": {TAILSPIN: None},
    }
    assert not TOKEN.search(run.everything_shown())
    assert cloud.client_secret not in run.everything_shown()
    # Before ansible-core 2.19, warnings are broken into lines.
    assert "1 of 2 tenants failed or are unknown" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("lookup", "words"),
    [
        (f"'m365d.partner.m365d_token', '{FABRIKAM}', '{TAILSPIN}'", "1 of 2 tenants failed or are unknown"),
        (f"'m365d.partner.m365d_token', '{FABRIKAM}', 'common'", "common"),
        (f"'m365d.partner.m365d_token', '{FABRIKAM}', '{NORTHWIND}', max_failed='many'", "max_failed"),
        (f"'m365d.partner.m365d_incidents', '{TAILSPIN}'", "consent"),
        ("'m365d.partner.m365d_incidents', status=['odd']", "status"),
        ("'m365d.partner.m365d_incidents', dest='/tmp/x'", "unknown options: dest"),
        ("'m365d.partner.m365d_incidents', incident_ids=['1'], limit=1", "mutually exclusive"),
        ("'m365d.partner.m365d_fleet_result'", "register its result"),
    ],
)
def test_a_fault_of_lookups_for_many_is_a_sentence(quiet_ansible: Ansible, cloud: Emulator, lookup: str, words: str) -> None:
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, cloud.reader)
    run = quiet_ansible.playbook(
        play(f'- name: look\n  ansible.builtin.set_fact:\n    kept: "{{{{ lookup({lookup}) }}}}"', hosts="fabrikam")
    )
    assert run.status != 0
    assert words in " ".join(run.output.split())
    assert "Traceback" not in run.output
    assert not TOKEN.search(run.everything_shown())
