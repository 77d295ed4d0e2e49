# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PATCH, comments, merging and moving, on both backends."""

from __future__ import annotations

from typing import Any

import pytest


def _open(here: Any) -> str:
    return str(next(incident.id for incident in here.store.newest_first() if incident.status == "active"))


def _message(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    return str(answer.json()["error"]["message"])


GRAPH_BODY = {
    "status": "resolved", "assignedTo": "soc@contoso.com", "classification": "truePositive", "determination": "malware",
    "customTags": ["a", "b"],
}  # fmt: skip
DEFENDER_BODY = {
    "status": "Resolved", "assignedTo": "soc@contoso.com", "classification": "TruePositive", "determination": "Malware", "tags": ["a", "b"],
}  # fmt: skip


def test_graph_writes_and_both_backends_read_it(world: Any) -> None:
    here = world()
    number = _open(here)
    before = here.graph(f"incidents/{number}").json()
    here.cloud.clock.step(60)
    answer = here.graph(f"incidents/{number}", method="PATCH", json=GRAPH_BODY)
    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in GRAPH_BODY} == GRAPH_BODY
    assert answer.json()["severity"] == before["severity"]
    assert answer.json()["lastModifiedBy"] == "API-App:Contoso SOC"
    twin = here.defender(f"incidents/{number}").json()
    assert {key: twin[key] for key in DEFENDER_BODY} == DEFENDER_BODY
    assert here.graph("incidents", {"$top": 1}).json()["value"][0]["id"] == number, "the last update makes it the newest"
    assert answer.json()["lastUpdateDateTime"] == "2026-11-01T12:01:00Z"


def test_defender_writes_and_both_backends_read_it(world: Any) -> None:
    here = world()
    number = _open(here)
    answer = here.defender(f"incidents/{number}", method="PATCH", json=DEFENDER_BODY | {"comment": "done"})
    assert answer.status_code == 200
    assert answer.json()["@odata.context"].endswith("#Incidents/$entity")
    assert {key: answer.json()[key] for key in DEFENDER_BODY} == DEFENDER_BODY
    assert answer.json()["comments"][-1]["comment"] == "done"
    twin = here.graph(f"incidents/{number}").json()
    assert {key: twin[key] for key in GRAPH_BODY} == GRAPH_BODY
    assert twin["comments"][-1]["createdByDisplayName"] == "API-App:Contoso SOC"


@pytest.mark.parametrize(
    ("classification", "determination", "allowed"),
    [
        ("TruePositive", "Malware", True),
        ("TruePositive", "CompromisedUser", True),
        ("TruePositive", "CompromisedAccount", True),
        ("TruePositive", "SecurityTesting", False),
        ("InformationalExpectedActivity", "ConfirmedActivity", True),
        ("InformationalExpectedActivity", "ConfirmedUserActivity", True),
        ("InformationalExpectedActivity", "Phishing", False),
        ("FalsePositive", "Clean", True),
        ("FalsePositive", "NotMalicious", True),
        ("FalsePositive", "NoEnoughDataToValidate", True),
        ("FalsePositive", "InsufficientData", True),
        ("FalsePositive", "Malware", False),
        ("FalsePositive", "Other", True),
        ("TruePositive", "Apt", False),
        ("Unknown", "NotAvailable", True),
        ("Nonsense", "Malware", False),
        ("TruePositive", "Nonsense", False),
    ],
)
def test_determinations_must_go_with_the_classification(world: Any, classification: str, determination: str, allowed: bool) -> None:
    here = world()
    body = {"classification": classification, "determination": determination}
    answer = here.defender(f"incidents/{_open(here)}", method="PATCH", json=body)
    assert answer.status_code == (200 if allowed else 400), answer.text
    if not allowed:
        _message(answer, 400, "InvalidInput")


