# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365d_incident with both services: every request in order, and what the task says about it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._ops import incident as module
from unit.support.scripted_http import Answer
from unit.writers.exchange import (
    Exchange,
    Played,
    comment_body,
    defender_incident,
    graph_incident,
    play,
    refused,
    remark,
)

CLOSE = {
    "status": "resolved",
    "assigned_to": "analyst@contoso.example",
    "classification": "TruePositive",
    "determination": "CompromisedUser",
    "tags": ["contoso"],
    "comment": "Done.",
}
GRAPH_BODY = {
    "status": "resolved",
    "assignedTo": "analyst@contoso.example",
    "classification": "truePositive",
    "determination": "compromisedAccount",
    "customTags": ["vip", "contoso"],
}
DEFENDER_BODY = {
    "status": "Resolved",
    "assignedTo": "analyst@contoso.example",
    "classification": "TruePositive",
    "determination": "CompromisedAccount",
    "tags": ["vip", "contoso"],
    "comment": "Done.",
}
GRAPH_CLOSED = graph_incident(**GRAPH_BODY, lastUpdateDateTime="2026-01-03T00:00:00Z")
DEFENDER_CLOSED = defender_incident(
    **{key: value for key, value in DEFENDER_BODY.items() if key != "comment"}, comments=[{"comment": "Done.", "createdBy": "app"}]
)
LOST = requests.exceptions.ConnectionError("connection reset")


def read(incident: dict[str, Any] | None = None, *, number: int = 17) -> Exchange:
    """The reading of an incident."""
    found = refused(404, "ResourceNotFound") if incident is None else Answer(body=incident)
    return Exchange(f"GET incidents/{number}", found)


def patch(body: Any, answer: Any, *, number: int = 17) -> Exchange:
    """The writing of members."""
    return Exchange(f"PATCH incidents/{number}", answer if isinstance(answer, Answer) else Answer(body=answer), body)


def comment(text: str, answer: Answer | None = None, *, number: int = 17) -> Exchange:
    """The writing of a comment through Graph."""
    return Exchange(f"POST incidents/{number}/comments", answer or Answer(body={"value": [remark(text)]}), comment_body(text))


def run(monkeypatch: pytest.MonkeyPatch, *script: Exchange, **given: Any) -> Played:
    """Play the operation."""
    return play(monkeypatch, module, *script, **given)


def test_graph_takes_the_members_in_one_request_and_then_the_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, read(graph_incident()), patch(GRAPH_BODY, GRAPH_CLOSED), comment("Done."), incident_id="17", **CLOSE)
    assert played.outcome.changed
    assert not played.outcome.failed
    assert played.result["summary"] == {"total": 1, "changed": 1, "unchanged": 0, "failed": 0}
    entry = played.result["incidents"][0]
    assert entry["written"] == ["status", "assigned_to", "classification", "determination", "custom_tags", "comments"]
    assert played.result["incident"]["comments"][0]["created_by_display_name"] == "API-App:Contoso"
    assert played.result["incident"]["last_update_date_time"] == "2026-01-03T00:00:00.0000000Z"
    assert (played.result["consent_state"], played.result["requests"], played.warnings) == ("ready", 3, [])
    assert played.deprecations == []


def test_the_defender_api_takes_all_in_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, read(defender_incident()), patch(DEFENDER_BODY, DEFENDER_CLOSED), api="defender", incident_id="17", **CLOSE)
    assert played.outcome.changed
    assert played.result["incident"]["determination"] == "compromisedAccount"
    assert [("SecurityIncident.ReadWrite.All" in message, date) for message, date in played.deprecations] == [(True, "2027-02-01")]


