# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GET /v1.0/security/incidents: query options, paging, shape."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.security.times import parse_iso

ALL_MEMBERS = {"Prefer": "include-unknown-enum-members"}


def _error(answer: Any, status: int = 400, code: str = "BadRequest") -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert set(error["innerError"]) >= {"date", "request-id", "client-request-id"}
    return str(error["message"])


@pytest.mark.parametrize("top", [1, 7, 50])
@pytest.mark.parametrize("next_link", ["skiptoken", "skip"])
def test_pages_hold_every_incident_once_in_the_fewest_requests(world: Any, top: int, next_link: str) -> None:
    here = world(incidents=100, next_link=next_link)
    pages, link = 0, None
    ids: list[str] = []
    while pages == 0 or link:
        answer = here.graph(link) if link else here.graph("incidents", {"$top": top})
        pages += 1
        ids += [incident["id"] for incident in answer.json()["value"]]
        link = answer.json().get("@odata.nextLink")
        if link:
            assert link.startswith("https://localhost:8443/v1.0/security/incidents?")
            assert f"${next_link}=" in link
            assert f"$top={top}" in link
    assert len(ids) == len(set(ids)) == 100
    assert pages == -(-100 // top)


@pytest.mark.parametrize(("top", "refused"), [("50", False), ("51", True), ("1000", True), ("-1", True), ("x", True), ("0", False)])
def test_top_ends_at_fifty(world: Any, top: str, refused: bool) -> None:
    answer = world().graph("incidents", {"$top": top})
    if not refused:
        assert answer.status_code == 200
        return
    text = _error(answer)
    if top.isdecimal():
        assert text == f"The limit of '50' for Top query has been exceeded. The value from the incoming request is '{top}'."


def test_the_newest_come_first_and_orderby_turns_it_round(world: Any) -> None:
    here = world(incidents=40)
    times = [parse_iso(one["lastUpdateDateTime"]) for one in here.graph("incidents").json()["value"]]
    turned = [
        parse_iso(one["lastUpdateDateTime"]) for one in here.graph("incidents", {"$orderby": "lastUpdateDateTime asc"}).json()["value"]
    ]
    created = [parse_iso(one["createdDateTime"]) for one in here.graph("incidents", {"$orderby": "createdDateTime desc"}).json()["value"]]
    assert times == sorted(times, reverse=True)
    assert turned == sorted(turned)
    assert created == sorted(created, reverse=True)


def _truth(here: Any, test: Any) -> set[str]:
    return {str(incident.id) for incident in here.store.newest_first() if test(incident)}


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("status eq 'active'", lambda i: i.status == "active"),
        ("status ne 'active'", lambda i: i.status != "active"),
        ("severity eq 'high' or severity eq 'medium'", lambda i: i.severity in ("high", "medium")),
        ("not (severity eq 'high')", lambda i: i.severity != "high"),
        ("classification eq 'truePositive' and determination eq 'malware'", lambda i: i.determination == "malware"),
        ("assignedTo eq 'SOC-tier1@contoso.com'", lambda i: i.assigned_to == "soc-tier1@contoso.com"),
        ("assignedTo eq 'o''brien@fabrikam.com'", lambda i: i.assigned_to == "o'brien@fabrikam.com"),
        ("assignedTo eq null", lambda i: not i.assigned_to),
        ("status eq 'awaitingAction'", lambda i: i.status == "awaitingAction"),
        ("(status eq 'active' and severity eq 'high') or status eq 'resolved'",
         lambda i: (i.status == "active" and i.severity == "high") or i.status == "resolved"),
    ],
)  # fmt: skip
def test_filters_give_exactly_what_they_say(world: Any, text: str, test: Any) -> None:
    here = world(incidents=100)
    expected = _truth(here, test)
    assert expected, "the case must not be empty"
    assert set(here.graph_ids(filter=text)) == expected


@pytest.mark.parametrize(("word", "includes"), [("ge", True), ("gt", False), ("le", True), ("lt", False), ("eq", True)])
def test_instants_compare_to_the_seventh_digit(world: Any, word: str, includes: bool) -> None:
    here = world(incidents=30)
    one = here.graph("incidents", {"$top": 1, "$skip": 12}).json()["value"][0]
    ids = here.graph_ids(filter=f"lastUpdateDateTime {word} {one['lastUpdateDateTime']}")
    assert (one["id"] in ids) is includes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("status eq active", "Could not find"),
        ("status eq 'Active'", "'Active' is not a valid enumeration"),
        ("status gt 'active'", "incompatible types"),
        ("lastUpdateDateTime ge '2026-01-01T00:00:00Z'", "incompatible types"),
        ("lastUpdateDateTime ge 2026-01-01", "incompatible types"),
        ("lastUpdateDateTime ge 2026-01-01T00:00:00", "incompatible types"),
        ("displayName eq 'x'", "cannot be used in the $filter"),
        ("serviceSource eq 'microsoftSentinel'", "Could not find a property named 'serviceSource'"),
        ("id eq '1'", "cannot be used in the $filter"),
        ("nonsense eq 'x'", "Could not find a property named 'nonsense' on type 'microsoft.graph.security.incident'"),
        ("status in ('active','resolved')", "'in' is not supported"),
        ("contains(displayName,'x')", "function 'contains' is not supported"),
        ("status eq 'active' and", "Syntax error"),
        ("status eq", "Syntax error"),
        ("'active'", "single boolean"),
        ("severity eq null", "incompatible types"),
    ],
)  # fmt: skip
def test_filters_outside_the_allow_list_are_refused(world: Any, text: str, complaint: str) -> None:
    message = _error(world().graph("incidents", {"$filter": text}))
    assert message.startswith("Invalid filter clause: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"$search": "x"}, "'$search' is not supported"),
        ({"$expand": "nothing"}, "Could not find a property named 'nothing'"),
        ({"$select": "id,nothing"}, "Could not find a property named 'nothing'"),
        ({"$orderby": "severity"}, "cannot be used in the $orderby"),
        ({"$orderby": "nothing"}, "Could not find a property named 'nothing'"),
        ({"$skiptoken": "rubbish"}, "skip token"),
        ({"$skip": "-3"}, "non-negative"),
        ({"$count": "yes"}, "$count"),
    ],
)
def test_other_options_outside_the_allow_list_are_refused(world: Any, params: dict[str, str], complaint: str) -> None:
    assert complaint in _error(world().graph("incidents", params))