@pytest.mark.parametrize("strict", [False, True])
def test_a_determination_without_classification_fails_in_strict_mode_only(world: Any, strict: bool) -> None:
    here = world(strict_determination=strict)
    number = next(str(i.id) for i in here.store.newest_first() if i.classification == "unknown" and i.redirect_id is None)
    answer = here.graph(f"incidents/{number}", method="PATCH", json={"determination": "malware"})
    assert answer.status_code == (400 if strict else 200)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"severity": "High"}, "InvalidRequestBody"),
        ({"incidentName": "x"}, "InvalidRequestBody"),
        ({"Status": "Active"}, "InvalidRequestBody"),
        ({"tags": "a"}, "InvalidRequestBody"),
        ({"status": 3}, "InvalidRequestBody"),
        (["status"], "InvalidRequestBody"),
        ({"status": "active"}, "InvalidInput"),
        ({"status": "Redirected"}, "InvalidInput"),
    ],
)
def test_the_defender_api_refuses_bodies_it_does_not_know(world: Any, body: Any, code: str) -> None:
    here = world()
    number = _open(here)
    before = here.store.get(int(number))
    text = _message(here.defender(f"incidents/{number}", method="PATCH", json=body), 400, code)
    if code == "InvalidRequestBody":
        assert text == "Request body is incorrect"
    assert here.store.get(int(number)) == before


@pytest.mark.parametrize(
    "body",
    [
        {"severity": "high"}, {"displayName": "x"}, {"comments": []}, {"Status": "active"}, {"customTags": "a"}, {"status": "Active"},
        {"status": "redirected"}, {"determination": "compromisedUser"}, {"classification": "truePositive", "determination": "clean"}, [1],
        {"classification": "falsePositive", "determination": "malware"},
    ],
)  # fmt: skip
def test_graph_refuses_bodies_it_does_not_know(world: Any, body: Any) -> None:
    here = world()
    _message(here.graph(f"incidents/{_open(here)}", method="PATCH", json=body), 400, "BadRequest")


def test_newer_members_can_be_written_when_the_scenario_says_so(world: Any) -> None:
    here = world(graph_patch_extra=True)
    answer = here.graph(f"incidents/{_open(here)}", method="PATCH", json={"displayName": "x", "severity": "low", "summary": "s"})
    assert (answer.json()["displayName"], answer.json()["severity"], answer.json()["summary"]) == ("x", "low", "s")


def test_an_owner_that_was_cleared_reads_differently_on_each_backend(world: Any) -> None:
    here = world()
    number = next(str(i.id) for i in here.store.newest_first() if i.assigned_to and i.redirect_id is None)
    assert here.defender(f"incidents/{number}", method="PATCH", json={"assignedTo": ""}).json()["assignedTo"] == "Unassigned"
    assert here.graph(f"incidents/{number}").json()["assignedTo"] is None


def test_graph_comments_answer_with_all_of_them(world: Any) -> None:
    here = world()
    number = _open(here)
    count = len(here.graph(f"incidents/{number}").json()["comments"])
    body = {"@odata.type": "microsoft.graph.security.alertComment", "comment": "Größe geprüft"}
    answer = here.graph(f"incidents/{number}/comments", method="POST", json=body)
    assert answer.status_code == 200
    assert len(answer.json()["value"]) == count + 1
    assert set(answer.json()["value"][-1]) == {"comment", "createdByDisplayName", "createdDateTime"}
    assert answer.json()["value"][-1]["comment"] == "Größe geprüft"


@pytest.mark.parametrize(
    "body", [{}, {"comment": ""}, {"comment": 3}, {"comment": "x", "createdBy": "me"}, {"@odata.type": "x", "comment": "y"}]
)
def test_comments_that_are_none_are_refused(world: Any, body: Any) -> None:
    here = world()
    _message(here.graph(f"incidents/{_open(here)}/comments", method="POST", json=body), 400, "BadRequest")


