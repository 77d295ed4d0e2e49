# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The partner journey with real runs of Ansible against the emulated cloud: once, and then what is to be true of it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from integration.canaries import Watched, watching
from integration.harness import ANSIBLE, COLLECTIONS
from tools.demo_emulator import emulator
from tools.demo_output import changed_tasks, recap
from tools.demo_workspace import Workspace, ansible_environment, files_under, host_name, known_secrets, leaks, make_workspace, stored_secret

HOSTILE_NAME = 'Fabrikam <img src=x onerror=alert(1)> "&amp;'
# What somebody who can name an incident might try on the reader of a report.
HOSTILE_INCIDENT = {
    "id": "42",
    "displayName": "<script>alert(1)</script> {{ 7 * 7 }} {% raw %}",
    "severity": "high",
    "status": "active",
    "incidentWebUrl": "javascript:alert(1)",
    "createdDateTime": "2026-11-01T00:00:00Z",
    "lastUpdateDateTime": "2026-11-01T00:00:00Z",
    "customTags": ["{{ lookup('pipe', 'id') }}"],
}
REGISTER = "m365d.partner.register_app"

# Names decide what the customers do, see `tools.demo_workspace.CUSTOMERS`.
TENANTS: dict[str, dict[str, Any]] = {
    "fabrikam": {"display_name": HOSTILE_NAME, "security": {"incidents": 1}},
    "litware": {"display_name": "Litware", "security": {"incidents": 0}},
    "wingtip": {"display_name": "Wingtip Toys"},
    "proseware": {"display_name": "Proseware"},
    "northwind": {"display_name": "Northwind Traders"},
    "alpine-ski-house": {"display_name": "Alpine Ski House", "defender": False},
}
STATES = {
    "fabrikam": "ready",
    "litware": "ready",
    "wingtip": "not_consented",
    "proseware": "missing_roles",
    "northwind": "disabled",
    "alpine_ski_house": "not_licensed",
}


