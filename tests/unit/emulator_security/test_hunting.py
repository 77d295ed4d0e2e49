# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hunting on both backends: shapes, limits, windows, faults."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.security.hunting import duration, window_of
from emulator.security.hunting_tables import COLUMNS
from emulator.security.times import DAY, HOUR, parse_iso

NOW = parse_iso("2026-11-01T12:00:00Z")


def _graph(here: Any, query: str, timespan: str | None = None) -> Any:
    body = {"Query": query} | ({"Timespan": timespan} if timespan else {})
    return here.graph("runHuntingQuery", method="POST", json=body)


def _defender(here: Any, query: str) -> Any:
    return here.defender("advancedhunting/run", method="POST", json={"Query": query})


def test_the_same_query_gives_the_same_rows_in_each_backends_shape(world: Any) -> None:
    here = world()
    query = "AlertInfo | project Timestamp, AlertId, Severity | order by AlertId asc"
    one, other = _graph(here, query), _defender(here, query)
    assert (one.status_code, other.status_code) == (200, 200)
    assert set(one.json()) == {"@odata.context", "schema", "results"}
    assert set(other.json()) == {"Stats", "Schema", "Results"}
    assert one.json()["schema"][0] == {"name": "Timestamp", "type": "DateTime"}
    assert other.json()["Schema"][0] == {"Name": "Timestamp", "Type": "DateTime"}
    assert one.json()["results"] == other.json()["Results"]
    assert {"ExecutionTime", "resource_usage", "dataset_statistics"} == set(other.json()["Stats"])


def test_the_tables_tell_of_the_same_alerts_as_the_incidents(world: Any) -> None:
    here = world()
    alerts = {alert.id: alert for incident in here.store.newest_first() for alert in here.store.alerts_of(incident.id)}
    rows = _graph(here, "AlertInfo").json()["results"]
    assert {row["AlertId"] for row in rows} == set(alerts)
    evidence = _graph(here, "AlertEvidence | summarize n = count() by AlertId").json()["results"]
    assert {row["AlertId"]: row["n"] for row in evidence} == {key: len(alert.evidence) for key, alert in alerts.items()}
    new = here.admin(f"{here.store.tenant_id}/incidents", "POST", {}).json()["incidents"][0]
    assert len(_graph(here, "AlertInfo").json()["results"]) == len(alerts) + len(here.store.alerts_of(int(new["id"])))


@pytest.mark.parametrize("table", sorted(COLUMNS))
def test_every_table_has_rows_with_its_columns_and_types(world: Any, table: str) -> None:
    here = world()
    answer = _graph(here, table).json()
    assert [column["name"] for column in answer["schema"]] == list(COLUMNS[table])
    assert answer["results"]
    for row in answer["results"]:
        assert list(row) == list(COLUMNS[table])
    assert "mark" not in str(answer["results"])


def test_the_users_of_a_tenant_belong_to_its_domain(world: Any) -> None:
    rows = _graph(world(), "IdentityInfo | summarize arg_max(Timestamp, *) by AccountObjectId | project AccountUpn").json()["results"]
    assert rows
    assert all(row["AccountUpn"].endswith("@fabrikam.com") for row in rows)


def test_apps_with_permissions_can_be_found(world: Any) -> None:
    query = (
        "OAuthAppInfo | summarize arg_max(Timestamp, *) by OAuthAppId | mv-expand Permissions"
        " | extend Permission = tostring(Permissions.PermissionValue) | where Permission has_any ('Mail', 'Directory')"
        " | summarize make_set(Permission) by AppName"
    )
    rows = {row["AppName"]: row["set_Permission"] for row in _graph(world(), query).json()["results"]}
    assert rows["Contoso Mail Sync"] == ["Mail.Read", "Mail.Send"]


def test_an_app_that_was_granted_roles_in_the_directory_shows_up(world: Any) -> None:
    from emulator.auth import GRAPH
    from emulator.model import Application, AppRoleAssignment, ServicePrincipal

    here = world()
    cloud, tenant = here.cloud, here.cloud.tenants[here.store.tenant_id]
    graph = ServicePrincipal("sp-graph", GRAPH, tenant.tenant_id, "microsoft", cloud.now())
    app = Application("object", "55555555-5555-4555-8555-000000000005", "home", cloud.now(), {"displayName": "Contoso SOC"})
    cloud.add_application(app)
    principal = ServicePrincipal("sp-app", app.app_id, tenant.tenant_id, "home", cloud.now())
    for one in (graph, principal):
        tenant.directory.add_service_principal(one)
    role = "45cc0394-e837-488b-a098-1918f48d186c"
    tenant.directory.add_assignment(AppRoleAssignment("a1", principal.id, graph.id, role, cloud.now()))
    rows = _graph(here, "OAuthAppInfo | where AppName == 'Contoso SOC' | project AppOrigin, Permissions").json()["results"]
    assert [(row["AppOrigin"], row["Permissions"][0]["PermissionValue"]) for row in rows] == [("External", "SecurityIncident.Read.All")]


