# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts and evidence that are none: what can be read is delivered, and the result says that it is not everything."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.alerts import AlertIntake, GraphAlerts, alerts_of
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.expansion import AdaptivePages
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.intake import ReadReport
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery, Plan
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.reader import read_by_id
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import normalise_incident
from unit.incidents.support import PLACE, client, defender_incident, graph_incident, ids, intake, page, reader, script
from unit.support.scripted_http import Answer

MAKERS = {"graph": graph_incident, "defender": defender_incident}
ID = {"graph": "id", "defender": "alertId"}


@pytest.mark.parametrize("api", ["graph", "defender"])
@pytest.mark.parametrize(
    ("alerts", "left_out"),
    [([None, "x", 7, []], 4), ([[]], 1), ({}, 1), ("x", 1), (0, 1), ([], 0)],
)
def test_alerts_that_are_no_objects_are_counted_and_make_the_result_partial(api: str, alerts: Any, left_out: int) -> None:
    good = {ID[api]: "da1", "title": "Alert"}
    value = [*alerts, good] if isinstance(alerts, list) else alerts
    found_alone = Answer(body=MAKERS[api](1, alerts=value))
    reading = reader(intake(script(page(MAKERS[api](1, alerts=value), total=1), found_alone), api=api, include_alerts=True))
    found = reading.collect()
    assert ids(found) == ["1"]
    assert reading.report.left_out == left_out
    assert reading.report.complete is (left_out == 0)
    if left_out:
        counted = "1 alert or piece of evidence that is" if left_out == 1 else f"{left_out} alerts or pieces of evidence that are"
        assert reading.report.reason is not None
        assert f"the service sent {counted} no object and had to be left out, in incident 1" in reading.report.reason
    if isinstance(alerts, list):
        assert ids(found[0]["alerts"]) == ["da1"]


@pytest.mark.parametrize(("api", "name"), [("graph", "evidence"), ("defender", "devices"), ("defender", "entities")])
def test_evidence_that_is_no_object_is_counted_too(api: str, name: str) -> None:
    alert = {
        ID[api]: "da1",
        name: [None, {"@odata.type": "#microsoft.graph.security.urlEvidence", "entityType": "Url", "url": "https://x"}],
    }
    reading = reader(intake(script(page(MAKERS[api](1, alerts=[alert]), total=1)), api=api, include_alerts=True))
    assert len(reading.collect()[0]["alerts"][0]["evidence"]) == 1
    assert (reading.report.left_out, reading.report.complete) == (1, False)


def test_an_incident_that_is_not_wanted_says_nothing_about_what_is_missing() -> None:
    session = script(page(defender_incident(1, severity="Low", alerts=[None]), defender_incident(2)))
    reading = reader(intake(session, IncidentQuery(severity=("high",)), api="defender", include_alerts=True))
    assert ids(reading.collect()) == ["2"]
    assert reading.report.complete


def test_alerts_that_do_not_come_even_with_the_incident_alone_are_missed() -> None:
    session = script(page(graph_incident(1), total=1), Answer(body=graph_incident(1)))
    reading = reader(intake(session, include_alerts=True))
    assert reading.collect()[0]["alerts"] is None
    assert reading.report.reason == "the service did not give the alerts of incident 1"


def test_what_is_malformed_in_an_incident_that_is_read_by_id_is_counted() -> None:
    taken = intake(script(Answer(body=defender_incident(7, alerts=[None]))), api="defender", include_alerts=True)
    read_by_id(taken, ["7"])
    assert taken.report.left_out == 1


def test_many_incidents_with_malformed_alerts_are_named_in_part() -> None:
    report = ReadReport()
    for number in range(10):
        report.leaves_out(f"incident {number}", 2)
    assert (report.left_out, report.complete) == (20, False)
    assert (report.reason or "").endswith("in incident 0, incident 1, incident 2, incident 3, incident 4 and others")


def test_alerts_without_an_id_are_not_taken_for_one_another() -> None:
    incident = normalise_incident(graph_incident(1, alerts=[{"title": "A"}, {"title": "B"}]), place=PLACE, with_alerts=True)
    assert sorted(alert["title"] for alert in alerts_of([incident], Plan(()), raw=False)) == ["A", "B"]


def test_malformed_evidence_in_the_list_of_alerts_makes_it_partial() -> None:
    source = AdaptivePages(GraphAlerts(client(script())), wants_alerts=False)
    taken = AlertIntake(source=source, plan=Plan(()), place=PLACE, include_alerts=False, raw=False, report=ReadReport())
    assert taken.take({"id": "da1", "evidence": [7]}) is not None
    assert (taken.report.left_out, taken.report.complete) == (1, False)