def test_a_redirected_incident_cannot_be_changed(world: Any) -> None:
    here = world()
    number = next(i.id for i in here.store.newest_first() if i.redirect_id is not None)
    assert "merged into" in _message(here.graph(f"incidents/{number}", method="PATCH", json={"status": "active"}), 400, "BadRequest")
    assert "merged into" in _message(here.defender(f"incidents/{number}", method="PATCH", json={"status": "Active"}), 400, "InvalidInput")


def test_merging_redirects_the_younger_and_moves_their_alerts(world: Any) -> None:
    here = world()
    ids = sorted(i.id for i in here.store.newest_first() if i.redirect_id is None)[:3]
    alerts = [alert.id for number in ids for alert in here.store.alerts_of(number)]
    body = {"incidentIds": [str(one) for one in ids], "incidentComment": "same actor", "mergeReasons": "sameActor, sameCampaign"}
    answer = here.graph("incidents/mergeIncidents", method="POST", json=body)
    assert answer.status_code == 200
    assert answer.json()["targetIncidentId"] == str(ids[0])
    target = here.graph(f"incidents/{ids[0]}", {"$expand": "alerts"}).json()
    assert sorted(alert["id"] for alert in target["alerts"]) == sorted(alerts)
    assert {alert["incidentId"] for alert in target["alerts"]} == {str(ids[0])}
    assert target["comments"][-1]["comment"] == "same actor"
    for one in ids[1:]:
        source = here.graph(f"incidents/{one}", {"$expand": "alerts"}).json()
        assert (source["status"], source["redirectIncidentId"], source["alerts"]) == ("redirected", str(ids[0]), [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"incidentIds": ["1"]}, 400),
        ({"incidentIds": "1,2"}, 400),
        ({}, 400),
        ({"incidentIds": ["1", "2"]}, 404),
        ({"incidentIds": ["1", "2"], "mergeReasons": "because"}, 400),
        ({"incidentIds": ["1", "2"], "reason": "because"}, 400),
    ],
)
def test_merges_that_make_no_sense_are_refused(world: Any, body: Any, status: int) -> None:
    assert world().graph("incidents/mergeIncidents", method="POST", json=body).status_code == status


@pytest.mark.parametrize("to_new", [False, True])
def test_alerts_move_to_another_incident_or_to_a_new_one(world: Any, to_new: bool) -> None:
    here = world()
    first, second = [i.id for i in here.store.newest_first() if i.redirect_id is None][:2]
    alert = here.store.alerts_of(first)[0].id
    body = {"alertIds": [alert]} | ({} if to_new else {"incidentId": str(second)})
    target = here.graph("alerts_v2/moveAlerts", method="POST", json=body).json()["targetIncidentId"]
    assert (int(target) in (first, second)) is not to_new
    assert here.graph(f"alerts_v2/{alert}").json()["incidentId"] == target
    assert alert not in [one["id"] for one in here.graph(f"incidents/{first}/alerts").json()["value"]]


def test_bodies_that_are_no_json_are_refused(world: Any) -> None:
    here = world()
    number = _open(here)
    headers = {"Content-Type": "application/json"}
    text = _message(here.graph(f"incidents/{number}", method="PATCH", content=b"{", headers=headers), 400, "BadRequest")
    assert text.startswith("Unable to read JSON request payload.")
    _message(here.defender(f"incidents/{number}", method="PATCH", content=b"{", headers=headers), 400, "InvalidRequestBody")


def test_a_write_in_one_tenant_does_not_show_in_another(world: Any) -> None:
    here = world(pool=1)
    number = _open(here)
    here.graph(f"incidents/{number}", method="PATCH", json={"customTags": ["mine"]})
    other = here.client.get(
        f"/v1.0/security/incidents/{number}", headers=here.token("graph", tenant="22222222-2222-4222-8222-000000000002")
    )
    assert other.status_code == 404 or other.json()["customTags"] != ["mine"]
