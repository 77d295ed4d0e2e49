# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365d_alerts: which requests each way of asking makes, and what it returns."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, ServiceError, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import ALERT_KEYS
from ansible_collections.m365d.partner.plugins.module_utils._ops import alerts as module
from unit.support.scripted_http import Answer
from unit.writers.exchange import GRAPH, Exchange, Played, defender_incident, graph_alert, graph_incident, play, refused

ORDER = "$orderby=lastUpdateDateTime desc"
FIRST = f"GET alerts_v2?$top=100&{ORDER}&$count=true"


def page(*entries: dict[str, Any], next_link: str | None = None, total: int | None = None, **answer: Any) -> Answer:
    """A page of a list."""
    body: dict[str, Any] = {"value": list(entries)}
    if next_link:
        body["@odata.nextLink"] = next_link
    if total is not None:
        body["@odata.count"] = total
    return Answer(body=body, **answer)


def ids(played: Played) -> list[str]:
    """The ids of the alerts that were returned."""
    return [alert["id"] for alert in played.result["alerts"]]


def run(monkeypatch: pytest.MonkeyPatch, *script: Exchange, **given: Any) -> Played:
    """Play the operation."""
    return play(monkeypatch, module, *script, **given)


def defender_alert(number: int, **members: Any) -> dict[str, Any]:
    """An alert as the Defender API writes it within an incident."""
    return {
        "alertId": f"da{number}",
        "title": f"Alert {number}",
        "status": "New",
        "severity": "High",
        "serviceSource": "MicrosoftDefenderATP",
        "creationTime": "2026-01-01T00:00:00Z",
        "lastUpdatedTime": f"2026-01-02T00:00:00.{number:07d}Z",
        "devices": [],
        "entities": [],
        **members,
    }


def test_all_pages_are_read_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    link = f"{GRAPH}alerts_v2?$skiptoken=x"
    script = (
        Exchange(FIRST, page(graph_alert(3), graph_alert(2), next_link=link, total=3)),
        Exchange("GET alerts_v2?$skiptoken=x", page(graph_alert(1), total=3)),
    )
    played = run(monkeypatch, *script)
    assert ids(played) == ["da3", "da2", "da1"]
    assert (played.result["complete"], played.result["count"], played.result["requests"]) == (True, 3, 2)
    assert set(played.result["alerts"][0]) == set(ALERT_KEYS)
    assert played.result["by_severity"]["high"] == 3


@pytest.mark.parametrize(
    ("given", "odata", "local"),
    [
        ({"status": ["new"]}, "status eq 'new'", []),
        ({"status": ["new", "inProgress"]}, "(status eq 'inProgress' or status eq 'new')", []),
        ({"service_sources": ["OfficeATP"]}, "serviceSource eq 'microsoftDefenderForOffice365'", []),
        ({"assigned_to": "o'hara@contoso.example"}, "assignedTo eq 'o''hara@contoso.example'", []),
        ({"updated_since": "2026-01-01", "updated_until": "2026-01-03"}, None, []),
        ({"filter": "severity eq 'high'"}, "(severity eq 'high')", []),
        ({"categories": ["execution"]}, None, ["categories"]),
        ({"mitre_techniques": ["T1059"]}, None, ["mitre_techniques"]),
        ({"detection_sources": ["antivirus"]}, None, ["detection_sources"]),
        ({"unassigned": True}, None, ["unassigned"]),
    ],
)
def test_filters_are_pushed_where_the_service_has_them(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], odata: str | None, local: list[str]
) -> None:
    if "updated_since" in given:
        odata = "lastUpdateDateTime ge 2026-01-01T00:00:00.0000000Z and lastUpdateDateTime le 2026-01-03T00:00:00.0000000Z"
    pushed = f"&$filter={odata}" if odata else ""
    played = run(monkeypatch, Exchange(f"GET alerts_v2?$top=100{pushed}&{ORDER}&$count=true", page(graph_alert(1), total=1)), **given)
    assert played.result["filters"]["odata"] == odata
    assert played.result["filters"]["local"] == local
    assert ids(played) == ["da1"]


