# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: each gives a failed task with a sentence that names the tenant, the cause and the next step, and no traceback."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible.parsing.vault import VaultLib, VaultSecret
from integration.harness import ANSIBLE, COLLECTIONS
from tools.demo_emulator import emulator
from tools.demo_workspace import ansible_environment

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000011"
LITWARE = "11111111-1111-4111-8111-000000000012"
NOBODY = "11111111-1111-4111-8111-0000000000ff"
SECRET_ID = "33333333-3333-4333-8333-000000000001"


@dataclass(frozen=True)
class Case:
    """One bad input.

    :param variables: what differs from a customer that is all right.
    :param says: texts that the message must hold.
    :param state: the consent state of the result, None where the input says nothing about consent.
    """

    name: str
    says: tuple[str, ...]
    variables: dict[str, Any] = field(default_factory=dict)
    module: str = "m365d_token"
    arguments: dict[str, Any] = field(default_factory=dict)
    state: str | None = None
    next_step: bool = True


CASES = (
    Case(
        "malformed_guid",
        ("11111111-1111-4111-8111-0000", "GUID"),
        {"m365d_tenant_id": "11111111-1111-4111-8111-0000"},
        state="unknown_tenant",
    ),
    Case("malformed_domain", ("not a domain",), {"m365d_tenant_id": "not a domain"}, state="unknown_tenant"),
    Case("tenant_common", ("common",), {"m365d_tenant_id": "common"}, state="unknown_tenant"),
    Case("link_for_common", ("common", "leave it out"), {"m365d_tenant_id": "common"}, "m365d_consent_url"),
    Case("no_vault_password", ("m365d_client_secret", "vaulted", "ANSIBLE_VAULT_PASSWORD_FILE", "--ask-vault-pass")),
    Case("no_tenant", ("tenant_id",), {"m365d_tenant_id": None}),
    Case("unknown_tenant", (NOBODY, "no such tenant"), {"m365d_tenant_id": NOBODY}, state="unknown_tenant"),
    Case("empty_secret", ("client_secret", "empty"), {"m365d_client_secret": ""}, state="credential_error"),
    Case("one_letter_secret", ("client_secret", "fewer than 8 characters"), {"m365d_client_secret": "e"}, state="credential_error"),
    Case("secret_id_for_value", ("ID", "value"), {"m365d_client_secret": SECRET_ID}, state="credential_error"),
    Case(
        "wrong_secret",
        (LITWARE, "AADSTS7000215"),
        {"m365d_tenant_id": LITWARE, "m365d_client_secret": "Wrong~but-long-enough-to-be-a-secret-value1"},
        state="credential_error",
    ),
    Case("malformed_client_id", ("client_id",), {"m365d_client_id": "my-app"}),
    Case(
        "unknown_permission",
        ("Incidents.Read.All", "Incident.Read.All"),
        {"m365d_tenant_id": HOME},
        "m365d_app",
        {"name": "Never made", "permissions": ["MicrosoftThreatProtection/Incidents.Read.All"]},
    ),
    # Ansible itself refuses a value that is not among the choices; it knows no next step but the list of them.
    Case("unknown_cloud", ("mars", "global", "china"), {"m365d_cloud": "mars"}),
    Case(
        "unreachable_host", (FABRIKAM, "localhost:1"), {"m365d_login_url": "https://localhost:1", "m365d_deadline": 2}, state="unreachable"
    ),
    Case(
        "unresolved_host",
        (FABRIKAM, "login.invalid"),
        {"m365d_login_url": "https://login.invalid", "m365d_deadline": 2},
        state="unreachable",
    ),
    Case("tls_failure", (FABRIKAM, "certificate", "ca_path"), {"m365d_ca_path": "other-ca.pem"}, state="unreachable"),
    Case("plain_http", ("login_url", "https"), {"m365d_login_url": "http://localhost"}),
    Case("not_json", (LITWARE, "not JSON"), {"m365d_tenant_id": LITWARE}, "m365d_incidents", state="unreachable"),
    Case("not_consented", (FABRIKAM, "consent", "AADSTS700016"), {}, state="not_consented"),
    Case("incidents_not_consented", (FABRIKAM, "consent"), {}, "m365d_incidents", state="not_consented"),
    Case("refused_tenant", (FABRIKAM, "allowed_tenants"), {"m365d_allowed_tenants": [LITWARE]}),
)


def _scenario() -> dict[str, Any]:
    return {
        "seed": 7,
        "home": {"tenant_id": HOME, "domain": "partner.contoso.example", "display_name": "Contoso Partner"},
        "tenants": [
            {"tenant_id": FABRIKAM, "domain": "fabrikam.example", "display_name": "Fabrikam"},
            {"tenant_id": LITWARE, "domain": "litware.example", "display_name": "Litware"},
        ],
        "apps": [
            {
                "display_name": "Partner app",
                "permissions": ["MicrosoftGraph/SecurityIncident.Read.All"],
                "consented": [LITWARE],
            }
        ],
        "faults": [{"family": "graph", "path": "/security/incidents", "tenant": "litware.example", "non_json": True}],
    }


