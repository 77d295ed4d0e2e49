# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task sees of its runner, whichever way it goes: inside Ansible's worker or as a real module.

The probe (collection contoso.probe, beside this file) is an operation that tells what reached it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from integration.harness import FABRIKAM, NORTHWIND, Ansible

CANARY = "inventory-secret-canary"
VARIABLES = {
    "m365d_client_id": "22222222-2222-4222-8222-000000000001",
    "m365d_client_secret": "{{ 'inventory-' ~ 'secret-canary' }}",
    "m365d_timeout": 12,
}
TOKEN = "returned-canary-0815"


@pytest.fixture
def customers(ansible: Ansible) -> Ansible:
    """Two tenants: one for which nobody chose a connection, one with the local one."""
    hosts: dict[str, dict[str, Any]] = {
        "fabrikam": {"m365d_tenant_id": FABRIKAM},
        "northwind": {"m365d_tenant_id": "{{ own_id }}", "own_id": NORTHWIND, "ansible_connection": "local"},
    }
    hosts["northwind"]["ansible_python_interpreter"] = "{{ ansible_playbook_python }}"
    ansible.inventory(hosts, VARIABLES)
    return ansible


def play(tasks: str, *, hosts: str = "fabrikam", keywords: str = "") -> str:
    """Return a playbook of one play; `tasks` and `keywords` are YAML."""
    lines = [f"- hosts: {hosts}", "  gather_facts: false", *(f"  {line}" for line in keywords.strip().splitlines()), "  tasks:"]
    return "\n".join([*lines, *(f"    {line}" for line in tasks.strip("\n").splitlines())]) + "\n"


