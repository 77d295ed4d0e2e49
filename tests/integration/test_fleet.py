# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many tenants in one task, in real runs of Ansible: the module m365d_tenant_info, what a terminal shows meanwhile, the lookups."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator

import pytest
from integration.harness import ANSIBLE, FABRIKAM, HERE, HOME, NORTHWIND, RUN_SECONDS, TAILSPIN, WINGTIP, Ansible, Emulator

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
