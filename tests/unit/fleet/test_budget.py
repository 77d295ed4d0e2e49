# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Budgets, and the circuit of a tenant: what a fleet asks of its services, and what it asks no more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.breaker import Breaker
from ansible_collections.m365d.partner.plugins.module_utils._core.budget import DEFAULT_BUDGETS, Budgets, limits_of
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import LibraryMissing, OptionError, Throttled, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.fleet import Finding, Places, run_fleet
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport, TransportSettings
from requests.exceptions import ConnectionError as Reset
from requests.exceptions import SSLError
from unit.support.scripted_http import Answer, Clock, ScriptedSession, scripted_transport

URL = "https://graph.microsoft.com/v1.0/security/incidents"
NO_LIMIT: dict[str, list[str]] = {name: [] for name in DEFAULT_BUDGETS}


def _sent_within(seconds: float, budgets: Budgets, clock: Clock, *, kind: str = "defender", tries_every: float = 0.5) -> int:
    """Return how many requests one tenant may make within a time, however often it asks."""
    pace, end, sent = budgets.pace(kind, tenant_id="t", app="app"), clock.now + seconds, 0
    assert pace is not None
    while clock.now < end:
        while not pace():
            sent += 1
        clock.sleep(tries_every)
    return sent


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"),
    [("defender", 59, 50), ("defender", 119, 100), ("defender", 3599, 1500), ("graph", 59, 150), ("hunting", 59, 45)],
)
def test_a_tenants_requests_keep_within_the_limits_of_its_service(kind: str, seconds: float, expected: int) -> None:
    clock = Clock()
    assert _sent_within(seconds, Budgets({}, clock=clock), clock, kind=kind) == expected


def test_the_window_moves_so_that_no_minute_has_more_than_the_limit() -> None:
    clock = Clock()
    pace = Budgets({"graph": ["10/m"]}, clock=clock).pace("graph", tenant_id="t", app="app")
    assert pace is not None
    times = []
    for _step in range(400):
        if not pace():
            times.append(clock.now)
        clock.sleep(0.7)
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[10:], strict=False))
    assert len(times) >= 40


def test_the_wait_is_told_and_is_enough() -> None:
    clock = Clock()
    pace = Budgets({"graph": ["2/10s"]}, clock=clock).pace("graph", tenant_id="t", app="app")
    assert pace is not None
    assert [pace(), pace()] == [0, 0]
    clock.sleep(4)
    wait = pace()
    assert 6 <= wait < 6.1
    clock.sleep(wait)
    assert pace() == 0


def test_tenants_have_budgets_of_their_own_and_an_app_has_one_over_all_of_them() -> None:
    clock = Clock()
    budgets = Budgets({"graph": ["3/m"], "app": ["5/m"]}, clock=clock)
    paces = [budgets.pace("graph", tenant_id=tenant, app="partner") for tenant in ("contoso", "fabrikam", "northwind")]
    other = budgets.pace("graph", tenant_id="contoso", app="another app")
    sent = [sum(1 for _try in range(10) if pace is not None and not pace()) for pace in (*paces, other)]
    assert sent == [3, 2, 0, 3]


def test_a_request_that_waits_for_the_apps_budget_is_charged_to_its_tenant_once() -> None:
    clock = Clock()
    budgets = Budgets({"graph": ["2/h"], "app": ["1/m"]}, clock=clock)
    pace = budgets.pace("graph", tenant_id="t", app="partner")
    assert pace is not None
    assert pace() == 0
    assert [pace() > 0 for _try in range(5)] == [True] * 5
    clock.sleep(61)
    assert pace() == 0


def test_what_a_tenant_spent_in_its_first_try_counts_in_its_second() -> None:
    budgets = Budgets({"graph": ["2/m"]}, clock=Clock())
    first, second = (budgets.pace("graph", tenant_id="t", app="partner") for _try in range(2))
    assert first is not None
    assert second is not None
    assert [first(), first()] == [0, 0]
    assert second() > 0