@pytest.mark.parametrize("key", ["Query", "query"])
def test_graph_takes_its_parameters_in_either_case(world: Any, key: str) -> None:
    here = world()
    body = {key: "print x = 1", ("Timespan" if key == "Query" else "timespan"): "P7D"}
    assert here.graph("runHuntingQuery", method="POST", json=body).json()["results"] == [{"x": 1}]
    assert here.graph("microsoft.graph.security.runHuntingQuery", method="POST", json=body).status_code == 200


@pytest.mark.parametrize(
    ("family", "body", "code"),
    [
        ("graph", {}, "BadRequest"),
        ("graph", {"Query": ""}, "BadRequest"),
        ("graph", {"Query": 5}, "BadRequest"),
        ("graph", {"Query": "print 1", "Limit": 5}, "BadRequest"),
        ("graph", {"Query": "print 1", "Timespan": "a week"}, "BadRequest"),
        ("defender", {}, "InvalidRequestBody"),
        ("defender", {"query": "print 1"}, "InvalidRequestBody"),
        ("defender", {"Query": "print 1", "Timespan": "P1D"}, "InvalidRequestBody"),
    ],
)
def test_bodies_outside_the_documented_ones_are_refused(world: Any, family: str, body: Any, code: str) -> None:
    here = world()
    path = "runHuntingQuery" if family == "graph" else "advancedhunting/run"
    answer = getattr(here, family)(path, method="POST", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("AlertInfo | where", "A recognition error occurred."),
        ("AlertInfo | project x", "'project' operator: Failed to resolve column or scalar expression named 'x'"),
    ],
)
def test_faulty_queries_answer_400_with_the_engines_words(world: Any, query: str, text: str) -> None:
    here = world()
    for answer in (_graph(here, query), _defender(here, query)):
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "BadRequest"
        assert text in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "graph", "defender", "text"),
    [
        ("timeout", (400, "BadRequest"), (400, "BadRequest"), "timeout period"),
        ("gateway_timeout", (504, "UnknownError"), (504, "InternalServerError"), ""),
        ("cpu", (429, "TooManyRequests"), (429, "429"), "exceeded processing resources allocated to this tenant"),
        ("result_size", (400, "BadRequest"), (400, "BadRequest"), "Result size limit exceeded"),
        ("resources", (400, "BadRequest"), (400, "BadRequest"), "exceeded the allowed limits"),
        ("unknown", (500, "UnknownError"), (500, "InternalServerError"), "unexpected error"),
    ],
)
def test_each_limit_is_reported_in_the_services_words(
    world: Any, fault: str, graph: tuple[int, str], defender: tuple[int, str], text: str
) -> None:
    here = world(hunting={"fault": fault})
    for answer, expected in ((_graph(here, "print 1"), graph), (_defender(here, "print 1"), defender)):
        assert (answer.status_code, answer.json()["error"]["code"]) == expected
        assert text in answer.json()["error"]["message"]
        assert answer.headers.get("retry-after") == ("840" if fault == "cpu" else None)


def test_a_fault_can_be_over_after_some_queries(world: Any) -> None:
    here = world(hunting={"fault": "cpu", "fault_count": 2})
    assert [_graph(here, "print 1").status_code for _unused in range(3)] == [429, 429, 200]


@pytest.mark.parametrize(("limit", "rows"), [(50, 50), (1_060, 1_060), (5_000, 1_060)])
def test_rows_beyond_the_limit_are_dropped_without_a_word(world: Any, limit: int, rows: int) -> None:
    here = world(hunting={"row_limit": limit, "extra_rows": 1_000})
    for answer in (_graph(here, "CloudAppEvents"), _defender(here, "CloudAppEvents")):
        assert answer.status_code == 200
        assert len(answer.json().get("results", answer.json().get("Results"))) == rows
    assert _graph(here, "CloudAppEvents | count").json()["results"] == [{"Count": 1_060}]