@pytest.mark.parametrize("given", [{"categories": ["phishing"]}, {"mitre_techniques": ["T105"]}, {"detection_sources": ["smartScreen"]}])
def test_what_a_local_filter_keeps_out_is_not_returned(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]) -> None:
    played = run(monkeypatch, Exchange(FIRST, page(graph_alert(1), total=1)), **given)
    assert (ids(played), played.result["complete"]) == ([], True)


def test_a_limit_asks_for_no_more_and_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Exchange(f"GET alerts_v2?$top=1&{ORDER}", page(graph_alert(2), next_link=f"{GRAPH}alerts_v2?$skiptoken=x"))
    played = run(monkeypatch, script, limit=1)
    assert (ids(played), played.result["complete"]) == (["da2"], False)
    assert played.result["partial_reason"] == "there are more than the limit of 1"
    assert len(played.warnings) == 1


def test_a_service_that_does_not_sort_is_asked_without_order_and_sorted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        Exchange(FIRST, refused(400, "BadRequest", "The query option '$orderby' is not supported.")),
        Exchange("GET alerts_v2?$top=100&$count=true", page(graph_alert(1), graph_alert(2), total=2)),
    )
    assert ids(run(monkeypatch, *script)) == ["da2", "da1"]


def test_further_pages_of_a_service_that_does_not_sort_are_asked_for_by_instants(monkeypatch: pytest.MonkeyPatch) -> None:
    """An offset would lose an alert where another one left the filter between the two pages."""
    newest = [graph_alert(number, lastUpdateDateTime=f"2026-01-{number:02d}T00:00:00Z") for number in (9, 8)]
    oldest = [graph_alert(number, lastUpdateDateTime=f"2026-01-{number:02d}T00:00:00Z") for number in (9, 8, 7)]
    status = "$filter=status eq 'new'"
    rest = "(lastUpdateDateTime le 2026-01-08T00:00:00.0000000Z or createdDateTime le 2026-01-01T00:00:00.0000000Z"
    rest += " or lastUpdateDateTime ge 2026-01-08T23:55:00.0000000Z)"
    script = (
        Exchange(f"GET alerts_v2?$top=100&{status}&{ORDER}&$count=true", refused(400, "BadRequest", "$orderby is not supported.")),
        Exchange(f"GET alerts_v2?$top=100&{status}&$count=true", page(*newest, next_link=f"{GRAPH}alerts_v2?$skiptoken=x", total=3)),
        Exchange(f"GET alerts_v2?$top=100&{status} and {rest}", page(*oldest)),
    )
    played = run(monkeypatch, *script, status=["new"])
    assert (ids(played), played.result["complete"]) == (["da9", "da8", "da7"], True)


def test_another_refusal_is_not_taken_for_one_of_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Exchange(
        f"GET alerts_v2?$top=100&$filter=(bad eq 1)&{ORDER}&$count=true", refused(400, "BadRequest", "Invalid filter clause.")
    )
    with pytest.raises(ServiceError, match="Invalid filter clause"):
        run(monkeypatch, script, filter="bad eq 1")


def test_a_partial_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, Exchange(FIRST, page(graph_alert(1), total=1, status=206)))
    assert played.result["complete"] is False
    assert "HTTP 206" in played.result["partial_reason"]


@pytest.mark.parametrize("link", [5, False, {}, ["x"]])
def test_a_next_link_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch, link: Any) -> None:
    with pytest.raises(TransportError, match="next link that is no text"):
        run(monkeypatch, Exchange(FIRST, Answer(body={"value": [graph_alert(1)], "@odata.nextLink": link})))


def test_a_list_that_moved_between_pages_is_read_again_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        Exchange(FIRST, page(graph_alert(3), next_link=f"{GRAPH}alerts_v2?$skiptoken=x", total=3)),
        Exchange("GET alerts_v2?$skiptoken=x", page(graph_alert(1), total=3)),
        Exchange("GET alerts_v2?$top=100&$orderby=lastUpdateDateTime asc", page(graph_alert(1), graph_alert(2), graph_alert(3))),
    )
    assert ids(run(monkeypatch, *script)) == ["da3", "da2", "da1"]


