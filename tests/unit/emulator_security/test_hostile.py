# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that behaves badly, and the admin API that lets a reference model know what was true."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.security.times import parse_iso


def _versions(here: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.admin(f"{here.store.tenant_id}/versions").json()["versions"]
    return found


def test_the_versions_name_every_state_in_the_order_it_became_visible(world: Any) -> None:
    here = world(incidents=5)
    number = here.graph("incidents").json()["value"][0]["id"]
    here.cloud.clock.step(5)
    here.graph(f"incidents/{number}", method="PATCH", json={"customTags": ["a"]})
    here.graph(f"incidents/{number}/comments", method="POST", json={"comment": "b"})
    versions = _versions(here)
    assert [one["sequence"] for one in versions] == list(range(1, 8))
    assert [(one["id"], one["revision"]) for one in versions[-2:]] == [(number, 1), (number, 2)]
    assert parse_iso(versions[-2]["lastUpdateDateTime"]) < parse_iso(versions[-1]["lastUpdateDateTime"])
    after = here.admin(f"fabrikam.com/versions?after={versions[-2]['sequence']}").json()["versions"]
    assert after == versions[-1:]


def test_updates_never_go_back_in_time_when_the_clock_does(world: Any) -> None:
    here = world(incidents=5)
    numbers = [one["id"] for one in here.graph("incidents").json()["value"]]
    here.graph(f"incidents/{numbers[3]}", method="PATCH", json={"customTags": ["a"]})
    here.cloud.clock.step(-120)
    here.graph(f"incidents/{numbers[4]}", method="PATCH", json={"customTags": ["b"]})
    newest = here.graph("incidents").json()["value"]
    assert {one["id"] for one in newest[:2]} == {numbers[3], numbers[4]}
    assert newest[0]["lastUpdateDateTime"] == newest[1]["lastUpdateDateTime"] == "2026-11-01T12:00:00Z"


def test_data_move_while_a_reader_pages_and_the_same_seed_repeats_it(world: Any) -> None:
    def run(seed: int) -> list[tuple[Any, ...]]:
        here = world(incidents=60, hostile={"seed": seed, "updates_per_page": 2.5, "adds_per_page": 1, "late_per_page": 1})
        here.graph_ids(top=5)
        return [(one["id"], one["lastUpdateDateTime"], one["cause"]) for one in _versions(here)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    causes = {cause for _unused, _unused, cause in run(1)}
    assert {"hostile: updated", "hostile: added"} <= causes
    assert causes & {"hostile: updated late", "hostile: added late"}


def test_an_update_while_paging_hides_an_incident_from_a_reader_who_counts_on_offsets(world: Any) -> None:
    here = world(incidents=60, hostile={"seed": 3, "updates_per_page": 3})
    ids = here.graph_ids(top=10, orderby="lastUpdateDateTime asc")
    assert len(set(ids)) < 60 or len(ids) > 60


def test_the_events_end_at_their_limit(world: Any) -> None:
    here = world(incidents=20, hostile={"updates_per_page": 3, "event_limit": 7})
    for _unused in range(10):
        here.defender("incidents")
    assert len(_versions(here)) == 27


def test_late_arrivals_are_marked_and_lie_within_their_window(world: Any) -> None:
    here = world(incidents=20, hostile={"seed": 5, "late_per_page": 2, "late_seconds": 30})
    for _unused in range(5):
        here.graph("incidents")
    late = [one for one in _versions(here) if one["late"]]
    assert len(late) == 10
    assert all("2026-11-01T11:59:30Z" <= one["lastUpdateDateTime"] < "2026-11-01T12:00:00Z" for one in late)
    assert all(one["recordedDateTime"] == "2026-11-01T12:00:00Z" for one in late)


@pytest.mark.parametrize(
    ("hostile", "top", "status"),
    [
        ({"expand_fails_above": 10}, 10, 200),
        ({"expand_fails_above": 10}, 11, 500),
        ({"expand_fails_above_alerts": 8}, 4, 200),
        ({"expand_fails_above_alerts": 8}, 20, 500),
        ({"expand_fails_always": True}, 1, 500),
    ],
)
def test_expand_fails_where_it_is_told_to(world: Any, hostile: dict[str, Any], top: int, status: int) -> None:
    here = world(incidents=30, redirected=False, hostile=hostile)
    assert here.graph("incidents", {"$top": top, "$expand": "alerts"}).status_code == status
    assert here.graph("incidents", {"$top": top}).status_code == 200
    number = here.graph("incidents").json()["value"][0]["id"]
    assert here.graph(f"incidents/{number}", {"$expand": "alerts"}).status_code == 200


@pytest.mark.parametrize(("hostile", "status"), [({"partial": 1}, 206), ({"warning": 1}, 200)])
def test_partial_answers_say_so(world: Any, hostile: dict[str, Any], status: int) -> None:
    here = world(hostile=hostile)
    for answer in (here.graph("incidents"), here.defender("incidents"), here.graph("alerts_v2")):
        assert answer.status_code == status
        assert answer.headers["warning"].startswith("199 - ")
        assert answer.json()["value"]


def test_capitals_missing_and_extra_fields_stay_the_same_for_a_version(world: Any) -> None:
    here = world(incidents=40, hostile={"seed": 2, "pascal_case": 0.5, "missing_fields": 0.5, "extra_fields": 0.5})
    first, second = (here.graph("incidents", {"$expand": "alerts"}).json()["value"] for _unused in range(2))
    assert first == second
    statuses = {one["status"] for one in first}
    assert any(status[0].isupper() for status in statuses)
    assert any(status[0].islower() for status in statuses)
    assert {"newerField" in one for one in first} == {True, False}
    assert {"comments" in one for one in first} == {True, False}
    assert all({"id", "lastUpdateDateTime", "status"} <= set(one) for one in first)


def test_equal_instants_come_in_another_order_each_time(world: Any) -> None:
    here = world(incidents=50, same_timestamp=50, hostile={"shuffle_ties": True})
    orders = {tuple(one["id"] for one in here.graph("incidents", {"$top": 50}).json()["value"]) for _unused in range(4)}
    assert len(orders) == 4
    assert len({frozenset(order) for order in orders}) == 1


def test_a_thousand_incidents_on_one_instant_are_paged(world: Any) -> None:
    here = world(incidents=1_005, same_timestamp=1_000)
    ids = here.graph_ids(top=50)
    assert len(set(ids)) == 1_005


def test_the_admin_adds_changes_and_merges_incidents(world: Any) -> None:
    here = world(incidents=4)
    tenant = here.store.tenant_id
    body = {"count": 3, "severity": "high", "sameInstant": True, "secondsAgo": 20}
    added = here.admin(f"{tenant}/incidents", "POST", body).json()["incidents"]
    assert {one["lastUpdateDateTime"] for one in added} == {"2026-11-01T11:59:40Z"}
    assert len({one["id"] for one in added}) == 3
    assert here.graph(f"incidents/{added[0]['id']}", {"$expand": "alerts"}).json()["alerts"]
    changed = here.admin(f"{tenant}/incidents/{added[0]['id']}", "PATCH", {"status": "resolved", "comment": "x", "secondsAgo": 5}).json()
    assert (changed["status"], changed["lastUpdateDateTime"], changed["comments"]) == ("resolved", "2026-11-01T11:59:55Z", ["x"])
    merged = here.admin(f"{tenant}/merge", "POST", {"ids": [added[1]["id"], added[2]["id"]]}).json()
    assert merged["id"] == added[1]["id"]
    truth = {one["id"]: one for one in here.admin(f"{tenant}/incidents").json()["incidents"]}
    assert truth[added[2]["id"]]["redirectIncidentId"] == added[1]["id"]
    assert len(truth) == 7


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("nowhere.example/versions", "GET", None, 404),
        ("fabrikam.com/incidents", "POST", {"colour": "red"}, 400),
        ("fabrikam.com/incidents/1", "PATCH", {"status": "active"}, 404),
        ("fabrikam.com/hostile", "PUT", {"nonsense": 1}, 400),
        ("fabrikam.com/settings", "PATCH", {"licence": "maybe"}, 400),
        ("fabrikam.com/merge", "POST", {"ids": [1, 2]}, 404),
        ("*/versions", "GET", None, 400),
    ],
)
def test_the_admin_refuses_what_makes_no_sense(world: Any, path: str, method: str, body: Any, status: int) -> None:
    answer = world().admin(path, method, body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_hostility_is_switched_on_and_off_for_all_tenants(world: Any) -> None:
    here = world()
    here.admin("*/hostile", "PUT", {"partial": 1, "seed": 4})
    assert here.graph("incidents").status_code == 206
    assert here.admin("northwind.com/hostile").json()["partial"] == 1
    here.admin("*/hostile", "PUT", {})
    assert here.graph("incidents").status_code == 200


def test_settings_can_be_changed_while_the_cloud_runs(world: Any) -> None:
    here = world(incidents=60)
    here.admin("fabrikam.com/settings", "PATCH", {"next_link": "skip", "quota": {"enabled": True, "graph_per_minute": 2}})
    assert "$skip=50" in here.graph("incidents").json()["@odata.nextLink"]
    here.graph("incidents")
    assert here.graph("incidents").status_code == 429
    here.admin("fabrikam.com/settings", "PATCH", {"incidents": 3, "quota": False})
    assert len(here.graph_ids()) == 3
