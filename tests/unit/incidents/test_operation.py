# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation as a task sees it: options in, result out, over recorded requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import CLOUDS, Endpoints
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import expansion
from ansible_collections.m365d.partner.plugins.module_utils._ops import incidents as operation
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from unit.incidents import support
from unit.incidents.support import GRAPH_LIST, TENANT, defender_incident, graph_error, graph_incident, ids, page
from unit.support.scripted_http import Answer, ScriptedSession

NOW = "2026-11-22T12:00:00.0000000Z"
CURSOR = {"format": 1, "tenant_id": TENANT, "watermark": None, "seen_from": None, "seen": {}}


@dataclass(frozen=True)
class _Tenant:
    tenant_id: str = TENANT


@dataclass(frozen=True)
class _Session:
    """Stands for the session of a tenant; the client below it is the real one."""

    script: ScriptedSession
    tenant: _Tenant = _Tenant()
    endpoints: Endpoints = CLOUDS["global"]

    def client(self, api: str = "graph") -> ApiClient:
        return support.client(self.script, api=api)


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "now_text", lambda: NOW)
    expansion.forget_expansions()


class Run:
    """One run of the operation."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *answers: Answer,
        check_mode: bool = False,
        shared: dict[Any, Any] | None = None,
        **options: Any,
    ) -> None:
        self.session = ScriptedSession(*answers)
        self.warnings: list[str] = []
        monkeypatch.setattr(operation, "open_session", lambda _task: _Session(self.session))
        defaults = {name: spec.get("default") for name, spec in operation.OPERATION.argument_spec.items()}
        self.deprecations: list[tuple[str, str]] = []
        task = Task(
            params={**defaults, "tenant_id": TENANT, **options},
            check_mode=check_mode,
            shared=shared,
            warn=self.warnings.append,
            deprecate=lambda message, date: self.deprecations.append((message, date)),
        )
        self.outcome: Outcome = operation.OPERATION.run(task)
        self.result = self.outcome.result


def test_a_whole_result_says_what_was_read_how_and_whether_that_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = page(graph_incident(2, severity="medium"), graph_incident(1, customTags=["vip"]), graph_incident(3, severity="newer"), total=3)
    run = Run(monkeypatch, answer, status=["active", "inProgress"], tags=["VIP"], updated_since="24h")
    odata = (
        "(status eq 'active' or status eq 'inProgress') and lastUpdateDateTime ge 2026-11-21T12:00:00.0000000Z"
        " and lastUpdateDateTime le 2026-11-22T12:00:00.0000000Z"
    )
    assert ids(run.result.pop("incidents")) == ["1"]
    assert run.result == {
        "tenant_id": TENANT,
        "api": "graph",
        "consent_state": "ready",
        "count": 1,
        "by_severity": {"high": 1, "medium": 0, "low": 0, "informational": 0, "unknown": 0},
        "complete": True,
        "partial_reason": None,
        "not_found": [],
        "filters": {"pushed": ["status", "updated_since", "updated_until"], "local": ["tags"], "odata": odata},
        "window": {
            "created_since": None,
            "created_until": None,
            "updated_since": "2026-11-21T12:00:00.0000000Z",
            "updated_until": NOW,
        },
        "cursor": None,
        "requests": 1,
    }
    assert (run.outcome.changed, run.warnings) == (False, [])


def test_each_tenant_of_a_fleet_is_read_up_to_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # Up to the beginning of the fleet, what was updated since then would be passed over: it has left the window.
    shared: dict[Any, Any] = {}
    for moment in (NOW, "2026-11-22T13:00:00.0000000Z"):
        monkeypatch.setattr(operation, "now_text", partial(str, moment))
        run = Run(monkeypatch, page(graph_incident(1), total=1), shared=shared, updated_since="24h")
        assert run.result["window"]["updated_until"] == moment


def test_a_severity_that_nobody_knows_is_counted_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, page(graph_incident(1, severity="Catastrophic"), graph_incident(2, severity=None)))
    assert run.result["by_severity"] == {"high": 0, "medium": 0, "low": 0, "informational": 0, "unknown": 2}


def test_a_result_that_is_not_everything_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, page(graph_incident(1), status=206))
    assert not run.result["complete"]
    assert run.result["partial_reason"] in run.warnings[0]


def test_the_defender_api_comes_with_the_date_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, page(defender_incident(1)), api="defender")
    assert ids(run.result["incidents"]) == ["1"]
    assert run.warnings == []
    assert [date for _message, date in run.deprecations] == ["2027-02-01"]
    assert "retires on 2027-02-01" in run.deprecations[0][0]
    assert "SecurityIncident.Read.All" in run.deprecations[0][0]


def test_incidents_by_id_are_filtered_here_and_the_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [Answer(body=graph_incident(7)), Answer(body=graph_incident(8, status="resolved")), graph_error(404)]
    run = Run(monkeypatch, *answers, incident_ids=["7", "8", "9"], status=["active"])
    assert ids(run.result["incidents"]) == ["7"]
    assert run.result["not_found"] == ["9"]
    assert run.result["filters"] == {"pushed": [], "local": ["status"], "odata": None}


def test_a_merged_incident_is_followed_and_filters_do_not_apply_to_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    merged = graph_incident(7, status="redirected", redirectIncidentId="8")
    run = Run(
        monkeypatch, Answer(body=merged), Answer(body=graph_incident(8)), incident_ids=["7"], status=["redirected"], follow_redirects=True
    )
    links = [(incident["id"], incident["redirected_to"], incident["redirected_from"]) for incident in run.result["incidents"]]
    assert links == [("7", "8", []), ("8", None, ["7"])]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"limit": 0}, "limit must be at least 1"),
        ({"limit": -1}, "limit must be at least 1"),
        ({"incident_ids": ["7 or 1 eq 1"]}, "no id of an incident"),
        ({"incident_ids": [""]}, "no id of an incident"),
        ({"assigned_to": "a@contoso.com", "unassigned": True}, "exclude each other"),
        ({"created_since": "2026-02-01", "created_until": "2026-01-01"}, "later than created_until"),
        ({"updated_since": "last week"}, "updated_since is neither"),
        ({"max_age": "long"}, "max_age is not a duration"),
        ({"max_age": "1d", "overlap": "x"}, "overlap is not a duration"),
        ({"cursor": {}, "updated_since": "1d"}, "updated_since makes no sense"),
        ({"max_age": "1d", "incident_ids": ["1"]}, "incident_ids makes no sense"),
        ({"cursor": {}, "follow_redirects": True}, "follow_redirects makes no sense"),
        ({"cursor": {"format": 1, "tenant_id": "other"}}, "belongs to tenant other"),
        ({"cursor": {"watermark": "x"}}, "format"),
        ({"dest": "/nowhere/at/all.csv"}, "no file can be made"),
        ({"dest": "incidents.docx"}, "does not tell the format"),
    ],
)
def test_wrong_options_are_refused_before_any_request(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        Run(monkeypatch, **options)


def test_a_file_takes_the_place_of_the_incidents_in_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dest = tmp_path / "{tenant_id}.ndjson"
    options = {"dest": str(dest), "include_alerts": True}
    answer = page(graph_incident(2, alerts=[]), graph_incident(1, alerts=[{"id": "a"}]), total=2)
    predicted = Run(monkeypatch, answer, check_mode=True, **options)
    assert list(tmp_path.iterdir()) == []
    run = Run(monkeypatch, answer, **options)
    path = tmp_path / f"{TENANT}.ndjson"
    assert predicted.result == run.result
    assert (predicted.outcome.changed, run.outcome.changed) == (True, True)
    assert "incidents" not in run.result
    assert (run.result["dest"], run.result["count"], run.result["by_severity"]["high"]) == (str(path), 2, 2)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["2", "1"]


def test_a_failure_in_the_middle_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [page(graph_incident(2), next_link=f"{GRAPH_LIST}?$skiptoken=1"), graph_error(403, "Forbidden")]
    with pytest.raises(PartnerError):
        Run(monkeypatch, *answers, dest=str(tmp_path / "x.ndjson"))
    assert list(tmp_path.iterdir()) == []


def test_one_reading_goes_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Run(monkeypatch, page(graph_incident(1), graph_incident(2)), max_age="400d", cursor={})
    assert ids(first.result["incidents"]) == ["1", "2"]
    second = Run(monkeypatch, page(graph_incident(2), graph_incident(3)), max_age="400d", cursor=first.result["cursor"])
    assert ids(second.result["incidents"]) == ["3"]
    since = "2026-01-01T23%3A45%3A00.0000002Z"
    assert second.session.lines() == [
        f"GET {GRAPH_LIST}?$top=50&$filter=lastUpdateDateTime%20ge%20{since}&$orderby=lastUpdateDateTime%20asc"
    ]


def test_a_tenant_finds_its_cursor_among_those_of_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {**CURSOR, "watermark": "2026-01-02T00:00:00.0000000Z", "seen": {"1": ["2026-01-02T00:00:00.0000001Z"]}}
    run = Run(monkeypatch, page(graph_incident(1), graph_incident(2)), cursor={TENANT.upper(): own, "other": {}})
    assert ids(run.result["incidents"]) == ["2"]
    fresh = Run(monkeypatch, page(graph_incident(1)), cursor={"22222222-2222-4222-8222-000000000002": own})
    assert ids(fresh.result["incidents"]) == ["1"]


def test_choices_are_those_of_the_vocabulary() -> None:
    spec = operation.OPERATION.argument_spec
    assert spec["status"]["choices"] == ["active", "resolved", "inProgress", "redirected", "awaitingAction"]
    assert "unknownFutureValue" not in spec["severity"]["choices"]
