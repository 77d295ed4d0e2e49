# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader is told about a tenant: the filters behind the roles' reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.filter.consent_summary import consent_summary
from ansible_collections.m365d.partner.plugins.filter.incident_row import incident_row
from ansible_collections.m365d.partner.plugins.filter.incident_rows import incident_rows
from ansible_collections.m365d.partner.plugins.filter.permission_rows import permission_rows
from ansible_collections.m365d.partner.plugins.filter.permission_verdict import permission_verdict
from ansible_collections.m365d.partner.plugins.filter.text_table import text_table

ROOT = Path(__file__).resolve().parents[3]
TENANT = "11111111-1111-4111-8111-000000000001"
GRAPH_ROLE = "MicrosoftGraph/SecurityIncident.Read.All"
DEFENDER_ROLE = "MicrosoftThreatProtection/Incident.Read.All"
NAMES = ["MicrosoftGraph", "MicrosoftThreatProtection"]


def probed(resource: str, *, error: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"probe": "token", "resource": resource, "error": error}


def info(state: str, *roles: str, refused: tuple[str, ...] = (), next_step: str = "Do this.") -> dict[str, Any]:
    """A result of m365d_consent_info; `refused` are the resources without a token."""
    error = {"state": state, "message": "The cause.", "next_step": next_step} if refused else None
    evidence = [probed(name, error=error if name in refused else None) for name in NAMES]
    return {"tenant_id": TENANT, "consent_state": state, "roles": list(roles), "next_step": next_step, "evidence": evidence, "error": error}


READY = info("ready", GRAPH_ROLE, DEFENDER_ROLE, next_step="")
FAILED = {"failed": True, "msg": "It broke."}


@pytest.mark.parametrize(
    ("result", "state", "missing", "unread"),
    [
        (READY, "ready", [], []),
        (info("missing_roles", GRAPH_ROLE), "missing_roles", [DEFENDER_ROLE], []),
        (info("consented_without_roles"), "consented_without_roles", [GRAPH_ROLE, DEFENDER_ROLE], []),
        (info("not_consented", refused=tuple(NAMES)), "not_consented", [], NAMES),
        (info("not_licensed", GRAPH_ROLE, refused=(NAMES[1],)), "not_licensed", [], NAMES[1:]),
        (FAILED | {"consent_state": "unreachable", "error": {"state": "unreachable", "message": "No route."}}, "unreachable", [], NAMES),
        (FAILED, "unreachable", [], NAMES),
        (FAILED | {"failed": False}, "unreachable", [], NAMES),
        ({}, "unreachable", [], NAMES),
        ({"consent_state": "ready"}, "unreachable", [], NAMES),
        ({"consent_state": "never heard of", "roles": [GRAPH_ROLE]}, "unreachable", [], NAMES),
    ],
)
def test_a_summary_assumes_nothing_that_the_result_does_not_prove(
    result: dict[str, Any], state: str, missing: list[str], unread: list[str]
) -> None:
    summary = consent_summary(result, required=[GRAPH_ROLE, DEFENDER_ROLE])
    assert (summary["consent_state"], summary["missing_roles"]) == (state, missing)
    assert sorted(summary["unread_resources"]) == sorted(unread)


def test_a_summary_names_cause_and_next_step() -> None:
    summary = consent_summary(info("disabled", refused=tuple(NAMES), next_step="Enable it."))
    assert (summary["next_step"], summary["reason"], summary["tenant_id"]) == ("Enable it.", "The cause.", TENANT)
    assert consent_summary(FAILED)["reason"] == "It broke."


def test_a_missing_role_that_the_app_declares_needs_the_customer_alone() -> None:
    taken_back = info("missing_roles", GRAPH_ROLE, next_step="Declare it on the app.")
    required = [GRAPH_ROLE, DEFENDER_ROLE]
    assert consent_summary(taken_back, required=required)["next_step"] == "Declare it on the app."
    assert DEFENDER_ROLE in consent_summary(taken_back, required=required, declared=required)["next_step"]
    assert "Declare" not in consent_summary(taken_back, required=required, declared=required)["next_step"]


