# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph's alerts_v2."""

from __future__ import annotations

from typing import Any

import pytest


def _alerts(here: Any) -> list[Any]:
    return [alert for incident in here.store.newest_first() for alert in here.store.alerts_of(incident.id)]


@pytest.mark.parametrize("top", [30, 100])
def test_pages_hold_every_alert_once(world: Any, top: int) -> None:
    here = world(incidents=70, alerts_per_incident=[1, 3])
    ids: list[str] = []
    answer = here.graph("alerts_v2", {"$top": top}).json()
    pages = 1
    while True:
        ids += [alert["id"] for alert in answer["value"]]
        if "@odata.nextLink" not in answer:
            break
        answer = here.graph(answer["@odata.nextLink"]).json()
        pages += 1
    assert sorted(ids) == sorted(alert.id for alert in _alerts(here))
    assert len(ids) == len(set(ids))
    assert pages == -(-len(ids) // top)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("serviceSource eq 'microsoftDefenderForEndpoint'", lambda a: a.service_source == "microsoftDefenderForEndpoint"),
        ("serviceSource eq 'microsoftSentinel'", lambda a: a.service_source == "microsoftSentinel"),
        ("status eq 'new' and severity eq 'high'", lambda a: a.status == "new" and a.severity == "high"),
        ("classification eq 'falsePositive'", lambda a: a.classification == "falsePositive"),
        ("assignedTo eq 'soc-tier2@contoso.com'", lambda a: a.assigned_to == "soc-tier2@contoso.com"),
    ],
)
def test_filters_give_exactly_what_they_say(world: Any, text: str, test: Any) -> None:
    here = world(incidents=40)
    expected = sorted(alert.id for alert in _alerts(here) if test(alert))
    assert expected
    assert sorted(one["id"] for one in here.graph("alerts_v2", {"$filter": text, "$top": 100}).json()["value"]) == expected


@pytest.mark.parametrize(
    "params",
    [
        {"$filter": "title eq 'x'"}, {"$filter": "status eq 'active'"}, {"$filter": "incidentId eq '1'"}, {"$expand": "evidence"},
        {"$top": "101"}, {"$orderby": "title"},
    ],
)  # fmt: skip
def test_what_is_not_documented_is_refused(world: Any, params: dict[str, str]) -> None:
    answer = world().graph("alerts_v2", params)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BadRequest"


def test_an_alert_has_the_documented_members_and_typed_evidence(world: Any) -> None:
    here = world(incidents=40)
    alerts = here.graph("alerts_v2", {"$top": 100}).json()["value"]
    assert set(alerts[0]) == {
        "id", "providerAlertId", "incidentId", "status", "severity", "classification", "determination", "serviceSource", "productName",
        "detectionSource", "detectorId", "tenantId", "title", "description", "recommendedActions", "category", "categories",
        "assignedTo", "alertWebUrl", "incidentWebUrl", "actorDisplayName", "threatDisplayName", "threatFamilyName", "mitreTechniques",
        "createdDateTime", "lastUpdateDateTime", "resolvedDateTime", "firstActivityDateTime", "lastActivityDateTime", "comments",
        "evidence", "systemTags", "alertPolicyId", "additionalData", "customDetails", "investigationState",
    }  # fmt: skip
    common = {
        "@odata.type",
        "createdDateTime",
        "verdict",
        "remediationStatus",
        "remediationStatusDetails",
        "roles",
        "detailedRoles",
        "tags",
    }
    by_type = {item["@odata.type"]: item for alert in alerts for item in alert["evidence"]}
    assert all(common <= set(item) for item in by_type.values())
    assert {"userAccount", "stream"} <= set(by_type["#microsoft.graph.security.userEvidence"])
    assert {"mdeDeviceId", "azureAdDeviceId", "loggedOnUsers", "vmMetadata"} <= set(by_type["#microsoft.graph.security.deviceEvidence"])
    assert {"appId", "objectId", "publisher", "displayName"} <= set(by_type["#microsoft.graph.security.oauthApplicationEvidence"])


def test_an_alert_can_be_worked_and_its_incident_moves_with_it(world: Any) -> None:
    here = world()
    alert = next(one for one in _alerts(here) if one.status == "new")
    here.cloud.clock.step(10)
    body = {"status": "resolved", "classification": "truePositive", "determination": "phishing", "assignedTo": "soc@contoso.com"}
    answer = here.graph(f"alerts_v2/{alert.id}", method="PATCH", json=body)
    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in body} == body
    assert answer.json()["resolvedDateTime"] == answer.json()["lastUpdateDateTime"] == "2026-11-01T12:00:10Z"
    incident = here.graph(f"incidents/{alert.incident_id}", {"$expand": "alerts"}).json()
    assert incident["lastUpdateDateTime"] == "2026-11-01T12:00:10Z"
    assert next(one for one in incident["alerts"] if one["id"] == alert.id)["status"] == "resolved"


@pytest.mark.parametrize("body", [{"status": "active"}, {"title": "x"}, {"severity": "high"}, {"status": None}])
def test_alert_bodies_outside_the_documented_ones_are_refused(world: Any, body: Any) -> None:
    here = world()
    assert here.graph(f"alerts_v2/{_alerts(here)[0].id}", method="PATCH", json=body).status_code == 400


def test_alert_comments_answer_with_all_of_them(world: Any) -> None:
    here = world()
    alert = _alerts(here)[0].id
    for number in (1, 2):
        answer = here.graph(f"alerts_v2/{alert}/comments", method="POST", json={"comment": f"note {number}"})
    assert [one["comment"] for one in answer.json()["value"]][-2:] == ["note 1", "note 2"]


def test_an_unknown_alert_is_not_found(world: Any) -> None:
    answer = world().graph("alerts_v2/da0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
