# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many tenants: nothing is generated early, little is kept, shared data stay apart."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from emulator.security import build_store, dataset
from emulator.security.store import SecurityStore

NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)


def _store(number: int, **security: Any) -> SecurityStore:
    tenant_id = f"11111111-1111-4111-8111-{number:012d}"
    tenant: Any = SimpleNamespace(tenant_id=tenant_id, domain=f"tenant{number}.example", settings={"security": security})
    return build_store(tenant, {"security": {"incidents": 100}}, 7, NOW)


def test_a_tenant_gets_the_same_data_each_time_and_others_get_other_data() -> None:
    first, again, other = _store(1), _store(1), _store(2)
    assert list(first.newest_first()) == list(again.newest_first())
    assert list(first.newest_first()) != list(other.newest_first())


def test_a_tenant_overrides_the_defaults_key_by_key() -> None:
    tenant: Any = SimpleNamespace(tenant_id="t", domain="d", settings={"security": {"quota": {"list_per_minute": 3}, "incidents": 5}})
    settings = build_store(tenant, {"security": {"incidents": 100, "quota": {"enabled": True}, "alerts_per_incident": 1}}, 7, NOW).settings
    assert (settings.plan.incidents, settings.plan.alerts_max) == (5, 1)
    assert (settings.quota.enabled, settings.quota.list_per_minute) == (True, 3)


@pytest.mark.parametrize("values", [{"incident": 5}, {"quota": {"per_minute": 3}}, {"order": "random"}])
def test_an_unknown_key_of_the_scenario_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        _store(1, **values)


def test_many_tenants_cost_little_before_they_are_read() -> None:
    tracemalloc.start()
    stores = [_store(number) for number in range(2_000)]
    built, _unused = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(stores) == 2_000
    assert built < 8_000_000


def test_only_the_tenants_in_use_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_BUDGET", 500)
    for number in range(40):
        assert len(list(_store(number).newest_first())) == 100
        assert sum(plan.incidents for plan in dataset._cache) <= 500
    assert dataset._held == sum(plan.incidents for plan in dataset._cache)


def test_an_incident_outlives_the_eviction_of_its_data_set() -> None:
    store = _store(1)
    newest = next(store.newest_first())
    changed = store.update(newest.id, {"severity": "low"}, now=store.settings.plan.now)
    before = list(store.newest_first())
    for number in range(2, 80):
        list(_store(number).newest_first())
    assert list(store.newest_first()) == before
    assert store.get(newest.id) == changed


def test_the_list_stays_sorted_through_changes() -> None:
    store = _store(1)
    now = store.settings.plan.now
    ids = [incident.id for incident in store.newest_first()]
    for place in (50, 3, 99, 50):
        store.update(ids[place], now=now)
    times = [incident.last_update for incident in store.newest_first()]
    assert times == sorted(times, reverse=True)
    assert sorted(incident.id for incident in store.newest_first()) == sorted(ids)


def test_an_update_into_the_past_of_its_incident_is_refused() -> None:
    store = _store(1)
    newest = next(store.newest_first())
    with pytest.raises(ValueError, match="later"):
        store.update(newest.id, now=store.settings.plan.now, last_update=newest.last_update)


def test_pooled_tenants_share_data_but_not_changes() -> None:
    first, second = _store(1, pool=1), _store(2, pool=1)
    assert list(first.newest_first()) == list(second.newest_first())
    number = next(first.newest_first()).id
    first.update(number, {"severity": "low", "tags": ("mine",)}, now=first.settings.plan.now)
    assert "mine" not in second.get(number).tags  # type: ignore[union-attr]