@pytest.mark.parametrize("api", ["graph", "defender"])
def test_nothing_is_written_where_nothing_differs(monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    there = {**GRAPH_CLOSED, "comments": [remark("Done.")]} if api == "graph" else {**DEFENDER_CLOSED, "determination": "CompromisedUser"}
    played = run(monkeypatch, read(there), api=api, incident_id="17", if_unchanged_since="2020-01-01", **CLOSE)
    assert not played.outcome.changed
    assert played.result["incidents"][0]["outcome"] == "unchanged"
    assert played.outcome.diff == {"before": {}, "after": {}}


@pytest.mark.parametrize("api", ["graph", "defender"])
def test_check_mode_reads_only_and_predicts_what_would_be_written(monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    there = graph_incident() if api == "graph" else defender_incident()
    played = run(monkeypatch, read(there), check_mode=True, api=api, incident_id="17", **CLOSE)
    assert played.outcome.changed
    assert played.outcome.diff == {
        "before": {
            "17": {
                "status": "active",
                "assigned_to": None,
                "classification": "unknown",
                "determination": "unknown",
                "custom_tags": ["vip"],
                "comments": [],
            }
        },
        "after": {
            "17": {
                "status": "resolved",
                "assigned_to": "analyst@contoso.example",
                "classification": "truePositive",
                "determination": "compromisedAccount",
                "custom_tags": ["vip", "contoso"],
                "comments": ["Done."],
            }
        },
    }
    assert played.result["incident"]["status"] == "resolved"


@pytest.mark.parametrize(("api", "nobody"), [("graph", None), ("defender", "")])
def test_the_owner_is_taken_away_as_each_service_writes_it(monkeypatch: pytest.MonkeyPatch, api: str, nobody: str | None) -> None:
    make = graph_incident if api == "graph" else defender_incident
    played = run(
        monkeypatch,
        read(make(assignedTo="a@contoso.example")),
        patch({"assignedTo": nobody}, make(assignedTo=nobody)),
        api=api,
        incident_id="17",
        assigned_to="",
    )
    assert played.result["incident"]["assigned_to"] is None


def test_a_comment_alone_patches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, read(graph_incident()), comment("Seen."), incident_id="17", comment="Seen.")
    assert played.result["incidents"][0]["written"] == ["comments"]


def test_a_comment_that_fails_after_the_rest_says_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        read(graph_incident()),
        patch({"status": "resolved"}, graph_incident(status="resolved")),
        comment("Done.", refused(400, "BadRequest", "The comment is too long.")),
    )
    played = run(monkeypatch, *script, incident_id="17", status="resolved", comment="Done.")
    assert played.outcome.failed
    assert played.outcome.changed
    assert played.result["msg"].startswith("status had been written; then this failed: Commenting incident 17")
    assert played.result["incidents"][0]["written"] == ["status"]
    assert played.result["incident"]["status"] == "resolved"
    assert played.outcome.diff is not None
    assert played.outcome.diff["after"]["17"] == {"status": "resolved", "comments": []}


def test_the_next_run_adds_the_missing_comment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    there = read(graph_incident(status="resolved"))
    played = run(monkeypatch, there, comment("Done."), incident_id="17", status="resolved", comment="Done.")
    assert played.result["incidents"][0]["written"] == ["comments"]


def test_a_comment_whose_answer_was_lost_is_looked_for_and_not_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (read(graph_incident()), comment("Done.", Answer(raises=LOST)), read(graph_incident(comments=[remark("Done.")])))
    played = run(monkeypatch, *script, incident_id="17", comment="Done.")
    assert (played.outcome.changed, played.outcome.failed) == (True, False)


@pytest.mark.parametrize("answer", [Answer(raises=LOST), refused(500, "InternalServerError"), refused(504, "GatewayTimeout")])
def test_a_lost_answer_is_a_failure_where_nothing_was_written(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    script = (read(defender_incident()), patch({"comment": "Done."}, answer), read(defender_incident()))
    played = run(monkeypatch, *script, api="defender", incident_id="17", comment="Done.")
    assert (played.outcome.changed, played.outcome.failed) == (False, True)


def test_members_alone_are_sent_again_after_a_fault_since_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        read(graph_incident()),
        patch({"status": "resolved"}, refused(502, "BadGateway")),
        patch({"status": "resolved"}, graph_incident(status="resolved")),
    )
    assert run(monkeypatch, *script, incident_id="17", status="resolved").outcome.changed


def test_a_throttled_write_is_sent_again_since_it_was_not_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Answer(429, {"error": {"code": "429", "message": "API calls quota exceeded! maximum allowed 50 per 00:01:00"}})
    script = (
        read(defender_incident()),
        patch({"comment": "Done."}, slow),
        patch({"comment": "Done."}, defender_incident(comments=[{"comment": "Done."}])),
    )
    assert run(monkeypatch, *script, api="defender", incident_id="17", comment="Done.").outcome.changed


def test_a_change_that_the_service_accepts_but_does_not_show_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (read(graph_incident()), patch({"status": "resolved"}, graph_incident()))
    played = run(monkeypatch, *script, incident_id="17", status="resolved")
    assert "does not show it: status" in played.warnings[0]


def test_an_answer_without_a_body_is_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, read(graph_incident()), patch({"status": "resolved"}, Answer(204)), incident_id="17", status="resolved")
    assert (played.result["incident"]["status"], played.warnings) == ("resolved", [])


@pytest.mark.parametrize(
    ("guard", "writes"), [("2026-01-01T00:00:00Z", False), ("2026-01-02T00:00:00Z", True), ("2026-01-01T23:59:59.9999999Z", False)]
)
def test_the_guard_refuses_what_changed_meanwhile(monkeypatch: pytest.MonkeyPatch, guard: str, writes: bool) -> None:
    writing = (patch({"status": "resolved"}, graph_incident(status="resolved")),) if writes else ()
    played = run(monkeypatch, read(graph_incident()), *writing, incident_id="17", status="resolved", if_unchanged_since=guard)
    assert played.outcome.changed is writes
    assert played.outcome.failed is not writes
    if not writes:
        assert played.result["error"]["code"] == "Stale"
        assert "2026-01-02T00:00:00.0000000Z" in played.result["msg"]


