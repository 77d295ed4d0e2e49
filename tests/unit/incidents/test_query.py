# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery, local_plan, odata_text, plan_query
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import normalise_incident
from hypothesis import given
from hypothesis import strategies as st
from unit.incidents.support import PLACE, graph_incident

SINCE = "2026-01-01T00:00:00.0000000Z"
UNTIL = "2026-01-31T00:00:00.0000000Z"


@pytest.mark.parametrize(
    ("query", "graph", "defender"),
    [
        ({"status": ("active",)}, "status eq 'active'", "status eq 'Active'"),
        (
            {"status": ("active", "inProgress")},
            "(status eq 'active' or status eq 'inProgress')",
            "(status eq 'Active' or status eq 'InProgress')",
        ),
        ({"status": ("awaitingAction",)}, "status eq 'awaitingAction'", None),
        ({"severity": ("high", "unknown")}, "(severity eq 'high' or severity eq 'unknown')", None),
        ({"classification": ("truePositive",)}, "classification eq 'truePositive'", None),
        ({"determination": ("Clean",)}, "determination eq 'notMalicious'", None),
        ({"assigned_to": "o'neill@contoso.com"}, "assignedTo eq 'o''neill@contoso.com'", "assignedTo eq 'o''neill@contoso.com'"),
        ({"unassigned": True}, None, None),
        ({"tags": ("vip",)}, None, None),
        ({"service_sources": ("OfficeATP",)}, None, None),
        ({"created_since": SINCE}, f"createdDateTime ge {SINCE}", f"createdTime ge {SINCE}"),
        ({"created_until": UNTIL}, f"createdDateTime le {UNTIL}", f"createdTime le {UNTIL}"),
        ({"updated_since": SINCE}, f"lastUpdateDateTime ge {SINCE}", f"lastUpdateTime ge {SINCE}"),
        ({"updated_until": UNTIL}, f"lastUpdateDateTime le {UNTIL}", f"lastUpdateTime le {UNTIL}"),
        ({"raw_filter": "a eq 1 or b eq 2"}, "(a eq 1 or b eq 2)", "(a eq 1 or b eq 2)"),
        (
            {"status": ("active",), "updated_since": SINCE, "raw_filter": "x"},
            f"status eq 'active' and lastUpdateDateTime ge {SINCE} and (x)",
            f"status eq 'Active' and lastUpdateTime ge {SINCE} and (x)",
        ),
        ({}, None, None),
    ],
)
def test_each_service_is_given_what_it_can_filter_in_its_own_words(query: dict[str, Any], graph: str | None, defender: str | None) -> None:
    assert plan_query(IncidentQuery(**query), api="graph").odata == graph
    assert plan_query(IncidentQuery(**query), api="defender").odata == defender


def test_the_plan_says_which_options_the_service_applies_and_which_are_applied_here() -> None:
    query = IncidentQuery(status=("active",), severity=("high",), tags=("vip",))
    graph, defender = plan_query(query, api="graph"), plan_query(query, api="defender")
    assert (graph.pushed, graph.local) == (["status", "severity"], ["tags"])
    assert (defender.pushed, defender.local) == (["status"], ["severity", "tags"])


@pytest.mark.parametrize(
    ("query", "incident", "passes"),
    [
        ({"severity": ("high",)}, {"severity": "high"}, True),
        ({"severity": ("low", "medium")}, {"severity": "high"}, False),
        ({"severity": ("unknown",)}, {"severity": None}, True),
        ({"determination": ("notMalicious",)}, {"determination": "Clean"}, True),
        ({"assigned_to": "A@contoso.com"}, {"assignedTo": "a@Contoso.com"}, True),
        ({"assigned_to": "a@contoso.com"}, {}, False),
        ({"unassigned": True}, {"assignedTo": "a@contoso.com"}, False),
        ({"unassigned": True}, {"assignedTo": "Unassigned"}, True),
        ({"unassigned": True}, {"assignedTo": ""}, True),
        ({"tags": ("VIP", "x")}, {"customTags": ["vip"]}, True),
        ({"tags": ("Critical",)}, {"systemTags": ["critical"]}, True),
        ({"tags": ("vip",)}, {"customTags": ["not-vip"]}, False),
        ({"created_since": SINCE}, {"createdDateTime": "2026-01-01T00:00:00Z"}, True),
        ({"created_since": SINCE}, {"createdDateTime": "2025-12-31T23:59:59.9999999Z"}, False),
        ({"updated_until": UNTIL}, {"lastUpdateDateTime": "2026-01-31T00:00:00.0000001Z"}, False),
        ({"service_sources": ("MicrosoftDefenderATP",)}, {"alerts": [{"serviceSource": "microsoftDefenderForEndpoint"}]}, True),
        ({"service_sources": ("OfficeATP",)}, {"alerts": [{"serviceSource": "microsoftDefenderForEndpoint"}]}, False),
        ({"service_sources": ("OfficeATP",)}, {"alerts": []}, False),
    ],
)
def test_what_is_applied_here_decides_as_the_service_would(query: dict[str, Any], incident: dict[str, Any], passes: bool) -> None:
    plan = local_plan(IncidentQuery(**query))
    assert plan.odata is None
    assert plan.accepts(normalise_incident(graph_incident(1, **incident), place=PLACE, with_alerts=True)) is passes


def test_a_filter_on_alerts_waits_until_the_alerts_are_known() -> None:
    plan = plan_query(IncidentQuery(service_sources=("OfficeATP",)), api="graph")
    incident = normalise_incident(graph_incident(1), place=PLACE)
    assert plan.needs_alerts
    assert plan.accepts(incident, alerts_known=False)
    assert not plan.accepts(incident)


@given(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"])))
def test_no_text_ends_its_literal_early(text: str) -> None:
    literal = odata_text("assigned_to", text)
    assert literal[0] == literal[-1] == "'"
    assert "'" not in literal[1:-1].replace("''", "")
    assert literal[1:-1].replace("''", "'") == text


@pytest.mark.parametrize("option", [{"assigned_to": "a\nb"}, {"raw_filter": "status eq 'active'\r\nx"}, {"assigned_to": "\x7f"}])
def test_control_characters_are_refused_before_any_request(option: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="control characters"):
        plan_query(IncidentQuery(**option), api="graph")  # type: ignore[arg-type]


def test_a_raw_filter_cannot_be_applied_to_incidents_read_by_id() -> None:
    with pytest.raises(OptionError, match="by id"):
        local_plan(IncidentQuery(raw_filter="status eq 'active'"))
