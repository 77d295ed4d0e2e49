# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole results, in parts where need be, with the emulator's engine behind both services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.faults import HuntingFault
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.ready import READY_QUERIES
from unit.hunting.support import hunt, read, scripted, served
from unit.support.scripted_http import Answer

ROWS = 1_060
APIS = pytest.mark.parametrize("api", ["graph", "defender"])


def _events(world: Any, **hunting: Any) -> Any:
    return world(hunting={"extra_rows": ROWS - 60, **hunting})


@APIS
@pytest.mark.parametrize("timespan", [None, "P30D", "2026-10-02T12:00:00Z/2026-11-01T12:00:00Z"])
def test_a_result_beyond_the_limit_of_the_service_is_read_in_parts_with_each_row_once(world: Any, api: str, timespan: str | None) -> None:
    source, session = served(api, _events(world, row_limit=200))
    rows, report = read(source, query="CloudAppEvents | project ReportId, Timestamp", service_row_limit=200, timespan=timespan)
    assert len(rows) == len({row["ReportId"] for row in rows}) == ROWS
    assert (report.complete, report.reason, report.count) == (True, None, ROWS)
    # Eight parts, and the windows that were too large: one of the whole, two halves, four quarters.
    assert report.parts == len(session.bodies) == 15


@APIS
@pytest.mark.parametrize(("order", "reverse"), [("asc", False), ("desc", True), ("", True)])
def test_parts_keep_the_order_that_the_query_asks_for(world: Any, api: str, order: str, reverse: bool) -> None:
    source, _session = served(api, _events(world, row_limit=200))
    rows, report = read(source, query=f"CloudAppEvents | project Timestamp | order by Timestamp {order}", service_row_limit=200)
    times = [row["Timestamp"] for row in rows]
    assert len(times) == ROWS
    assert times == sorted(times, reverse=reverse)
    assert report.complete


@APIS
def test_a_query_that_takes_the_window_by_itself_is_divided_by_it(world: Any, api: str) -> None:
    source, session = served(api, _events(world, row_limit=400))
    query = "CloudAppEvents | where Timestamp >= window_start and Timestamp < window_end | project ReportId"
    rows, report = read(source, query=query, service_row_limit=400)
    assert len({row["ReportId"] for row in rows}) == len(rows)
    assert ROWS - 1 <= len(rows) <= ROWS
    assert all("| where Timestamp >= datetime" not in body["Query"] for body in session.bodies)
    assert report.complete


@APIS
@pytest.mark.parametrize(
    ("query", "options", "reason"),
    [
        ("CloudAppEvents | order by ReportId asc", {}, "it uses order, which needs all rows at once"),
        ("CloudAppEvents | project ReportId", {"split": "never"}, "split=never"),
        ("CloudAppEvents | project ReportId", {"shortest_part": "30d"}, "is as short as allowed"),
    ],
)
def test_a_result_that_is_cut_and_cannot_be_divided_says_so(world: Any, api: str, query: str, options: Any, reason: str) -> None:
    source, session = served(api, _events(world, row_limit=200))
    rows, report = read(source, query=query, service_row_limit=200, **options)
    assert (len(rows), report.complete, len(session.bodies)) == (200, False, 1)
    assert reason in str(report.reason)
    assert "at most 200 rows" in str(report.reason)


@APIS
def test_the_user_may_know_better_that_parts_add_up(world: Any, api: str) -> None:
    source, _session = served(api, _events(world, row_limit=100))
    query = "CloudAppEvents | summarize n = count() by bin(Timestamp, 1h)"
    rows, report = read(source, query=query, service_row_limit=100, split="always")
    assert sum(row["n"] for row in rows) == ROWS
    assert report.complete


@APIS
def test_a_query_that_needs_too_much_is_divided_until_it_does_not(world: Any, api: str) -> None:
    source, _session = served(api, _events(world, max_scan=300))
    rows, report = read(source, query="CloudAppEvents | project ReportId")
    assert len({row["ReportId"] for row in rows}) == len(rows) == ROWS
    assert report.complete


_NO_TIMESTAMP = Answer(
    400, {"error": {"code": "BadRequest", "message": "'where' operator: Failed to resolve column or scalar expression named 'Timestamp'"}}
)


@APIS
def test_a_table_without_the_column_of_the_window_is_delivered_as_far_as_it_came(api: str) -> None:
    names = ("schema", "name", "type", "results") if api == "graph" else ("Schema", "Name", "Type", "Results")
    whole = Answer(200, {names[0]: [{names[1]: "n", names[2]: "Int32"}], names[3]: [{"n": 1}, {"n": 2}]})
    source, session, _slept = scripted(api, whole, _NO_TIMESTAMP)
    rows, report = read(source, query="DeviceTvmSoftwareInventory", service_row_limit=2)
    assert (rows, report.count, report.complete) == ([{"n": 1}, {"n": 2}], 2, False)
    assert report.reason == (
        "the service returns at most 2 rows, and the window was not divided: the service knows no Timestamp in its first table"
    )
    assert len(session.requests) == 2