@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_merged_incident_is_never_written_to(monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    merged = (
        graph_incident(status="redirected", redirectIncidentId="18")
        if api == "graph"
        else defender_incident(status="Redirected", redirectIncidentId=18)
    )
    played = run(monkeypatch, read(merged), api=api, incident_id="17", status="resolved")
    assert played.outcome.failed
    assert played.result["error"]["code"] == "Redirected"
    assert "Name incident 18 instead" in played.result["msg"]


def test_a_merged_incident_leads_to_its_end_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        read(graph_incident(status="redirected", redirectIncidentId="18")),
        read(graph_incident(id="18", status="redirected", redirectIncidentId="19"), number=18),
        read(graph_incident(id="19"), number=19),
        patch({"status": "resolved"}, graph_incident(id="19", status="resolved"), number=19),
    )
    played = run(monkeypatch, *script, incident_id="17", status="resolved", follow_redirects=True)
    assert played.result["incidents"][0]["redirected_to"] == "19"
    assert played.result["incident"]["id"] == "19"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ((read(graph_incident(id="18", status="redirected", redirectIncidentId="17"), number=18),), "in a circle"),
        ((read(None, number=18),), "does not know"),
    ],
)
def test_a_redirection_that_leads_nowhere_fails(monkeypatch: pytest.MonkeyPatch, script: tuple[Exchange, ...], reason: str) -> None:
    first = read(graph_incident(status="redirected", redirectIncidentId="18"))
    played = run(monkeypatch, first, *script, incident_id="17", status="resolved", follow_redirects=True)
    assert played.outcome.failed
    assert reason in played.result["msg"]


def test_two_merged_incidents_write_once_to_the_one_they_became(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        read(graph_incident(status="redirected", redirectIncidentId="19")),
        read(graph_incident(id="19"), number=19),
        comment("Done.", number=19),
        read(graph_incident(id="18", status="redirected", redirectIncidentId="19"), number=18),
    )
    played = run(monkeypatch, *script, incident_ids=["17", "18"], comment="Done.", follow_redirects=True)
    assert [entry["outcome"] for entry in played.result["incidents"]] == ["changed", "unchanged"]


def test_each_incident_of_a_list_has_its_own_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        read(graph_incident(id="1", status="resolved"), number=1),
        read(None, number=2),
        read(graph_incident(id="3", classification="truePositive", determination="malware"), number=3),
        read(graph_incident(id="4"), number=4),
        patch({"status": "inProgress"}, refused(400, "BadRequest", "No."), number=4),
        read(graph_incident(id="5"), number=5),
        patch({"status": "resolved"}, graph_incident(id="5", status="resolved"), number=5),
    )
    incidents = [
        {"incident_id": "1"},
        {"incident_id": "2"},
        {"incident_id": "3", "classification": "falsePositive"},
        {"incident_id": "4", "status": "inProgress"},
        {"incident_id": "5"},
    ]
    played = run(monkeypatch, *script, incidents=incidents, status="resolved")
    assert [entry["outcome"] for entry in played.result["incidents"]] == ["unchanged", "failed", "failed", "failed", "changed"]
    assert played.result["summary"] == {"total": 5, "changed": 1, "unchanged": 1, "failed": 3}
    assert played.outcome.changed
    assert played.outcome.failed
    assert played.result["msg"].startswith("3 of 5 incidents failed. The first: incident 2:")
    assert "does not go with" in played.result["incidents"][2]["msg"]
    assert played.outcome.diff == {"before": {"5": {"status": "active"}}, "after": {"5": {"status": "resolved"}}}
    assert "incident" not in played.result


def test_what_every_incident_would_fail_with_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden = refused(
        403, "Forbidden", "Missing application roles. API required roles: SecurityIncident.ReadWrite.All, application roles: ."
    )
    script = (read(graph_incident(id="1"), number=1), patch({"status": "resolved"}, forbidden, number=1))
    played = run(monkeypatch, *script, incident_ids=["1", "2", "3"], status="resolved")
    assert [entry["outcome"] for entry in played.result["incidents"]] == ["failed"] * 3
    assert played.result["consent_state"] == "consented_without_roles"
    assert played.result["incidents"][2]["msg"].startswith("It was not tried, since it would fail alike:")


def test_no_incidents_are_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    played = run(monkeypatch, incident_ids=[], status="resolved")
    assert (played.result["incidents"], played.outcome.changed, played.outcome.failed) == ([], False, False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"incident_id": "17"}, "Nothing is wanted"),
        ({"incident_id": "../17", "status": "resolved"}, "no id of an incident"),
        ({"incident_ids": ["17", "17"], "status": "resolved"}, "named twice"),
        ({"incident_id": "17", "status": "closed"}, "no value 'closed'"),
        ({"incident_id": "17", "classification": "falsePositive", "determination": "malware"}, "does not go with"),
        ({"incident_id": "17", "status": "resolved", "if_unchanged_since": "yesterday"}, "neither an instant"),
        ({"incidents": [{"incident_id": "17", "status": "resolved"}, {"incident_id": "18"}]}, "Nothing is wanted of the incident 18"),
    ],
)
def test_wrong_options_are_refused_before_any_request(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(monkeypatch, **given)


@pytest.mark.parametrize("given", [{}, {"incident_id": "17", "incident_ids": ["18"]}, {"incident_id": "1", "incidents": []}])
def test_incidents_are_named_in_one_way_only(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"incident_id"):
        run(monkeypatch, status="resolved", **given)
