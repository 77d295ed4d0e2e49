# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Incremental reading against a small model: every present version once, whatever moves, breaks off or arrives late."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.cursor import Cursor, read_cursor
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.incremental import IncrementalReader
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.incidents.moving_service import START, Behaviour, Crash, MovingService, instant
from unit.incidents.support import BASES, TENANT, defender_incident, graph_incident, ids, intake, page, script

OVERLAP = 60.0
EXAMPLES = int(os.environ.get("M365D_TEST_SCHEDULES", "60"))
FAR_FUTURE = "2030-01-01T00:00:00.0000000Z"

Version = tuple[str, str]


def _version(incident: dict[str, Any]) -> Version:
    return incident["id"], incident["last_update_date_time"]


class Consumer:
    """Keeps the cursor and what was delivered, as a user would: both only when a reading ended well."""

    def __init__(self, service: MovingService, *, cursor: Cursor | None = None) -> None:
        self.service = service
        self.cursor = cursor or Cursor(TENANT)
        self.delivered: list[Version] = []
        self.reasons: list[str] = []

    def run(self, *, limit: int | None = None, now: str | None = None, overlap: float = OVERLAP) -> int | None:
        """Read once; return how many versions came, None where the process ended in the middle."""
        now = now or instant(max(self.service.clock, self.service.newest))
        taken = intake(self.service, api=self.service.api)
        taken.source.backend.page_size = self.service.page_size
        reading = IncrementalReader(taken, cursor=self.cursor, overlap=overlap, now=now, limit=limit)
        try:
            found = [_version(incident) for incident in reading.read()]
        except Crash:
            assert reading.cursor == self.cursor
            return None
        self.delivered += found
        self.reasons += reading.report.reasons
        # What is kept is what JSON makes of it.
        self.cursor = read_cursor(reading.cursor.as_dict(), tenant_id=TENANT) or Cursor(TENANT)
        return len(found)


def _service(api: str, seed: int, behaviour: Behaviour, *, incidents: int, page_size: int = 3, same: int = 0) -> MovingService:
    service = MovingService(api, random.Random(seed), behaviour, page_size=page_size)
    for _number in range(incidents):
        service.add(updated=service.rng.randrange(0, 9_000_000_000) / 1e7, created=service.rng.randrange(0, 9_000_000_000) / 1e7)
    for _each in range(same):
        service.add(updated=500.0, created=service.rng.randrange(0, 500))
    service.clock = max(service.clock, service.newest)
    return service


behaviours = st.builds(
    Behaviour,
    updates=st.sampled_from([0.0, 0.5, 2.0]),
    adds=st.sampled_from([0.0, 0.5]),
    late=st.sampled_from([0.0, 0.5]),
    late_seconds=st.just(OVERLAP - 1),
    same_tick=st.sampled_from([0.0, 0.5]),
    crash=st.sampled_from([0.0, 0.1]),
    partial=st.sampled_from([0.0, 0.0, 0.3]),
    order=st.sampled_from(["updated", "created"]),
    shuffle_ties=st.booleans(),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(["graph", "defender"]),
    st.integers(0, 2**32),
    behaviours,
    st.integers(0, 30),
    st.integers(0, 12),
    st.lists(st.none() | st.integers(1, 10), min_size=1, max_size=5),
)
@example("defender", 1, Behaviour(updates=2.0, order="created", shuffle_ties=True), 30, 12, [None, 3])
def test_nothing_is_lost_and_nothing_comes_twice_in_any_schedule(
    api: str, seed: int, behaviour: Behaviour, incidents: int, same: int, limits: list[int | None]
) -> None:
    service = _service(api, seed, behaviour, incidents=incidents, same=same)
    consumer = Consumer(service)
    for limit in limits:
        # A process that ends in the middle is started again.
        for _attempt in range(3):
            if consumer.run(limit=limit) is not None:
                break
        service.events = 0
    service.quiet = True
    consumer.run()
    assert sorted(consumer.delivered) == sorted(set(consumer.delivered)), "something came twice"
    assert set(consumer.delivered) <= service.versions, "something was never there"
    assert service.latest_versions() <= set(consumer.delivered), "something was lost"
    assert consumer.run() == 0, "a quiet tenant has nothing new"