def test_alerts_are_read_by_id_in_the_order_given(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        Exchange("GET alerts_v2/da2", Answer(body=graph_alert(2))),
        Exchange("GET alerts_v2/da9", refused(404, "ResourceNotFound")),
        Exchange("GET alerts_v2/da1", Answer(body=graph_alert(1, status="resolved"))),
    )
    played = run(monkeypatch, *script, alert_ids=["da2", "da9", "da1", "da2"], status=["new"], raw=True)
    assert (ids(played), played.result["not_found"]) == (["da2"], ["da9"])
    assert played.result["alerts"][0]["raw"]["id"] == "da2"
    assert played.result["filters"] == {"pushed": [], "local": ["status"], "odata": None}


def test_the_alerts_of_incidents_come_out_of_the_incidents(monkeypatch: pytest.MonkeyPatch) -> None:
    merged = graph_incident(id="18", status="redirected", redirectIncidentId="17", alerts=[])
    script = (
        Exchange("GET incidents/17?$expand=alerts", Answer(body=graph_incident(alerts=[graph_alert(1), graph_alert(2)]))),
        Exchange("GET incidents/18?$expand=alerts", Answer(body=merged)),
    )
    played = run(monkeypatch, *script, incident_ids=["17", "18"], raw=True)
    assert ids(played) == ["da2", "da1"]
    assert [alert["raw"]["id"] for alert in played.result["alerts"]] == ["da2", "da1"]
    assert played.warnings == ["Incident 18 was merged into 17, which has its alerts."]


def test_the_defender_api_gives_its_alerts_with_all_incidents(monkeypatch: pytest.MonkeyPatch) -> None:
    incidents = (
        defender_incident(alerts=[defender_alert(1), defender_alert(2, status="Resolved")]),
        defender_incident(incidentId=16, lastUpdateTime="2026-01-01T00:00:00Z", alerts=[defender_alert(3)]),
    )
    played = run(monkeypatch, Exchange("GET incidents?$top=100", page(*incidents)), api="defender", status=["new"])
    assert ids(played) == ["da3", "da1"]
    assert [alert["incident_id"] for alert in played.result["alerts"]] == ["16", "17"]
    assert played.result["alerts"][0]["service_source"] == "microsoftDefenderForEndpoint"
    assert played.result["filters"] == {"pushed": [], "local": ["status"], "odata": None}
    assert [("SecurityAlert.Read.All" in message, date) for message, date in played.deprecations] == [(True, "2027-02-01")]


def test_the_defender_api_finds_alerts_by_id_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Exchange("GET incidents?$top=100", page(defender_incident(alerts=[defender_alert(1), defender_alert(2)])))
    played = run(monkeypatch, listed, api="defender", alert_ids=["da2", "da9"])
    assert (ids(played), played.result["not_found"]) == (["da2"], ["da9"])


def test_a_limit_cuts_what_comes_out_of_incidents_too(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Exchange("GET incidents?$top=100", page(defender_incident(alerts=[defender_alert(1), defender_alert(2)])))
    played = run(monkeypatch, listed, api="defender", limit=1)
    assert (ids(played), played.result["complete"]) == (["da2"], False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"service_sources": ["microsoftDefenderForEndpiont"]}, "Did you mean microsoftDefenderForEndpoint"),
        ({"api": "defender", "filter": "status eq 'new'"}, "filter applies to Microsoft Graph's list"),
        ({"assigned_to": "a", "unassigned": True}, "exclude each other"),
        ({"limit": 0}, "at least 1"),
        ({"alert_ids": ["."]}, "no id of an alert"),
        ({"incident_ids": ["x"]}, "no id of an incident"),
        ({"created_since": "2026-02-01", "created_until": "2026-01-01"}, "is later than"),
    ],
)
def test_wrong_options_are_refused_before_any_request(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(monkeypatch, **given)


def test_a_fleet_adds_up_what_its_tenants_have(monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = ["11111111-1111-4111-8111-000000000002", "11111111-1111-4111-8111-000000000003"]
    script = (Exchange(FIRST, page(graph_alert(1), total=1)), Exchange(FIRST, page(graph_alert(2, severity="low"), total=1)))
    played = run(monkeypatch, *script, tenants=tenants, concurrency=1)
    assert (played.result["count"], played.result["by_severity"]["low"], played.result["summary"]["ok"]) == (2, 1, 2)
