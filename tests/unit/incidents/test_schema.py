# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import vocabulary as v
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.evidence import EVIDENCE_KEYS
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import (
    ALERT_KEYS,
    INCIDENT_KEYS,
    Place,
    normalise_alert,
    normalise_incident,
    version_of,
)
from emulator.security import vocabulary as emulated
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.incidents import twins
from unit.incidents.support import PLACE, TENANT, defender_incident, graph_incident

Json = dict[str, Any]


@settings(max_examples=150, deadline=None)
@given(twins.incidents())
def test_an_incident_is_the_same_whichever_service_wrote_it(twin: tuple[Json, Json]) -> None:
    graph, defender = twin
    assert normalise_incident(graph, place=PLACE, with_alerts=True) == normalise_incident(defender, place=PLACE, with_alerts=True)
    assert version_of(graph) == version_of(defender)


@settings(max_examples=100, deadline=None)
@given(twins.incidents())
def test_every_key_is_always_there_and_nothing_else(twin: tuple[Json, Json]) -> None:
    for source in twin:
        incident = normalise_incident(source, place=PLACE, with_alerts=True)
        assert tuple(sorted(incident)) == tuple(sorted(INCIDENT_KEYS))
        for alert in incident["alerts"]:
            assert sorted(alert) == sorted(ALERT_KEYS)
            for evidence in alert["evidence"]:
                assert set(EVIDENCE_KEYS[evidence["type"]]) < set(evidence)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=10,
    ),
    st.sampled_from(
        [
            *("id", "incidentId", "displayName", "status", "severity", "classification", "determination", "assignedTo", "tags", "alerts"),
            *("createdDateTime", "lastUpdateTime", "comments", "customTags", "redirectIncidentId", "incidentWebUrl", "priorityScore"),
        ]
    ),
)
def test_a_field_of_any_other_type_breaks_nothing(value: Any, field: str) -> None:
    incident = normalise_incident({**graph_incident(1), field: value}, place=PLACE, with_alerts=True)
    assert set(incident) == set(INCIDENT_KEYS)


# The emulator's vocabulary was written down by itself: a member that one of both forgets is noticed.
_WRITTEN_DOWN_TWICE = {
    "incident_status": emulated.INCIDENT_STATUSES,
    "alert_status": emulated.ALERT_STATUSES,
    "severity": emulated.SEVERITIES,
    "classification": emulated.CLASSIFICATIONS,
    "determination": emulated.DETERMINATIONS,
    "service_source": emulated.SERVICE_SOURCES,
    "detection_source": emulated.DETECTION_SOURCES,
    "investigation_state": emulated.INVESTIGATION_STATES,
    "verdict": emulated.VERDICTS,
    "remediation_status": emulated.REMEDIATIONS,
    "role": emulated.ROLES,
    "health_status": emulated.HEALTH_STATUSES,
    "risk_score": emulated.RISK_SCORES,
    "onboarding_status": emulated.ONBOARDING_STATUSES,
    "defender_av_status": emulated.AV_STATUSES,
    "detection_status": emulated.DETECTION_STATUSES,
    "correlation_reason": emulated.CORRELATION_REASONS,
}


@pytest.mark.parametrize("enum", sorted({*v.ENUMS, *_WRITTEN_DOWN_TWICE}))
def test_no_member_of_an_enumeration_is_forgotten(enum: str) -> None:
    assert sorted(v.ENUMS[enum]) == sorted(_WRITTEN_DOWN_TWICE[enum])


@pytest.mark.parametrize("enum", sorted(v.ENUMS))
def test_every_member_is_read_as_itself_in_any_case(enum: str) -> None:
    for member in v.ENUMS[enum]:
        for spelling in (member, member[:1].upper() + member[1:], member.upper(), member.lower()):
            assert v.member(enum, spelling) == member


@pytest.mark.parametrize("enum", ["incident_status", "severity", "classification", "determination"])
def test_every_member_comes_back_from_the_spelling_of_the_defender_api(enum: str) -> None:
    for member in v.ENUMS[enum]:
        assert v.member(enum, v.defender_spelling(enum, member)) == member


@pytest.mark.parametrize(
    ("enum", "text", "member"),
    [
        ("severity", "UnSpecified", "unknown"),
        ("determination", "NotAvailable", "unknown"),
        ("determination", "CompromisedUser", "compromisedAccount"),
        ("determination", "ConfirmedUserActivity", "confirmedActivity"),
        ("determination", "Clean", "notMalicious"),
        ("determination", "NotMalicious", "notMalicious"),
        ("determination", "NoEnoughDataToValidate", "notEnoughDataToValidate"),
        ("determination", "InsufficientData", "notEnoughDataToValidate"),
        ("service_source", "MicrosoftDefenderATP", "microsoftDefenderForEndpoint"),
        ("service_source", "MicrosoftCloudAppSecurity", "microsoftDefenderForCloudApps"),
        ("service_source", "OfficeATP", "microsoftDefenderForOffice365"),
        ("service_source", "AzureATP", "microsoftDefenderForIdentity"),
        ("service_source", "AAD Identity Protection", "azureAdIdentityProtection"),
        ("detection_source", "MCAS", "cloudAppSecurity"),
        ("detection_source", "WindowsDefenderAv", "antivirus"),
        ("alert_status", "Active", "inProgress"),
        ("severity", "Catastrophic", "catastrophic"),
        ("service_source", "Contoso XDR 3000", "Contoso XDR 3000"),
        ("detection_source", "NDR", "NDR"),
        ("severity", None, None),
        ("severity", 7, "7"),
    ],
)
def test_synonyms_are_understood_and_the_unknown_passes_through(enum: str, text: Any, member: str | None) -> None:
    assert v.member(enum, text) == member


