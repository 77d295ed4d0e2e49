# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests are made, in which order, and what is made of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    ForeignOrigin,
    PermissionDenied,
    ServiceError,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.alerts import GraphAlerts
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.reader import read_by_id
from unit.incidents.support import (
    BASES,
    GRAPH_LIST,
    TENANT,
    client,
    defender_incident,
    graph_error,
    graph_incident,
    ids,
    intake,
    page,
    reader,
    script,
)
from unit.support.scripted_http import Answer

NEXT = f"{GRAPH_LIST}?$top=50&$skiptoken=Opaque%20token%2Bwith+signs"
FIRST = f"GET {GRAPH_LIST}?$top=50&$orderby=lastUpdateDateTime%20desc&$count=true"


def _graph_pages(count: int, size: int = 50) -> list[Answer]:
    numbers = list(range(count, 0, -1))
    chunks = [numbers[start : start + size] for start in range(0, count, size)] or [[]]
    links = [f"{GRAPH_LIST}?$skiptoken={index}" for index in range(1, len(chunks))] + [None]
    return [page(*map(graph_incident, chunk), next_link=link, total=count) for chunk, link in zip(chunks, links, strict=True)]


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (49, 1), (50, 1), (51, 2), (100, 2), (101, 3), (500, 10)])
def test_graph_is_asked_for_as_many_pages_as_there_are_and_for_nothing_else(count: int, requests: int) -> None:
    session = script(*_graph_pages(count))
    reading = reader(intake(session))
    assert len(reading.collect()) == count
    assert len(session.requests) == requests
    assert session.lines()[0] == FIRST
    assert reading.report.complete


def test_a_next_link_of_graph_is_followed_to_the_letter() -> None:
    session = script(page(graph_incident(2), next_link=NEXT, total=2), page(graph_incident(1), total=2))
    assert ids(reader(intake(session)).collect()) == ["2", "1"]
    assert session.lines() == [FIRST, f"GET {NEXT}"]


@pytest.mark.parametrize("foreign", ["https://evil.example/v1.0/security/incidents", "http://graph.microsoft.com/v1.0/security/incidents"])
def test_a_next_link_to_another_origin_is_refused_before_anything_is_sent_there(foreign: str) -> None:
    session = script(page(graph_incident(2), next_link=foreign))
    with pytest.raises(ForeignOrigin):
        reader(intake(session)).collect()
    assert len(session.requests) == 1


@pytest.mark.parametrize("link", [5, True, False, 0, {}, [], ["x"]])
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_next_link_that_is_no_text_is_neither_followed_nor_taken_for_the_end(api: str, link: Any) -> None:
    found = graph_incident(1) if api == "graph" else defender_incident(1)
    with pytest.raises(TransportError, match="next link that is no text") as caught:
        reader(intake(script(Answer(body={"value": [found], "@odata.nextLink": link})), api=api)).collect()
    assert caught.value.tenant_id == TENANT


def test_a_next_link_that_goes_in_circles_ends_the_reading() -> None:
    session = script(page(graph_incident(2), next_link=NEXT), page(graph_incident(1), next_link=NEXT))
    with pytest.raises(TransportError, match="read already"):
        reader(intake(session)).collect()


def test_new_members_of_enumerations_are_asked_for_and_read() -> None:
    session = script(page(graph_incident(1, status="awaitingAction")))
    assert reader(intake(session)).collect()[0]["status"] == "awaitingAction"
    assert session.requests[0].headers["Prefer"] == "include-unknown-enum-members"


def test_filters_are_quoted_in_the_url_and_nothing_can_leave_them() -> None:
    session = script(page())
    reader(intake(session, IncidentQuery(assigned_to="o'neill&$top=1#@contoso.com"))).collect()
    expected = "$filter=assignedTo%20eq%20%27o%27%27neill%26$top%3D1%23%40contoso.com%27"
    assert session.lines() == [f"GET {GRAPH_LIST}?$top=50&{expected}&$orderby=lastUpdateDateTime%20desc&$count=true"]


def test_a_version_that_two_pages_hold_is_returned_once_and_of_two_versions_the_newer_one() -> None:
    newer = graph_incident(3, updated="2026-01-03T00:00:00Z", status="resolved")
    session = script(
        page(graph_incident(3), graph_incident(2), next_link=NEXT, total=3),
        page(graph_incident(2), newer, graph_incident(1), total=3),
    )
    reading = reader(intake(session))
    found = reading.collect()
    assert [(incident["id"], incident["status"]) for incident in found] == [("3", "resolved"), ("2", "active"), ("1", "active")]
    assert reading.duplicates == 1
    assert reading.report.complete


def test_of_an_incident_that_changes_while_a_file_is_written_the_newer_version_comes_later() -> None:
    changed = graph_incident(2, updated="2026-01-03T00:00:00Z")
    moved = (page(graph_incident(2), next_link=NEXT, total=2), page(graph_incident(1), total=3), page(graph_incident(1), changed))
    found = list(reader(intake(script(*moved)), as_they_come=True).read())
    assert ids(found) == ["2", "1", "2"]
    assert found[0]["last_update_date_time"] < found[2]["last_update_date_time"]