def test_slices_of_time_hold_all_rows_once(world: Any) -> None:
    here = world(hunting={"extra_rows": 1_000})
    everything = {row["ReportId"] for row in _graph(here, "CloudAppEvents").json()["results"]}
    found: list[str] = []
    for day in range(0, 30, 5):
        low, high = f"datetime(2026-10-02T12:00:00Z) + {day}d", f"datetime(2026-10-02T12:00:00Z) + {day + 5}d"
        query = f"CloudAppEvents | where Timestamp >= {low} and Timestamp < {high} | project ReportId"
        found += [row["ReportId"] for row in _graph(here, query).json()["results"]]
    assert len(found) == len(set(found))
    assert set(found) == everything


def test_a_query_that_reads_too_much_fails_until_its_time_span_is_short_enough(world: Any) -> None:
    here = world(hunting={"extra_rows": 1_000, "max_scan": 400})
    assert _graph(here, "CloudAppEvents | summarize count()").status_code == 400
    assert _graph(here, "CloudAppEvents | summarize count()", "P7D").status_code == 200
    assert _defender(here, "CloudAppEvents | where Timestamp > ago(7d) | summarize count()").status_code == 200


def test_a_hundred_thousand_rows_are_the_end(world: Any) -> None:
    here = world(hunting={"extra_rows": 100_100})
    assert len(_defender(here, "CloudAppEvents | project ReportId").json()["Results"]) == 100_000


@pytest.mark.parametrize(
    ("timespan", "first", "last"),
    [
        (None, NOW - 30 * DAY, NOW),
        ("P7D", NOW - 7 * DAY, NOW),
        ("PT12H", NOW - 12 * HOUR, NOW),
        ("P1DT2H", NOW - 26 * HOUR, NOW),
        ("P2W", NOW - 14 * DAY, NOW),
        ("P90D", NOW - 30 * DAY, NOW),
        ("2026-10-20T00:00:00Z/2026-10-21T00:00:00Z", parse_iso("2026-10-20T00:00:00Z"), parse_iso("2026-10-21T00:00:00Z")),
        ("2026-10-20T00:00:00Z/P1D", parse_iso("2026-10-20T00:00:00Z"), parse_iso("2026-10-21T00:00:00Z")),
        ("P1D/2026-10-21T00:00:00Z", parse_iso("2026-10-20T00:00:00Z"), parse_iso("2026-10-21T00:00:00Z")),
    ],
)
def test_the_window_is_the_time_span_within_thirty_days(timespan: str | None, first: int, last: int) -> None:
    assert window_of(timespan, NOW) == (first, last)


@pytest.mark.parametrize("text", ["", "P", "PT", "7D", "P1X", "-P1D"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid ISO 8601 duration"):
        duration(text)


def test_the_time_span_and_the_querys_own_filter_both_hold(world: Any) -> None:
    here = world(hunting={"extra_rows": 2_940})  # 3,000 rows in 30 days.
    query = "CloudAppEvents | where Timestamp > ago({}) | count"
    counts = [_graph(here, query.format(own), span).json()["results"][0]["Count"] for own, span in (("10d", "P3D"), ("3d", "P10D"))]
    assert all(abs(count - 300) <= 2 for count in counts)


def test_rows_may_carry_annotations_and_numbers_for_booleans(world: Any) -> None:
    here = world(hunting={"type_annotations": True, "bool_as_number": True})
    row = _graph(here, "DeviceInfo | take 1 | project Timestamp, DeviceName, IsAzureADJoined").json()["results"][0]
    assert row["Timestamp@odata.type"] == "#DateTimeOffset"
    assert row["IsAzureADJoined"] in (0, 1)
    assert not isinstance(row["IsAzureADJoined"], bool)


@pytest.mark.parametrize("family", ["graph", "defender"])
def test_hunting_has_its_own_quota_of_45_a_minute(world: Any, family: str) -> None:
    here = world(quota=True)
    ask = _graph if family == "graph" else _defender
    assert {ask(here, "print 1").status_code for _unused in range(45)} == {200}
    refused = ask(here, "print 1")
    assert refused.status_code == 429
    if family == "defender":
        assert refused.json()["error"]["message"] == "API calls quota exceeded! maximum allowed 45 per 00:01:00"
    assert here.graph("incidents").status_code == 200


@pytest.mark.parametrize(
    ("family", "path", "roles"),
    [
        ("graph", "/v1.0/security/runHuntingQuery", ["SecurityIncident.Read.All"]),
        ("defender", "/api/advancedhunting/run", ["Incident.Read.All"]),
    ],
)
def test_hunting_needs_its_own_permission(world: Any, family: str, path: str, roles: list[str]) -> None:
    here = world()
    answer = here.client.post(path, json={"Query": "print 1"}, headers=here.token(family, roles))
    assert answer.status_code == 403
    assert "Hunting.Read.All, application roles: " in answer.json()["error"]["message"]
