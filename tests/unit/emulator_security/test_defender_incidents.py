# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GET /api/incidents: query options, paging, shape, and the same data as Graph's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from emulator.security import vocabulary as v


def _error(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "target"}
    assert error["code"] == code
    UUID(error["target"])
    return str(error["message"])


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(("top", "incidents"), [(100, 250), (30, 100), (50, 100)])
def test_top_and_skip_reach_every_incident(world: Any, top: int, incidents: int, linked: bool) -> None:
    here = world(incidents=incidents, defender_next_link=linked)
    ids: list[int] = []
    while True:
        answer = here.defender("incidents", {"$top": top, "$skip": len(ids)}).json()
        ids += [one["incidentId"] for one in answer["value"]]
        link = answer.get("@odata.nextLink")
        assert bool(link) is (linked and len(ids) < incidents)
        if link:
            assert link == f"https://localhost:8443/api/incidents?$top={top}&$skip={len(ids)}"
        if len(answer["value"]) < top:
            break
    assert len(ids) == len(set(ids)) == incidents


def test_a_page_holds_a_hundred_unless_told_otherwise(world: Any) -> None:
    here = world(incidents=130)
    assert len(here.defender("incidents").json()["value"]) == 100
    assert len(here.defender("incidents", {"$top": "3"}).json()["value"]) == 3


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"$top": "101"}, "The limit of '100' for Top query has been exceeded. The value from the incoming request is '101'."),
        ({"$orderby": "lastUpdateTime"}, "'$orderby' is not supported"),
        ({"$select": "incidentId"}, "'$select' is not supported"),
        ({"$expand": "alerts"}, "'$expand' is not supported"),
        ({"$count": "true"}, "'$count' is not supported"),
        ({"$filter": "severity eq 'High'"}, "'severity' cannot be used in the $filter"),
        ({"$filter": "incidentId eq 5"}, "'incidentId' cannot be used in the $filter"),
        ({"$filter": "lastUpdateDateTime ge 2026-01-01T00:00:00Z"}, "Could not find a property named 'lastUpdateDateTime'"),
        ({"$filter": "lastUpdateTime ge '2026-01-01T00:00:00Z'"}, "incompatible types"),
        ({"$filter": "status ne 'Active'"}, "operator 'ne' is not supported"),
        ({"$filter": "not (status eq 'Active')"}, "operator 'not' is not supported"),
        ({"$filter": "status eq 'active'"}, "'active' is not a valid enumeration"),
        ({"$filter": "startswith(assignedTo,'a')"}, "function 'startswith' is not supported"),
        ({"$filter": "status eq 'Active' and"}, "Syntax error"),
    ],
)  # fmt: skip
def test_queries_outside_the_documented_ones_are_refused(world: Any, params: dict[str, str], complaint: str) -> None:
    message = _error(world().defender("incidents", params), 400, "ODataError")
    assert complaint in message


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("status eq 'Active'", lambda i: i.status == "active"),
        ("status eq 'Redirected' or status eq 'InProgress'", lambda i: i.status in ("redirected", "inProgress")),
        ("assignedTo eq 'soc-tier1@contoso.com' and status eq 'Resolved'",
         lambda i: i.assigned_to == "soc-tier1@contoso.com" and i.status == "resolved"),
    ],
)  # fmt: skip
def test_filters_give_exactly_what_they_say(world: Any, text: str, test: Any) -> None:
    here = world(incidents=100)
    expected = {incident.id for incident in here.store.newest_first() if test(incident)}
    assert expected
    assert {one["incidentId"] for one in here.defender("incidents", {"$filter": text}).json()["value"]} == expected


@pytest.mark.parametrize(("name", "attribute"), [("lastUpdateTime", "last_update"), ("createdTime", "created")])
def test_time_filters_have_exact_borders(world: Any, name: str, attribute: str) -> None:
    here = world(incidents=50)
    border = here.defender("incidents").json()["value"][20]
    newer = here.defender("incidents", {"$filter": f"{name} gt {border[name]}"}).json()["value"]
    same_or_newer = here.defender("incidents", {"$filter": f"{name} ge {border[name]}"}).json()["value"]
    moment = getattr(here.store.get(border["incidentId"]), attribute)
    expected = {incident.id for incident in here.store.newest_first() if getattr(incident, attribute) > moment}
    assert {one["incidentId"] for one in newer} == expected
    assert border["incidentId"] in {one["incidentId"] for one in same_or_newer}


def test_an_incident_has_the_documented_keys_with_alerts_inline(world: Any) -> None:
    here = world()
    answer = here.defender("incidents").json()
    assert answer["@odata.context"] == "https://api.security.microsoft.com/api/$metadata#Incidents"
    one = next(one for one in answer["value"] if one["alerts"] and one["alerts"][0]["devices"])
    assert set(one) == {
        "incidentId", "incidentUri", "redirectIncidentId", "incidentName", "createdTime", "lastUpdateTime", "assignedTo",
        "classification", "determination", "status", "severity", "tags", "comments", "alerts",
    }  # fmt: skip
    assert isinstance(one["incidentId"], int)
    alert = one["alerts"][0]
    assert {"alertId", "creationTime", "lastUpdatedTime", "resolvedTime", "firstActivity", "lastActivity", "serviceSource"} <= set(alert)
    assert len(alert["devices"][0]["mdatpDeviceId"]) == 40


