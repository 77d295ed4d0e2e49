# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""m365d_alert: every request in order. What it shares with m365d_incident is tested there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._ops import alert as module
from unit.support.scripted_http import Answer
from unit.writers.exchange import Exchange, comment_body, graph_alert, play, refused, remark

CLOSE = {"status": "Resolved", "classification": "FalsePositive", "determination": "Clean", "comment": "Installer."}
BODY = {"status": "resolved", "classification": "falsePositive", "determination": "notMalicious"}


def test_members_and_comment_are_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        Exchange("GET alerts_v2/da1", Answer(body=graph_alert())),
        Exchange("PATCH alerts_v2/da1", Answer(body=graph_alert(**BODY)), BODY),
        Exchange("POST alerts_v2/da1/comments", Answer(body={"value": [remark("Installer.")]}), comment_body("Installer.")),
    )
    played = play(monkeypatch, module, *script, alert_id="da1", **CLOSE)
    assert played.outcome.changed
    assert played.result["alerts"][0]["written"] == ["status", "classification", "determination", "comments"]
    assert played.result["alert"]["status"] == "resolved"
    again = Exchange("GET alerts_v2/da1", Answer(body=graph_alert(**BODY, comments=[remark("Installer.")])))
    assert not play(monkeypatch, module, again, alert_id="da1", **CLOSE).outcome.changed


def test_check_mode_predicts_with_a_diff(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Exchange("GET alerts_v2/da1", Answer(body=graph_alert()))
    played = play(monkeypatch, module, there, check_mode=True, alert_id="da1", status="inProgress")
    assert played.outcome.diff == {"before": {"da1": {"status": "new"}}, "after": {"da1": {"status": "inProgress"}}}


def test_the_guard_and_a_missing_alert_do_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        Exchange("GET alerts_v2/da1", Answer(body=graph_alert())),
        Exchange("GET alerts_v2/da2", refused(404, "ResourceNotFound")),
        Exchange("GET alerts_v2/da3", Answer(body=graph_alert(3))),
        Exchange("PATCH alerts_v2/da3", Answer(body=graph_alert(3, status="resolved")), {"status": "resolved"}),
    )
    alerts = [{"alert_id": "da1", "if_unchanged_since": "2026-01-01"}, {"alert_id": "da2"}, {"alert_id": "da3"}]
    played = play(monkeypatch, module, *script, alerts=alerts, status="resolved")
    assert [entry["outcome"] for entry in played.result["alerts"]] == ["failed", "failed", "changed"]
    assert [entry["error"]["code"] for entry in played.result["alerts"][:2]] == ["Stale", "ResourceNotFound"]


@pytest.mark.parametrize("status", ["New", "new"])
def test_the_states_are_those_of_alerts(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    there = Exchange("GET alerts_v2/da1", Answer(body=graph_alert()))
    assert not play(monkeypatch, module, there, alert_id="da1", status=status).outcome.changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alert_id": "da1", "status": "redirected"}, "status has no value"),
        ({"alert_id": "..", "status": "new"}, "no id of an alert"),
        ({"alert_id": "da1\n", "status": "new"}, "no id of an alert"),
        ({"alert_id": "", "status": "new"}, "no id of an alert"),
        ({"alert_id": "da1"}, "Nothing is wanted"),
    ],
)
def test_wrong_options_are_refused_before_any_request(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        play(monkeypatch, module, **given)


def test_an_id_cannot_leave_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Exchange("GET alerts_v2/a/../b?c", Answer(body=graph_alert(id="a/../b?c")))
    played = play(monkeypatch, module, there, alert_id="a/../b?c", status="new")
    assert played.urls == ["https://graph.microsoft.com/v1.0/security/alerts_v2/a%2F..%2Fb%3Fc"]