def test_a_cleared_owner_and_a_missing_classification_read_as_nobody_and_unknown() -> None:
    incident = normalise_incident(defender_incident(1, assignedTo="Unassigned", classification=None), place=PLACE)
    assert (incident["assigned_to"], incident["classification"], incident["determination"]) == (None, "unknown", "unknown")


@pytest.mark.parametrize(
    ("given_link", "link"),
    [
        (None, f"https://security.microsoft.com/incidents/7?tid={TENANT}"),
        ("https://security.microsoft.com/incidents/7", f"https://security.microsoft.com/incidents/7?tid={TENANT}"),
        ("https://security.microsoft.com/incidents/7?x=1", f"https://security.microsoft.com/incidents/7?x=1&tid={TENANT}"),
        ("https://security.microsoft.com/incidents/7?tid=other", "https://security.microsoft.com/incidents/7?tid=other"),
    ],
)
def test_a_link_opens_in_the_tenant(given_link: str | None, link: str) -> None:
    for source in (graph_incident(7, incidentWebUrl=given_link), defender_incident(7, incidentUri=given_link)):
        assert normalise_incident(source, place=PLACE)["incident_web_url"] == link


def test_a_link_leads_to_the_portal_of_the_cloud() -> None:
    incident = normalise_incident(graph_incident(7), place=Place(TENANT, "https://security.microsoft.us"))
    assert incident["incident_web_url"] == f"https://security.microsoft.us/incidents/7?tid={TENANT}"


def test_alerts_that_were_not_asked_for_are_null_and_none_at_all_is_an_empty_list() -> None:
    source = graph_incident(1, alerts=[])
    assert normalise_incident(source, place=PLACE)["alerts"] is None
    assert normalise_incident(source, place=PLACE, with_alerts=True)["alerts"] == []
    assert normalise_incident(graph_incident(1), place=PLACE, with_alerts=True)["alerts"] is None


def test_raw_holds_what_the_service_sent() -> None:
    source = graph_incident(1, somethingNewer=1)
    assert normalise_incident(source, place=PLACE, raw=True)["raw"] == source
    assert "raw" not in normalise_incident(source, place=PLACE)


def test_comment_keys_of_older_answers_are_read() -> None:
    comment = {"comment": "Checked", "createdBy": "a@contoso.com", "createdTime": "2026-01-01T00:00:00.5Z", "@odata.type": "x"}
    assert normalise_incident(graph_incident(1, comments=[comment]), place=PLACE)["comments"] == [
        {"comment": "Checked", "created_by_display_name": "a@contoso.com", "created_date_time": "2026-01-01T00:00:00.5000000Z"}
    ]


@pytest.mark.parametrize(
    ("category", "categories", "expected"),
    [
        ("Malware", None, ("Malware", ["Malware"])),
        (None, ["Malware", "Execution"], ("Malware", ["Malware", "Execution"])),
        ("Execution", ["Malware"], ("Execution", ["Malware"])),
        (None, None, (None, [])),
    ],
)
def test_the_old_and_the_new_field_of_categories_fill_each_other(
    category: str | None, categories: list[str] | None, expected: tuple[str | None, list[str]]
) -> None:
    alert = normalise_alert({"id": "a", "category": category, "categories": categories}, place=PLACE)
    assert (alert["category"], alert["categories"]) == expected


def test_evidence_of_an_unknown_type_passes_through() -> None:
    graph = {
        "@odata.type": "#microsoft.graph.security.kubernetesPodEvidence",
        "verdict": "Suspicious",
        "createdDateTime": "2026-01-01T00:00:00Z",
        "initContainers@odata.type": "#Collection(x)",
        "podName": "web-1",
        "startedDateTime": "2026-01-01T00:00:00.5Z",
        "controller": {"apiVersion": "v1"},
    }
    defender = {"entityType": "KubernetesPod", "verdict": "Suspicious", "podName": "web-1", "url": None}
    found = normalise_alert({"id": "a", "evidence": [graph], "entities": [defender]}, place=PLACE)["evidence"]
    assert found[0]["type"] == found[1]["type"] == "kubernetesPod"
    assert found[0]["verdict"] == found[1]["verdict"] == "suspicious"
    assert found[0]["started_date_time"] == "2026-01-01T00:00:00.5000000Z"
    assert found[0]["controller"] == {"api_version": "v1"}
    assert found[1]["pod_name"] == "web-1"
    assert not any("odata" in key for key in found[0])


def test_numbers_that_come_as_text_are_numbers() -> None:
    device = {"@odata.type": "#microsoft.graph.security.deviceEvidence", "osBuild": "19045", "version": "19045"}
    found = normalise_alert({"id": "a", "evidence": [device]}, place=PLACE)["evidence"][0]
    assert (found["os_build"], found["version"]) == (19045, "19045")


def test_devices_come_first_in_the_evidence() -> None:
    evidence = [{"@odata.type": f"#microsoft.graph.security.{kind}Evidence"} for kind in ("user", "device", "url", "device")]
    found = normalise_alert({"id": "a", "evidence": evidence}, place=PLACE)["evidence"]
    assert [item["type"] for item in found] == ["device", "device", "user", "url"]