def test_a_table_without_the_column_of_the_window_fails_with_what_it_failed_of_first() -> None:
    slow = Answer(400, {"error": {"code": "BadRequest", "message": "Query execution has exceeded the timeout period"}})
    source, _session, _slept = scripted("graph", slow, _NO_TIMESTAMP)
    with pytest.raises(HuntingFault, match="The window was not divided: the service knows no Timestamp") as caught:
        read(source, query="DeviceTvmSoftwareInventory")
    assert caught.value.kind == "timeout"


def test_a_fault_that_only_a_later_part_has_is_not_taken_for_a_missing_column() -> None:
    full = Answer(200, {"schema": [{"name": "n", "type": "Int32"}], "results": [{"n": 1}, {"n": 2}]})
    half = Answer(200, {"schema": [{"name": "n", "type": "Int32"}], "results": [{"n": 1}]})
    source, _session, _slept = scripted("graph", full, half, _NO_TIMESTAMP)
    with pytest.raises(HuntingFault, match="Failed to resolve"):
        read(source, query="CloudAppEvents", service_row_limit=2)


@pytest.mark.parametrize("fault", ["timeout", "gateway_timeout", "result_size", "resources"])
def test_a_query_that_cannot_be_divided_fails_with_the_reason(world: Any, fault: str) -> None:
    source, session = served("graph", world(hunting={"fault": fault}))
    with pytest.raises(HuntingFault, match=r"The window was not divided: it uses count"):
        read(source, query="AlertInfo | count")
    assert len(session.bodies) == 1


@pytest.mark.parametrize("fault", ["timeout", "result_size"])
def test_dividing_ends_at_the_shortest_part(world: Any, fault: str) -> None:
    source, session = served("graph", world(hunting={"fault": fault}))
    with pytest.raises(HuntingFault, match=r"as short as allowed"):
        read(source, query="AlertInfo", timespan="P4D", shortest_part="1d")
    assert [("Timestamp <" in body["Query"]) for body in session.bodies] == [False, True, True]


@APIS
@pytest.mark.parametrize(("limit", "count", "complete"), [(10, 10, False), (ROWS, ROWS, True), (ROWS + 5, ROWS, True)])
def test_a_limit_of_rows_is_kept_and_said(world: Any, api: str, limit: int, count: int, complete: bool) -> None:
    source, session = served(api, _events(world))
    rows, report = read(source, query="CloudAppEvents", row_limit=limit)
    assert (len(rows), report.count, report.complete, len(session.bodies)) == (count, count, complete, 1)
    assert session.bodies[0]["Query"].endswith(f"| take {limit + 1}")
    assert complete or f"the row_limit of {limit}" in str(report.reason)


def test_a_limit_of_rows_beyond_what_the_service_returns_holds_over_the_parts(world: Any) -> None:
    source, _session = served("graph", _events(world, row_limit=200))
    rows, report = read(source, query="CloudAppEvents | project ReportId", service_row_limit=200, row_limit=500)
    assert len({row["ReportId"] for row in rows}) == len(rows) == 500
    assert report.reason == "there are more than the row_limit of 500"


def test_a_hundred_thousand_rows_are_not_the_end(world: Any) -> None:
    source, _session = served("graph", world(hunting={"extra_rows": 100_940}))
    rows, report = read(source, query="CloudAppEvents | project ReportId")
    assert (len(rows), report.complete, report.parts) == (101_000, True, 3)


@APIS
def test_the_window_holds_whichever_service_answers(world: Any, api: str) -> None:
    source, _session = served(api, _events(world))
    rows, _report = read(source, query="CloudAppEvents | project Timestamp", timespan="2026-10-20T00:00:00Z/P3D")
    assert 104 <= len(rows) <= 108
    assert all("2026-10-20" <= row["Timestamp"] <= "2026-10-23T00:00:00.0000000Z" for row in rows)


@pytest.mark.parametrize("name", READY_QUERIES)
def test_a_ready_query_takes_a_window_on_the_defender_api_too(world: Any, name: str) -> None:
    source, session = served("defender", world())
    parameters = {"alert_ids": ["da1"]} if READY_QUERIES[name].required else {}
    _rows, report = read(source, ready_query=name, parameters=parameters, timespan="2026-10-20/P1D")
    assert report.complete
    assert "| where Timestamp >= datetime(2026-10-20T00:00:00.0000000Z)" in session.bodies[0]["Query"]


@pytest.mark.parametrize(
    "query", ["print 1", "AlertInfo | join AlertEvidence on AlertId", "let x = AlertEvidence; AlertInfo", "union AlertInfo, AlertEvidence"]
)
def test_a_window_that_the_defender_api_cannot_be_given_is_refused_before_any_request(world: Any, query: str) -> None:
    source, session = served("defender", world())
    with pytest.raises(OptionError, match="takes no timespan"):
        read(source, query=query, timespan="P1D")
    assert session.bodies == []