def test_count_counts_what_matches_on_every_page(world: Any) -> None:
    here = world(incidents=60)
    expected = len(_truth(here, lambda i: i.status == "active"))
    answer = here.graph("incidents", {"$count": "true", "$top": 5, "$filter": "status eq 'active'"}).json()
    assert answer["@odata.count"] == expected
    assert here.graph(answer["@odata.nextLink"]).json()["@odata.count"] == expected
    assert "@odata.count" not in here.graph("incidents").json()


def test_select_gives_only_what_is_named_and_expand_adds_alerts(world: Any) -> None:
    here = world()
    one = here.graph("incidents", {"$select": "id,status", "$expand": "alerts", "$top": 1}).json()["value"][0]
    assert set(one) == {"id", "status", "alerts"}
    assert set(here.graph("incidents", {"$select": "id", "$top": 1}).json()["value"][0]) == {"id"}


def test_alerts_come_only_when_expanded(world: Any) -> None:
    here = world()
    assert "alerts" not in here.graph("incidents").json()["value"][0]
    answer = here.graph("incidents", {"$expand": "alerts"}).json()
    assert any(one["alerts"] for one in answer["value"])
    one = next(one for one in answer["value"] if one["alerts"])
    assert here.graph(f"incidents/{one['id']}", {"$expand": "alerts"}).json()["alerts"] == one["alerts"]
    assert here.graph(f"incidents/{one['id']}/alerts").json()["value"] == one["alerts"]


@pytest.mark.parametrize("prefer", [False, True])
def test_newer_members_are_hidden_unless_asked_for(world: Any, prefer: bool) -> None:
    here = world(incidents=60)
    answer = here.graph("incidents", {"$top": 50, "$expand": "alerts"}, headers=ALL_MEMBERS if prefer else {})
    incidents = answer.json()["value"]
    statuses = {one["status"] for one in incidents}
    sources = {alert["serviceSource"] for one in incidents for alert in one["alerts"]}
    remediations = {item["remediationStatus"] for one in incidents for alert in one["alerts"] for item in alert["evidence"]}
    assert ("awaitingAction" in statuses) is prefer
    assert ("microsoftSentinel" in sources) is prefer
    assert ("active" in remediations) is prefer
    assert ("unknownFutureValue" in statuses | sources | remediations) is not prefer
    assert answer.headers.get("preference-applied") == ("include-unknown-enum-members" if prefer else None)


def test_an_incident_has_the_documented_members(world: Any) -> None:
    here = world()
    answer = here.graph("incidents")
    one = answer.json()["value"][0]
    assert set(one) == {
        "id", "tenantId", "status", "incidentWebUrl", "redirectIncidentId", "displayName", "description", "summary", "createdDateTime",
        "lastUpdateDateTime", "assignedTo", "classification", "determination", "severity", "customTags", "systemTags", "comments",
        "resolvingComment", "lastModifiedBy", "priorityScore",
    }  # fmt: skip
    assert one["id"].isdecimal()
    assert one["tenantId"] == here.store.tenant_id
    assert one["incidentWebUrl"].endswith(f"/incidents/{one['id']}?tid={here.store.tenant_id}")
    assert answer.json()["@odata.context"].endswith("/$metadata#security/incidents")
    assert answer.headers["content-type"].startswith("application/json;odata.metadata=minimal")


def test_one_incident_by_id_and_404_for_others(world: Any) -> None:
    here = world()
    one = here.graph("incidents", {"$top": 1}).json()["value"][0]
    alone = here.graph(f"incidents/{one['id']}").json()
    assert alone.pop("@odata.context").endswith("#security/incidents/$entity")
    assert alone == one
    for missing in ("1", "x", "999999999"):
        _error(here.graph(f"incidents/{missing}"), 404, "ResourceNotFound")


def test_a_plus_sign_in_the_query_is_a_space(world: Any) -> None:
    here = world()
    answer = here.client.get("/v1.0/security/incidents?$filter=status+eq+'active'&$top=50", headers=here.token("graph"))
    assert {one["id"] for one in answer.json()["value"]} == _truth(here, lambda i: i.status == "active")


def test_skip_may_be_limited(world: Any) -> None:
    here = world(incidents=60, max_skip=20, next_link="skip")
    assert here.graph("incidents", {"$skip": "20"}).status_code == 200
    assert "Skip query has been exceeded" in _error(here.graph("incidents", {"$skip": "21"}))