def _inventory(endpoints: dict[str, Any], directory: Path, *, in_process: bool) -> dict[str, Any]:
    app = endpoints["apps"][0]
    urls = {f"m365d_{name}": endpoints[name] for name in ("login_url", "graph_url", "defender_url", "ca_path")}
    usual = urls | {"m365d_in_process": in_process, "m365d_timeout": 5, "m365d_tenant_id": FABRIKAM}
    hosts = {}
    for case in CASES:
        caller = endpoints["bootstrap"] if case.variables.get("m365d_tenant_id") == HOME else app
        credential = {"m365d_client_id": caller["client_id"], "m365d_client_secret": caller["client_secret"]}
        variables = usual | credential | case.variables
        if case.variables.get("m365d_ca_path"):
            variables["m365d_ca_path"] = str(directory / case.variables["m365d_ca_path"])
        hosts[case.name] = {name: value for name, value in variables.items() if value is not None}
    return {"all": {"hosts": hosts}}


def _lock(directory: Path) -> None:
    """Vault the secret of one host; the run gets no password."""
    envelope = VaultLib([("default", VaultSecret(b"a password of another shell"))]).encrypt("a vaulted value").decode().splitlines()
    path = directory / "host_vars" / "no_vault_password.yml"
    path.parent.mkdir()
    path.write_text("\n  ".join(["m365d_client_secret: !vault |", *envelope]) + "\n", encoding="utf-8")


def _playbook(results: Path) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = [
        {
            "name": case.name,
            "hosts": case.name,
            "gather_facts": False,
            "tasks": [
                {"name": case.name, f"m365d.partner.{case.module}": case.arguments, "register": "outcome", "ignore_errors": True},
            ],
        }
        for case in CASES
    ]
    collect = {
        "name": "Keep what was found",
        "ansible.builtin.copy": {
            "content": "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'outcome'))) | to_json }}",
            "dest": str(results),
            "mode": "0600",
        },
        "delegate_to": "localhost",
        "run_once": True,
    }
    return [*plays, {"name": "Collect", "hosts": "all", "gather_facts": False, "tasks": [collect]}]


@dataclass(frozen=True)
class Outcomes:
    """What the tasks returned, and all that was printed."""

    by_case: dict[str, dict[str, Any]]
    output: str
    secret: str


@pytest.fixture(scope="module", params=[True, False], ids=["in_process", "as_modules"])
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Run every case once at -vvv: each is a host with its own variables."""
    directory = tmp_path_factory.mktemp("bad-input")
    trustme.CA().cert_pem.write_to_path(str(directory / "other-ca.pem"))
    scenario = directory / "scenario.yml"
    scenario.write_text(json.dumps(_scenario()), encoding="utf-8")
    with emulator(scenario, directory / "emulator") as endpoints:
        (directory / "hosts.yml").write_text(json.dumps(_inventory(endpoints, directory, in_process=request.param)), encoding="utf-8")
        _lock(directory)
        (directory / "play.yml").write_text(json.dumps(_playbook(directory / "results.json")), encoding="utf-8")
        (directory / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        result = subprocess.run(
            [str(ANSIBLE / "ansible-playbook"), "-i", "hosts.yml", "play.yml", "-vvv"],
            cwd=directory,
            env=ansible_environment(directory, COLLECTIONS[0]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        output = result.stdout + result.stderr
        assert result.returncode == 0, output[-4000:]
        by_case = json.loads((directory / "results.json").read_text(encoding="utf-8"))
        return Outcomes(by_case, output, endpoints["apps"][0]["client_secret"])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_a_failed_task_with_a_sentence_that_helps(outcomes: Outcomes, case: Case) -> None:
    outcome = outcomes.by_case[case.name]
    message = outcome["msg"]
    assert outcome["failed"] is True
    for text in case.says:
        assert text in message
    if case.next_step:
        assert (case.variables.get("m365d_tenant_id", FABRIKAM) or "tenant") in message
        assert "Next step: " in message
    assert "Traceback" not in message
    assert outcome.get("exception", "").startswith("Traceback") is False
    assert outcome.get("consent_state") == case.state
    assert outcome["changed"] is False


@pytest.mark.slow
def test_nothing_that_was_refused_shows_a_traceback_or_a_secret(outcomes: Outcomes) -> None:
    assert "Traceback (most recent call last)" not in outcomes.output
    assert outcomes.secret not in outcomes.output
    assert SECRET_ID not in outcomes.output


@pytest.mark.slow
def test_a_permission_that_does_not_exist_is_answered_with_the_nearest_one(outcomes: Outcomes) -> None:
    assert "MicrosoftThreatProtection/Incident.Read.All" in outcomes.by_case["unknown_permission"]["msg"]