@pytest.mark.parametrize("result", [[], None, "text"])
def test_a_summary_of_nothing_is_an_error_and_not_a_state(result: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="m365d_consent_info"):
        consent_summary(result)


@pytest.mark.parametrize(
    ("result", "policy", "verdict", "kinds"),
    [
        (READY, {"required": [GRAPH_ROLE, DEFENDER_ROLE]}, "compliant", []),
        (READY, {"required": ["MicrosoftGraph/Other.Read.All"]}, "violation", ["missing"]),
        (READY, {"forbidden": ["*/Incident.*"]}, "violation", ["forbidden"]),
        (READY, {"forbidden": ["SecurityIncident.Read.All"]}, "violation", ["forbidden"]),
        (READY, {"forbidden": ["microsoftgraph/securityincident.read.all"]}, "violation", ["forbidden"]),
        (READY, {"forbidden": f"Directory.ReadWrite.All,{GRAPH_ROLE}"}, "violation", ["forbidden"]),
        (READY, {"forbidden": ["SecurityIncident.*"]}, "violation", ["forbidden"]),
        (READY, {"forbidden": ["Microsoft Graph/*"]}, "violation", ["forbidden"]),
        (READY, {"forbidden": ["MicrosoftGraph/Calls.Initiate.All"]}, "compliant", ["not_known"]),
        (READY, {"forbidden": ["MicrosoftGraph/SecurityIncidnt.*"]}, "compliant", ["not_known"]),
        (READY, {"required": ["SecurityIncident.Read.All"]}, "compliant", []),
        (READY, {"allowed": ["SecurityIncident.Read.All", DEFENDER_ROLE]}, "compliant", []),
        (READY, {"allowed": ["MicrosoftGraph/*"]}, "violation", ["not_allowed"]),
        (READY, {"allowed": ["MicrosoftGraph/*"], "required": [DEFENDER_ROLE]}, "compliant", []),
        (READY, {"declared": [GRAPH_ROLE]}, "compliant", ["granted_not_declared"]),
        (READY, {"declared": [GRAPH_ROLE, DEFENDER_ROLE, "MicrosoftGraph/A.B"]}, "compliant", ["declared_not_granted"]),
        (info("not_consented", refused=tuple(NAMES)), {}, "unknown", ["unread"]),
        (info("not_licensed", GRAPH_ROLE, refused=(NAMES[1],)), {"required": [GRAPH_ROLE]}, "unknown", ["unread"]),
        (info("not_licensed", GRAPH_ROLE, refused=(NAMES[1],)), {"forbidden": [GRAPH_ROLE]}, "unknown", ["unread", "forbidden"]),
    ],
)
def test_a_tenant_is_judged_by_the_policy_and_never_compliant_when_unread(
    result: dict[str, Any], policy: dict[str, list[str]], verdict: str, kinds: list[str]
) -> None:
    judged = permission_verdict(consent_summary(result), **policy)
    assert judged["verdict"] == verdict
    assert sorted(finding["kind"] for finding in judged["findings"]) == sorted(kinds)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"forbidden": ["MicrosoftGraph/SecurityIncidnt.Read.All"]}, f"forbidden.*Did you mean {GRAPH_ROLE}"),
        ({"allowed": ["MicrosoftThreatProtection/Incident.ReadAll"]}, f"allowed.*Did you mean {DEFENDER_ROLE}"),
        ({"forbidden": ["SecurityIncidnt.Read.All"]}, f"forbidden.*{GRAPH_ROLE}"),
        ({"forbidden": ["MicrosoftGrap/*"]}, "Did you mean MicrosoftGraph"),
        ({"forbidden": ["MicrosoftGraph/"]}, "not a permission"),
    ],
)
def test_a_typo_in_the_policy_is_refused_with_the_nearest_and_never_compliant(policy: dict[str, list[str]], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        permission_verdict(consent_summary(READY), **policy)


def test_the_roles_own_policy_says_nothing_about_a_tenant_that_granted_what_is_declared() -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "permission_audit" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    result = consent_summary(READY, required=[GRAPH_ROLE, DEFENDER_ROLE])
    verdict = permission_verdict(result, required=[GRAPH_ROLE, DEFENDER_ROLE], forbidden=defaults["permission_audit_forbidden"])
    assert (verdict["verdict"], verdict["findings"]) == ("compliant", [])


@pytest.mark.parametrize("state", ["not_licensed", "ready"])
def test_a_required_role_of_a_resource_that_was_not_read_is_named_as_not_known(state: str) -> None:
    result = info(state, GRAPH_ROLE, refused=(NAMES[1],)) if state != "ready" else READY
    summary = consent_summary(result, required=["SecurityIncident.Read.All", DEFENDER_ROLE])
    assert summary["missing_roles"] == []
    assert summary["unread_roles"] == ([] if state == "ready" else [DEFENDER_ROLE])


def incident(severity: str, number: int = 1) -> dict[str, Any]:
    return {"id": str(number), "severity": severity, "display_name": "x", "last_update_date_time": f"2026-11-0{number}T00:00:00Z"}


def test_an_unread_tenant_has_unknown_incidents_and_a_reason_but_never_zero() -> None:
    summary = consent_summary(READY)
    for unread in (
        None,
        {},
        {"skipped": True},
        FAILED | {"error": {"state": "not_licensed", "message": "No licence."}},
        {"failed": True, "msg": "broke", "incidents": []},
        {"error": {}, "msg": "x"},
    ):
        row = incident_row(summary, unread)
        assert row["incidents_by_severity"] is None
        assert row["incidents_total"] is None
        assert row["incidents_text"] == "unknown"
        assert row["reason"]
    unlicensed = FAILED | {"error": {"state": "not_licensed", "message": "No licence."}}
    assert incident_row(summary, unlicensed)["consent_state"] == "not_licensed"
    assert incident_row(consent_summary(info("disabled", refused=tuple(NAMES))), None)["reason"] == "The cause."


def test_an_api_that_sees_no_role_does_not_hide_the_roles_of_another_resource() -> None:
    refusal = FAILED | {"error": {"state": "consented_without_roles", "message": "No role."}}
    row = incident_row(consent_summary(info("missing_roles", DEFENDER_ROLE), required=[GRAPH_ROLE]), refusal, resource="MicrosoftGraph")
    assert (row["consent_state"], row["roles"], row["incidents_total"]) == ("missing_roles", [DEFENDER_ROLE], None)
    assert row["reason"] == "MicrosoftGraph: No role."


def test_incidents_are_counted_by_severity_and_the_most_urgent_are_kept() -> None:
    found = [incident("low"), incident("high", 2), incident("high", 3), incident("galactic", 4)]
    row = incident_row(consent_summary(READY), {"incidents": found, "complete": True}, name="Fabrikam", details=3)
    assert row["incidents_by_severity"] == {"high": 2, "medium": 0, "low": 1, "informational": 0, "unknown": 1}
    assert [kept["id"] for kept in row["incidents"]] == ["3", "2", "1"]
    assert (row["tenant_name"], row["incidents_total"], row["reason"]) == ("Fabrikam", 4, "")
    assert row["incidents_text"] == "2 high, 1 low, 1 of unknown severity"
    assert row["next_step"] == "Work the 2 incidents of severity high."


def test_a_partial_answer_says_that_it_is_partial() -> None:
    partial = {"incidents": [], "complete": False, "partial_reason": "The deadline was over."}
    row = incident_row(consent_summary(READY), partial)
    assert (row["incidents_total"], row["incidents_complete"], row["reason"]) == (0, False, "The deadline was over.")
    assert "not all" in row["next_step"]
    assert row["incidents_text"] == "at least: none read"


def test_rows_sort_by_urgency_high_then_unknown_then_the_rest() -> None:
    summary = consent_summary(READY)
    rows = {
        "quiet": incident_row(summary, {"incidents": []}),
        "low": incident_row(summary, {"incidents": [incident("low")]}),
        "medium": incident_row(summary, {"incidents": [incident("medium")]}),
        "unknown": incident_row(summary, None),
        "high": incident_row(summary, {"incidents": [incident("high")]}),
        "higher": incident_row(summary, {"incidents": [incident("high"), incident("high")]}),
    }
    assert sorted(rows, key=lambda name: rows[name]["urgency"]) == ["higher", "high", "unknown", "medium", "low", "quiet"]


def test_a_host_that_failed_earlier_is_in_the_report_as_unknown() -> None:
    quiet = incident_row(consent_summary(READY), {"incidents": []}, name="Fabrikam")
    rows = incident_rows([{"incident_report_row": quiet}, {"inventory_hostname": "tailspin", "m365d_tenant_id": TENANT}])
    assert [(row["tenant_name"], row["incidents_total"]) for row in rows] == [("tailspin", None), ("Fabrikam", 0)]
    assert "failed earlier" in rows[0]["reason"]
    assert rows[0]["consent_state"] == "unknown"


def test_a_table_aligns_folds_and_keeps_control_characters_out() -> None:
    table = text_table([["a\x1b[31m", 1], ["bb", None]], heads=["Name", "Count"])
    assert table.splitlines() == ["Name    Count", "------  -----", "a [31m  1", "bb"]
    assert len(text_table([["word " * 30]], heads=["H"], width=20).splitlines()) == 2 + 8
    assert text_table([{"a": ["x", "y"], "b": 1}], heads=["A"], columns=["a"]).splitlines()[2:] == ["x", "y"]
    with pytest.raises(AnsibleFilterError, match="2 cells"):
        text_table([["only one"]], heads=["a", "b"])


def _token(resource: str, state: str, *roles: str) -> dict[str, Any]:
    return {
        "ansible_loop_var": "permission_audit_resource",
        "permission_audit_resource": resource,
        "consent_state": state,
        "roles": list(roles),
    }


@pytest.mark.parametrize(
    ("further", "verdict"),
    [
        ([], "compliant"),
        ([_token("MicrosoftGraph", "ready", "Application.ReadWrite.All")], "violation"),
        ([_token("MicrosoftGraph", "consented_without_roles")], "compliant"),
        ([_token("WindowsDefenderATP", "not_licensed")], "compliant"),
        ([_token("MicrosoftGraph", "unreachable")], "unknown"),
    ],
)
def test_a_forbidden_role_is_found_on_a_resource_that_nobody_declared(further: list[dict[str, Any]], verdict: str) -> None:
    summary = {"tenant_id": "t", "consent_state": "ready", "roles": ["MicrosoftThreatProtection/Incident.Read.All"]}
    found = permission_verdict(
        summary,
        required=["MicrosoftThreatProtection/Incident.Read.All"],
        forbidden=["MicrosoftGraph/Application.ReadWrite.All"],
        further=further,
    )
    assert found["verdict"] == verdict


def test_a_host_that_failed_is_in_the_audit_as_unknown() -> None:
    good = {"tenant_name": "Fabrikam", "verdict": "compliant"}
    rows = permission_rows([{"permission_audit_result": good}, {"m365d_tenant_name": "Contoso", "m365d_tenant_id": "contoso.example"}])
    assert [(row["tenant_name"], row["verdict"]) for row in rows] == [("Fabrikam", "compliant"), ("Contoso", "unknown")]
    assert rows[1]["tenant_id"] == "contoso.example"


def test_a_tenant_whose_list_was_refused_without_a_state_is_not_called_ready() -> None:
    refused = {
        "failed": True,
        "msg": "refused",
        "error": {"state": None, "message": "The service refused the request.", "http_status": 400},
    }
    row = incident_row({"tenant_id": "t", "consent_state": "ready", "roles": []}, refused, name="Contoso")
    assert row["consent_state"] == "unknown"
    assert row["incidents_by_severity"] is None
    assert "refused" in row["reason"]