def test_incidents_that_moved_between_two_pages_are_read_by_time() -> None:
    """Incident 2 was updated after the first page, so that 1 slipped onto that page: it never comes by offset."""
    moved = graph_incident(2, updated="2026-01-03T00:00:00Z")
    session = script(
        page(graph_incident(4), graph_incident(3), next_link=NEXT, total=4),
        page(graph_incident(3), total=4),
        page(graph_incident(1), graph_incident(3), graph_incident(4), moved),
    )
    reading = reader(intake(session))
    assert ids(reading.collect()) == ["2", "4", "3", "1"]
    assert session.lines()[2] == f"GET {GRAPH_LIST}?$top=50&$orderby=lastUpdateDateTime%20asc"
    assert reading.report.complete


def test_a_service_that_takes_no_larger_offset_is_read_on_by_time() -> None:
    first = [graph_incident(number) for number in range(60, 10, -1)]
    refusal = graph_error(
        400, "BadRequest", "The limit of '49' for Skip query has been exceeded. The value from the incoming request is '50'."
    )
    oldest = [graph_incident(number) for number in range(1, 51)]
    rest = [graph_incident(number) for number in range(50, 61)]
    session = script(page(*first, next_link=NEXT, total=60), refusal, page(*oldest, next_link=NEXT), page(*rest))
    reading = reader(intake(session))
    assert len(reading.collect()) == 60
    assert reading.report.complete
    ascending = "$orderby=lastUpdateDateTime%20asc"
    assert session.lines()[2:] == [
        f"GET {GRAPH_LIST}?$top=50&{ascending}",
        f"GET {GRAPH_LIST}?$top=50&$filter=lastUpdateDateTime%20ge%202026-01-02T00%3A00%3A00.0000050Z&{ascending}",
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 206, "headers": {"request-id": "r-1"}}, "HTTP 206, partial content (request id r-1)"),
        ({"headers": {"Warning": '199 - "Microsoft/Defender for Office 365/504/10000"'}}, "Defender for Office 365/504/10000"),
    ],
)
def test_an_answer_that_says_it_is_partial_makes_the_result_partial(answer: dict[str, Any], reason: str) -> None:
    reading = reader(intake(script(page(graph_incident(1), **answer))))
    assert ids(reading.collect()) == ["1"]
    assert not reading.report.complete
    assert reason in (reading.report.reason or "")


@pytest.mark.parametrize(
    ("limit", "total", "top", "complete"),
    [(1, 3, 1, False), (3, 3, 3, True), (10, 3, 10, True), (60, 3, 50, True)],
)
def test_a_limit_asks_for_no_more_and_says_when_there_is_more(limit: int, total: int, top: int, complete: bool) -> None:
    numbers = range(total, max(0, total - limit), -1)
    session = script(page(*map(graph_incident, numbers), next_link=NEXT if limit < total else None, total=total))
    reading = reader(intake(session), limit=limit)
    assert len(reading.collect()) == min(limit, total)
    count = "&$count=true" if limit > 50 else ""
    assert session.lines() == [f"GET {GRAPH_LIST}?$top={top}&$orderby=lastUpdateDateTime%20desc{count}"]
    assert reading.report.complete is complete


def test_a_limit_is_not_trusted_to_an_order_that_the_service_did_not_keep() -> None:
    session = script(page(graph_incident(1), graph_incident(9), next_link=NEXT, total=3), page(graph_incident(5), total=3))
    reading = reader(intake(session), limit=2)
    assert ids(reading.collect()) == ["9", "5"]
    assert not reading.report.complete


def test_a_limit_with_a_filter_that_is_applied_here_reads_until_enough_pass() -> None:
    tagged = [graph_incident(number, customTags=["vip"] if number in (1, 3) else []) for number in (5, 4, 3, 2, 1)]
    session = script(page(*tagged[:3], next_link=NEXT, total=5), page(*tagged[3:], total=5))
    reading = reader(intake(session, IncidentQuery(tags=("vip",))), limit=2)
    assert ids(reading.collect()) == ["3", "1"]
    assert session.lines()[0].startswith(f"GET {GRAPH_LIST}?$top=50&")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("updated_desc", ["3", "2", "1"]),
        ("updated_asc", ["1", "2", "3"]),
        ("created_desc", ["1", "2", "3"]),
        ("created_asc", ["3", "2", "1"]),
    ],
)
def test_the_result_is_in_the_order_that_was_asked_for_also_where_the_service_sorts_otherwise(order: str, expected: list[str]) -> None:
    found = [defender_incident(number, createdTime=f"2026-01-0{5 - number}T00:00:00Z") for number in (2, 3, 1)]
    assert ids(reader(intake(script(page(*found)), api="defender"), order=order).collect()) == expected


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"", [], {"value": None}, {"value": {}}, {"error": "x"}, None])
def test_an_answer_that_is_no_list_of_incidents_is_an_error_with_the_tenant_and_a_next_step(body: Any) -> None:
    with pytest.raises(TransportError) as caught:
        reader(intake(script(Answer(body=body)))).collect()
    assert caught.value.tenant_id == "11111111-1111-4111-8111-000000000001"
    assert caught.value.next_step


