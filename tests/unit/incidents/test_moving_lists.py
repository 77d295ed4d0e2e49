# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a whole list while it moves: what matched all the time is delivered, or the result does not say that it is complete."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.reader import ORDERS, IncidentReader
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.incidents.moving_service import Behaviour, MovingService
from unit.incidents.support import (
    DEFENDER_LIST,
    GRAPH_LIST,
    defender_incident,
    graph_error,
    graph_incident,
    ids,
    intake,
    page,
    reader,
    script,
)

EXAMPLES = int(os.environ.get("M365D_TEST_SCHEDULES", "60"))
ACTIVE = IncidentQuery(status=("active",))
PAGES = {"graph": 50, "defender": 100}


def _service(api: str, behaviour: Behaviour, *, incidents: int, page_size: int, seed: int = 1, spread: float = 1e5) -> MovingService:
    """Return a service with incidents that were updated over `spread` seconds, some long after their creation."""
    service = MovingService(api, random.Random(seed), behaviour, page_size=page_size, clock=spread)
    for _number in range(incidents):
        updated = service.rng.randrange(0, int(spread * 1e7)) / 1e7
        service.add(updated=updated, created=updated * service.rng.choice([1, 1, 0.9, service.rng.random()]))
    service.clock = max(service.clock, service.newest)
    return service


def _reader(service: MovingService, query: IncidentQuery = ACTIVE, **options: Any) -> IncidentReader:
    taken = intake(service, query, api=service.api)
    taken.source.backend.page_size = service.page_size
    return reader(taken, **options)


def _kept_all_the_time(service: MovingService, before: set[str]) -> set[str]:
    """Return the incidents that matched from the first request to the last."""
    return before - service.left


behaviours = st.builds(
    Behaviour,
    updates=st.sampled_from([0.0, 0.5, 2.0]),
    adds=st.sampled_from([0.0, 0.5, 1.0]),
    leaves=st.sampled_from([0.3, 0.7]),
    same_tick=st.sampled_from([0.0, 0.5]),
    order=st.sampled_from(["updated", "created"]),
    shuffle_ties=st.booleans(),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(["graph", "defender"]),
    st.integers(0, 2**32),
    behaviours,
    st.integers(0, 40),
    st.integers(0, 8),
    st.sampled_from(sorted(ORDERS)),
    st.sampled_from([None, None, 4, 30, 100]),
    st.booleans(),
    st.sampled_from([1e3, 1e5]),
)
def test_what_matched_all_the_time_is_delivered_or_the_result_is_not_complete(
    api: str, seed: int, behaviour: Behaviour, incidents: int, same: int, order: str, limit: int | None, streamed: bool, spread: float
) -> None:
    service = _service(api, behaviour, incidents=incidents, page_size=5, seed=seed, spread=spread)
    for _each in range(same):
        service.add(updated=spread / 2, created=spread / 4)
    before = {str(number) for number in service.incidents}
    reading = _reader(service, order=order, limit=limit, as_they_come=streamed)
    found = set(ids(reading.read() if streamed else reading.collect()))
    if reading.report.complete:
        assert _kept_all_the_time(service, before) <= found
    assert found <= {str(number) for number in service.incidents}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32), behaviours, st.integers(0, 40), st.sampled_from([0.5, 1.0]))
def test_late_arrivals_hide_nothing_from_a_service_that_does_not_count(
    seed: int, behaviour: Behaviour, incidents: int, late: float
) -> None:
    behaviour.late, behaviour.late_seconds = late, 59.0
    service = _service("defender", behaviour, incidents=incidents, page_size=5, seed=seed)
    before = {str(number) for number in service.incidents}
    reading = _reader(service)
    found = set(ids(reading.collect()))
    if reading.report.complete:
        assert _kept_all_the_time(service, before) <= found