def test_an_inventory_alone_makes_an_ad_hoc_command_a_whole_command(customers: Ansible, path: str) -> None:
    run = customers.adhoc("customers", "contoso.probe.probe")
    assert run.status == 0, run.output
    results = {entry["host"]: entry["result"] for entry in run.events}
    assert {host: result["options"]["tenant_id"] for host, result in results.items()} == {"fabrikam": FABRIKAM, "northwind": NORTHWIND}
    for result in results.values():
        assert result["options"]["timeout"] == 12.0
        assert result["secret_was"] == len(CANARY)
        assert result["options"]["client_secret"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def test_nothing_logs_in_to_a_tenant(customers: Ansible) -> None:
    tasks = """
- contoso.probe.probe:
- contoso.probe.probe:
  loop: [1, 2]
- contoso.probe.probe:
  become: true
- contoso.probe.probe:
  async: 30
  poll: 1
"""
    run = customers.playbook(play(tasks, hosts="customers"))
    assert run.status == 0, run.output
    assert run.logins == []


@pytest.mark.parametrize(
    ("task", "keywords", "target"),
    [
        pytest.param("connection: ssh", "", "fabrikam", id="keyword-of-the-task"),
        pytest.param("name: plain", "connection: ssh", "fabrikam", id="keyword-of-the-play"),
        pytest.param("delegate_to: bastion", "", "bastion", id="delegation"),
        pytest.param("vars: {ansible_host: bastion}", "", "bastion", id="variable-of-the-task"),
        pytest.param("vars: {ansible_connection: ssh}", "", "fabrikam", id="connection-variable-of-the-task"),
        pytest.param("name: plain", "vars: {ansible_connection: ansible.builtin.ssh}", "fabrikam", id="variable-of-the-play"),
    ],
)
def test_a_connection_that_somebody_chose_is_used(customers: Ansible, task: str, keywords: str, target: str) -> None:
    run = customers.playbook(play(f"- contoso.probe.probe:\n  {task}", keywords=keywords))
    assert "UNREACHABLE" in run.output
    assert run.logins
    assert all(target in login.split() for login in run.logins)


def test_the_worker_runs_the_operation_only_where_it_may(customers: Ansible, path: str) -> None:
    tasks = """
- name: plain
  contoso.probe.probe:
- name: other user
  contoso.probe.probe:
  become: true
- name: variable says no
  contoso.probe.probe:
  vars: {m365d_in_process: false}
- name: variable says yes
  contoso.probe.probe:
  vars: {m365d_in_process: "{{ 'yes' }}"}
"""
    run = customers.playbook(play(tasks))
    # A worker is a child of the command itself; a real module is a grandchild at least.
    names = ("plain", "other user", "variable says no", "variable says yes")
    in_worker = {name: run.result(name)["parent"] == run.process for name in names}
    assert in_worker == {"plain": path == "in_process", "other user": False, "variable says no": False, "variable says yes": True}


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_what_an_operation_imports_is_loaded_once_before_workers_fork(customers: Ansible, path: str, strategy: str) -> None:
    run = customers.playbook(play("- name: all\n  contoso.probe.probe:", hosts="customers"), environment={"ANSIBLE_STRATEGY": strategy})
    processes = {result["imported_in"] for result in run.results("all")}
    assert (processes == {run.process}) is (path == "in_process")


def test_a_switch_that_is_no_boolean_is_refused_by_name(customers: Ansible) -> None:
    run = customers.playbook(play("- name: odd\n  contoso.probe.probe:\n  vars: {m365d_in_process: perhaps}"))
    assert "m365d_in_process must be a boolean" in run.result("odd")["msg"]


def test_options_come_from_task_then_defaults_then_variables_then_environment(customers: Ansible) -> None:
    keywords = """
module_defaults:
  group/contoso.probe.m365d: {proxy: https://defaults.example, timeout: 55, deadline: 56}
"""
    tasks = """
- name: all
  contoso.probe.probe: {deadline: 57}
  vars: {m365d_deadline: 1, m365d_timeout: 2, m365d_login_url: https://variable.example}
"""
    environment = {
        "M365D_DEADLINE": "3",
        "M365D_PROXY": "https://environment.example",
        "M365D_LOGIN_URL": "https://environment.example",
        "M365D_GRAPH_URL": "https://environment.example",
        "M365D_TENANT_ID": "11111111-1111-4111-8111-00000000000f",
        "AZURE_TENANT_ID": "11111111-1111-4111-8111-00000000000f",
        "AZURE_CLIENT_ID": "22222222-2222-4222-8222-00000000000f",
    }
    run = customers.playbook(play(tasks, keywords=keywords), environment=environment)
    options = run.result("all")["options"]
    wanted = {
        "deadline": 57.0,  # the task
        "timeout": 55.0,  # the defaults of the action group
        "proxy": "https://defaults.example",
        "login_url": "https://variable.example",  # the variable
        "graph_url": "https://environment.example",  # the environment
        "client_id": VARIABLES["m365d_client_id"],
        "cloud": "global",  # the default
        "tenant_id": FABRIKAM,
    }
    assert {name: options.get(name) for name in wanted} == wanted


def test_a_tenant_is_never_taken_from_the_environment(ansible: Ansible) -> None:
    ansible.inventory({"nobody": {}}, {})
    environment = {"M365D_TENANT_ID": FABRIKAM, "AZURE_TENANT_ID": FABRIKAM}
    run = ansible.playbook(play("- name: who\n  contoso.probe.probe:", hosts="nobody"), environment=environment)
    assert "tenant_id" not in run.result("who")["options"]


def test_a_credential_of_the_inventory_is_not_mixed_with_one_of_the_environment(ansible: Ansible) -> None:
    ansible.inventory({"fabrikam": {"m365d_client_certificate_path": "/etc/partner.pem"}}, {})
    environment = {"AZURE_CLIENT_SECRET": "environment-canary", "M365D_CLIENT_CERTIFICATE_PASSWORD": "password-canary"}
    run = ansible.playbook(play("- name: which\n  contoso.probe.probe:"), environment=environment)
    options = run.result("which")["options"]
    assert options["client_certificate_path"] == "/etc/partner.pem"
    assert options["client_certificate_password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert "client_secret" not in options
    assert "canary" not in run.everything_shown()


def test_the_keyword_environment_reaches_the_operation_and_no_other_task(customers: Ansible) -> None:
    tasks = """
- name: with
  contoso.probe.probe:
  environment: {PROBE_B: "task {{ 1 + 1 }}", M365D_PROXY: https://keyword.example}
- name: without
  contoso.probe.probe:
"""
    run = customers.playbook(play(tasks, keywords="environment: {PROBE_A: play}"))
    assert run.result("with")["environment"] == {"PROBE_A": "play", "PROBE_B": "task 2"} | record_of(run.result("without"))
    assert run.result("with")["options"]["proxy"] == "https://keyword.example"
    assert run.result("without")["environment"] == {"PROBE_A": "play"} | record_of(run.result("without"))


def record_of(result: dict[str, Any]) -> dict[str, str]:
    """Return the one variable of the harness that the probe sees as well."""
    return {name: value for name, value in result["environment"].items() if name == "PROBE_RECORD"}


def test_the_environment_of_one_item_of_a_loop_does_not_reach_the_next(customers: Ansible) -> None:
    tasks = """
- name: items
  contoso.probe.probe:
  environment: "{{ {'PROBE_ITEM': 'one'} if item == 1 else {} }}"
  loop: [1, 2]
"""
    run = customers.playbook(play(tasks))
    seen = [result["environment"].get("PROBE_ITEM") for result in run.results("items", event="item_ok")]
    assert seen == ["one", None]


def test_check_mode_reaches_the_operation_and_a_diff_is_shown_in_diff_mode_alone(customers: Ansible) -> None:
    tasks = """
- name: predicted
  contoso.probe.probe: {changed: true}
"""
    predicted = customers.playbook(play(tasks), "--check", "--diff")
    done = customers.playbook(play(tasks))
    assert predicted.result("predicted", event="ok")["check_mode"] is True
    assert predicted.result("predicted", event="ok")["changed"] is True
    assert "+new ********" in predicted.output
    assert CANARY not in predicted.everything_shown()
    assert done.result("predicted")["check_mode"] is False
    assert "diff" not in done.result("predicted")


def test_values_are_plain_whatever_ansible_passes(customers: Ansible) -> None:
    tasks = """
- name: types
  contoso.probe.probe:
    data: {text: "{{ word }}", numbers: [1, 2.5], nothing: null, flag: true, day: 2026-11-01, "{{ word }}": x}
  vars: {word: "{{ 'a' ~ 'b' }}"}
"""
    run = customers.playbook(play(tasks))
    assert run.result("types")["types"] == ["NoneType", "bool", "dict", "float", "int", "list", "str"]
    assert run.result("types")["options"]["data"]["day"] == "2026-11-01"


def test_an_omitted_variable_is_as_good_as_none(customers: Ansible) -> None:
    tasks = """
- name: omitted
  contoso.probe.probe: {api: "{{ omit }}"}
  vars: {m365d_cloud: "{{ omit }}", m365d_timeout: "{{ nowhere | default(omit) }}"}
"""
    options = customers.playbook(play(tasks)).result("omitted")["options"]
    assert (options["api"], options["cloud"], options["timeout"]) == ("graph", "global", 30.0)


def test_a_variable_that_cannot_be_resolved_fails_with_its_cause(customers: Ansible) -> None:
    run = customers.playbook(play("- name: lost\n  contoso.probe.probe:\n  vars: {m365d_proxy: '{{ nowhere }}'}"))
    assert run.status != 0
    assert "nowhere" in run.output


def test_a_vaulted_variable_is_decrypted_and_never_shown(ansible: Ansible) -> None:
    password = ansible.directory / "password"
    password.write_text("vault-password\n", encoding="utf-8")
    ansible.inventory({"fabrikam": {}}, {})
    encrypted = ansible.vault_string("vaulted-canary", password)
    text = play("- name: vaulted\n  contoso.probe.probe: {data: {k: v}}").replace(
        "  tasks:", "  vars:\n    m365d_client_secret: !vault |\n" + "\n".join(f"      {line}" for line in encrypted) + "\n  tasks:"
    )
    run = ansible.playbook(text, "-vvvv", "--vault-password-file", str(password))
    assert run.result("vaulted")["secret_was"] == len("vaulted-canary")
    assert "vaulted-canary" not in run.everything_shown()


def test_delegating_to_localhost_keeps_the_tenant(customers: Ansible) -> None:
    run = customers.playbook(play("- name: there\n  contoso.probe.probe:\n  delegate_to: localhost", hosts="customers"))
    assert {result["options"]["tenant_id"] for result in run.results("there")} == {FABRIKAM, NORTHWIND}
    assert run.logins == []


BAD_OPTIONS = [
    ("contoso.probe.probe: {fail: nonsense}", "value of fail must be one of: partner, defect, finding, got: nonsense"),
    ("contoso.probe.probe: {warning: a, data: b}", "parameters are mutually exclusive: warning|data"),
    ("contoso.probe.probe: {timeout: soon}", "timeout"),
    ("contoso.probe.probe: {colour: red}", "Unsupported parameters for (contoso.probe.probe) module: colour."),
]


@pytest.mark.parametrize(("task", "message"), BAD_OPTIONS)
def test_options_are_validated_as_for_any_module(customers: Ansible, task: str, message: str) -> None:
    result = customers.playbook(play(f"- name: bad\n  {task}")).result("bad")
    assert message in result["msg"]


def test_a_foreseeable_fault_is_a_sentence_and_a_diagnosis(customers: Ansible) -> None:
    run = customers.playbook(play("- name: fault\n  contoso.probe.probe: {fail: partner}"), "-vvv")
    result = run.result("fault")
    assert result["msg"] == f"Probing for tenant {FABRIKAM} failed: The app is not consented. Next step: Consent."
    assert (result["consent_state"], result["tenant_id"], result["error"]["next_step"]) == ("not_consented", FABRIKAM, "Consent.")
    assert "Traceback" not in run.output


def test_a_defect_says_so_and_shows_no_secret(customers: Ansible) -> None:
    run = customers.playbook(play("- name: defect\n  contoso.probe.probe: {fail: defect}"), "-vvvv")
    message = run.result("defect")["msg"]
    assert re.match(r"Unexpected RuntimeError \(probe\.py, line \d+\): nobody foresaw \*{8}\. This is a defect", message)
    assert CANARY not in run.everything_shown()


def test_a_warning_is_shown_without_the_secret_in_it(customers: Ansible) -> None:
    run = customers.playbook(play(f"- name: warned\n  contoso.probe.probe: {{warning: look at {CANARY} once}}"), "-vvvv")
    assert "look at ******** once" in " ".join(run.output.split())
    assert CANARY not in run.everything_shown()


def test_the_invocation_shows_the_options_without_secrets(customers: Ansible) -> None:
    shown = {"ANSIBLE_INJECT_INVOCATION": "1"}
    run = customers.playbook(play("- name: seen\n  contoso.probe.probe:"), "-vvv", environment=shown)
    assert '"module_args"' in run.output
    assert f'"tenant_id": "{FABRIKAM}"' in run.output
    assert '"client_secret": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in run.output


def test_results_hold_the_invocation_where_those_of_other_modules_do(customers: Ansible) -> None:
    run = customers.playbook(play("- name: own\n  contoso.probe.probe:\n- name: other\n  ansible.builtin.ping:", hosts="northwind"))
    assert ("invocation" in run.result("own")) is ("invocation" in run.result("other"))


SECRET_RESULTS = """
- name: token
  contoso.probe.probe: {return_token: true, changed: true}
  register: one
- name: items
  contoso.probe.probe: {return_token: "{{ item == 2 }}"}
  loop: [1, 2, 3]
  register: many
- name: again
  contoso.probe.probe: {return_token: true}
  register: repeated
  until: repeated.attempts == 2
  retries: 2
  delay: 0
- name: finding
  contoso.probe.probe: {return_token: true, fail: finding}
  register: found
  ignore_errors: true
- name: failed by condition
  contoso.probe.probe: {return_token: true}
  register: judged
  failed_when: judged.access_token is defined
  ignore_errors: true
- name: shown as a diff
  contoso.probe.probe: {return_token: true, changed: true}
  diff: true
- name: all of them can be used
  ansible.builtin.assert:
    that:
      - one.access_token | length == 20
      - many.results[1].access_token | length == 20
      - repeated.access_token | length == 20
      - found.access_token | length == 20
      - judged.access_token | length == 20
"""


def test_a_result_with_a_token_registers_and_is_shown_to_nobody(customers: Ansible) -> None:
    run = customers.playbook(play(SECRET_RESULTS), "-vvvv")
    assert run.status == 0, run.output
    assert run.result("all of them can be used")["msg"] == "All assertions passed"
    assert "censored" in run.result("token")
    assert TOKEN not in run.everything_shown()
    assert CANARY not in run.everything_shown()
    assert [path for path, content in run.files_left() if TOKEN.encode() in content or CANARY.encode() in content] == []


def test_a_token_is_shown_to_no_callback_that_prints_all_it_gets(customers: Ansible) -> None:
    for callback in ("minimal", "oneline", "tree"):
        run = customers.playbook(play(SECRET_RESULTS), "-vvvv", environment={"ANSIBLE_STDOUT_CALLBACK": callback})
        assert TOKEN not in run.everything_shown(), callback


def test_a_token_is_refused_to_a_background_job(customers: Ansible) -> None:
    run = customers.playbook(play("- name: job\n  contoso.probe.probe: {return_token: true}\n  async: 30\n  poll: 1", hosts="customers"))
    for result in run.results("job"):
        assert "returns a secret, which Ansible would show" in result["msg"]
        assert "leave out async" in result["msg"]


def test_a_background_job_with_no_log_may_return_a_token(customers: Ansible) -> None:
    tasks = """
- name: job
  contoso.probe.probe: {return_token: true}
  async: 30
  poll: 1
  no_log: true
  register: job
- name: usable
  ansible.builtin.assert: {that: [job.access_token | length == 20]}
"""
    run = customers.playbook(play(tasks, hosts="customers"), "-vvvv")
    assert run.status == 0, run.output
    assert TOKEN not in run.everything_shown()


def test_a_background_job_ends_within_its_time_or_fails(customers: Ansible) -> None:
    run = customers.playbook(play("- name: slow\n  contoso.probe.probe: {seconds: 6}\n  async: 1\n  poll: 1", hosts="customers"))
    assert run.status != 0
    assert len(run.results("slow", event="failed")) == 2
    assert run.logins == []


def test_the_directory_of_the_run_is_shared_private_and_gone_at_its_end(customers: Ansible) -> None:
    run = customers.playbook(play("- name: where\n  contoso.probe.probe:", hosts="customers"))
    directories = {result["run_directory"] for result in run.results("where")}
    assert len(directories) == 1
    assert {result["run_directory_mode"] for result in run.results("where")} == {"0o700"}
    assert not any(path.exists() for path in map(type(run.home), directories))