@pytest.mark.parametrize("api", ["graph", "defender"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_thousand_incidents_on_one_instant_come_once_each(api: str, shuffle: bool) -> None:
    service = _service(api, 1, Behaviour(shuffle_ties=shuffle), incidents=120, same=1000, page_size=50 if api == "graph" else 100)
    consumer = Consumer(service)
    assert consumer.run() == 1120
    assert set(consumer.delivered) == service.latest_versions()
    assert consumer.run() == 0
    assert consumer.reasons == []


@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_quiet_tenant_costs_one_request_and_a_backlog_hardly_more_than_its_pages(api: str) -> None:
    size = 50 if api == "graph" else 100
    service = _service(api, 1, Behaviour(), incidents=1000, page_size=size)
    consumer = Consumer(service)
    consumer.run()
    # Graph: each page begins with the last incident of the one before. Defender: each page is read again, to be sure of it.
    assert len(service.requests) <= (21 if api == "graph" else 22)
    service.requests.clear()
    assert consumer.run(overlap=1.0) == 0
    assert len(service.requests) == 1


def test_the_first_reading_begins_where_it_is_told_and_the_next_at_the_overlap() -> None:
    since = instant(100)
    service = _service("graph", 1, Behaviour(), incidents=0)
    for moment in (50.0, 150.0, 400.0):
        service.add(updated=moment)
    consumer = Consumer(service, cursor=Cursor(TENANT, seen_from=since))
    assert consumer.run() == 2
    assert "lastUpdateDateTime%20ge%202026-01-01T00%3A01%3A40.0000000Z" in service.requests[0]
    consumer.run()
    assert "lastUpdateDateTime%20ge%202026-01-01T00%3A05%3A40.0000000Z" in service.requests[1]


def test_a_longer_overlap_does_not_bring_back_what_was_forgotten() -> None:
    service = _service("graph", 1, Behaviour(), incidents=20)
    consumer = Consumer(service)
    consumer.run(overlap=1.0)
    assert consumer.run(overlap=10_000.0) == 0


def test_an_update_from_the_future_does_not_hide_what_happens_until_then() -> None:
    service = _service("graph", 1, Behaviour(), incidents=0)
    service.add(updated=5_000.0)
    consumer = Consumer(service)
    assert consumer.run(now=instant(1_000)) == 1
    service.add(updated=1_001.0)
    assert consumer.run(now=instant(1_002)) == 1
    assert consumer.run(now=instant(1_003)) == 0


def test_a_cursor_from_the_future_is_no_silence() -> None:
    service = _service("graph", 1, Behaviour(), incidents=0)
    service.add(updated=900.0)
    consumer = Consumer(service, cursor=Cursor(TENANT, watermark=instant(5_000)))
    assert consumer.run(now=instant(1_000)) == 0
    assert consumer.reasons == [f"the cursor lies in the future, so that nothing before {instant(5_000 - OVERLAP)} was looked for"]


def test_a_limit_delivers_the_oldest_first_and_the_next_reading_goes_on_there() -> None:
    service = _service("graph", 1, Behaviour(), incidents=20)
    consumer = Consumer(service)
    for _run in range(7):
        consumer.run(limit=3)
    assert [update for _id, update in consumer.delivered] == sorted(update for _id, update in service.latest_versions())
    assert "there are more than the limit of 3" in consumer.reasons


def test_a_partial_answer_is_delivered_but_does_not_move_the_watermark() -> None:
    taken = intake(script(page(graph_incident(1), status=206)))
    reading = IncrementalReader(taken, cursor=Cursor(TENANT), overlap=OVERLAP, now=FAR_FUTURE)
    assert ids(reading.read()) == ["1"]
    assert not reading.report.complete
    assert (reading.cursor.watermark, len(reading.cursor.seen)) == (None, 1)


@pytest.mark.parametrize("odd", ["soon", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59.9999999Z", 5, {}, None])
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_last_update_that_is_no_instant_moves_no_watermark(api: str, odd: Any) -> None:
    make, name = (graph_incident, "lastUpdateDateTime") if api == "graph" else (defender_incident, "lastUpdateTime")
    found = [{**make(1), name: odd}, make(2), make(3)]
    reading = IncrementalReader(intake(script(page(*found)), api=api), cursor=Cursor(TENANT), overlap=OVERLAP, now=FAR_FUTURE, limit=2)
    assert ids(reading.read()) == ["1", "2"]
    # With the present as watermark, the third one would lie before everything that is looked for.
    assert reading.cursor.watermark == "2026-01-02T00:00:00.0000002Z"


@pytest.mark.parametrize("odd", ["2026-02-30T00:00:00Z", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59.9999999Z"])
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_a_page_full_of_last_updates_that_are_no_instants_is_read_over(api: str, odd: str) -> None:
    make, size = (graph_incident, 50) if api == "graph" else (defender_incident, 100)
    full = page(*(make(number, updated=odd) for number in range(1, size + 1)), next_link=f"{BASES[api]}/more")
    reading = IncrementalReader(intake(script(full, *[page()] * 4), api=api), cursor=Cursor(TENANT), overlap=OVERLAP, now=FAR_FUTURE)
    assert len(list(reading.read())) == size


def test_a_version_that_a_filter_keeps_out_is_delivered_when_it_passes() -> None:
    first = intake(script(page(graph_incident(1, customTags=[]))), IncidentQuery(tags=("vip",)))
    reading = IncrementalReader(first, cursor=Cursor(TENANT), overlap=OVERLAP, now=FAR_FUTURE)
    assert ids(reading.read()) == []
    tagged = graph_incident(1, customTags=["vip"], updated="2026-01-03T00:00:00Z")
    second = intake(script(page(tagged)), IncidentQuery(tags=("vip",)))
    assert ids(IncrementalReader(second, cursor=reading.cursor, overlap=OVERLAP, now=FAR_FUTURE).read()) == ["1"]


def test_the_cursor_stays_until_everything_was_taken() -> None:
    taken = intake(script(page(graph_incident(1), graph_incident(2))))
    reading = IncrementalReader(taken, cursor=Cursor(TENANT), overlap=OVERLAP, now=FAR_FUTURE)
    incidents = reading.read()
    next(incidents)
    assert reading.cursor == Cursor(TENANT)
    list(incidents)
    assert reading.cursor.watermark == "2026-01-02T00:00:00.0000002Z"


def test_a_cursor_survives_its_plain_form() -> None:
    cursor = Cursor(TENANT, "2026-01-02T00:00:00.0000000Z", None, frozenset({("1", START), ("1", "x"), ("2", START)}))
    assert read_cursor(cursor.as_dict(), tenant_id=TENANT) == cursor
    assert read_cursor({}, tenant_id=TENANT) is None


@pytest.mark.parametrize(
    "change",
    [
        {"tenant_id": "11111111-1111-4111-8111-000000000002"},
        {"format": 2},
        {"format": None},
        {"watermark": "yesterday"},
        {"seen_from": 7},
        {"seen": None},
        {"seen": {"1": "x"}},
    ],
)
def test_what_is_no_cursor_of_the_tenant_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="cursor is not one of this tenant"):
        read_cursor({**Cursor(TENANT).as_dict(), **change}, tenant_id=TENANT)