@dataclass
class Shop:
    """A partner's workspace and what was run in it."""

    workspace: Workspace
    state: Path
    temporary: Path
    outputs: dict[str, str] = field(default_factory=dict)
    seen: Watched = field(default_factory=Watched)

    @property
    def temporary_directories(self) -> tuple[Path, Path]:
        """Where Ansible and the collection put what lasts no longer than a run."""
        return self.workspace.root / "ansible-home", self.temporary

    def run(self, program: str, *arguments: str, expect: int | None = 0) -> str:
        """Run one of Ansible's commands in the workspace and return what it printed."""
        result = subprocess.run(
            [str(ANSIBLE / program), *arguments],
            cwd=self.workspace.root,
            env=ansible_environment(self.workspace.root, COLLECTIONS[0]) | self._places(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        output = result.stdout + result.stderr
        assert expect is None or result.returncode == expect, output[-4000:]
        return output

    def _places(self) -> dict[str, str]:
        """Settings that have Ansible show and write all that it can, where it is looked at."""
        root = self.workspace.root
        return {
            "ANSIBLE_LOG_PATH": str(root / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(root / "facts"),
            "ANSIBLE_INJECT_INVOCATION": "1",
            "TMPDIR": str(self.temporary),
        }

    def results(self) -> dict[str, dict[str, Any]]:
        """The rows of `results.json` by host."""
        rows = json.loads((self.workspace.root / "report" / "results.json").read_text(encoding="utf-8"))
        hosts = {tenant["tenant_id"]: host_name(tenant) for tenant in self.workspace.customers()}
        return {hosts[row["tenant_id"]]: row for row in rows}

    def page(self) -> str:
        """The web page."""
        return (self.workspace.root / "report" / "report.html").read_text(encoding="utf-8")


def scenario(directory: Path, tenants: dict[str, dict[str, Any]]) -> Path:
    """Write a scenario with these tenants and return its path."""
    content = {
        "seed": 7,
        "replication_delay": {"seconds": 0.5},
        "home": {
            "tenant_id": "11111111-1111-4111-8111-000000000001",
            "domain": "partner.contoso.example",
            "display_name": "Contoso Partner",
        },
        "faults": [{"family": "graph", "path": "/security/incidents$", "tenant": "fabrikam.example", "set": {"value": [HOSTILE_INCIDENT]}}],
        "tenants": [
            {"tenant_id": f"11111111-1111-4111-8111-{number:012d}", "domain": f"{name}.example", **tenant}
            for number, (name, tenant) in enumerate(tenants.items(), start=11)
        ],
    }
    path = directory / "scenario.yml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def open_shop(directory: Path, tenants: dict[str, dict[str, Any]], *, vault: bool = True) -> Iterator[Shop]:
    """Start the emulator with a partner's workspace beside it."""
    state = directory / "emulator"
    # A short path: ansible-core 2.21 makes a socket in there, and its name may have a hundred characters.
    with tempfile.TemporaryDirectory(prefix="m365d-") as temporary, emulator(scenario(directory, tenants), state) as endpoints:
        workspace = make_workspace(directory / "work", endpoints, endpoints_file=state / "endpoints.json", vault=vault)
        yield Shop(workspace, state, Path(temporary))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A workspace in which the whole journey was made, each run at -vvvv and all of it watched."""
    for shop in open_shop(tmp_path_factory.mktemp("journey"), TENANTS):
        with watching(*shop.temporary_directories) as shop.seen:
            make_the_journey(shop)
        yield shop


def make_the_journey(shop: Shop) -> None:
    """Register, onboard, audit and report; then do it again, and do some of it wrongly."""
    reports = ["-e", f"incident_report_directory={shop.workspace.root}/report"]
    shop.outputs["check"] = shop.run("ansible-playbook", REGISTER, "--check", "--diff", "-vvvv")
    shop.outputs["journey"] = shop.run("ansible-playbook", "m365d.partner.demo", "--diff", "-vvvv", *reports)
    shop.outputs["adhoc"] = shop.run(
        "ansible", "customers", "-m", "m365d.partner.m365d_incidents", "-a", "status=active", "-vvvv", expect=2
    )
    audit = ["-e", "permission_audit_fail_on=never", "-e", "permission_audit_results_file=out/audit.json"]
    shop.outputs["audit to a new directory"] = shop.run("ansible-playbook", "m365d.partner.audit_permissions", "-vvvv", *audit)
    shop.outputs["wrong status"] = shop.run(
        "ansible-playbook", "m365d.partner.report_incidents", *reports, "-e", "incident_report_status=actve", expect=2
    )
    shop.outputs["wrong filter"] = shop.run(
        "ansible-playbook", "m365d.partner.report_incidents", *reports, "-e", "incident_report_updated_since=yesteryear", expect=2
    )
    shop.outputs["register again"] = shop.run("ansible-playbook", REGISTER, "--diff", "-vvvv")
    shop.outputs["onboard again"] = shop.run("ansible-playbook", "m365d.partner.onboard_tenants", "--diff", "-vvvv")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Shop]:
    """A workspace without customers, for runs of the registration."""
    yield from open_shop(tmp_path, {"fabrikam": {}})


@pytest.mark.slow
class TestJourney:
    """One journey of six customers."""

    def test_check_mode_predicts_exactly_what_the_registration_then_changes(self, shop: Shop) -> None:
        predicted = changed_tasks(shop.outputs["check"], "app_registration")
        assert predicted == changed_tasks(shop.outputs["journey"], "app_registration")
        assert "Register the multi-tenant app with its permissions and service principal" in predicted

    def test_check_mode_shows_what_will_be_registered(self, shop: Shop) -> None:
        for line in ("+    - MicrosoftThreatProtection/Incident.Read.All", "+    sign_in_audience: AzureADMultipleOrgs"):
            assert line in shop.outputs["check"]

    @pytest.mark.parametrize("run", ["register again", "onboard again"])
    def test_a_second_run_changes_nothing(self, shop: Shop, run: str) -> None:
        counts = recap(shop.outputs[run])
        assert counts
        assert {host: count["changed"] for host, count in counts.items()} == dict.fromkeys(counts, 0)

    @pytest.mark.parametrize(("host", "state"), STATES.items())
    def test_each_tenant_has_the_state_its_customer_brought_about(self, shop: Shop, host: str, state: str) -> None:
        row = shop.results()[host]
        assert row["consent_state"] == state
        assert row["next_step"]
        assert row["tenant_name"] == next(tenant["display_name"] for name, tenant in TENANTS.items() if name.replace("-", "_") == host)

    @pytest.mark.parametrize("host", [host for host, state in STATES.items() if state != "ready"])
    def test_a_tenant_that_was_not_read_is_unknown_with_a_reason_and_never_zero(self, shop: Shop, host: str) -> None:
        row = shop.results()[host]
        assert (row["incidents_by_severity"], row["incidents_total"]) == (None, None)
        assert row["reason"]

    def test_a_tenant_without_incidents_is_zero_and_one_with_some_is_counted(self, shop: Shop) -> None:
        rows = shop.results()
        assert (rows["litware"]["incidents_total"], rows["litware"]["incidents_complete"]) == (0, True)
        assert rows["fabrikam"]["incidents_by_severity"] == {"high": 1, "medium": 0, "low": 0, "informational": 0, "unknown": 0}

    def test_roles_are_named_with_their_resource(self, shop: Shop) -> None:
        rows = shop.results()
        assert rows["fabrikam"]["roles"] == ["MicrosoftGraph/SecurityIncident.Read.All", "MicrosoftThreatProtection/Incident.Read.All"]
        assert rows["proseware"]["missing_roles"] == ["MicrosoftGraph/SecurityIncident.Read.All"]

    def test_a_required_role_that_cannot_be_read_is_named_as_not_known(self, shop: Shop) -> None:
        row = shop.results()["alpine_ski_house"]
        assert (row["missing_roles"], row["unread_roles"]) == ([], ["MicrosoftThreatProtection/Incident.Read.All"])

    def test_a_reason_about_roles_says_of_which_resource(self, shop: Shop) -> None:
        row = shop.results()["proseware"]
        assert row["roles"]
        assert row["reason"].startswith("MicrosoftGraph: ")

    @pytest.mark.parametrize("run", ["wrong status", "wrong filter"])
    def test_a_wrong_option_leaves_the_last_report_alone(self, shop: Shop, run: str) -> None:
        assert "Write the web page" not in changed_tasks(shop.outputs[run], "incident_report")
        assert shop.results()["fabrikam"]["consent_state"] == "ready"

    def test_results_go_into_a_directory_that_was_not_there(self, shop: Shop) -> None:
        verdicts = json.loads((shop.workspace.root / "out" / "audit.json").read_text(encoding="utf-8"))
        assert {entry["tenant_id"] for entry in verdicts} == {tenant["tenant_id"] for tenant in shop.workspace.customers()}

    def test_tables_are_shown_line_by_line(self, shop: Shop) -> None:
        for head in ("Tenant .*Consent state .*Roles", "Tenant .*Consent state .*Missing", "Tenant .*Verdict"):
            assert re.search(rf"^ *- *'?{head}", shop.outputs["journey"], re.MULTILINE)

    def test_the_page_has_a_column_for_unknown_severities_only_when_there_are_any(self, shop: Shop) -> None:
        assert ">Unknown</th>" not in shop.page()
        assert ">High</th>" in shop.page()

    def test_no_output_at_vvvv_holds_a_secret_or_a_token(self, shop: Shop, tmp_path: Path) -> None:
        log = tmp_path / "all.log"
        log.write_text("\n".join(shop.outputs.values()), encoding="utf-8")
        secrets = dict(known_secrets(shop.workspace))
        assert len(secrets) == 3 + 2 * len(shop.workspace.endpoints["tenants"])
        assert "client_secret: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in log.read_text(encoding="utf-8")
        assert leaks(shop.workspace, [log]) == []

    def test_no_file_holds_a_secret_but_those_that_keep_one(self, shop: Shop) -> None:
        private = [shop.state / "endpoints.json", shop.workspace.root / "vault-password"]
        assert (shop.workspace.root / "ansible.log").stat().st_size > 100_000
        assert leaks(shop.workspace, files_under(shop.workspace.root.parent, private=private)) == []

    def test_no_secret_was_in_a_temporary_file_or_in_the_list_of_processes_for_a_while(self, shop: Shop) -> None:
        assert "ansible-playbook" in "\n".join(shop.seen.processes)
        assert shop.seen.files
        # The customers' browsers are played by Ansible's own uri, which gets its options through a file as Ansible's own modules do.
        for contents in shop.seen.files.values():
            contents -= {content for content in contents if b"ansible.modules.uri" in content}
        assert shop.seen.leaks(*(secret for _what, secret in known_secrets(shop.workspace))) == []

    def test_the_secret_is_stored_encrypted_and_for_this_user_alone(self, shop: Shop) -> None:
        path = shop.workspace.secret_file
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "$ANSIBLE_VAULT;" in path.read_text(encoding="utf-8")
        assert len(stored_secret(shop.workspace)) >= 16

    def test_one_command_reads_all_customers_with_what_the_inventory_holds(self, shop: Shop) -> None:
        outcomes = dict(re.findall(r"^(\w+) \| (\w+)", shop.outputs["adhoc"], re.MULTILINE))
        assert outcomes == {host: "SUCCESS" if state == "ready" else "FAILED" for host, state in STATES.items()}

    def test_nobody_is_reached_by_ssh(self, shop: Shop) -> None:
        for output in shop.outputs.values():
            assert "ESTABLISH SSH CONNECTION" not in output
            assert "UNREACHABLE" not in output

    def test_the_page_loads_nothing_and_runs_nothing(self, shop: Shop) -> None:
        tags = Tags()
        tags.feed(shop.page())
        assert not {"script", "img", "link", "iframe", "object", "embed", "form"} & {name for name, _attributes in tags.found}
        for name, attributes in tags.found:
            assert not [key for key in attributes if key.startswith("on") or key == "src"]
            if "href" in attributes:
                assert name == "a"
                assert str(attributes["href"]).startswith("https://")

    def test_the_page_shows_names_as_they_are(self, shop: Shop) -> None:
        tags = Tags()
        tags.feed(shop.page())
        assert HOSTILE_NAME in tags.text
        assert HOSTILE_INCIDENT["displayName"] in tags.text

    def test_the_page_is_readable_by_assistive_technology(self, shop: Shop) -> None:
        tags = Tags()
        tags.feed(shop.page())
        names = [name for name, _attributes in tags.found]
        assert dict(tags.found)["html"]["lang"] == "en"
        assert (names.count("h1"), "main" in names) == (1, True)
        assert all(attributes.get("scope") in ("col", "row") for name, attributes in tags.found if name == "th")

    def test_the_page_is_sorted_by_urgency(self, shop: Shop) -> None:
        names = re.findall(r'<th scope="row">([^<]+)', shop.page())
        assert names[0].startswith("Fabrikam")
        assert names[-1] == "Litware"


class Tags(HTMLParser):
    """Collects the tags with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.slow
class TestInput:
    """What is said before anything is asked."""

    @pytest.mark.parametrize(
        ("playbook", "arguments", "said"),
        [
            ("register_app", ["-i", "localhost,"], "a host named home"),
            ("onboard_tenants", ["-i", "localhost,"], "the group customers"),
            ("onboard_tenants", ["-e", "tenant_onboarding_wait=-5"], "give 0 or more seconds"),
            ("report_incidents", ["-e", "incident_report_details=-1"], "give 0 or more"),
            ("audit_permissions", ["-e", "permission_audit_forbidden=MicrosoftGraph/SecurityIncidnt.Read.All"], "Did you mean"),
        ],
    )
    def test_wrong_input_is_refused_with_what_to_do(self, home: Shop, playbook: str, arguments: list[str], said: str) -> None:
        output = home.run("ansible-playbook", f"m365d.partner.{playbook}", *arguments, expect=2)
        assert said in " ".join(output.split())

    def test_reports_go_beside_the_inventory_and_not_into_it(self, home: Shop) -> None:
        home.run("ansible-playbook", REGISTER)
        home.run("ansible-playbook", "m365d.partner.report_incidents", "-i", "inventory")
        assert (home.workspace.root / "reports" / "report.html").is_file()
        assert not (home.workspace.inventory / "reports").exists()


@pytest.mark.slow
class TestSecret:
    """What becomes of the secret when something is wrong."""

    def test_a_lost_secret_is_noticed_and_replaced_only_when_allowed(self, home: Shop) -> None:
        home.run("ansible-playbook", REGISTER)
        first = stored_secret(home.workspace)
        home.workspace.secret_file.unlink()
        output = home.run("ansible-playbook", REGISTER, expect=2)
        assert "does not hold it" in " ".join(output.split())
        assert not home.workspace.secret_file.exists()
        home.run("ansible-playbook", REGISTER, "-e", "app_registration_replace_lost_secret=true")
        assert stored_secret(home.workspace) != first
        assert recap(home.run("ansible-playbook", REGISTER))["home"]["changed"] == 0

    def test_a_place_that_cannot_hold_the_secret_is_found_before_anything_is_made(self, home: Shop) -> None:
        (home.workspace.inventory / "group_vars" / "customers.yml").write_text("{}\n", encoding="utf-8")
        output = home.run("ansible-playbook", REGISTER, expect=2)
        assert "move it to" in output
        assert "Register the multi-tenant app" not in output

    def test_encryption_that_was_demanded_is_not_left_out(self, tmp_path: Path) -> None:
        for shop in open_shop(tmp_path, {"fabrikam": {}}, vault=False):
            output = shop.run("ansible-playbook", REGISTER, "-e", "app_registration_encrypt=always", expect=2)
            assert "this run has no vault secret" in output
            assert "Register the multi-tenant app" not in output

    def test_without_a_vault_the_secret_is_kept_for_this_user_alone_and_the_run_says_so(self, tmp_path: Path) -> None:
        for shop in open_shop(tmp_path, {"fabrikam": {}}, vault=False):
            output = shop.run("ansible-playbook", REGISTER, "--diff", "-vvv")
            assert "will be kept in plain text" in output
            assert stat.S_IMODE(shop.workspace.secret_file.stat().st_mode) == 0o600
            assert stored_secret(shop.workspace) not in output
            again = shop.run("ansible-playbook", REGISTER, "--diff", "-vvv")
            assert recap(again)["home"]["changed"] == 0
            assert stored_secret(shop.workspace) not in again

    def test_a_secret_that_cannot_be_stored_is_removed_again(self, home: Shop) -> None:
        nowhere = f"app_registration_secret_file={home.workspace.root}/missing/secret.yml"
        output = home.run("ansible-playbook", REGISTER, "-e", nowhere, expect=2)
        assert "it was removed from the app again" in " ".join(output.split())
        assert "Have a client secret" in changed_tasks(home.run("ansible-playbook", REGISTER), "app_registration")

    def test_the_secret_of_another_app_is_not_written_over(self, home: Shop) -> None:
        home.run("ansible-playbook", REGISTER)
        first = stored_secret(home.workspace)
        output = home.run("ansible-playbook", REGISTER, "-e", "app_registration_name=Another", expect=2)
        said = " ".join(output.split())
        assert "holds the secret of the app" in said
        assert "Another does not exist yet" in said
        assert "Register the multi-tenant app" not in output
        assert recap(output)["home"]["changed"] == 0
        assert stored_secret(home.workspace) == first

    def test_a_lifetime_that_no_secret_has_is_refused_in_check_mode_too(self, home: Shop) -> None:
        output = home.run("ansible-playbook", REGISTER, "--check", "-e", "app_registration_secret_lifetime_days=10000", expect=2)
        assert "a secret works for 1 to 730 days" in " ".join(output.split())
        assert "Register the multi-tenant app" not in output