@APIS
@pytest.mark.parametrize("name", READY_QUERIES)
def test_every_ready_query_runs_on_both_services_and_finds_rows(world: Any, api: str, name: str) -> None:
    here = world()
    alerts = [alert.id for incident in list(here.store.newest_first())[:3] for alert in here.store.alerts_of(incident.id)]
    parameters: dict[str, Any] = {"alert_ids": alerts} if "alert_ids" in READY_QUERIES[name].required else {}
    if name == "related_alerts":
        involved, _report = read(served(api, here)[0], ready_query="incident_entities", parameters={"alert_ids": alerts})
        parameters = {"account_ids": [row["AccountObjectId"] for row in involved if row["AccountObjectId"]]}
    rows, report = read(served(api, here)[0], ready_query=name, parameters=parameters)
    assert rows
    assert report.complete
    assert [column.name for column in report.columns] == list(rows[0])


def test_ready_queries_take_their_parameters(world: Any) -> None:
    source, _session = served("graph", world())
    rows, _report = read(source, ready_query="app_permissions", parameters={"wanted_app": "Contoso Mail Sync"})
    assert sorted((row["AppName"], row["PermissionValue"], row["InUse"]) for row in rows) == [
        ("Contoso Mail Sync", "Mail.Read", True),
        ("Contoso Mail Sync", "Mail.Send", False),
    ]
    unused, _report = read(source, ready_query="unused_permissions")
    assert unused
    assert {row["InUse"] for row in unused} == {False}
    consents, _report = read(source, ready_query="consent_activity")
    assert {row["ActionType"] for row in consents} == {"Consent to application."}
    activity, _report = read(source, ready_query="app_activity", parameters={"wanted_actions": ["FileDownloaded"]})
    assert {row["ActionType"] for row in activity} == {"FileDownloaded"}


def test_from_the_alerts_of_an_incident_to_other_alerts_with_the_same_entities(world: Any) -> None:
    here = world()
    incident = next(iter(here.store.newest_first()))
    own = [alert.id for alert in here.store.alerts_of(incident.id)]
    source, _session = served("graph", here)
    alerts, _report = read(source, ready_query="incident_alerts", parameters={"alert_ids": own})
    assert sorted(row["AlertId"] for row in alerts) == sorted(own)
    entities, _report = read(source, ready_query="incident_entities", parameters={"alert_ids": own})
    accounts = {row["AccountObjectId"] for row in entities} - {""}
    devices = {row["DeviceId"] for row in entities} - {""}
    assert accounts or devices
    chosen = {"account_ids": sorted(accounts), "device_ids": sorted(devices), "known_alert_ids": own}
    related, _report = read(source, ready_query="related_alerts", parameters=chosen)
    evidence, _report = read(source, query="AlertEvidence | project AlertId, AccountObjectId, DeviceId")
    shared = {row["AlertId"] for row in evidence if row["AccountObjectId"] in accounts or row["DeviceId"] in devices}
    assert {row["AlertId"] for row in related} == shared - set(own)


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("incident_alerts", {}, "needs the parameter alert_ids"),
        ("incident_alerts", {"alert_ids": "da1"}, "has to be a list"),
        ("app_permissions", {"wanted": "x"}, "has no parameter wanted"),
        ("app_permissions", {"wanted_app": 5}, "has to be a text"),
    ],
)
def test_a_ready_query_says_what_it_takes(name: str, parameters: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        hunt(ready_query=name, parameters=parameters)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"query": "T", "row_limit": 0}, "row_limit must be at least 1"),
        ({"query": "T", "service_row_limit": 0}, "service_row_limit must be at least 1"),
        ({"query": "T", "shortest_part": "0"}, "at least one second"),
        ({"query": "T", "timespan": "P1M"}, "timespan"),
        ({"query_file": "/nowhere/query.kql"}, "cannot be read"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        hunt(**options)


def test_a_query_may_stand_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "query.kql"
    path.write_text("\ufeffAlertInfo // ä\n", encoding="utf-8")
    assert hunt(query_file=str(path)).query.text == "AlertInfo // ä\n"


def test_the_guide_and_the_module_name_every_ready_query() -> None:
    root = Path(__file__).resolve().parents[3]
    guide = (root / "docs/docsite/rst/guide_hunting.rst").read_text(encoding="utf-8")
    module = (root / "plugins/modules/m365d_hunting.py").read_text(encoding="utf-8")
    for name, query in READY_QUERIES.items():
        assert f"``{name}``" in guide
        assert f"      - V({name}) - " in module
        names = [f"C({parameter})" for parameter in (*query.required, *query.defaults)]
        line = next(line for line in module.splitlines() if f"O(ready_query={name}) takes" in line)
        assert all(parameter in line for parameter in names)