@pytest.mark.parametrize("order", ["updated", "created"])
@pytest.mark.parametrize("api", ["graph", "defender"])
@pytest.mark.parametrize("links", [False, True])
def test_a_quiet_list_costs_as_many_requests_as_it_has_pages(api: str, order: str, *, links: bool) -> None:
    for count in (0, 1, 49, 50, 51, 99, 101, 150, 190, 249, 250, 290):
        service = _service(api, Behaviour(order=order), incidents=count, page_size=PAGES[api], spread=1e6)
        service.links = links
        reading = _reader(service)
        assert len(reading.collect()) == count
        assert reading.report.complete
        assert len(service.requests) == max(1, -(-count // PAGES[api])), count


@pytest.mark.parametrize(("count", "requests"), [(100, 2), (199, 3), (200, 3), (300, 4)])
def test_a_full_last_page_of_a_service_that_does_not_tell_its_end_costs_one_request_more(count: int, requests: int) -> None:
    service = _service("defender", Behaviour(), incidents=count, page_size=100, spread=1e6)
    assert len(_reader(service).collect()) == count
    assert len(service.requests) == requests


@pytest.mark.parametrize("order", ["updated", "created"])
@pytest.mark.parametrize("closed", [1, 2, 3, 250])
def test_incidents_that_leave_a_filter_between_two_pages_pull_no_other_one_over_the_edge(order: str, closed: int) -> None:
    """By offset, each of them would have cost one incident that was open all the time."""
    service = _service("defender", Behaviour(order=order), incidents=400, page_size=100, spread=1e6)
    kept = set(map(str, service.incidents))
    reading = _reader(service)
    incidents = reading.read()
    found = {next(incidents)["id"]}
    # Those of the first page are closed after it was answered.
    for number in [kept.number for kept in service._ordered(None)][: min(closed, 100)]:
        service.incidents[number].status = "resolved"
        service.incidents[number].updated = service.clock + number / 1e7
        kept.discard(str(number))
    found.update(ids(incidents))
    assert kept <= found
    assert reading.report.complete
    assert len(service.requests) <= 5


def test_an_incident_that_jumps_over_the_edge_while_another_one_leaves_is_read() -> None:
    """Both moves together leave every offset as it was, so that nothing but the instants can tell."""
    service = _service("defender", Behaviour(), incidents=150, page_size=100, spread=1e6)
    reading = _reader(service)
    incidents = reading.read()
    found = {next(incidents)["id"]}
    listed = service._ordered(None)
    listed[3].status, listed[3].updated = "resolved", service.clock + 1
    listed[140].updated = service.clock + 2
    found.update(ids(incidents))
    assert {str(kept.number) for kept in listed if kept.status == "active"} <= found
    assert len(service.requests) == 2


def test_a_list_in_no_order_is_divided_by_time() -> None:
    service = _service("defender", Behaviour(order="number"), incidents=350, page_size=100, spread=1e6)
    reading = _reader(service)
    assert len(reading.collect()) == 350
    assert reading.report.complete
    assert "$skip" not in "".join(service.requests)


def test_a_service_that_refuses_the_filter_of_a_further_page_is_read_by_time() -> None:
    full = [defender_incident(number) for number in range(150, 50, -1)]
    rest = [defender_incident(number) for number in range(51, 0, -1)]
    refusal = graph_error(400, "ODataError", "Invalid filter clause")
    session = script(page(*full), refusal, page(*full), page(*rest), page(*full[:99]))
    reading = reader(intake(session, api="defender"))
    assert len(reading.collect()) == 150
    assert reading.report.complete
    border = "2026-01-02T00%3A00%3A00.0000052Z"
    assert session.lines()[2:] == [
        f"GET {DEFENDER_LIST}?$top=100",
        f"GET {DEFENDER_LIST}?$top=100&$filter=lastUpdateTime%20lt%20{border}",
        f"GET {DEFENDER_LIST}?$top=100&$filter=lastUpdateTime%20ge%20{border}",
    ]


def test_a_list_of_graph_without_a_count_is_not_taken_on_trust() -> None:
    session = script(
        page(graph_incident(3), graph_incident(2), next_link=f"{GRAPH_LIST}?$skiptoken=x"),
        page(graph_incident(1)),
        page(graph_incident(1), graph_incident(2), graph_incident(3), graph_incident(4)),
    )
    reading = reader(intake(session))
    assert ids(reading.collect()) == ["4", "3", "2", "1"]
    assert session.lines()[2] == f"GET {GRAPH_LIST}?$top=50&$orderby=lastUpdateDateTime%20asc"


@pytest.mark.parametrize("order", sorted(ORDERS))
def test_graph_is_asked_for_the_last_updates_first_whatever_order_is_wanted(order: str) -> None:
    """In other orders a newcomer at the end takes the place, and the count, of one that was passed over."""
    session = script(page(graph_incident(1)))
    reader(intake(session), order=order).collect()
    assert "$orderby=lastUpdateDateTime%20desc" in session.lines()[0]
    limited = script(page(graph_incident(1)))
    reader(intake(limited), order=order, limit=5).collect()
    key, direction = {"updated": "lastUpdateDateTime", "created": "createdDateTime"}[order.split("_")[0]], order.split("_")[1]
    assert f"$orderby={key}%20{direction}" in limited.lines()[0]


def _full_page(**members: Any) -> list[dict[str, Any]]:
    """A full page of the Defender API, incidents 150 to 51 by last update, each created the day before."""
    return [defender_incident(number, **members) for number in range(150, 50, -1)]


UPDATED_REST = (
    "lastUpdateTime%20le%202026-01-02T00%3A00%3A00.0000051Z",
    "lastUpdateTime%20ge%202026-01-01T23%3A55%3A00.0000150Z",
)


def test_a_page_that_only_last_updates_sort_is_followed_by_what_they_leave() -> None:
    page_1 = [{**one, "createdTime": f"2026-01-01T00:00:{index % 60:02d}Z"} for index, one in enumerate(_full_page())]
    session = script(page(*page_1), page(defender_incident(50)))
    assert len(reader(intake(session, api="defender")).collect()) == 101
    assert session.lines()[1] == f"GET {DEFENDER_LIST}?$top=100&$filter=%28{'%20or%20'.join(UPDATED_REST)}%29"


def test_a_page_that_only_creations_sort_is_followed_by_what_they_leave() -> None:
    page_1 = [
        defender_incident(number, updated=f"2026-01-02T00:00:{number % 60:02d}Z", createdTime=f"2026-01-01T00:00:00.{number:07d}Z")
        for number in range(150, 50, -1)
    ]
    session = script(page(*page_1), page(defender_incident(50)))
    assert len(reader(intake(session, api="defender")).collect()) == 101
    assert session.lines()[1] == f"GET {DEFENDER_LIST}?$top=100&$filter=%28createdTime%20le%202026-01-01T00%3A00%3A00.0000051Z%29"


@pytest.mark.parametrize("missing", ["lastUpdateTime", "createdTime"])
def test_a_page_with_an_incident_without_an_instant_proves_no_order(missing: str) -> None:
    spoilt = _full_page()
    del spoilt[40][missing]
    # By time: the page again, its older part, its newer one.
    session = script(page(*spoilt), page(*_full_page()), page(defender_incident(50), defender_incident(51)), page(*_full_page()[:-1]))
    reading = reader(intake(session, api="defender"))
    assert len(reading.collect()) == 101
    assert session.lines()[1] == f"GET {DEFENDER_LIST}?$top=100"
    assert "%20or%20" not in "".join(session.lines())


def test_an_empty_page_with_a_link_is_not_the_end() -> None:
    link = f"{DEFENDER_LIST}?$skiptoken=x"
    empty, rest = page(next_link=link), page(defender_incident(1))
    # What says nothing of itself is read by the service's own links, until two readings agree.
    session = script(empty, empty, empty, rest, empty, rest)
    reading = reader(intake(session, api="defender"))
    assert ids(reading.collect()) == ["1"]
    assert reading.report.complete


@pytest.mark.parametrize("status", [403, 404])
def test_a_further_page_that_fails_for_another_reason_fails_the_reading(status: int) -> None:
    session = script(page(*_full_page()), graph_error(status, "Code", "no"))
    with pytest.raises(PartnerError):
        reader(intake(session, api="defender")).collect()