def test_every_entity_has_every_key(world: Any) -> None:
    incidents = world(incidents=40).defender("incidents").json()["value"]
    entities = [entity for one in incidents for alert in one["alerts"] for entity in alert["entities"]]
    assert len({frozenset(entity) for entity in entities}) == 1
    assert {entity["entityType"] for entity in entities} == {
        "User", "Ip", "Url", "File", "Process", "MailBox", "MailMessage", "MailCluster", "Registry", "SecurityGroup",
        "CloudApplication", "OAuthApplication",
    }  # fmt: skip


def test_one_incident_by_id_and_errors_for_others(world: Any) -> None:
    here = world()
    one = here.defender("incidents", {"$top": 1}).json()["value"][0]
    alone = here.defender(f"incidents/{one['incidentId']}").json()
    assert alone.pop("@odata.context").endswith("#Incidents/$entity")
    assert alone == one
    _error(here.defender("incidents/1"), 404, "ResourceNotFound")
    _error(here.defender("incidents/abc"), 400, "InvalidInput")


def test_a_merged_incident_is_redirected(world: Any) -> None:
    here = world()
    merged = next(one for one in here.defender("incidents").json()["value"] if one["status"] == "Redirected")
    target = here.defender(f"incidents/{merged['redirectIncidentId']}").json()
    assert merged["alerts"] == []
    assert target["incidentId"] == merged["redirectIncidentId"]


@pytest.mark.parametrize(
    ("neutral", "update_page", "resource_page"),
    [
        ("unknown", "NotAvailable", "NotAvailable"),
        ("notMalicious", "Clean", "Clean"),
        ("notEnoughDataToValidate", "NoEnoughDataToValidate", "InsufficientData"),
        ("compromisedAccount", "CompromisedAccount", "CompromisedUser"),
        ("confirmedActivity", "ConfirmedActivity", "ConfirmedUserActivity"),
        ("multiStagedAttack", "MultiStagedAttack", "MultiStagedAttack"),
        ("apt", "Apt", "Apt"),
    ],
)
def test_determinations_are_spelt_as_the_chosen_page_does(world: Any, neutral: str, update_page: str, resource_page: str) -> None:
    for spelling, expected in (("update", update_page), ("resource", resource_page)):
        here = world(incidents=100, determination_spelling=spelling)
        by_id = {one["incidentId"]: one["determination"] for one in here.defender("incidents").json()["value"]}
        found = {by_id[incident.id] for incident in here.store.newest_first() if incident.determination == neutral}
        assert found == {expected}


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def test_both_backends_tell_the_same_story(world: Any) -> None:
    here = world(incidents=50)
    prefer = {"Prefer": "include-unknown-enum-members"}
    graph = {one["id"]: one for one in here.graph("incidents", {"$top": 50, "$expand": "alerts"}, headers=prefer).json()["value"]}
    defender = {str(one["incidentId"]): one for one in here.defender("incidents").json()["value"]}
    assert graph.keys() == defender.keys()
    for key, one in graph.items():
        other = defender[key]
        assert one["displayName"] == other["incidentName"]
        assert one["lastUpdateDateTime"] == other["lastUpdateTime"]
        assert one["createdDateTime"] == other["createdTime"]
        assert one["status"] == _lower(other["status"])
        assert one["severity"] == ("unknown" if other["severity"] == "UnSpecified" else other["severity"].lower())
        assert one["determination"] == v.determination_from_defender(other["determination"])
        assert one["customTags"] == other["tags"]
        assert [c["comment"] for c in one["comments"]] == [c["comment"] for c in other["comments"]]
        assert [a["id"] for a in one["alerts"]] == [a["alertId"] for a in other["alerts"]]
        for alert, twin in zip(one["alerts"], other["alerts"], strict=True):
            assert alert["resolvedDateTime"] == twin["resolvedTime"]
            assert len(alert["evidence"]) == len(twin["devices"]) + len(twin["entities"])
            devices = [item["mdeDeviceId"] for item in alert["evidence"] if item["@odata.type"].endswith("deviceEvidence")]
            assert devices == [device["mdatpDeviceId"] for device in twin["devices"]]


def test_old_and_present_product_names_both_occur(world: Any) -> None:
    incidents = world(incidents=100).defender("incidents").json()["value"]
    names = {alert["serviceSource"] for one in incidents for alert in one["alerts"]}
    assert {"MicrosoftDefenderATP", "MicrosoftDefenderForEndpoint", "OfficeATP", "MicrosoftDefenderForOffice365"} <= names