def test_what_no_budget_limits_costs_nothing() -> None:
    budgets = Budgets(NO_LIMIT)
    assert budgets.pace("graph", tenant_id="t", app="app") is None
    assert Budgets({}).pace("directory", tenant_id="t", app="app") is None


def test_only_a_fleet_that_counts_needs_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrate_limiter", None)
    assert Budgets(NO_LIMIT).pace("graph", tenant_id="t", app="app") is None
    with pytest.raises(LibraryMissing, match="pip install pyrate_limiter"):
        Budgets({})


@pytest.mark.parametrize(
    "texts", [["50"], ["m"], ["0/m"], ["-5/m"], ["50/0m"], ["50/w"], ["50/m", "40/h"], ["50/m", "3001/h"], ["5/m", "6/m"]]
)
def test_a_limit_that_is_none_is_refused(texts: list[str]) -> None:
    with pytest.raises(OptionError, match=r"budgets\.graph"):
        limits_of("graph", texts)


def test_a_fleet_that_needs_few_requests_does_not_even_load_the_library() -> None:
    script = (
        "import sys\n"
        "from ansible_collections.m365d.partner.plugins.module_utils._core.budget import Budgets\n"
        "budgets = Budgets({})\n"
        "paces = [budgets.pace('defender', tenant_id=str(number), app='app') for number in range(100)]\n"
        "assert not any(pace() for pace in paces for _request in range(50))\n"
        "assert 'pyrate_limiter' not in sys.modules\n"
        "assert paces[0]() > 0\n"
        "assert 'pyrate_limiter' in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_counting_a_request_takes_microseconds() -> None:
    pace = Budgets({"graph": ["100000/m", "1000000/h"], "app": ["200000/m"]}).pace("graph", tenant_id="t", app="app")
    assert pace is not None
    begun = time.process_time()
    for _request in range(5_000):
        assert pace() == 0
    assert (time.process_time() - begun) / 5_000 < 100e-6


def _scripted(*script: Answer, **options: Any) -> tuple[Transport, ScriptedSession, Clock]:
    transport, session, clock = scripted_transport(*script, deadline=options.pop("deadline", 300.0))
    return transport.sharing_connections(sleep=clock.sleep, ends_at=None, **options), session, clock


def test_a_request_waits_for_its_budget_each_repetition_too() -> None:
    waits = iter([0, 7.0, 0, 0])
    transport, session, clock = _scripted(Answer(), Answer(503), Answer(), pace=lambda: next(waits))
    transport.send("GET", URL, attempted="first")
    transport.send("GET", URL, attempted="second")
    assert len(session.requests) == 3
    assert clock.slept == [7.0, 1.0]


def test_a_budget_that_has_no_room_before_the_deadline_is_said_so_and_nothing_is_sent() -> None:
    transport, session, _clock = _scripted(deadline=10.0, pace=lambda: 30.0)
    with pytest.raises(Throttled, match="budget") as caught:
        transport.send("GET", URL, attempted="listing incidents")
    assert (caught.value.retry_after, caught.value.retryable, session.requests) == (30.0, True, [])


RESET = Answer(raises=Reset("reset by peer"))


@pytest.mark.parametrize("failure", [RESET, Answer(500), Answer(503), Answer(504)])
def test_several_failures_in_a_row_open_the_circuit_long_before_the_deadline(failure: Answer) -> None:
    transport, session, clock = _scripted(*[failure] * 9)
    breaker = Breaker(clock=clock)
    transport = transport.sharing_connections(sleep=clock.sleep, ends_at=None, breaker=breaker)
    begun = clock.now
    if failure.raises:
        with pytest.raises(TransportError, match="reset"):
            transport.send("GET", URL, attempted="listing")
    else:
        assert transport.send("GET", URL, attempted="listing").status == failure.status
    assert len(session.requests) == 5
    assert clock.now - begun < 30
    with pytest.raises(TransportError, match="was not asked") as caught:
        transport.send("GET", URL, attempted="listing")
    assert caught.value.retryable
    assert len(session.requests) == 5


@pytest.mark.parametrize(("probe", "requests"), [(RESET, 6), (Answer(), 7)])
def test_a_half_open_circuit_takes_one_request_and_opens_or_closes_by_its_end(probe: Answer, requests: int) -> None:
    transport, session, clock = _scripted(*[RESET] * 5, probe, Answer())
    transport = transport.sharing_connections(sleep=clock.sleep, ends_at=None, breaker=Breaker(clock=clock))
    for _request in range(3):
        try:
            transport.send("GET", URL, attempted="listing")
        except TransportError:
            clock.sleep(30.0 if len(session.requests) == 5 else 0.0)
    assert len(session.requests) == requests


@pytest.mark.parametrize("between", [Answer(404), Answer(429, headers={"Retry-After": "1"}), Answer(503, headers={"Retry-After": "1"})])
def test_an_answer_between_failures_closes_the_circuit(between: Answer) -> None:
    failures = [RESET] * 4
    transport, session, clock = _scripted(*failures, between, *failures, Answer())
    transport = transport.sharing_connections(sleep=clock.sleep, ends_at=None, breaker=Breaker(clock=clock))
    while session.script:
        transport.send("GET", URL, attempted="listing")
    assert len(session.requests) == 10


def test_a_fault_that_lasts_is_none_of_the_circuits_business() -> None:
    transport, session, clock = _scripted(*[Answer(raises=SSLError("self-signed"))] * 9)
    transport = transport.sharing_connections(sleep=clock.sleep, ends_at=None, breaker=Breaker(clock=clock))
    for _request in range(9):
        with pytest.raises(TransportError, match="certificate"):
            transport.send("GET", URL, attempted="listing")
    assert len(session.requests) == 9


class _Services:
    """The services of many tenants, one of which refuses for a minute; counts how many are asked at the same time."""

    def __init__(self, busy: frozenset[int]) -> None:
        self.busy = busy
        self.working = 0
        self.most = 0
        self.asked = Counter[int]()
        self._lock = threading.Lock()

    def request(self, _method: str, url: str, **_options: Any) -> Any:
        tenant = int(url.rsplit("/", 1)[1])
        with self._lock:
            self.asked[tenant] += 1
            self.working += 1
            self.most = max(self.most, self.working)
            first = self.asked[tenant] == 1
        time.sleep(0.005)
        with self._lock:
            self.working -= 1
        answer = Answer(429, headers={"Retry-After": "60"}) if tenant in self.busy and first else Answer()
        return ScriptedSession(answer).request("GET", url, allow_redirects=False)


@pytest.mark.parametrize("busy", [1, 40])
def test_tenants_that_are_throttled_for_a_minute_slow_nobody_down(busy: int) -> None:
    """A minute lasts half a second here; more tenants wait than there are places."""
    concurrency, tenants = 8, 200
    services = _Services(frozenset(range(busy)))
    places = Places(concurrency)
    transport = Transport(TransportSettings(), session=services).sharing_connections(
        sleep=lambda seconds: places.sleep(seconds / 120), ends_at=None
    )
    ended: dict[int, float] = {}
    begun = time.monotonic()

    def _work(tenant: int) -> int:
        status = transport.send("GET", f"https://graph.microsoft.com/{tenant}", attempted="reading").status
        ended[tenant] = time.monotonic() - begun
        return status

    findings: list[Finding[int, int]] = []
    run_fleet(range(tenants), _work, places=places, concurrency=concurrency, credential_of=lambda _tenant: 1, on_finding=findings.append)
    assert {finding.value for finding in findings} == {200}
    assert {services.asked[tenant] for tenant in range(busy)} == {2}
    assert services.most == concurrency
    assert min(ended[tenant] for tenant in range(busy)) >= 0.5
    ideal = tenants * 0.005 / concurrency
    assert max(ended[tenant] for tenant in range(busy, tenants)) < ideal * 4 + 0.2