OTHER_TENANT = "99999999-9999-4999-8999-000000000009"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"value": [None, None]}, "no object"),
        ({"value": ["x"]}, "no object"),
        ({"value": [{"displayName": "Incident"}]}, "without an id"),
        ({"value": [graph_incident(1), {**graph_incident(2), "id": ""}]}, "without an id"),
        ({"value": [], "error": {"code": "InternalError", "message": "odd"}}, "reports an error"),
        ({"value": [graph_incident(1), graph_incident(2, tenantId=OTHER_TENANT)]}, "another tenant"),
    ],
)
@pytest.mark.parametrize("include_alerts", [False, True])
def test_an_entry_that_is_malformed_or_of_another_tenant_refuses_the_whole_reading(body: Any, reason: str, *, include_alerts: bool) -> None:
    with pytest.raises(TransportError, match=reason) as caught:
        reader(intake(script(Answer(body=body)), include_alerts=include_alerts)).collect()
    assert caught.value.state == "unreachable"
    assert OTHER_TENANT not in str(caught.value)


def test_the_tenants_own_id_is_accepted_in_any_case() -> None:
    session = script(page(graph_incident(1, tenantId=TENANT.upper())))
    assert ids(reader(intake(session)).collect()) == ["1"]


@pytest.mark.parametrize(
    "body", [{}, {"id": ""}, [None], graph_incident(7, tenantId=OTHER_TENANT), {**graph_incident(7), "error": {"code": "x"}}]
)
def test_an_incident_that_is_read_by_id_is_checked_as_those_of_a_list_are(body: Any) -> None:
    with pytest.raises(TransportError):
        read_by_id(intake(script(Answer(body=body))), ["7"])


def test_an_alert_is_not_told_from_others_by_the_incident_it_belongs_to() -> None:
    session = script(Answer(body={"value": [{"incidentId": "7", "title": "Alert"}]}))
    with pytest.raises(TransportError, match="without an id"):
        GraphAlerts(client(session)).fetch(f"{BASES['graph']}/v1.0/security/alerts_v2", top=100)


def test_fewer_incidents_than_the_service_counts_are_never_called_complete() -> None:
    session = script(page(graph_incident(1), total=50), page(graph_incident(1)))
    reading = reader(intake(session))
    assert ids(reading.collect()) == ["1"]
    assert reading.report.reason == "the service counts 50, but handed out 1"


def test_what_the_count_misses_on_the_only_page_is_read_by_time() -> None:
    session = script(page(total=2), page(graph_incident(1), graph_incident(2)))
    reading = reader(intake(session))
    assert ids(reading.collect()) == ["2", "1"]
    assert reading.report.complete


def _empty_pages(count: int) -> list[Answer]:
    return [page(next_link=f"{GRAPH_LIST}?$skiptoken={number}", total=1) for number in range(count)]


@pytest.mark.parametrize("include_alerts", [False, True])
def test_empty_pages_that_lead_on_without_end_are_given_up(*, include_alerts: bool) -> None:
    session = script(*_empty_pages(30))
    with pytest.raises(TransportError, match="20 empty pages in a row"):
        reader(intake(session, include_alerts=include_alerts)).collect()
    assert len(session.requests) == 20


def test_some_empty_pages_among_others_are_read_over() -> None:
    session = script(*_empty_pages(19), page(graph_incident(1), total=1))
    assert ids(reader(intake(session)).collect()) == ["1"]


def test_a_missing_role_is_told_from_a_missing_licence() -> None:
    message = (
        "Missing application roles. API required roles: SecurityIncident.Read.All,SecurityIncident.ReadWrite.All, application roles: ."
    )
    with pytest.raises(PermissionDenied) as caught:
        reader(intake(script(graph_error(403, "Forbidden", message)))).collect()
    assert caught.value.state == "consented_without_roles"
    assert "SecurityIncident.Read.All" in (caught.value.next_step or "")


def test_a_refused_filter_is_an_error_with_what_the_service_said() -> None:
    with pytest.raises(ServiceError, match="Invalid filter clause"):
        reader(intake(script(graph_error(400, "BadRequest", "Invalid filter clause: x")), IncidentQuery(raw_filter="x"))).collect()


def test_incidents_are_read_by_id_once_each_and_unknown_ids_are_named() -> None:
    session = script(Answer(body=graph_incident(7)), graph_error(404, "ResourceNotFound"), Answer(body=graph_incident(5)))
    found = read_by_id(intake(session), ["7", "6", "7", "5"])
    assert (ids(found[0]), found[1]) == (["7", "5"], ["6"])
    assert session.lines() == [f"GET {GRAPH_LIST}/{number}" for number in (7, 6, 5)]


def test_defender_is_asked_by_id_with_its_alerts_inline() -> None:
    session = script(Answer(body=defender_incident(7, alerts=[{"alertId": "da1"}])))
    found, _missing = read_by_id(intake(session, api="defender", include_alerts=True), ["7"])
    assert session.lines() == [f"GET {BASES['defender']}/api/incidents/7"]
    assert ids(found[0]["alerts"]) == ["da1"]
